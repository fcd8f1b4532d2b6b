"""Keras on another backend than TensorFlow: the same training where it can, one line where it cannot."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_study

from stages.common.command import ThawError
from stages.network import inputs
from stages.network.keras_quietly import keras

# Without what each backend draws by a generator of its own: dropout's masks, the head's and the backbone's weights.
PORTABLE = {"features": {"engine": "keras"}, "fine": {"engine": "keras"}, "head": {"dropout": 0.0}}
TRAIN = """
import json, sys
from pathlib import Path

import tiny_study

from stages.network.keras_quietly import keras
from stages.common.params import Schedule
from stages.training.transfer_phase import TransferPhase

keras.initializers.GlorotUniform = lambda seed: keras.initializers.Constant(0.01)
folder = Path(sys.argv[1])
tiny_study.weights_content = (folder / "drawn.h5").read_bytes
study = tiny_study.inputs(folder, tiny_study.params(**json.loads(sys.argv[2])))
phase = TransferPhase()
phase.extend(1, tiny_study.data(study), study.params, folder / "checkpoint.npz")
phase.write(folder / "transfer", tiny_study.SEED)
run = tiny_study.trained(study, Schedule(dataset="tiny", transfer=1, fine=1), folder / "transfer", folder / "work")
print(json.dumps([[row[name] for name in ("loss", "val_loss")] for row in run.rows]))
"""


def losses(backend: str, folder: Path) -> np.ndarray:
    """Training and validation loss of each epoch, by a process of its own: a backend is chosen at import."""
    folder.mkdir()
    (folder / "drawn.h5").write_bytes(tiny_study.weights_content())
    environment = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": os.pathsep.join([".", "tests"])}
    command = [sys.executable, "-c", TRAIN, str(folder), json.dumps(PORTABLE)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return np.array(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_trains_to_the_same_losses(tmp_path, backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed; requirements-extra.txt has jax")
    expected, got = (losses(name, tmp_path / name) for name in ("tensorflow", backend))
    np.testing.assert_allclose(got, expected, rtol=1e-3)


@pytest.mark.parametrize(
    ("features", "fine", "key"), [("xnnpack", "keras", "features.engine"), ("keras", "fused", "fine.engine")]
)
def test_what_takes_tensorflow_says_so(monkeypatch, features, fine, key):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    params = tiny_study.params(features={"engine": features}, fine={"engine": fine})
    with pytest.raises(ThawError, match=rf"params.yaml: {key}: .* Keras runs on jax; choose keras"):
        inputs.check_backend(params)
    inputs.check_backend(tiny_study.params(features={"engine": "keras"}, fine={"engine": "keras"}))
