"""Pictures that are in a data set more than once, equal or nearly equal: they would make validation look too good."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

import cv2
import numpy as np
from PIL import Image

from stages.pictures.parts import PARTS, TEST

SIDE = 16  # pixels of a thumbnail's side; with fewer, many plain surfaces look alike
ALIKE = 0.985  # the lowest correlation of the thumbnails of nearly equal pictures
TWICE = "the same picture"
ORDER = ("all", *PARTS, TEST)  # the first of these parts keeps a picture that several have
ROWS = 512  # thumbnails that are compared with all others at a time, to limit memory


def thumbnail(image: Image.Image) -> np.ndarray:
    """The picture's grey values on SIDE x SIDE squares, float32 (SIDE * SIDE,), of mean 0 and length 1; 0 if flat."""
    small = cv2.resize(np.asarray(image.convert("L")), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    values = small.astype(np.float32).ravel()
    values -= values.mean()
    return values / max(float(np.linalg.norm(values)), 1.0)


def equal(digests: Mapping[str, bytes]) -> list[list[str]]:
    """The groups of two or more paths with equal digests."""
    by_digest: dict[bytes, list[str]] = defaultdict(list)
    for path, digest in sorted(digests.items()):
        by_digest[digest].append(path)
    return [paths for paths in by_digest.values() if len(paths) > 1]


def left_out(groups: list[list[str]], classes: Mapping[str, str], parts: Mapping[str, str]) -> dict[str, str]:
    """By path, which of equal pictures are left out and why; `classes` and `parts` hold each path's class and part.

    If copies are in different classes, at most one is right, so all are left out. If they are in one class, one is
    kept: a training picture if there is one, and a test picture only if all are.
    """
    reasons = {}
    for paths in groups:
        if len({classes[path] for path in paths}) > 1:
            names = " and ".join(sorted({classes[path] for path in paths}))
            reasons |= dict.fromkeys(paths, f"{TWICE} is in {names}")
            continue
        kept, *others = sorted(paths, key=lambda path: (ORDER.index(parts[path]), path))
        reasons |= dict.fromkeys(others, f"{TWICE} as {kept}")
    return reasons


def near(thumbnails: np.ndarray) -> Iterator[tuple[int, int]]:
    """The pairs (row, higher row) of nearly equal `thumbnails`, float32 (n, SIDE * SIDE)."""
    for start in range(0, len(thumbnails), ROWS):
        correlations = thumbnails[start : start + ROWS] @ thumbnails[start:].T
        rows, columns = np.nonzero(correlations >= ALIKE)
        yield from (
            (start + int(row), start + int(column)) for row, column in zip(rows, columns, strict=True) if row < column
        )
