"""The fine phase of one variant: the top of the backbone trained with the head, resumable at every epoch."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

from stages.lib import backbone as backbones
from stages.lib import files, state
from stages.lib.batch_normalization import fused
from stages.lib.keras_quietly import keras
from stages.lib.params import Params
from stages.lib.state import State
from stages.lib.training import Data, FineTuned, Row, compile_model, epochs

# What a change of would change the training.
MODULES = ("backbone", "batch_normalization", "batches", "fine_phase", "randomness", "state", "training")


def train(
    backbone: keras.Model, head: keras.Model, data: Data, params: Params, numbers: range, checkpoint: Path
) -> list[Row]:
    """Train `backbone` from `fine.from_layer` up, and `head`, over the epochs `numbers`; both change in place.

    After each epoch the state is written to `checkpoint`, and training goes on from there if it exists.
    """
    model = fine_tuned(backbone, head, params)
    rows = _resumed(model, checkpoint, numbers)
    for row in epochs(model, "fine", "activations", data, numbers[len(rows) :], params.seed):
        rows.append(row)
        state.write(checkpoint, rows, state.captured(model))
    return rows


def fine_tuned(backbone: keras.Model, head: keras.Model, params: Params) -> FineTuned:
    """The top of `backbone`, unfrozen, under `head`: compiled for the fine phase, sharing their layers."""
    cut = backbones.cut_layer(backbone, params.fine.from_layer)
    backbones.unfreeze(backbone, params.fine.from_layer)
    top = backbones.top_part(backbone, cut)
    model = FineTuned(fused(top) if params.fine.engine == "fused" else top, head, params.fine.batch_norm)
    # Compiled after unfreezing: Keras collects the trainable variables when it compiles.
    compile_model(model, params.fine.optimizer, params.fine.learning_rate)
    return model


def _resumed(model: keras.Model, checkpoint: Path, numbers: range) -> list[Row]:
    stored = state.read(checkpoint)
    if stored is None or len(stored[0]) > len(numbers):
        return []
    rows, arrays = stored
    state.restore(model, arrays)
    return rows


def checkpoint_path(folder: Path, features: str, transfer_epochs: int, head: State, params: Params) -> Path:
    """Where a variant's checkpoint lies: named after all that decides its fine epochs, but for their number."""
    here = Path(__file__).parent
    made_of = {
        "features": features,
        "transfer_epochs": transfer_epochs,
        "head": [hashlib.sha256(array.tobytes()).hexdigest() for array in head],
        "params": params.model_dump(include={"seed", "batch_size", "threads", "head", "fine"}),
        "modules": [files.sha256(here / f"{name}.py") for name in MODULES],
        "libraries": {name: version(name) for name in ("tensorflow", "keras")},
    }
    name = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]
    return folder / f"{name}.npz"
