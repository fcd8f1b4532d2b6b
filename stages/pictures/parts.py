"""The pictures of a data set: the split table, and files decoded to arrays of one size."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from stages.common.command import ThawError
from stages.pictures.image_file import upright_rgb

PARTS = ("training", "validation")
TEST = "test"  # stands apart: no training reads it
DECODED_AT_ONCE = 64  # bounds the memory held; larger is no faster


@dataclass(frozen=True)
class Part:
    """One part of a data set: picture files, their labels and folds (int64).

    Labels are in the manifest's class order; folds count from 1, and are 0 where the manifest asks for none.
    """

    paths: list[Path]
    labels: np.ndarray
    folds: np.ndarray

    def __len__(self) -> int:
        return len(self.paths)


def read_split(table: Path, images: Path) -> dict[str, Part]:
    """Read the `split` stage's csv; the parts `training` and `validation`, paths below `images`."""
    rows = pd.read_csv(table)
    return {part: _part(rows[rows["part"] == part], images) for part in PARTS}


def read_test(table: Path, images: Path) -> Part:
    """The same of the part `test`, which is empty where the data set has none."""
    rows = pd.read_csv(table)
    return _part(rows[rows["part"] == TEST], images)


def _part(rows: pd.DataFrame, images: Path) -> Part:
    labels, folds = (rows[column].to_numpy(np.int64) for column in ("label", "fold"))
    return Part([images / path for path in rows["path"]], labels, folds)


def digest(table: Path, parts: dict[str, Part]) -> str:
    """A SHA-256 over the split table and every picture's bytes."""
    total = hashlib.sha256(table.read_bytes())
    for part in PARTS:
        for path in parts[part].paths:
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def decoded(path: Path, size: int) -> np.ndarray:
    """The picture upright, as uint8 RGB of shape (size, size, 3)."""
    try:
        upright = upright_rgb(path)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ThawError(f"{path}: cannot be decoded ({error}); run `dvc repro split` again") from None
    return resized(upright, size)


def resized(upright: Image.Image, size: int) -> np.ndarray:
    """The RGB picture as uint8 of shape (size, size, 3).

    Bilinear without anti-aliasing, aspect ratio not kept: what Keras's `image_dataset_from_directory` does.
    """
    return cv2.resize(np.asarray(upright), (size, size), interpolation=cv2.INTER_LINEAR)


def decode_all(paths: list[Path], size: int) -> Iterator[np.ndarray]:
    """The decoded pictures in the order of `paths`; several are decoded at once, few are held."""
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(paths), DECODED_AT_ONCE):
            yield from pool.map(lambda path: decoded(path, size), paths[start : start + DECODED_AT_ONCE])
