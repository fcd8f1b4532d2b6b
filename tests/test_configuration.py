"""`params.yaml` held against the manifest: what a stage refuses before it does anything."""

import importlib
import sys

import pytest

from stages.common import configuration, manifest, params
from stages.common.command import ThawError, run

ON_NETWORKS = "--source small.yaml --images images --split table.csv --weights weights --store store"
COMMANDS = {
    "download": "--source small.yaml --name animals --out out",
    "split": "--source small.yaml --dataset animals --archive raw --images images --split table.csv",
    "features": f"--dataset animals {ON_NETWORKS} --epochs 1 --out out.json",
    "transfer": f"--dataset animals {ON_NETWORKS} --features features.json --epochs 1 --work work --out out "
    "--seconds seconds.csv --converged converged",
    "train": f"--variant trial {ON_NETWORKS} --features features.json --transfer-phase out --transfer-work heads "
    "--work work --model model --results results --seconds seconds.csv --history history.csv --metrics metrics.json",
    "head_rates": f"--dataset animals {ON_NETWORKS} --features features.json --out rates.csv",
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
        "params.yaml: variants.flowers-1-2.dataset: there is no 'flowers' under budget; known are animals",
    ),
    (
        {"schedule": {"dataset": "flowers", "transfer": 4, "fine": "rest"}},
        "params.yaml: schedule.transfer: 4 is more than the budget of 3 epochs, of which `fine: rest` takes what is "
        "left; lower it",
    ),
    (
        {"downloads": ["animals", "flowers", "weights", "nope"]},
        "params.yaml: downloads: {path} has no download 'nope'; known are animals, flowers, weights",
    ),
    (
        {"downloads": ["animals", "weights"]},
        "params.yaml: downloads: 'flowers' is missing, which the stages read; add it",
    ),
    (
        {"downloads": ["animals", "flowers"]},
        "params.yaml: downloads: 'weights' is missing, which the stages read; add it",
    ),
    (
        {"local": {"animals": "animals.zip"}},
        "params.yaml: local: 'animals' stands under downloads too; take it out of one of them",
    ),
    (
        {"downloads": ["flowers", "weights"], "local": {"animals": "~/animals.zip"}},
        "params.yaml: local: 'animals' is ~/animals.zip, but in {path} it is {path.parent}/animals.zip; write that, or "
        "correct downloads.animals there",
    ),
    (
        {"seeds": None, "repeats": {"flowers": 2}},
        "params.yaml: repeats: 1 of 'animals', but {path} divides it into no folds; give `seeds` in its "
        "place, or set datasets.animals.split.folds there",
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
    assert configuration.read(source, params.load(tmp_path / "params.yaml")) == manifest.load(source)


def test_a_batch_may_be_as_large_as_the_training_part(written, tmp_path):
    source = written({"batch_size": 5, "budget": {"flowers": 1}})  # 5 of 9: validation takes 2 of each class
    assert configuration.read(source, params.load(tmp_path / "params.yaml"))
    source = written({"batch_size": 6, "budget": {"flowers": 1}})
    with pytest.raises(ThawError, match="6 is more than the 5 training images of 'flowers'"):
        configuration.read(source, params.load(tmp_path / "params.yaml"))


@pytest.mark.parametrize(("changes", "message"), MISTAKES)
def test_what_the_manifest_has_not_is_told_in_one_line(written, changes, message, tmp_path, told):
    source = written(changes)
    with pytest.raises(ThawError) as caught:
        configuration.read(source, params.load(tmp_path / "params.yaml"))
    assert str(caught.value) == message.format(path=source)
    shown = ", ".join(f"{key}: {value}" for key, value in changes.items())
    told("params against the manifest", str(caught.value), shown)


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


def test_a_variant_that_is_not_in_params_is_refused(written, tmp_path, monkeypatch, told):
    from stages import train

    written({})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train", *COMMANDS["train"].replace("trial", "flowers-2-1").split()])
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ThawError) as caught:
        train.main()
    assert str(caught.value) == ("params.yaml: variants: there is no 'flowers-2-1'; known are flowers-1-2, trial")
    assert sorted(tmp_path.rglob("*")) == before
    told("params", str(caught.value), "--variant flowers-2-1")


def test_folds_must_be_as_many_as_the_repeats(written, small_manifest, write_manifest, tmp_path):
    written({"seeds": None, "repeats": {"animals": 2, "flowers": 3}})
    params_read = params.load(tmp_path / "params.yaml")
    for name, folds in (("animals", 2), ("flowers", 3)):
        small_manifest["datasets"][name]["split"]["folds"] = folds
    # Two folds of 6 animals leave 3 to train on, three of 9 flowers 6: fewer than a batch of 4.
    with pytest.raises(ThawError, match="batch_size: 4 is more than the 3 training images of 'animals'"):
        configuration.read(write_manifest(small_manifest), params_read)
    small_manifest["datasets"]["animals"]["split"]["folds"] = 3
    assert configuration.read(write_manifest(small_manifest), params_read)
    small_manifest["datasets"]["flowers"]["split"]["folds"] = 2
    with pytest.raises(ThawError, match=r"repeats: 3 of 'flowers', but .* divides it into 2 folds; lower it"):
        configuration.read(write_manifest(small_manifest), params_read)
