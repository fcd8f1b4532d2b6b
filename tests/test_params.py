"""`params.yaml`: what is accepted, and the one line that each mistake gives."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages.common import params
from stages.common.command import ThawError

ROOT = Path(__file__).parent.parent

GOOD = """
source: data/photos.yaml
downloads: [animals, weights]
budget: {animals: 4}
variants: {animals-1-3: {dataset: animals, transfer: 1, fine: 3}}
schedule: {dataset: animals, transfer: 0, fine: 3}
seeds: [1]
repeats: null
clean_training: true
local: {}
class_weight: none
batch_size: 32
threads: 1
augment: {flip: true, rotation: 0.2, seed: 1}
features: {engine: xnnpack, dtype: float16, storage: on_disk, batch_size: 8}
head: {dropout: 0.2}
transfer: {optimizer: adam, learning_rate: 1.0e-4}
switch: {relative_gain: 0.05}
sweep: {optimizers: [adam, sgd], rates: [0.001, 0.01], epochs: 2}
fine:
  {from_layer: 100, optimizer: rmsprop, learning_rate: 1.0e-5, head_learning_rate: null, decay: none, engine: fused,
  precision: float32, batch_norm: batch, unfreezing: at_once, layer_decay: 1.0, warm_up_epochs: 0, groups: 4,
  epochs_a_group: 2}
statistics: {confidence: 0.95, margin: {loss: 0.01, accuracy: 0.005, epochs: 1}, resamples: 2000, seed: 1}
export: {quantised: false}
"""
ABSENT = object()


ONE_KIND = "repeats and seeds: exactly one must be null; folds have seeds of their own"


@pytest.fixture
def changed(tmp_path: Path) -> Callable[..., Path]:
    """Write a good params.yaml with one key, such as `fine.from_layer`, set to another value; ABSENT removes it."""

    def write(key: str, value: Any) -> Path:
        content = yaml.safe_load(GOOD)
        *sections, last = key.split(".")
        section = content
        for name in sections:
            section = section[name]
        if value is ABSENT:
            del section[last]
        else:
            section[last] = value
        path = tmp_path / "params.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    return write


@pytest.mark.parametrize("path", ["params.yaml", "docs/paper/params.yaml", "docs/elsewhere/params.yaml"])
def test_the_repository_s_params_are_good(path):
    loaded = params.load(ROOT / path)
    assert loaded.schedule.dataset in loaded.budget


def test_every_key_is_read(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(GOOD)
    assert params.load(path).model_dump(exclude_unset=True) == yaml.safe_load(GOOD)


@pytest.mark.parametrize("number", ["1e-05", "1E-05", "1.0e-5", "1.e-5", "0.00001", "+1e-05", ".1e-4"])
def test_small_numbers_are_read_in_every_way_of_writing(tmp_path, number):
    path = tmp_path / "params.yaml"
    path.write_text(GOOD.replace("1.0e-5", number))
    assert params.load(path).fine.learning_rate == 1e-5


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schedule.transfer", 5),
        ("schedule.fine", 500),
        ("schedule.transfer", "auto"),
        ("schedule.fine", "rest"),
        ("schedule.head_rate", 1e-3),
        ("schedule.head_optimizer", "rmsprop"),
        ("schedule.fine_rate", 1e-4),
        ("schedule.fine_optimizer", "adam"),
        ("schedule.fine_head_rate", 1e-3),
        ("schedule.decay", "cosine"),
        ("fine.head_learning_rate", 1e-3),
        ("switch.relative_gain", 0.001),
        ("sweep.rates", [1]),
        ("seeds", [0, 2**32 - 1]),
        ("augment.seed", 0),
        ("schedule.unfreezing", "gradual"),
        ("schedule.layer_decay", 0.5),
        ("batch_size", 1),
        ("augment.rotation", 0),
        ("augment.rotation", 0.5),
        ("augment.flip", False),
        ("features.engine", "keras"),
        ("features.dtype", "float32"),
        ("features.storage", "recompute"),
        ("head.dropout", 0),
        ("transfer.optimizer", "sgd"),
        ("transfer.learning_rate", 1),
        ("fine.from_layer", 1),
        ("fine.from_layer", 0.65),
        ("fine.from_layer", "block_11_expand"),
        ("fine.precision", "mixed_bfloat16"),
        ("fine.batch_norm", "moving"),
        ("statistics.confidence", 0.9),
        ("statistics.resamples", 100),
    ],
)
def test_a_good_value_is_taken(changed, key, value):
    loaded = params.load(changed(key, value)).model_dump()
    for name in key.split("."):
        loaded = loaded[name]
    assert loaded == value


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("seed", 1, "unknown key 'seed'; did you mean 'seeds'?"),
        ("fine.learnig_rate", 1e-5, "unknown key 'fine.learnig_rate'; did you mean 'learning_rate'?"),
        ("head.xyz", 1, "unknown key 'head.xyz'; known here: dropout"),
        ("seeds", ABSENT, "missing key 'seeds'; add it"),
        ("fine.from_layer", ABSENT, "missing key 'fine.from_layer'; add it"),
        ("seeds", None, ONE_KIND),
        ("repeats", {"animals": 2}, ONE_KIND),
        ("repeats", {"animals": 0}, "repeats.animals: Input should be greater than or equal to 1, not 0"),
        ("downloads", [], "downloads: List should have at least 1 item after validation, not 0"),
        ("variants", {}, "variants: Dictionary should have at least 1 item after validation, not 0"),
        (
            "variants",
            {"long": {"dataset": "animals", "transfer": 1, "fine": 3}},
            "variants: 'long' is the default schedule animals-1-3; call it that",
        ),
        (
            "variants",
            {"animals-1-3": {"dataset": "animals", "transfer": 1, "fine": 3, "decay": "cosine", "fine_rate": 0.1}},
            "variants: 'animals-1-3' differs from animals-1-3 by fine_rate, decay; call it animals-1-3-WORD",
        ),
        ("schedule.decay", "slow", "schedule.decay: Input should be 'none' or 'cosine', not 'slow'"),
        ("schedule.head_rate", 0, "schedule.head_rate: Input should be greater than 0, not 0"),
        ("switch.relative_gain", 1, "switch.relative_gain: Input should be less than 1, not 1"),
        ("switch.relative_gain", 0, "switch.relative_gain: Input should be greater than 0, not 0"),
        ("sweep.rates", [], "sweep.rates: List should have at least 1 item after validation, not 0"),
        ("sweep.epochs", 0, "sweep.epochs: Input should be greater than or equal to 1, not 0"),
        ("schedule.fine", -1, "schedule.fine: Input should be greater than or equal to 0, not -1"),
        ("schedule.fine", 1.5, "schedule.fine: Input should be a valid integer, not 1.5"),
        ("schedule.fine", 3.0, "schedule.fine: Input should be a valid integer, not 3.0"),
        ("schedule.transfer", "ten", "schedule.transfer: Input should be a valid integer, not 'ten'"),
        ("schedule.transfer", True, "schedule.transfer: Input should be a valid integer, not True"),
        ("schedule.fine", 0, "schedule: transfer and fine are both 0; give at least one phase an epoch"),
        ("schedule", [1, 2], "schedule: must be a mapping of keys"),
        ("budget.animals", 0, "budget.animals: Input should be greater than or equal to 1, not 0"),
        ("budget", {}, "budget: Dictionary should have at least 1 item after validation, not 0"),
        ("budget", 31, "budget: Input should be a valid dictionary, not 31"),
        ("seeds", [], "seeds: List should have at least 1 item after validation, not 0"),
        ("seeds", 1, "seeds: Input should be a valid list, not 1"),
        ("seeds", [-1], "seeds.0: Input should be greater than or equal to 0, not -1"),
        ("seeds", [2**32], "seeds.0: Input should be less than 4294967296, not 4294967296"),
        ("seeds", ["1"], "seeds.0: Input should be a valid integer, not '1'"),
        ("seeds", [2, 2], "seeds: [2, 2] names a seed twice; a run repeated with the same seed is the same run"),
        ("threads", 0, "threads: Input should be greater than or equal to 1, not 0"),
        ("batch_size", 0, "batch_size: Input should be greater than or equal to 1, not 0"),
        ("augment.rotation", 0.6, "augment.rotation: Input should be less than or equal to 0.5, not 0.6"),
        ("augment.rotation", -0.1, "augment.rotation: Input should be greater than or equal to 0, not -0.1"),
        ("augment.flip", 1, "augment.flip: Input should be a valid boolean, not 1"),
        ("augment.flip", "yes", "augment.flip: Input should be a valid boolean, not 'yes'"),
        ("features.dtype", "float8", "features.dtype: Input should be 'float16' or 'float32', not 'float8'"),
        ("features.engine", "cuda", "features.engine: Input should be 'xnnpack' or 'keras', not 'cuda'"),
        ("features.storage", "ram", "features.storage: Input should be 'on_disk' or 'recompute', not 'ram'"),
        ("features.batch_size", 0, "features.batch_size: Input should be greater than or equal to 1, not 0"),
        ("head.dropout", 1, "head.dropout: Input should be less than 1, not 1"),
        ("head.dropout", float("nan"), "head.dropout: Input should be less than 1, not nan"),
        ("transfer.optimizer", "Adam", "transfer.optimizer: Input should be 'adam', 'rmsprop' or 'sgd', not 'Adam'"),
        ("transfer.learning_rate", 0, "transfer.learning_rate: Input should be greater than 0, not 0"),
        ("transfer.learning_rate", "1e-4x", "transfer.learning_rate: Input should be a valid number, not '1e-4x'"),
        ("statistics.confidence", 1, "statistics.confidence: Input should be less than 1, not 1"),
        ("statistics.confidence", 0.5, "statistics.confidence: Input should be greater than 0.5, not 0.5"),
        ("statistics.margin.loss", 0, "statistics.margin.loss: Input should be greater than 0, not 0"),
        ("statistics.resamples", 99, "statistics.resamples: Input should be greater than or equal to 100, not 99"),
        ("fine.learning_rate", float("inf"), "fine.learning_rate: Input should be a finite number, not inf"),
        ("fine.from_layer", 0, "fine.from_layer: Input should be greater than or equal to 1, not 0"),
        (
            "fine.decay",
            "cosine",
            "fine: decay: cosine; keep none here, and give the decay to entries of variants, or schedule",
        ),
        ("fine.layer_decay", 0, "fine.layer_decay: Input should be greater than 0, not 0"),
        ("schedule.layer_decay", 1.5, "schedule.layer_decay: Input should be less than or equal to 1, not 1.5"),
        (
            "schedule.unfreezing",
            "slow",
            "schedule.unfreezing: Input should be 'at_once' or 'gradual', not 'slow'",
        ),
        ("fine.batch_norm", "frozen", "fine.batch_norm: Input should be 'batch' or 'moving', not 'frozen'"),
        ("source", 1, "source: Input should be a valid string, not 1"),
    ],
)
def test_a_mistake_gives_one_line_with_file_and_key(changed, key, value, message, told):
    path = changed(key, value)
    with pytest.raises(ThawError) as error:
        params.load(path)
    assert str(error.value) == f"{path}: {message}"
    told("params", str(error.value), f"no {key}" if value is ABSENT else f"{key}: {value!r}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("seeds: [1", "cannot be read as YAML (while parsing a flow sequence"),
        ("", "must be a mapping of keys"),
        ("- 1\n- 2\n", "must be a mapping of keys"),
        ("seeds: !!python/object/apply:os.getcwd []", "cannot be read as YAML (could not determine a constructor"),
        (GOOD + "seeds: [2]\n", "cannot be read as YAML (the key 'seeds' stands in line 7 and in 26); mend the file"),
        (
            GOOD.replace("transfer: 0, fine: 3", "transfer: 0, fine: 3, fine: 4"),
            "cannot be read as YAML (the key 'fine' stands in line 6 and in 6); mend the file",
        ),
    ],
    ids=["open bracket", "empty", "list", "python object", "key twice", "key twice in a section"],
)
def test_a_file_that_is_no_mapping_gives_one_line(tmp_path, content, message, told):
    path = tmp_path / "params.yaml"
    path.write_text(content)
    with pytest.raises(ThawError) as error:
        params.load(path)
    assert str(error.value).startswith(f"{path}: {message}")
    told("params", str(error.value))


def test_a_missing_file_gives_one_line(tmp_path):
    with pytest.raises(ThawError) as error:
        params.load(tmp_path / "params.yaml")
    assert str(error.value) == f"{tmp_path / 'params.yaml'}: no such file; name an existing one"


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[[str, str], params.Params]:
    """The good params with a piece of their text replaced."""

    def load(old: str = "", new: str = "") -> params.Params:
        path = tmp_path / "params.yaml"
        path.write_text(GOOD.replace(old, new))
        return params.load(path)

    return load


def test_a_variant_is_found_by_its_name_and_the_trial_is_the_schedule(loaded):
    default = params.Schedule(dataset="animals", transfer=1, fine=3)
    assert loaded().named("animals-1-3") == default
    assert loaded().named("trial") == params.Schedule(dataset="animals", transfer=0, fine=3)


def test_a_variant_that_is_not_there_is_named_beside_the_known_ones(loaded, told):
    with pytest.raises(ThawError) as error:
        loaded().named("animals-3-1")
    assert str(error.value) == ("params.yaml: variants: there is no 'animals-3-1'; known are animals-1-3, trial")
    told("params", str(error.value), "--variant animals-3-1")


def test_each_seed_is_a_repeat_on_the_split_with_its_own_order_of_passes(loaded):
    expected = [params.Repeat(1, 7, None, 1), params.Repeat(2, 3, None, 2)]
    assert loaded("seeds: [1]", "seeds: [7, 3]").repeats_of("animals") == expected


def test_each_fold_is_a_repeat_with_a_seed_and_an_order_of_its_own(loaded):
    folded = loaded("seeds: [1]\nrepeats: null", "seeds: null\nrepeats: {animals: 2}")
    assert folded.repeats_of("animals") == [params.Repeat(1, 1, 1, 1), params.Repeat(2, 2, 2, 2)]


def test_what_a_schedule_has_of_its_own_replaces_head_and_fine_phase(loaded):
    defaults = loaded()
    own = {"head_rate": 0.01, "head_optimizer": "sgd", "fine_rate": 0.02, "fine_optimizer": "adam"}
    own |= {"fine_head_rate": 0.03, "batch_norm": "moving", "decay": "cosine", "layer_decay": 0.5, "warm_up_epochs": 1}
    schedule = params.Schedule(dataset="animals", transfer=1, fine=3, **own)
    assert schedule.own_keys == own
    expected = defaults.model_dump()
    expected["transfer"] = {"optimizer": "sgd", "learning_rate": 0.01}
    expected["fine"] |= {"optimizer": "adam", "learning_rate": 0.02, "head_learning_rate": 0.03}
    expected["fine"] |= {"batch_norm": "moving", "decay": "cosine", "layer_decay": 0.5, "warm_up_epochs": 1}
    assert defaults.of(schedule).model_dump() == expected


def test_a_default_schedule_replaces_nothing(loaded):
    assert loaded().of(params.Schedule(dataset="animals", transfer="auto", fine="rest")) == loaded()
