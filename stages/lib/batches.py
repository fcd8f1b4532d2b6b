"""Batches of arrays as `fit` and `evaluate` read them, in an order of our own."""

from collections.abc import Callable, Iterator

import numpy as np

from stages.lib.keras_quietly import tf
from stages.lib.recomputed import Recomputed

Shape = tuple[int, ...]


def batches(inputs: np.ndarray | Recomputed, labels: np.ndarray, batch_size: int, rows: np.ndarray) -> tf.data.Dataset:
    """Batches of (inputs float32, labels float32 (n, 1)) in the order of `rows`, read or computed as they come."""
    starts = range(0, len(rows), batch_size)

    def read() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in starts:
            chosen = rows[start : start + batch_size]
            yield inputs[chosen].astype(np.float32), labels[chosen, np.newaxis].astype(np.float32)

    return dataset(read, len(starts), inputs.shape[1:])


def dataset(read: Callable[[], Iterator[tuple[np.ndarray, np.ndarray]]], steps: int, shape: Shape) -> tf.data.Dataset:
    """What `read` yields in `steps` batches, (inputs float32 (n, *shape), labels float32 (n, 1)), for `fit`."""
    signature = (tf.TensorSpec((None, *shape), tf.float32), tf.TensorSpec((None, 1), tf.float32))
    options = tf.data.Options()
    # Autotuning looks after the pipeline at doubling intervals, and the end of a pass may wait for its next look:
    # up to as long again as the pass took. `fit` wraps a PyDataset with it on, and offers no way to turn it off.
    options.autotune.enabled = False
    batched = tf.data.Dataset.from_generator(read, output_signature=signature)
    return batched.apply(tf.data.experimental.assert_cardinality(steps)).prefetch(1).with_options(options)
