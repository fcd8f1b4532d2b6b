"""Simultaneous intervals and p-values of a family of differences (docs/method.md).

The single-step min-P method (Westfall and Young, 1993) on simulated errors: how small the smallest p-value of the
family gets by chance. One factor then divides the significance level of every test and interval of the family, so that
an interval excludes 0 exactly where the adjusted p-value is at most alpha. It never exceeds Bonferroni's factor, the
number of differences.

Assumes that the errors of the differences correlate over repeats as they do over pictures, of which there are many
more.
"""

from collections.abc import Sequence

import numpy as np
import scipy  # its part `stats`, a second to import, comes with its first use

from stages.common.params import Statistics
from stages.study.two_way import Sample


def factor(samples: Sequence[Sample], statistics: Statistics) -> float:
    """The number by which the significance level is divided.

    `samples` are differences on the same repeats and pictures. It is 1 for a family of one, and Bonferroni's factor
    where fewer than two differences have a known error above 0.
    """
    estimates = [sample.estimate() for sample in samples]
    noisy = [sample for sample, estimate in zip(samples, estimates, strict=True) if estimate.error]
    degrees = np.array([estimate.degrees for estimate in estimates if estimate.error])
    if len(noisy) < 2:
        return float(max(len(samples), 1))
    random = np.random.default_rng(statistics.seed)
    normal = random.multivariate_normal(np.zeros(len(noisy)), _correlation(noisy), statistics.resamples, method="eigh")
    scale = random.uniform(
        size=(statistics.resamples, 1)
    )  # one quantile for all: their errors come from the same repeats
    t = np.abs(normal) / np.sqrt(scipy.stats.chi2.ppf(scale, degrees) / degrees)
    least = (2 * scipy.stats.t.sf(t, degrees)).min(axis=1)
    alpha = 1 - statistics.confidence
    return float(np.clip(alpha / np.quantile(least, alpha), 1, len(samples)))


def _correlation(samples: Sequence[Sample]) -> np.ndarray:
    """The correlation of the differences over pictures, within repeats; none where a repeat has a single value."""
    centred = [[part - part.mean() for part in sample.values] for sample in samples]
    if samples[0].crossed:
        rows = np.array([np.mean(parts, axis=0) for parts in centred])
    else:
        rows = np.array([np.concatenate(parts) for parts in centred])
    if not rows.std(axis=1).all():
        return np.eye(len(samples))
    return np.corrcoef(rows)
