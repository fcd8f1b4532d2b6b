"""Intervals and tests: what of a number is noise, over seeds and over validation images (docs/method.md)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy  # its part `stats`, a second to import, comes with its first use

from stages.common.params import Statistics
from stages.results.records import DECIMALS


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval, None where it cannot be had, and the two-sided p-value of being 0 but for noise.

    The p-value is 1 where the noise cannot be measured.
    """

    value: float
    low: float | None
    high: float | None
    p_value: float = 1.0

    def differs(self, confidence: float) -> bool:
        """Whether the value is off zero beyond the noise."""
        return self.p_value <= 1 - confidence

    def lies_above(self, confidence: float) -> bool:
        return self.value > 0 and self.differs(confidence)

    def lies_below(self, confidence: float) -> bool:
        return self.value < 0 and self.differs(confidence)

    def reversed(self) -> "Estimate":
        """The same difference the other way round."""
        low = None if self.high is None else -self.high
        high = None if self.low is None else -self.low
        return Estimate(-self.value, low, high, self.p_value)


def over_seeds(values: Sequence[float] | np.ndarray, confidence: float) -> Estimate:
    """The mean of one value a seed, Student's t interval around it, and the t-test's p-value.

    One seed has no interval. Seeds that agree to the last recorded digit have one of no width.
    """
    seeds = np.round(np.asarray(values, dtype=float), DECIMALS)  # what differs by less is rounding
    mean = float(seeds.mean())
    if len(seeds) == 1:
        return Estimate(mean, None, None)
    if np.ptp(seeds) == 0:
        return Estimate(mean, mean, mean, p_value=float(mean == 0))
    test = scipy.stats.ttest_1samp(seeds, 0)
    interval = test.confidence_interval(confidence)
    return Estimate(mean, float(interval.low), float(interval.high), float(test.pvalue))


def over_images(differences: np.ndarray, settings: Statistics) -> Estimate:
    """The mean of one difference an image, with the percentile interval and the p-value of a paired bootstrap.

    Both come from the same draws of images. A single image has no interval.
    """
    mean = float(np.mean(differences))
    if len(differences) == 1:
        return Estimate(mean, None, None)
    drawn = scipy.stats.bootstrap(
        (differences,),
        np.mean,
        n_resamples=settings.resamples,
        confidence_level=settings.confidence,
        method="percentile",  # the interval that the p-value below belongs to
        rng=np.random.default_rng(settings.seed),
    )
    low, high = drawn.confidence_interval
    return Estimate(mean, float(low), float(high), _bootstrap_p_value(drawn.bootstrap_distribution))


def difference(losses: np.ndarray, others: np.ndarray, settings: Statistics) -> Estimate:
    """Mean of `losses` less mean of `others`, each (seeds, images) of the same seeds and images.

    Beyond the noise means beyond both kinds of it: the p-value is the larger of the two (an intersection-union
    test), and the interval reaches over both. With one seed it is the images' alone.
    """
    paired = losses - others
    images = over_images(paired.mean(axis=0), settings)
    if len(paired) == 1:
        return images
    seeds = over_seeds(paired.mean(axis=1), settings.confidence)
    if images.low is None or images.high is None or seeds.low is None or seeds.high is None:
        return seeds
    low, high = min(images.low, seeds.low), max(images.high, seeds.high)
    return Estimate(images.value, low, high, max(images.p_value, seeds.p_value))


def discordant(correct: np.ndarray, others: np.ndarray) -> tuple[int, int, float]:
    """How many images `correct` and how many `others` has right more often, and the exact two-sided p-value.

    Both are (seeds, images) of booleans. With one seed this is McNemar's exact test; with several, the sign test
    that it is a case of.
    """
    difference = correct.sum(axis=0) - others.sum(axis=0)
    ahead, behind = int((difference > 0).sum()), int((difference < 0).sum())
    if ahead + behind == 0:
        return 0, 0, 1.0
    return ahead, behind, float(scipy.stats.binomtest(ahead, ahead + behind).pvalue)


def adjusted(estimates: Sequence[Estimate]) -> list[Estimate]:
    """The estimates of one family, their p-values raised for their number (Benjamini and Hochberg)."""
    p_values = adjusted_p_values([estimate.p_value for estimate in estimates])
    return [replace(estimate, p_value=p) for estimate, p in zip(estimates, p_values, strict=True)]


def adjusted_p_values(p_values: Sequence[float]) -> list[float]:
    """The p-values of one family, raised for their number (Benjamini and Hochberg)."""
    return [float(p) for p in scipy.stats.false_discovery_control(p_values)] if p_values else []


def _bootstrap_p_value(means: np.ndarray) -> float:
    """Twice the share of drawn means on the other side of zero; never 0, because draws are finite."""
    beyond = min((means <= 0).sum(), (means >= 0).sum())
    return min(1.0, 2 * float(beyond + 1) / (len(means) + 1))
