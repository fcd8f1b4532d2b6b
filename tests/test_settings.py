"""`params.yaml` held against the manifest: what a stage refuses before it does anything."""

import importlib
import sys

import pytest

from stages.common import configuration as settings
from stages.common import manifest, params
from stages.common.command import ThawError, run

ON_NETWORKS = "--source small.yaml --images images --split table.csv --weights weights --store store"
COMMANDS = {
    "download": "--source small.yaml --name animals --out out",
    "split": "--source small.yaml --dataset animals --archive raw --images images --split table.csv",
    "features": f"{ON_NETWORKS} --epochs 1 --out out.json",
    "transfer": f"{ON_NETWORKS} --features features.json --epochs 1 --work work --out out",
    "train": f"--dataset animals --transfer 0 --fine 1.5 {ON_NETWORKS} --features features.json --transfer-phase out "
    "--work work --model model --history history.csv --metrics metrics.json",
}
MISTAKES = [
    (
        {"schedule": {"dataset": "nope", "transfer": 0, "fine": 1}},
        "params.yaml: schedule.dataset: there is no 'nope' under budget; known are animals, flowers",
    ),
    (
        {"budget": {"animals": 4, "nope": 1}},
        "params.yaml: budget: {path} has no data set 'nope'; known are animals, flowers",
    ),
    (
        {"budget": {"animals": 4}},
        "params.yaml: schedule.dataset: there is no 'flowers' under budget; known are animals",
    ),
    (
        {"batch_size": 5},
        "params.yaml: batch_size: 5 is more than the 4 training images of 'animals' in {path}; lower it",
    ),
]


@pytest.fixture
def written(small_manifest, write_manifest, small_params, write_params):
    """Write the small manifest, and a `params.yaml` with `changes` to the one that fits it."""

    def write(changes):
        write_params(small_params | changes)
        return write_manifest(small_manifest)

    return write


@pytest.mark.parametrize("changes", [{}, {"batch_size": 1}, {"budget": {"flowers": 9}}, {"budget": {"flowers": 1}}])
def test_what_the_manifest_has_is_taken(written, changes, tmp_path):
    source = written(changes)
    assert settings.read(source, params.load(tmp_path / "params.yaml")) == manifest.load(source)


def test_a_batch_may_be_as_large_as_the_training_part(written, tmp_path):
    source = written({"batch_size": 5, "budget": {"flowers": 1}})  # 5 of 9: validation takes 2 of each class
    assert settings.read(source, params.load(tmp_path / "params.yaml"))
    source = written({"batch_size": 6, "budget": {"flowers": 1}})
    with pytest.raises(ThawError, match="6 is more than the 5 training images of 'flowers'"):
        settings.read(source, params.load(tmp_path / "params.yaml"))


@pytest.mark.parametrize(("changes", "message"), MISTAKES)
def test_what_the_manifest_has_not_is_told_in_one_line(written, changes, message, tmp_path, told):
    source = written(changes)
    with pytest.raises(ThawError) as caught:
        settings.read(source, params.load(tmp_path / "params.yaml"))
    assert str(caught.value) == message.format(path=source)
    ((key, value),) = changes.items()
    told("params against the manifest", str(caught.value), f"{key}: {value}")


@pytest.mark.parametrize("stage", COMMANDS)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schedule": {"dataset": "animals", "transfer": 0, "fine": 1.5}}, "schedule.fine: Input should be a valid "),
        ({"schedule": {"dataset": "nope", "transfer": 0, "fine": 1}}, "schedule.dataset: there is no 'nope' under "),
    ],
    ids=["half an epoch", "no such data set"],
)
def test_no_stage_starts_work(stage, changes, message, written, tmp_path, monkeypatch, capfd, fault, request):
    if stage == "train" and "nope" in str(changes):
        monkeypatch.setitem(COMMANDS, "train", COMMANDS["train"].replace("1.5", "1"))
    written(changes)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [stage, *COMMANDS[stage].split()])
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SystemExit) as ended:
        run(importlib.import_module(f"stages.{stage}").main)
    assert ended.value.code == 1
    printed = capfd.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith(f"error: params.yaml: {message}")
    assert sorted(tmp_path.rglob("*")) == before
    fault("params against the manifest", f"a stage started all the same ({request.node.callspec.id})", 1, line)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--transfer 0 --fine 1.5", "schedule: fine: Input should be a valid integer, not 1.5"),
        ("--transfer 0 --fine [1", "schedule: fine: Input should be a valid integer, not '[1'"),
        ("--transfer -1 --fine 5", "schedule: transfer: Input should be greater than or equal to 0, not -1"),
        ("--transfer 0 --fine 0", "schedule: transfer and fine are both 0; give at least one phase an epoch"),
        (
            "--transfer 0 --fine 1 --unfreezing slowly",
            "schedule: unfreezing: Input should be 'at_once' or 'gradual', not 'slowly'",
        ),
    ],
    ids=["half an epoch", "no number", "less than none", "no epoch", "unknown style"],
)
def test_a_schedule_of_the_grid_that_lies(words, message, written, tmp_path, monkeypatch, told):
    from stages import train

    written({})
    monkeypatch.chdir(tmp_path)
    command = COMMANDS["train"].replace("--transfer 0 --fine 1.5", words)
    monkeypatch.setattr(sys, "argv", ["train", *command.split()])
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ThawError) as caught:
        train.main()
    assert str(caught.value) == message
    assert sorted(tmp_path.rglob("*")) == before
    told("params", message, f"a schedule in dvc.yaml: {words}")
