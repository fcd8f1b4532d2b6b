"""A training's state between two epochs, weights and optimizer, as plain arrays in an `.npz` file."""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.lib import files
from stages.lib.keras_quietly import keras

State = list[np.ndarray]


def captured(model: keras.Model) -> State:
    """Copies of the compiled model's weights, then of its optimizer's variables."""
    return [keras.ops.convert_to_numpy(variable).copy() for variable in _variables(model)]


def restore(model: keras.Model, state: State) -> None:
    """Put `captured`'s arrays back into a model of the same form, compiled with the same optimizer."""
    for variable, value in zip(_variables(model), state, strict=True):
        variable.assign(value)


def _variables(model: keras.Model) -> list[keras.Variable]:
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return [*model.weights, *model.optimizer.variables]


def write(path: Path, rows: Sequence[dict], arrays: Sequence[np.ndarray]) -> None:
    """Write history rows and arrays to `path`, whole."""
    named = {f"array_{index:04}": array for index, array in enumerate(arrays)}
    with files.written_whole(path) as beside:
        np.savez(beside, rows=np.array(json.dumps(list(rows))), **named)


def read(path: Path) -> tuple[list[dict], State] | None:
    """What `write` wrote, or None where the file is missing or damaged; nothing is unpickled."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            rows = json.loads(str(stored["rows"]))
            return rows, [stored[name] for name in sorted(stored.files) if name != "rows"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
