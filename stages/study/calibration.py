"""Whether probabilities are what they say: the reliability diagram and the expected calibration error.

Of the pictures that a network is sure of by 80 %, it should tell 80 % right (Guo, Pleiss, Sun and Weinberger, 2017).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

BINS = 15  # of equal width, from 0 to 1: those of Guo et al.
DRAWS = 2000  # of what is right, by which chance is told


def bins(confidence: np.ndarray, correct: np.ndarray) -> pd.DataFrame:
    """A row for each bin that has pictures: `low`, `high`, `pictures`, mean `confidence` and `accuracy` in it.

    `confidence` is the probability of the predicted class, `correct` whether it is the true one; both (pictures,).
    """
    places = _places(confidence)
    rows = []
    for place in np.unique(places):
        held = places == place
        values = (held.sum(), confidence[held].mean(), correct[held].mean())
        rows.append((place / BINS, (place + 1) / BINS, *values))
    return pd.DataFrame(rows, columns=["low", "high", "pictures", "confidence", "accuracy"])


def error(confidence: np.ndarray, correct: np.ndarray) -> float:
    """The expected calibration error: the mean of |accuracy - confidence| over bins, weighted by their pictures."""
    gaps = np.bincount(_places(confidence), weights=correct - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def by_chance(repeats: Sequence[np.ndarray], confidence: float, seed: int) -> tuple[float, float]:
    """What the error would be, the mean of `repeats`, of networks whose probabilities are right.

    The mean of DRAWS, and what `confidence` of them stay below: with few pictures in a bin their accuracy misses even
    a true probability, so that the error is never 0 (Broecker and Smith, 2007, draw the same for the diagram).
    `repeats` are the confidences of each, (pictures,). Pictures are drawn independently.
    """
    random = np.random.default_rng(seed)
    draws = [np.mean([error(each, random.random(len(each)) < each) for each in repeats]) for _ in range(DRAWS)]
    return float(np.mean(draws)), float(np.quantile(draws, confidence))


def _places(confidence: np.ndarray) -> np.ndarray:
    """The bin of each, from 0; each holds its upper end, as in Guo et al."""
    return np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
