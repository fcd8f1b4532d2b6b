"""The metrics of a variant: its settings, final and best values, versions and machine."""

import json

import pandas as pd
import pytest

from stages.common.command import ThawError
from stages.results import environment, metrics

PHASES = {"0-3": ("fine", "fine", "fine"), "2-1": ("transfer", "transfer", "fine")}
RUN = {
    "dataset": "animals",
    "transfer": 0,
    "fine": 3,
    "source": "data/some.yaml",
    "repeats": [
        {"repeat": 1, "seed": 4, "fold": None, "draw": 1},
        {"repeat": 2, "seed": 2, "fold": None, "draw": 2},
    ],
    "batch_norm": "batch",
    "own_keys": {},
}
COUNTED = {
    "images": {"training": 8, "validation": 4},
    "multiply_adds": {"transfer": 10, "fine": 20},
    "versions": {"python": "3"},
    "machine": {"cpu": "abacus"},
}


def ran(name: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "epoch": [1, 2, 3],
            "phase": PHASES[name],
            "accuracy": [0.6, 0.8, 0.9],
            "loss": [0.6, 0.3, 0.2],
            "val_accuracy": [0.7, 0.9, 0.9],
            "val_loss": [0.5, 0.3, 0.35],
        }
    )


def test_the_metrics_of_a_variant():
    found = metrics.of_variant(ran("0-3"), run=RUN, asked={"transfer": 0, "fine": 3}, **COUNTED)
    assert found == {
        **RUN,
        **COUNTED,
        "seed": 4,
        "seeds": [4, 2],
        "train": {
            "final": {"accuracy": 0.9, "loss": 0.2},
            "best": {"accuracy": 0.9, "accuracy_epoch": 3, "loss": 0.2, "loss_epoch": 3},
        },
        "val": {  # 0.9 twice: the first of equal epochs is the best
            "final": {"accuracy": 0.9, "loss": 0.35},
            "best": {"accuracy": 0.9, "accuracy_epoch": 2, "loss": 0.3, "loss_epoch": 2},
        },
    }


@pytest.mark.parametrize(("transfer", "fine"), [(2, 2), (3, 0), (0, 3), (1, 1), ("auto", 2), (1, "rest")])
def test_other_epochs_than_asked_for_are_refused(transfer, fine):
    with pytest.raises(ThawError) as caught:
        metrics.of_variant(ran("2-1"), run=RUN, asked={"transfer": transfer, "fine": fine}, **COUNTED)
    assert str(caught.value) == (
        f"animals-{transfer}-{fine}: ran 2 transfer and 1 fine epochs, "
        f"asked for {transfer} and {fine}; run the variant again"
    )


def test_epochs_that_the_run_itself_decides_may_be_any():
    assert metrics.of_variant(ran("2-1"), run=RUN, asked={"transfer": "auto", "fine": "rest"}, **COUNTED)


def test_versions_and_machine_can_be_recorded():
    assert {"python", "tensorflow", "keras", "opencv-python-headless", "pillow"} < set(environment.versions())
    machine = environment.machine()
    assert set(machine) - {"gpu"} == {"cpu", "cores", "system", "architecture"}
    assert json.loads(json.dumps(machine)) == machine
    assert machine["cores"] >= 1


def test_the_backend_of_keras_is_recorded(monkeypatch):
    monkeypatch.setattr(environment.importlib.metadata, "version", lambda name: f"version of {name}")
    assert "jax" not in environment.versions()
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert environment.versions()["jax"] == "version of jax"


def test_a_gpu_is_recorded_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "GPUS", tmp_path)
    assert "gpu" not in environment.machine()
    for bus in ("0000:0a:00.0", "0000:0b:00.0"):
        (tmp_path / bus).mkdir()
        (tmp_path / bus / "information").write_text("Model: \t\t NVIDIA A100\nIRQ:   \t\t 42\n")
    assert environment.machine()["gpu"] == "NVIDIA A100, NVIDIA A100"
