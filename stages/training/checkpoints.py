"""A training's state between two epochs, weights and optimizer, as plain arrays in an `.npz` file."""

import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from stages.common import files
from stages.common.code import OF_TRAINING, digest_of
from stages.network.keras_quietly import keras

State = list[np.ndarray]


def capture(model: keras.Model) -> State:
    """Copy the compiled model's weights, then its optimizer's variables."""
    return [keras.ops.convert_to_numpy(variable).copy() for variable in [*model.weights, *model.optimizer.variables]]


def restore(model: keras.Model, state: State) -> None:
    """Put the arrays of `capture` back into a model of the same form, compiled with the same optimizer."""
    for variable, value in zip([*model.weights, *model.optimizer.variables], state, strict=True):
        variable.assign(value)


def path_of(folder: Path, made_of: dict[str, object]) -> Path:
    """The path of a training's checkpoint, named after `made_of`, the code that trains and the libraries below it."""
    libraries = {name: version(name) for name in ("tensorflow", "keras")}
    backend = keras.backend.backend()
    named = json.dumps(
        made_of | {"code": digest_of(*OF_TRAINING), "libraries": libraries, "backend": backend}, sort_keys=True
    )
    return folder / f"{hashlib.sha256(named.encode()).hexdigest()[:16]}.npz"


def write(path: Path, rows: Sequence[dict], arrays: Sequence[np.ndarray]) -> None:
    """Write history rows and arrays to `path`, whole."""
    text = json.dumps(list(rows))
    named = {f"array_{index:04}": array for index, array in enumerate(arrays)}
    with files.written_whole(path) as beside:
        np.savez(beside, rows=np.array(text), digest=np.array(_digest(text, arrays)), **named)


def read(path: Path) -> tuple[list[dict], State] | None:
    """Return what `write` wrote; None if the file is missing or damaged. Nothing is unpickled.

    A damaged file is named on stderr.
    """
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            text = str(stored["rows"])
            arrays = [stored[name] for name in sorted(stored.files) if name.startswith("array_")]
            sound = _digest(text, arrays) == str(stored["digest"])
    except Exception:  # zipfile and NumPy raise whatever damaged bytes lead them to
        sound = False
    if not sound:
        print(f"{path}: damaged; passed over", file=sys.stderr)
        return None
    return json.loads(text), arrays


def longest(paths: Iterable[Path], most: int) -> tuple[list[dict], State] | None:
    """Read the sound checkpoint with the most epochs, but not more than `most`; None if there is none."""
    found = [stored for stored in map(read, paths) if stored and len(stored[0]) <= most]
    return max(found, key=lambda stored: len(stored[0]), default=None)


def _digest(text: str, arrays: Sequence[np.ndarray]) -> str:
    """A digest of all that `read` returns; the zip's own checksums cover less."""
    total = hashlib.sha256(text.encode())
    for array in arrays:
        total.update(f"{array.dtype.str} {array.shape}".encode())
        total.update(np.ascontiguousarray(array))
    return total.hexdigest()
