"""Batches of arrays, for training and evaluation, in an order that we choose."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from stages.network.keras_quietly import tf
from stages.network.recomputed import Recomputed

Shape = tuple[int, ...]
Batch = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Joined:
    """Arrays one after another whose rows share one numbering: array i has the rows starts[i] to starts[i + 1] - 1.

    An array may be None if nobody reads its rows.
    """

    arrays: Sequence[np.ndarray | Recomputed | None]
    starts: np.ndarray

    @property
    def shape(self) -> Shape:
        """The shape of one row."""
        return next(array.shape[1:] for array in self.arrays if array is not None)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """The rows with these numbers, float32 (n, *shape), in their order."""
        values = np.empty((len(rows), *self.shape), np.float32)
        for array, (start, end) in zip(self.arrays, pairwise(self.starts), strict=True):
            here = (rows >= start) & (rows < end)
            if here.any():
                values[here] = array[rows[here] - start]
        return values


@dataclass(frozen=True)
class Batches:
    """Batches of (inputs float32, labels float32 (n, 1)) in the order of `rows`.

    With `class_weights`, float (classes,), a batch has its pictures' weights in the loss as well, float32 (n,). Each
    batch is read or computed when it is asked for. Every iteration gives the same batches.
    """

    inputs: Joined
    labels: np.ndarray
    size: int
    rows: np.ndarray
    class_weights: np.ndarray | None = None

    def __len__(self) -> int:
        return math.ceil(len(self.rows) / self.size)

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self.rows), self.size):
            chosen = self.rows[start : start + self.size]
            labels = self.labels[chosen]
            weights = () if self.class_weights is None else (self.class_weights[labels].astype(np.float32),)
            yield self.inputs[chosen], labels[:, np.newaxis].astype(np.float32), *weights

    @property
    def signature(self) -> list[tf.TensorSpec]:
        """The shapes of a batch of any size."""
        weights = [] if self.class_weights is None else [(None,)]
        return [tf.TensorSpec(shape, tf.float32) for shape in [(None, *self.inputs.shape), (None, 1), *weights]]
