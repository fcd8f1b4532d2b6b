"""Batches of arrays as `fit` and the evaluation read them, in an order of our own."""

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
    """Arrays one after another, rows numbered through from `starts`; an array whose rows nobody reads may be None."""

    arrays: Sequence[np.ndarray | Recomputed | None]
    starts: np.ndarray

    @property
    def shape(self) -> Shape:
        """The shape of one row."""
        return next(array.shape[1:] for array in self.arrays if array is not None)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """The rows with these numbers, float32 (n, *shape), in their order."""
        read = np.empty((len(rows), *self.shape), np.float32)
        for array, (start, end) in zip(self.arrays, pairwise(self.starts), strict=True):
            here = (rows >= start) & (rows < end)
            if here.any():
                read[here] = array[rows[here] - start]
        return read


@dataclass(frozen=True)
class Batches:
    """Batches of (inputs float32, labels float32 (n, 1)) in the order of `rows`, read or computed as they come.

    Any number of times, the same each time.
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
        """For Keras; to go through it takes longer than to iterate here."""
        return dataset(self.__iter__, len(self), self.inputs.shape)


def dataset(read: Callable[[], Iterator[Batch]], steps: int, shape: Shape) -> tf.data.Dataset:
    """What `read` yields in `steps` batches, (inputs float32 (n, *shape), labels float32 (n, 1)), for `fit`."""
    signature = (tf.TensorSpec((None, *shape), tf.float32), tf.TensorSpec((None, 1), tf.float32))
    options = tf.data.Options()
    # Autotuning looks after the pipeline at doubling intervals, and the end of a pass may wait for its next look:
    # up to as long again as the pass took. `fit` wraps a PyDataset with it on, and offers no way to turn it off.
    options.autotune.enabled = False
    batched = tf.data.Dataset.from_generator(read, output_signature=signature)
    return batched.apply(tf.data.experimental.assert_cardinality(steps)).prefetch(1).with_options(options)
