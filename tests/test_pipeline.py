"""The graph in dvc.yaml: its grid, and that each stage depends on exactly the code that it runs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
STAGES = {name: stage.get("do", stage) for name, stage in PIPELINE["stages"].items()}
GRID = {
    "cats_dogs": [(30, 1), (20, 11), (10, 21), (0, 31)],
    "roses_tulips": [(50, 1), (40, 11), (30, 21), (20, 31), (10, 41), (0, 51)],
}  # the paper's
STYLES = [
    "cats_dogs-20-11-moving",
    "roses_tulips-40-11-moving",
    "roses_tulips-40-11-gradual",
    "roses_tulips-40-11-discriminative",
    "roses_tulips-40-11-warm_up",
]
VARIANTS = [f"{dataset}-{transfer}-{fine}" for dataset, grid in GRID.items() for transfer, fine in grid]


def imported(module: str, seen: set[str]) -> set[str]:
    """The files of `module` and of all that it imports from this repository."""
    path = Path(*module.split(".")).with_suffix(".py")
    if str(path) in seen or not (ROOT / path).exists():
        return seen
    seen.add(str(path))
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "stages":
            for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                imported(name, seen)
    return seen


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_the_modules_that_it_imports(name):
    declared = {path for path in STAGES[name]["deps"] if path.startswith("stages/") and path.endswith(".py")}
    assert declared == imported(f"stages.{name}", set())


def test_the_grid_is_the_paper_s_the_styles_and_the_trial():
    expected = {
        f"{dataset}-{transfer}-{fine}": {"dataset": dataset, "transfer": transfer, "fine": fine}
        for dataset, grid in GRID.items()
        for transfer, fine in grid
    }
    found = PIPELINE["stages"]["train"]["foreach"]
    assert {name: found[name] for name in expected} == expected
    assert found.keys() == {*expected, *STYLES, "trial"}
    assert found["trial"] == "${schedule}"


@pytest.mark.parametrize("name", STYLES)
def test_a_style_is_a_schedule_of_the_grid_with_one_thing_different(name):
    style = dict(PIPELINE["stages"]["train"]["foreach"][name])
    schedule = [style.pop(key) for key in ("dataset", "transfer", "fine")]
    assert "-".join(map(str, schedule)) in VARIANTS
    assert name.startswith("-".join(map(str, schedule)))
    ((key, value),) = style.items()
    assert PARAMS["fine"][key] != value


def test_every_variant_spends_its_data_set_s_budget():
    for dataset, grid in GRID.items():
        assert {transfer + fine for transfer, fine in grid} == {PARAMS["budget"][dataset]}


@pytest.mark.parametrize("name", ["summarize", "figures", "report"])
def test_all_variants_are_summarized_and_drawn(name):
    words = STAGES[name]["cmd"].split()
    listed = words[words.index("--variants") + 1 :]
    shown = [*VARIANTS, "trial", *STYLES]
    assert listed[: len(shown) + 1] == [*shown, "--out"]
    read = {"summarize": ["histories", "predictions", "seconds"]}.get(name, ["histories"])
    expected = {f"plots/{variant}.csv" for variant in shown}
    expected |= {f"models/{variant}/{file}.csv" for variant in shown for file in read}
    assert expected <= set(STAGES[name]["deps"])


def test_every_picture_and_table_is_an_output_in_git():
    pictures = {*VARIANTS, "trial", *STYLES, *GRID, "fine_share", "costs", "dip", "styles"}
    drawn = {path: options for output in STAGES["figures"]["plots"] for path, options in output.items()}
    assert drawn == {f"plots/{name}.png": {"cache": False} for name in pictures}
    tables = {path: options for output in STAGES["summarize"]["outs"] for path, options in output.items()}
    names = ["claims.csv", "comparisons.csv", "costs.csv", "recommendation.csv", "summary.csv", "validation"]
    assert tables == {path: {"cache": False} for path in ["metrics/claims.json", *(f"plots/{name}" for name in names)]}


def test_the_report_depends_on_all_that_it_shows():
    report = STAGES["report"]
    figures = {path for output in STAGES["figures"]["plots"] for path in output}
    predictions = {f"models/{variant}/predictions.csv" for variant in VARIANTS}  # the best is one of the grid
    images = {f"data/images/{dataset}" for dataset in GRID}
    others = {"metrics/claims.json", "params.yaml", "stages/report.html.jinja"}
    assert figures | predictions | images | others <= set(report["deps"])
    assert report["outs"] == [{"plots/report.html": {"cache": False}}]


def test_the_trial_is_no_variant_of_the_grid():
    trial = PARAMS["schedule"]
    assert (trial["transfer"], trial["fine"]) not in GRID[trial["dataset"]]


def test_dvc_reads_the_graph():
    listed = subprocess.run(
        [sys.executable, "-m", "dvc", "stage", "list", "--name-only"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = listed.stdout.split()
    assert [name for name in names if name.startswith("train@")] == [
        f"train@{name}" for name in [*VARIANTS, *STYLES, "trial"]
    ]
    assert {f"{stage}@{dataset}" for stage in ("download", "split", "features", "transfer") for dataset in GRID} <= set(
        names
    )
