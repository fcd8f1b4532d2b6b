"""Batches of arrays, as `fit` and the evaluation read them, in an order that we choose."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from stages.network.keras_quietly import tf
from stages.network.recomputed import Recomputed

Shape = tuple[int, ...]
Batch = tuple[np.ndarray, np.ndarray]


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

    Each batch is read or computed when it is asked for. Every iteration gives the same batches.
    """

    inputs: Joined
    labels: np.ndarray
    size: int
    rows: np.ndarray

    def __len__(self) -> int:
        return math.ceil(len(self.rows) / self.size)

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self.rows), self.size):
            chosen = self.rows[start : start + self.size]
            yield self.inputs[chosen], self.labels[chosen, np.newaxis].astype(np.float32)

    @cached_property
    def dataset(self) -> tf.data.Dataset:
        """The same batches for Keras; iterating over the dataset takes longer than iterating over this object."""
        return dataset(self.__iter__, len(self), self.inputs.shape)


def dataset(read: Callable[[], Iterator[Batch]], steps: int, shape: Shape) -> tf.data.Dataset:
    """The `steps` batches that `read` yields, (inputs float32 (n, *shape), labels float32 (n, 1)), for `fit`."""
    signature = (tf.TensorSpec((None, *shape), tf.float32), tf.TensorSpec((None, 1), tf.float32))
    options = tf.data.Options()
    # Autotuning checks the pipeline at intervals that double, and the end of a pass may wait for the next check: up to
    # as long again as the pass took. `fit` turns autotuning on for a PyDataset, and offers no way to turn it off.
    options.autotune.enabled = False
    batched = tf.data.Dataset.from_generator(read, output_signature=signature)
    return batched.apply(tf.data.experimental.assert_cardinality(steps)).prefetch(1).with_options(options)
