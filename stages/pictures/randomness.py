"""Every random number of the study, as a pure function of the seed, what it is for, and the epoch.

No draw depends on the variant, on the batch or on what was drawn before, so a run resumed at epoch e, or
branched off there, sees what an uninterrupted one sees.
"""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What the numbers are for; the values are part of every result and must not change."""

    HEAD = 0
    ORDER = 1
    AUGMENTATION = 2
    DROPOUT = 3
    VALIDATION_AUGMENTATION = 4  # of the split's validation part, which trains where repeats are folds
    PASSES = 5


def generator(seed: int, stream: Stream, epoch: int = 0) -> np.random.Generator:
    """The generator for one purpose in one epoch (from 1; 0 where epochs do not matter)."""
    return np.random.default_rng([seed, stream, epoch])


def order(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order of training images in `epoch`: a permutation of range(count), int64."""
    return generator(seed, Stream.ORDER, epoch).permutation(count)
