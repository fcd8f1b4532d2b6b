"""The README's numbers, paths and commands hold."""

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from stages.results import repeats

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
NAMES = {"cats and dogs": "cats_dogs", "roses and tulips": "roses_tulips"}
RECORD = ROOT / "docs/paper"
ARMS = ("", "-tuned")  # the thesis's head, and the one at 1e-3


def rows_of_results() -> dict[str, list[str]]:
    """By variant, the cells of the table of results: accuracy, loss with its interval, epochs to the target."""
    found = {}
    for line in README.splitlines():
        if schedule := re.match(r"\| (cats and dogs|roses and tulips) (\d+) \+ (\d+) \|", line):
            title, transfer, fine = schedule.groups()
            cells = [cell.strip() for cell in line.split("|")[2:-1]]
            for place, arm in enumerate(ARMS):
                found[f"{NAMES[title]}-{transfer}-{fine}{arm}"] = cells[3 * place : 3 * place + 3]
    return {name: cells for name, cells in found.items() if any(cells)}


def test_the_table_of_results_is_the_recorded_run_s():
    recorded = pd.read_csv(RECORD / "plots/tables/summary.csv").set_index("variant")
    costs = pd.read_csv(RECORD / "plots/costs/costs.csv").set_index("variant")
    shown = rows_of_results()
    assert set(shown) == {name for name in recorded.index if re.fullmatch(r"[a-z_]+-\d+-\d+(-tuned)?", name)}
    for variant, (accuracy, loss, epochs) in shown.items():
        assert accuracy == f"{recorded.loc[variant, 'final_val_accuracy']:.3f}"
        row = costs.loc[variant]
        value, low, high = (f"{row[f'final_val_loss{end}']:.3f}" for end in ("", "_low", "_high"))
        assert loss == f"{value} ({low} to {high})"
        reached, repeats = int(row["reached"]), int(row["repeats"])
        some = f"{reached} of {repeats} reach it" if reached else f"> {row['epochs']:.0f}"
        assert epochs == (f"{row['epochs_to_target']:.1f}" if reached == repeats else some)


def losses_by_fold(variant: str) -> np.ndarray:
    """The mean validation loss of each fold after each epoch, (folds, epochs), from the recorded logits."""
    recorded = repeats.read_logits(RECORD / "results" / variant)
    return np.array([validation.losses().mean(axis=1) for validation in recorded.values()])


def with_interval(differences: np.ndarray) -> str:
    """The mean of one value a fold and its 95 % confidence interval by Student's t, as the README shows it."""
    low, high = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    return f"{differences.mean():.3f} ({low:.3f} to {high:.3f})".replace("-", "\N{MINUS SIGN}")


def test_the_answer_for_roses_and_tulips_follows_from_the_recorded_logits():
    at_once, three, six, ten, twenty, fifty = (
        losses_by_fold(f"roses_tulips-{name}")
        for name in ("0-51", "3-48-tuned", "6-45-tuned", "10-41-tuned", "20-31-tuned", "50-1-tuned")
    )
    assert at_once.shape == (5, 51)
    behind = (three >= at_once).any(axis=0)
    assert f"after each of the first {behind.argmax()} epochs, on each of five folds" in README
    means = {epoch: (three[:, epoch - 1].mean(), at_once[:, epoch - 1].mean()) for epoch in (5, 10, 51)}
    assert "{:.2f} instead of {:.2f} after 5 epochs, and".format(*means[5]) in README
    assert "{:.2f} instead of {:.2f} after 10.".format(*means[10]) in README
    assert "After 51 epochs the two are close, at {:.3f} and {:.3f}.".format(*means[51]) in README
    ends = tuple(losses[:, -1].mean() for losses in (ten, twenty, fifty))
    assert "10 + 41 ends at {:.3f}, 20 + 31 at {:.3f}, and 50 + 1 at {:.3f}".format(*ends) in README
    early, later, last = (with_interval((three - at_once)[:, epoch - 1]) for epoch in (5, 10, 51))
    early = early.replace(" (", " after 5 epochs, with a 95 % confidence interval of ").rstrip(")")
    assert f"{early}; {later} after 10; and {last} after 51." in README
    assert stats.ttest_1samp(three[:, -1] - at_once[:, -1], 0.01, alternative="less").pvalue < 0.05
    for losses in (three, six, ten):
        assert (losses.mean(axis=0) < at_once.mean(axis=0)).all()  # the text of the figure
    slow = [losses_by_fold(f"roses_tulips-{50 - fine}-{fine + 1}").mean(axis=0) for fine in (0, 10, 20, 30, 40)]
    assert (np.min(slow, axis=0) <= at_once.mean(axis=0)).argmax() == 45
    alone, converged = slow[0][49], losses_by_fold("roses_tulips-converged").mean()
    fast = losses_by_fold("roses_tulips-0-51-fast_head")
    assert f"a loss of {fast[:, 4].mean():.3f} instead of {three[:, 4].mean():.3f} after 5 epochs" in README
    assert (fast[:, -1] > three[:, -1]).all()
    assert f"higher than that of 3 + 48 on each of five folds, {fast[:, -1].mean():.3f} on average." in README
    assert f"its loss is {alone:.3f} after 50 epochs, and {converged:.3f} once it has converged" in README


def test_the_answer_for_cats_and_dogs_follows_from_the_recorded_logits():
    at_once, three = losses_by_fold("cats_dogs-0-31"), losses_by_fold("cats_dogs-3-28-tuned")
    assert at_once.shape == (3, 31)
    ours, theirs = three.mean(axis=0), at_once.mean(axis=0)
    assert f"after 3 epochs 3 + 28 has a loss of {ours[2]:.3f}, and 0 + 31 one of {theirs[2]:.3f}" in README
    assert list(ours < theirs) == [True] * 6 + [False] * 25
    assert f"at the end it is {theirs[-1]:.3f}, and that of 3 + 28 is {ours[-1]:.3f}" in README
    early, last = (with_interval((three - at_once)[:, epoch - 1]) for epoch in (3, 31))
    assert f"{early} after 3 epochs and {last} after 31." in README


def test_the_cause_of_the_jump_and_what_moving_statistics_give_follow_from_the_record():
    claims = pd.read_csv(RECORD / "plots/tables/claims.csv").set_index(["claim", "dataset"])
    ends = []
    for dataset, name in (("cats_dogs", "cats and dogs 10 + 21"), ("roses_tulips", "roses and tulips 10 + 41")):
        row = claims.loc[("batch_statistics", dataset)]
        assert row["verdict"] == "holds"
        assert f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f}) for {name}" in README
        schedule = f"{dataset}-{name[-7:].replace(' + ', '-')}"
        plain, moving = (losses_by_fold(f"{schedule}{style}").mean(axis=0) for style in ("", "-moving"))
        assert moving[10] < plain[10]
        ends += [moving[-1], plain[-1]]
    assert "at {:.3f} instead of {:.3f} and at {:.3f} instead of {:.3f}".format(*ends) in README


def test_what_batch_statistics_do_to_one_network_is_what_the_csv_says():
    rows = pd.read_csv(ROOT / "docs/batch_statistics.csv")
    method = (ROOT / "docs/method.md").read_text(encoding="utf-8")
    found = rows[rows["transfer"] == 10].groupby(["network", "dataset"])
    assert len(found) == 4
    for _, own in found:
        losses = own.pivot(index="repeat", columns="batch_norm", values="loss")
        assert with_interval((losses["batch"] - losses["moving"]).to_numpy()) in method


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_what_holds_elsewhere_follows_from_the_recorded_epochs():
    folder = ROOT / "docs/elsewhere/mobilenet_0.25"
    epochs, sets = pd.read_csv(folder / "epochs.csv"), pd.read_csv(folder / "sets.csv")
    final = epochs[epochs["epoch"] == 20].pivot_table(
        index=["dataset", "repeat"], columns=["arm", "transfer"], values="val_loss"
    )
    converged = sets.set_index(["dataset", "repeat"])["converged_loss"]
    lowest = final.groupby("dataset").mean().idxmin(axis=1)
    assert len(lowest) == 7
    assert set(lowest) == {("head_rate 0.001", 20)}
    excess = (final[("head_rate 0.001", 20)] - converged).unstack("dataset")  # a row for each of five folds
    low, high = stats.t.interval(0.95, len(excess) - 1, excess.mean(), excess.sem())
    assert (excess.mean() > 0).all()
    assert ((low > 0) | (high < 0)).sum() == 5
    assert sets.groupby("dataset")["pictures"].first().between(397, 1518).all()
    for words in ("seven other sets of 400 to 1,500 pictures", "20 epochs", "five of the seven sets the interval"):
        assert words in README


def test_links_lead_to_files_in_git_and_to_their_headings():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for page in ("README.md", "docs/README.md"):
        found = re.findall(r"\]\(([^)]+)\)", (ROOT / page).read_text(encoding="utf-8"))
        links = [link.partition("#") for link in found if "://" not in link]
        assert links
        for path, _, anchor in links:
            target = os.path.normpath(Path(page).parent / path) if path else page
            assert target in tracked
            assert not anchor or anchor in anchors(target)


def test_make_targets_exist():
    targets = re.findall(r"`(?:\S+=\S+ )?make ([a-z-]+)`", README)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {"repro", "test"} <= set(targets)
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []
