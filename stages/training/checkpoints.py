"""A training's state between two epochs, weights and optimizer, as plain arrays in an `.npz` file."""

import hashlib
import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
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
    """Write history rows and arrays to `path`, whole.

    All arrays are one array of bytes there. An archive with one for each of a network's variables takes twice as long.
    """
    kinds = [(array.dtype.str, array.shape) for array in arrays]
    text = json.dumps({"rows": list(rows), "kinds": kinds})
    content = np.frombuffer(b"".join(array.tobytes() for array in arrays), np.uint8)
    with files.written_whole(path) as beside:
        np.savez(beside, text=np.array(text), digest=np.array(_digest(text, content)), content=content)


def read(path: Path) -> tuple[list[dict], State] | None:
    """Return what `write` wrote; None if the file is missing or damaged. Nothing is unpickled.

    A damaged file is named on stderr.
    """
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            text, content = str(stored["text"]), stored["content"]
            sound = _digest(text, content) == str(stored["digest"])
    except Exception:  # zipfile and NumPy raise whatever damaged bytes lead them to
        sound = False
    if not sound:
        print(f"{path}: damaged; passed over", file=sys.stderr)
        return None
    described = json.loads(text)
    return described["rows"], _arrays(content, described["kinds"])


def longest(paths: Iterable[Path], fits: Callable[[list[dict]], bool]) -> tuple[list[dict], State] | None:
    """Read the sound checkpoint with the most epochs of those whose rows fit; None if there is none."""
    found = [stored for stored in map(read, paths) if stored and fits(stored[0])]
    return max(found, key=lambda stored: len(stored[0]), default=None)


def _arrays(content: np.ndarray, kinds: Sequence[tuple[str, Sequence[int]]]) -> State:
    """The arrays that lie one after another in the bytes `content`, by their type and shape."""
    ends = np.cumsum([np.dtype(dtype).itemsize * math.prod(shape) for dtype, shape in kinds])
    parts = np.split(content, ends[:-1])
    return [part.view(dtype).reshape(shape) for part, (dtype, shape) in zip(parts, kinds, strict=True)]


def _digest(text: str, content: np.ndarray) -> str:
    """A digest of all that `read` returns; the zip's own checksums cover less."""
    total = hashlib.sha256(text.encode())
    total.update(content)
    return total.hexdigest()
