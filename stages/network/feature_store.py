"""Frozen activations on disk: computed where missing, checked when read, never mixed.

A store is one folder for one fingerprint of all that made it:
    pictures-training/, pictures-validation/    a part's pictures, decoded and resized, uint8
    training-0001/, training-0002/, …           a pass over the part's augmented pictures, row i for picture i
    validation-0001/, …                         the same of the other part, where repeats are folds
    clean-training/, clean-validation/          a part's activations, not augmented
With `features.storage: recompute` the passes are not there: each batch is computed when it is read.
An entry is complete when its folder exists, because it is written beside and renamed. One process at a time
computes, on all cores; another that needs the store waits for it.
"""

import hashlib
import io
import json
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from tqdm import tqdm

from stages.common import files
from stages.common.code import OF_ACTIVATIONS, digest_of
from stages.common.manifest import AnyBackbone
from stages.common.params import Params
from stages.network.frozen import FrozenPart
from stages.network.keras_quietly import keras
from stages.network.recomputed import Recomputed
from stages.pictures import augmentation
from stages.pictures import parts as pictures
from stages.pictures.parts import Part

LIBRARIES = ("tensorflow", "keras", "opencv-python-headless", "pillow", "pillow-heif")

ENTRY_FILES = ("activations.npy", "pooled.npy")
PICTURES_FILE = "pictures.npy"

CHECKSUMS = "checksums.json"  # of each file, and what computing them took
SECONDS = "seconds"
LOCK = ".lock"


@dataclass(frozen=True)
class Entry:
    """One pass over the pictures of a part, memory-mapped or computed when read.

    activations: (n, height, width, channels), float16 or float32; pooled: (n, channels), float32.
    """

    activations: np.ndarray | Recomputed
    pooled: np.ndarray | Recomputed


def fingerprint(parts_digest: str, weights_digest: str, backbone: AnyBackbone, cut: str, params: Params) -> str:
    """A digest of all that decides the activations: inputs, params, our modules, the libraries below them."""
    made_of = {
        "pictures": parts_digest,
        "weights": weights_digest,
        "backbone": backbone.model_dump(),
        "cut": cut,
        "augment": params.augment.model_dump(),
        "features": params.features.model_dump(exclude={"storage"}),
        "code": digest_of(*OF_ACTIVATIONS),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "backend": keras.backend.backend(),
    }
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:  # pillow-heif, which only HEIC needs
        return None


class FeatureStore:
    """The frozen activations of one data set; the store computes an entry when it is first asked for.

    `frozen_part` is called once, and only where something is missing: building it takes seconds.
    """

    def __init__(
        self,
        folder: Path,
        parts: dict[str, Part],
        image_size: int,
        params: Params,
        frozen_part: Callable[[], FrozenPart],
    ) -> None:
        self._folder = folder
        self._parts = parts
        self._image_size = image_size
        self._params = params
        self._build_frozen_part = frozen_part

    def augmented(self, part: str, stored_pass: int) -> Entry:
        """The pictures of `part`, augmented as drawn for this pass (from 1)."""
        if self._params.features.storage == "recompute":
            return self._recomputed(part, stored_pass)
        return self._entry(_pass_name(part, stored_pass), part, stored_pass)

    def seconds(self, part: str, stored_pass: int) -> float:
        """The seconds that computing this stored pass took; 0 if passes are computed while they are read."""
        if self._params.features.storage == "recompute":
            return 0.0
        return json.loads((self._folder / _pass_name(part, stored_pass) / CHECKSUMS).read_text())[SECONDS]

    def clean(self, part: str) -> Entry:
        """The pictures of `part`, training or validation, not augmented."""
        return self._entry(f"clean-{part}", part, None)

    def _recomputed(self, part: str, stored_pass: int) -> Entry:
        images, like = self._pictures(part), self.clean("validation")
        drawn = augmentation.draw(len(images), stored_pass, self._params.augment, part)

        def output(index: int, stored: np.ndarray) -> Recomputed:
            return Recomputed(
                shape=(len(images), *stored.shape[1:]),
                dtype=stored.dtype,
                read=lambda rows: self._frozen_part(augmentation.applied(images, drawn, rows))[index],
                at_once=self._params.features.batch_size,
            )

        return Entry(output(0, like.activations), output(1, like.pooled))

    def _entry(self, name: str, part: str, stored_pass: int | None) -> Entry:
        folder = self._folder / name
        if not _is_sound(folder, ENTRY_FILES):
            with files.locked(self._folder / LOCK):
                self._compute_unless_there(folder, f"{name} of {self._folder.parent.name}", part, stored_pass)
        return Entry(*(np.load(folder / file, mmap_mode="r") for file in ENTRY_FILES))

    def _compute_unless_there(self, folder: Path, title: str, part: str, stored_pass: int | None) -> None:
        if not _is_sound(folder, ENTRY_FILES):  # another process may have computed it while this one waited
            _report_damage(folder)
            with files.folder_written_whole(folder) as beside:
                self._compute(beside, title, part, stored_pass)

    def _compute(self, folder: Path, title: str, part: str, stored_pass: int | None) -> None:
        writers = None
        frozen_part, pictures = self._frozen_part, self._pictures(part)  # made once, so no cost of this pass
        started = time.perf_counter()
        for pixels in self._batches(pictures, title, part, stored_pass):
            outputs = frozen_part(pixels)
            if writers is None:
                writers = self._writers(folder, len(self._parts[part]), outputs)
            for writer, output in zip(writers, outputs, strict=True):
                writer.append(output)
        checksums = {writer.path.name: writer.close() for writer in writers or []}
        checksums[SECONDS] = round(time.perf_counter() - started, 3)
        (folder / CHECKSUMS).write_text(json.dumps(checksums, indent=2) + "\n")

    def _writers(self, folder: Path, count: int, outputs: tuple[np.ndarray, np.ndarray]) -> list["_Writer"]:
        dtypes = (self._params.features.dtype, "float32")
        return [
            _Writer(folder / file, (count, *output.shape[1:]), dtype)
            for file, output, dtype in zip(ENTRY_FILES, outputs, dtypes, strict=True)
        ]

    def _batches(self, images: np.ndarray, title: str, part: str, stored_pass: int | None) -> Iterator[np.ndarray]:
        """Yield batches of pixels in [0, 255], float32, augmented as in `stored_pass` unless that is None."""
        drawn = None
        if stored_pass is not None:
            drawn = augmentation.draw(len(images), stored_pass, self._params.augment, part)
        with tqdm(total=len(images), desc=title, unit=" images", disable=None, leave=False) as progress:
            for start in range(0, len(images), self._params.features.batch_size):
                rows = slice(start, start + self._params.features.batch_size)
                pixels = images[rows].astype(np.float32) if drawn is None else augmentation.applied(images, drawn, rows)
                yield pixels
                progress.update(len(pixels))

    def _pictures(self, part: str) -> np.ndarray:
        """The part's pictures, decoded and resized once: uint8 (n, size, size, 3), memory-mapped."""
        folder = self._folder / f"pictures-{part}"
        if not _is_sound(folder, (PICTURES_FILE,)):
            _report_damage(folder)
            paths = self._parts[part].paths
            shape = (len(paths), self._image_size, self._image_size, 3)
            with files.folder_written_whole(folder) as beside:
                writer = _Writer(beside / PICTURES_FILE, shape, "uint8")
                for picture in pictures.decode_all(paths, self._image_size):
                    writer.append(picture[np.newaxis])
                (beside / CHECKSUMS).write_text(json.dumps({PICTURES_FILE: writer.close()}) + "\n")
        return np.load(folder / PICTURES_FILE, mmap_mode="r")

    @cached_property
    def _frozen_part(self) -> FrozenPart:
        return self._build_frozen_part()


def _pass_name(part: str, stored_pass: int) -> str:
    return f"{part}-{stored_pass:04}"


class _Writer:
    """Appends rows to a `.npy` file of known shape, so that no more than a batch is ever in memory."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: str) -> None:
        self.path = path
        self._dtype = np.dtype(dtype)
        self._file = path.open("wb")
        self._checksum = 0
        header = io.BytesIO()
        described = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(header, described)
        self._write(header.getvalue())

    def append(self, rows: np.ndarray) -> None:
        self._write(np.ascontiguousarray(rows, self._dtype).tobytes())

    def close(self) -> int:
        """Close the file; returns the CRC-32 of all, the header too: one bit there turns the byte order of the rest."""
        self._file.close()
        return self._checksum

    def _write(self, data: bytes) -> None:
        self._checksum = zlib.crc32(data, self._checksum)
        self._file.write(data)


def _is_sound(folder: Path, names: tuple[str, ...]) -> bool:
    """Whether the entry is there and its files have the checksums they were written with."""
    try:
        checksums = json.loads((folder / CHECKSUMS).read_text())
        return all(zlib.crc32(np.memmap(folder / name, np.uint8, "r")) == checksums[name] for name in names)
    except (ValueError, OSError, KeyError, TypeError):  # a file gone, emptied or no json any more
        return False


def _report_damage(folder: Path) -> None:
    if folder.exists():
        tqdm.write(f"{folder}: damaged; computed again", file=sys.stderr)
