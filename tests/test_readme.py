"""The README's numbers, paths and commands hold."""

import re
import subprocess
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
NAMES = {"cats and dogs": "cats_dogs", "roses and tulips": "roses_tulips"}
ROW = re.compile(r"^\| (.+) (\d+) \+ (\d+) \| ([\d.]+) \| ([\d.]+) \| (\d+) \|$", re.MULTILINE)


def test_the_table_of_results_is_the_recorded_run_s():
    recorded = pd.read_csv(ROOT / "docs/paper/plots/summary.csv").set_index("variant")
    shown = {f"{NAMES[title]}-{transfer}-{fine}": numbers for title, transfer, fine, *numbers in ROW.findall(README)}
    assert set(shown) == set(recorded.index) - {"trial"}
    for variant, (accuracy, loss, epochs) in shown.items():
        assert float(accuracy) == round(recorded.loc[variant, "final_val_accuracy"], 3)
        assert float(loss) == round(recorded.loc[variant, "final_val_loss"], 3)
        assert int(epochs) == epochs_to_frozen_best(variant, recorded)


def epochs_to_frozen_best(variant: str, recorded: pd.DataFrame) -> int:
    frozen = recorded[(recorded["dataset"] == recorded.loc[variant, "dataset"]) & (recorded["fine"] == 1)].iloc[0]
    history = pd.read_csv(ROOT / f"docs/paper/plots/{variant}.csv")
    return int(history.loc[history["val_loss"] <= frozen["best_val_loss"], "epoch"].iloc[0])


def test_links_lead_to_files_in_git():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert [link for link in links if link not in tracked] == []


def test_make_targets_exist():
    targets = re.findall(r"`(?:\S+=\S+ )?make ([a-z-]+)`", README)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {"repro", "test"} <= set(targets)
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []
