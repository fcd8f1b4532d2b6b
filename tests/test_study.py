"""The whole study on the embedded drawings, by DVC's real commands, in a clone of its own; schedules are short."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stages.lib import records

ROOT = Path(__file__).parent.parent
SHORT = {
    "30-1": "3-1",
    "20-11": "2-2",
    "10-21": "1-3",
    "0-31": "0-4",
    "50-1": "5-1",
    "40-11": "4-2",
    "30-21": "3-3",
    "20-31": "2-4",
    "10-41": "1-5",
    "0-51": "0-6",
}
"""What stands here for each of dvc.yaml's schedules, transfer and fine epochs."""
PARAMS = {
    "budget": {"cats_dogs": 4, "roses_tulips": 6},
    "schedule": {"dataset": "roses_tulips", "transfer": 2, "fine": 1},
}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files as they are here, their schedules shortened, the study run and committed."""
    folder = tmp_path_factory.mktemp("study") / "thaw"
    for name in run(ROOT, "git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        if (ROOT / name).exists() and not name.startswith(("metrics/", "plots/", "dvc.lock")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    shorten(folder)
    run(folder, "git", "init", "--quiet")
    commit(folder)
    dvc(folder, "repro")
    commit(folder)
    return folder


def shorten(folder: Path) -> None:
    text = re.sub(r"(?<!\d)\d+-\d+(?!\d)", lambda found: SHORT[found[0]], (folder / "dvc.yaml").read_text())
    pipeline = yaml.safe_load(text)
    for name, item in pipeline["stages"]["train"]["foreach"].items():
        if name != "trial":
            item["transfer"], item["fine"] = map(int, name.split("-")[1:])
    (folder / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
    params = yaml.safe_load((folder / "params.yaml").read_text()) | PARAMS
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def commit(folder: Path) -> None:
    run(folder, "git", "add", "--all")
    run(folder, "git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "--quiet", "-m", "study")


def dvc(folder: Path, *arguments: str) -> str:
    return run(folder, sys.executable, "-m", "dvc", *arguments)


def run(folder: Path, *command: str) -> str:
    """What `command` prints, run in `folder` by this interpreter's `python`, with no way into the network."""
    closed = "http://127.0.0.1:9"  # the discard port, where nobody listens
    scripts = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "HTTP_PROXY": closed,
        "HTTPS_PROXY": closed,
        "DVC_NO_ANALYTICS": "true",
    }
    finished = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def ran(output: str) -> list[str]:
    """The stages that DVC says it ran."""
    return re.findall(r"^Running stage '(.+)':$", output, re.MULTILINE)


def test_every_schedule_has_its_history_and_its_model(clone):
    names = list(yaml.safe_load((clone / "dvc.yaml").read_text())["stages"]["train"]["foreach"])
    assert len(names) == len(SHORT) + 1
    for name in names:
        record = json.loads((clone / f"metrics/{name}.json").read_text())
        phases = list(records.read_history(clone / f"plots/{name}.csv")["phase"])
        assert phases == ["transfer"] * record["transfer"] + ["fine"] * record["fine"]
        assert record["source"] == "data/embedded.yaml"
        assert (clone / f"models/{name}/model.keras").exists()
        assert (clone / f"plots/{name}.png").exists()
        assert f"{name}: training and validation" in (clone / "plots/report.html").read_text()


def test_variants_are_one_run_until_they_part(clone):
    one, other = (records.read_history(clone / f"plots/cats_dogs-{label}.csv") for label in ("3-1", "2-2"))
    assert one[:2].equals(other[:2])
    assert not one[2:].equals(other[2:])


def test_the_summary_says_that_it_tells_of_drawings(clone):
    assert "drawings" in json.loads((clone / "metrics/summary.json").read_text())["source"]


def test_a_second_repro_runs_nothing(clone):
    assert "Data and pipelines are up to date." in dvc(clone, "repro")


def test_an_experiment_runs_the_trial_and_what_hangs_below_it(clone):
    output = dvc(clone, "exp", "run", "-S", "schedule.fine=5")
    assert ran(output) == ["train@trial", "summarize", "figures", "report"]
    assert len(records.read_history(clone / "plots/trial.csv")) == 7  # one epoch more than the budget
    changes = json.loads(dvc(clone, "metrics", "diff", "--json", "--targets", "metrics/summary.json"))
    assert changes["metrics/summary.json"]["trial.fine"] == {"old": 1, "new": 5, "diff": 4}
    page = Path(dvc(clone, "plots", "diff").strip().removeprefix("file://"))
    assert page.exists()
