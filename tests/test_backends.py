"""Keras on another backend, or among a user's settings: the same training where it can, one line where it cannot."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import small_network
import tiny_study

from stages.common.command import ThawError
from stages.network import inputs
from stages.network.keras_quietly import keras

# Without what each backend draws by a generator of its own: dropout's masks, the head's and the backbone's weights.
PORTABLE = {"features": {"engine": "keras"}, "fine": {"engine": "keras"}, "head": {"dropout": 0.0}}
TRAIN = """
import json, sys
from pathlib import Path

import small_network
import tiny_study

from stages.network.keras_quietly import keras
from stages.common.params import Schedule

keras.initializers.GlorotUniform = lambda seed: keras.initializers.Constant(0.01)
folder = Path(sys.argv[1])
small_network.path = lambda: Path(sys.argv[3])
study = tiny_study.small_inputs(folder, tiny_study.params(**json.loads(sys.argv[2])))
tiny_study.train_head(study, 1, folder / "transfer")
run, _ = tiny_study.trained(study, Schedule(dataset="tiny", transfer=1, fine=1), folder / "transfer", folder / "work")
print(json.dumps([[row[name] for name in ("loss", "val_loss")] for row in run.rows]))
"""


# What Keras would follow, and TensorFlow.
SETTINGS = {"floatx": "float64", "epsilon": 0.1, "image_data_format": "channels_first", "backend": "jax"}
ENVIRONMENT = {"KERAS_MAX_EPOCHS": "0", "KERAS_MAX_STEPS_PER_EPOCH": "1", "KERAS_NNX_ENABLED": "true"} | {
    "TF_USE_LEGACY_KERAS": "1",
    "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit",
}


def losses(folder: Path, **changes: str) -> np.ndarray:
    """Training and validation loss of each epoch, by a process of its own: a backend is chosen at import."""
    folder.mkdir()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([".", "tests"])} | changes
    command = [sys.executable, "-c", TRAIN, str(folder), json.dumps(PORTABLE), str(small_network.path())]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return np.array(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """The losses on TensorFlow, without any setting."""
    return losses(tmp_path_factory.mktemp("plain") / "study")


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_trains_to_the_same_losses(tmp_path, backend, plain):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed; requirements-extra.txt has jax")
    np.testing.assert_allclose(losses(tmp_path / "study", KERAS_BACKEND=backend), plain, rtol=1e-3)


def test_a_user_s_settings_change_no_result(tmp_path, plain, fault):
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras/keras.json").write_text(json.dumps(SETTINGS))
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    np.testing.assert_array_equal(losses(tmp_path / "study", **home, **ENVIRONMENT), plain)
    assert json.loads((tmp_path / ".keras/keras.json").read_text()) == SETTINGS
    changed = f"~/.keras/keras.json with other {', '.join(SETTINGS)}; {', '.join(ENVIRONMENT)}"
    fault("surroundings", changed, 1, "the same losses, bit for bit")


@pytest.mark.parametrize(
    ("backend", "message"),
    [
        ("thaw", "Keras trains on tensorflow, jax, torch, not on 'thaw'; unset it"),
        ("numpy", "Keras trains on tensorflow, jax, torch, not on 'numpy'; unset it"),
        ("jax", "jax is not installed; install it (`make extra` has jax) or unset it"),
    ],
)
def test_a_backend_that_is_not_there_gives_one_line(tmp_path, backend, message, fault):
    hidden = "import sys; sys.modules['jax'] = None; import stages.train"  # as where it is not installed
    environment = os.environ | {"KERAS_BACKEND": backend}
    ended = subprocess.run([sys.executable, "-c", hidden], env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", f"error: KERAS_BACKEND: {message}\n")
    fault("surroundings", f"KERAS_BACKEND={backend}, which is not there", 1, f"error: KERAS_BACKEND: {message}")


def test_a_start_imports_no_package_that_only_keras_would_use_and_later_imports_find_it():
    program = (
        "import sys, stages.train\n"
        "hidden = ['jax', 'matplotlib', 'sklearn']\n"
        "print([name for name in hidden if name in sys.modules])\n"
        "import sklearn, matplotlib.pyplot\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


@pytest.mark.parametrize(
    ("features", "fine", "key"), [("xnnpack", "keras", "features.engine"), ("keras", "fused", "fine.engine")]
)
def test_what_takes_tensorflow_says_so(monkeypatch, features, fine, key):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    params = tiny_study.params(features={"engine": features}, fine={"engine": fine})
    with pytest.raises(ThawError, match=rf"params.yaml: {key}: .* Keras runs on jax; choose keras"):
        inputs.check_backend(params)
    inputs.check_backend(tiny_study.params(features={"engine": "keras"}, fine={"engine": "keras"}))
