"""Arrays whose rows are computed when they are read, and not stored."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Recomputed:
    """An array of `shape` and `dtype`, indexed by arrays of row numbers; `read` computes at most `at_once` rows."""

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[np.ndarray], np.ndarray]
    at_once: int

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        parts = [rows[start : start + self.at_once] for start in range(0, len(rows), self.at_once)]
        return np.concatenate([self.read(part) for part in parts]).astype(self.dtype)
