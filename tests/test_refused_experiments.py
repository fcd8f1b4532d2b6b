"""Params that lie, given to DVC's real commands in a fresh copy of the repository: one line, before any work."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import warm_python

ROOT = Path(__file__).parent.parent
REFUSED = [
    (
        ["schedule.dataset=nope"],
        "params.yaml: schedule.dataset: there is no 'nope' under budget; known are cats_dogs, roses_tulips",
    ),
    (["schedule.fine=-1"], "params.yaml: schedule.fine: Input should be greater than or equal to 0, not -1"),
    (["schedule.fine=1.5"], "params.yaml: schedule.fine: Input should be a valid integer, not 1.5"),
    (
        ["schedule.transfer=0", "schedule.fine=0"],
        "params.yaml: schedule: transfer and fine are both 0; give at least one phase an epoch",
    ),
    (
        ["schedule.transfer=auto", "schedule.fine=50"],
        "params.yaml: schedule.fine: 50 of the budget of 51 epochs leaves `transfer: auto` fewer than two epochs to "
        "compare; lower it, or write rest",
    ),
    (
        ["batch_size=301"],
        "params.yaml: batch_size: 301 is more than the 300 training images of 'cats_dogs' in data/embedded.yaml; "
        "lower it",
    ),
]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pipeline's files as they are here, committed."""
    folder = tmp_path_factory.mktemp("refused") / "thaw"
    shutil.copytree(ROOT / "stages", folder / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".gitignore", ".dvc/config", ".dvc/.gitignore", "dvc.yaml", "params.yaml", "data/embedded.yaml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "-m", "pipeline"]):
        identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
        subprocess.run(["git", *identity, *command], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize(("params", "message"), REFUSED)
def test_an_experiment_is_refused_before_any_work(repository, params, message, fault):
    scripts = warm_python.folder()
    environment = os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "DVC_NO_ANALYTICS": "true"}
    subprocess.run(["git", "checkout", "--quiet", "params.yaml"], cwd=repository, check=True)
    options = [option for param in params for option in ("--set-param", param)]
    command = ["python", "-m", "dvc", "exp", "run", *options]
    ended = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    assert f"error: {message}" in (ended.stdout + ended.stderr).splitlines()
    assert "Traceback" not in ended.stdout + ended.stderr
    assert not any((repository / "data/raw").rglob("*"))
    fault("params", f"dvc exp run {' '.join(options).replace('--set-param', '-S')}", 1, f"error: {message}")
