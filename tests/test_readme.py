"""The README's numbers, paths and commands hold."""

import os
import re
import subprocess
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
NAMES = {"cats and dogs": "cats_dogs", "roses and tulips": "roses_tulips"}
ROW = re.compile(
    r"^\| (.+) (\d+) \+ (\d+) \| ([\d.]+) \| ([\d.]+) \(([\d.]+) to ([\d.]+)\) \| ([\d.]+|never) \|$", re.MULTILINE
)


def test_the_table_of_results_is_the_recorded_run_s():
    recorded = pd.read_csv(ROOT / "docs/paper/plots/summary.csv").set_index("variant")
    costs = pd.read_csv(ROOT / "docs/paper/plots/costs.csv").set_index("variant")
    shown = {f"{NAMES[title]}-{transfer}-{fine}": numbers for title, transfer, fine, *numbers in ROW.findall(README)}
    assert set(shown) == {name for name in recorded.index if re.fullmatch(r"[a-z_]+-\d+-\d+", name)}
    for variant, (accuracy, loss, low, high, epochs) in shown.items():
        assert float(accuracy) == round(recorded.loc[variant, "final_val_accuracy"], 3)
        measured = costs.loc[variant, ["final_val_loss", "final_val_loss_low", "final_val_loss_high"]]
        assert [float(loss), float(low), float(high)] == [round(value, 3) for value in measured]
        reached = costs.loc[variant, "epochs_to_target"]
        assert epochs == "never" if pd.isna(reached) else float(epochs) == round(reached, 1)


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


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
