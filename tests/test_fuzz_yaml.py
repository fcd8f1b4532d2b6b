"""Generated manifests and params: each one taken or refused in one line, and what is refused starts no work."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
import yaml
from fuzzing import damaged, edits, tries
from hypothesis import given

from stages import download
from stages.common import manifest
from stages.common.command import LONGEST_LINE, ThawError

pytestmark = pytest.mark.slow

TAKEN = "taken, and the stage went to work"
REFUSED = "refused in one line, no work started"
EITHER = "refused in one line, or read as it stands"

SCALARS = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.dates()),
    st.sampled_from(
        [10**400, -(10**400), 2**63, 1e308, "", "..", "/", "a\nb", "\x1b", "\ud800", "é", "0x" + "f" * 5000]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SCALARS, inner, max_size=3),
    max_leaves=8,
)
CHANGES = st.tuples(st.integers(0, 10**6), st.sampled_from(["replace", "remove", "rename", "add"]), SCALARS, VALUES)


def places(content: Any) -> list[tuple[Any, Any]]:
    """Each mapping or list at any depth, with each of its keys or positions."""
    if not isinstance(content, dict | list):
        return []
    keys = list(content) if isinstance(content, dict) else list(range(len(content)))
    return [(content, key) for key in keys] + [place for key in keys for place in places(content[key])]


def change(content: Any, which: int, how: str, key: Any, value: Any) -> None:
    """Change one place of the content, the one that the number `which` falls on."""
    if not (found := places(content)):
        return
    holder, old = found[which % len(found)]
    if how == "replace" or isinstance(holder, list):
        holder[old] = value
    elif how == "add":
        holder[key] = value
    else:
        removed = holder.pop(old)
        if how == "rename":
            holder[key] = removed


def is_taken(load: Any, *arguments: Any) -> bool:
    """Whether `load` takes what it reads; what it refuses, it refuses in one printable line."""
    try:
        load(*arguments)
    except ThawError as error:
        assert str(error).isprintable()
        assert len(str(error)) <= LONGEST_LINE
        return False
    return True


@tries(500)
@given(changes=st.lists(CHANGES, min_size=1, max_size=3))
def test_changed_manifests(changes, small_manifest, tmp_path, fault):
    content = deepcopy(small_manifest)
    for each in changes:
        change(content, *each)
    path = tmp_path / "generated.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    is_taken(manifest.load, path)
    fault("fuzz", "a manifest with changed, missing and added keys", 1, EITHER)


@tries(300)
@given(edits=edits())
def test_damaged_manifests(edits, small_manifest, tmp_path, fault):
    path = tmp_path / "generated.yaml"
    path.write_bytes(damaged(yaml.safe_dump(small_manifest).encode(), edits))
    is_taken(manifest.load, path)
    fault("fuzz", "a manifest with damaged bytes", 1, EITHER)


EPOCHS = st.integers(0, 10**6)
RATES = st.floats(0, exclude_min=True, allow_infinity=False, allow_nan=False)
OPTIMIZERS = st.sampled_from(["adam", "rmsprop", "sgd"])
VALID = {
    "seeds": st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4, unique=True),
    "clean_training": st.booleans(),
    "class_weight": st.sampled_from(["none", "balanced"]),
    "batch_size": st.integers(1, 4),
    "threads": st.integers(1),
    "augment.flip": st.booleans(),
    "augment.rotation": st.floats(0, 0.5),
    "features.engine": st.sampled_from(["xnnpack", "keras"]),
    "features.dtype": st.sampled_from(["float16", "float32"]),
    "features.batch_size": st.integers(1),
    "head.dropout": st.floats(0, 1, exclude_max=True),
    "transfer.optimizer": OPTIMIZERS,
    "transfer.learning_rate": RATES,
    "fine.from_layer": st.integers(1) | st.floats(0.01, 0.99) | st.text("abc_1", min_size=1),
    "fine.optimizer": OPTIMIZERS,
    "fine.learning_rate": RATES,
    "fine.engine": st.sampled_from(["fused", "keras"]),
    "fine.batch_norm": st.sampled_from(["batch", "moving"]),
    "fine.unfreezing": st.sampled_from(["at_once", "gradual"]),
    "fine.layer_decay": st.floats(0, 1, exclude_min=True),
    "fine.warm_up_epochs": st.integers(0),
    "fine.groups": st.integers(1),
    "fine.epochs_a_group": st.integers(1),
    "fine.head_learning_rate": st.none() | RATES,
    "fine.decay": st.just("none"),
    "fine.precision": st.sampled_from(["float32", "mixed_bfloat16", "mixed_float16"]),
    "switch.relative_gain": st.floats(0, 1, exclude_min=True, exclude_max=True),
    "sweep.optimizers": st.lists(OPTIMIZERS, min_size=1, max_size=3),
    "sweep.rates": st.lists(RATES, min_size=1, max_size=3),
    "sweep.epochs": st.integers(1),
    "statistics.confidence": st.floats(0.5, 1, exclude_min=True, exclude_max=True),
    "statistics.margin.loss": RATES,
    "statistics.resamples": st.integers(100),
    "export.quantised": st.booleans(),
    "budget": st.fixed_dictionaries(
        {"flowers": st.integers(1, 10**6)}, optional={"animals": st.integers(1, 10**6)}
    ),
    "schedule": st.fixed_dictionaries(
        {"dataset": st.just("flowers"), "transfer": EPOCHS, "fine": EPOCHS}
    ).filter(lambda schedule: schedule["transfer"] + schedule["fine"] > 0),
}  # fmt: skip
NO_NUMBERS = st.none() | st.text(max_size=5) | st.booleans() | st.lists(st.integers(), max_size=2)
NO_COUNTS = NO_NUMBERS | st.floats() | st.integers(max_value=-1)
INVALID = {
    "seeds": SCALARS | st.just([]) | st.lists(NO_COUNTS | st.integers(2**32), min_size=1) | st.just([3, 3]),
    "clean_training": st.integers() | st.text(max_size=5) | st.none(),
    "batch_size": NO_COUNTS | st.just(0) | st.integers(5),  # the animals' training part has 4 images
    "threads": NO_COUNTS | st.just(0),
    "augment.flip": st.integers() | st.text(max_size=5) | st.none(),
    "augment.rotation": NO_NUMBERS | st.floats(0.5, exclude_min=True) | st.floats(max_value=0, exclude_max=True),
    "features.engine": VALUES.filter(lambda value: value not in ("xnnpack", "keras")),
    "features.dtype": VALUES.filter(lambda value: value not in ("float16", "float32")),
    "features.batch_size": NO_COUNTS | st.just(0),
    "head.dropout": NO_NUMBERS | st.floats(1) | st.floats(max_value=0, exclude_max=True) | st.just(float("nan")),
    "transfer.optimizer": VALUES.filter(lambda value: value not in ("adam", "rmsprop", "sgd")),
    "transfer.learning_rate": NO_NUMBERS | st.floats(max_value=0) | st.sampled_from([float("inf"), float("nan")]),
    "fine.from_layer": st.none()
    | st.just("")
    | st.booleans()
    | st.integers(max_value=0)
    | st.floats(1)
    | st.just(-0.5),
    "fine.layer_decay": NO_NUMBERS | st.floats(1, exclude_min=True) | st.floats(max_value=0),
    "fine.groups": NO_COUNTS | st.just(0),
    "fine.decay": VALUES.filter(lambda value: value != "none"),
    "schedule.transfer": NO_COUNTS,
    "schedule.fine": NO_COUNTS,
    "schedule.dataset": st.text().filter(lambda name: name not in ("animals", "flowers")) | st.none() | st.integers(),
    "schedule": st.just({"dataset": "animals", "transfer": 0, "fine": 0}) | SCALARS,
    "budget.animals": NO_COUNTS | st.just(0),
    "budget": st.dictionaries(st.text(max_size=5), st.integers(1), max_size=2) | SCALARS,
    "unknown": VALUES,
    "fine.unknown": VALUES,
}


def put(content: dict[str, Any], key: str, value: Any) -> None:
    """Set what the dotted `key` leads to."""
    *sections, last = key.split(".")
    for section in sections:
        content = content[section]
    content[last] = value


@pytest.fixture
def works_on(tmp_path, monkeypatch, small_manifest, write_manifest, small_params):
    """Write the params with changes and start the stage `download`; whether it went to work."""
    monkeypatch.chdir(tmp_path)
    for download_of in small_manifest["downloads"].values():  # a file beside the manifest is vouched for
        download_of["copies"][0]["sha256"] = "0" * 64
    source = write_manifest(small_manifest)
    worked: list[Any] = []
    monkeypatch.setattr(download, "obtain", lambda *arguments: worked.append(arguments))

    def start(changes: dict[str, Any]) -> bool:
        worked.clear()
        content = deepcopy(small_params)
        for key, value in changes.items():
            put(content, key, value)
        Path("params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        taken = is_taken(download.main, ["--source", str(source), "--name", "weights", "--out", "out"])
        assert len(worked) == taken
        return taken

    return start


@tries(200)
@given(changes=st.fixed_dictionaries({}, optional=VALID))
def test_valid_params_are_taken(changes, works_on, fault):
    assert works_on(changes)
    fault("fuzz", "params with generated valid values", 1, TAKEN)


@tries(400)
@given(valid=st.fixed_dictionaries({}, optional=VALID), data=st.data())
def test_invalid_params_start_no_work(valid, data, works_on, fault):
    key = data.draw(st.sampled_from(list(INVALID)))
    changes = {
        "budget": {"animals": 4, "flowers": 3},
        **{name: value for name, value in valid.items() if name != "budget"},
    }
    assert not works_on(changes | {key: data.draw(INVALID[key])})
    fault("fuzz", "params with valid values and a generated invalid one", 1, REFUSED)
