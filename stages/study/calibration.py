"""Whether predicted probabilities are right: the reliability diagram and the expected calibration error.

Of the predictions with a probability of 80 %, 80 % should be right (Guo, Pleiss, Sun and Weinberger, 2017).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

BINS = 15  # of equal width, from 0 to 1, as in Guo et al.
DRAWS = 2000  # simulated sets of right and wrong answers, for the error expected by chance


def bins(confidence: np.ndarray, correct: np.ndarray) -> pd.DataFrame:
    """A row for each bin that has pictures: `low`, `high`, `pictures`, mean `confidence`, `accuracy`.

    `confidence` is the probability of the predicted class, `correct` is 1 where that is the true class, else 0; both
    (pictures,).
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


def overconfidence(counted: Sequence[Mapping[str, float]]) -> float:
    """The mean probability minus the accuracy, over all predictions of the bins."""
    total = sum(each["pictures"] for each in counted)
    return sum(each["pictures"] * (each["confidence"] - each["accuracy"]) for each in counted) / total


def by_chance(repeats: Sequence[np.ndarray], confidence: float, seed: int) -> tuple[float, float]:
    """The error of perfectly calibrated networks: its mean, and the quantile `confidence` of it.

    It is not 0: in a bin of few pictures the accuracy differs from the true probability by chance. Both numbers are
    simulated, with DRAWS independent draws of right and wrong answers (Broecker and Smith, 2007, draw the same for the
    diagram). `repeats` are the probabilities of each repeat's predictions, (pictures,); the error is the repeats' mean.
    """
    random = np.random.default_rng(seed)
    draws = [np.mean([error(each, random.random(len(each)) < each) for each in repeats]) for _ in range(DRAWS)]
    return float(np.mean(draws)), float(np.quantile(draws, confidence))


def _places(confidence: np.ndarray) -> np.ndarray:
    """The bin of each prediction, from 0. A bin includes its upper end, as in Guo et al."""
    return np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
