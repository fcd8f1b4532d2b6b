"""A mean over repeats and pictures, both drawn at random: its standard error, interval and test (docs/method.md).

A repeat trains a network anew; a picture is one of validation. Two designs are known:

crossed   all repeats have the same pictures (seeds on one split);
nested    each repeat has pictures of its own (folds), and every picture is validated once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy  # its part `stats`, a second to import, comes with its first use

GROUPS = 10  # of pictures left out in turn; each is larger than the root of their number, as rough functionals need
_ROUNDING = 1e-9  # what values that should be equal may differ by

Interval = tuple[float | None, float | None]


@dataclass(frozen=True)
class Noise:
    """The variance of an estimate by its sources, and the number of repeats and of pictures in each.

    `repeat`: training anew. `picture`: other pictures, the same for all repeats (0 where they are nested). `both`: the
    rest, which falls with either number. All are parts of the variance of the mean, not of a single value.
    """

    repeat: float
    picture: float
    both: float
    repeats: int
    pictures: int
    crossed: bool

    def scaled(self, repeats: float, pictures: float) -> tuple[float, float]:
        """Standard error and degrees of freedom with so many times the repeats and the pictures of each."""
        repeat, picture = self.repeat / repeats, self.picture / pictures
        both = self.both / repeats / pictures
        degrees = self.repeats * repeats - 1
        if self.crossed:
            degrees = _satterthwaite((repeat + both, picture + both, both), degrees, self.pictures * pictures - 1)
        return float(np.sqrt(repeat + picture + both)), degrees


@dataclass(frozen=True)
class Estimate:
    """A mean, its standard error and degrees of freedom; both are None where the noise is not known.

    `noise` tells the sources of the error where there are several repeats of several pictures.
    """

    value: float
    error: float | None = None
    degrees: float | None = None
    noise: Noise | None = None

    def interval(self, confidence: float) -> Interval:
        """Student's t interval, (None, None) where the noise is not known."""
        if self.error is None:
            return None, None
        if self.error == 0:
            return self.value, self.value
        half = float(scipy.stats.t.ppf((1 + confidence) / 2, self.degrees)) * self.error
        return self.value - half, self.value + half

    @property
    def p_value(self) -> float:
        """Two-sided, of being 0 but for noise; 1 where the noise is not known."""
        if self.error is None:
            return 1.0
        if self.error == 0:
            return float(self.value == 0)
        return float(2 * scipy.stats.t.sf(abs(self.value) / self.error, self.degrees))

    def at_least(self, error: float) -> "Estimate":
        """The estimate with an error of no less than `error`, where it is known: of values that were rounded."""
        return self if self.error is None else replace(self, error=max(self.error, error))


@dataclass(frozen=True)
class Sample:
    """One value for each repeat and picture: an array (pictures,) of each repeat.

    `crossed`: place i is the same picture in all repeats, else no two share one. `pictures` is their number in a
    repeat where a value stands for several (`pseudo_values`).
    """

    values: Sequence[np.ndarray]
    crossed: bool
    pictures: int | None = None

    def __sub__(self, other: "Sample") -> "Sample":
        """The differences, pair by pair, of the same repeats and pictures."""
        return replace(self, values=[ours - theirs for ours, theirs in zip(self.values, other.values, strict=True)])

    def estimate(self) -> Estimate:
        """The mean of the repeats' means, with the error that its design gives it.

        With one repeat the error is that of the pictures alone; a single value has none.
        """
        if len(self.values) == 1:
            return _of_values(self.values[0])
        return self._crossed() if self.crossed and len(self.values[0]) > 1 else self._nested()

    def _crossed(self) -> Estimate:
        """Two-way random effects without replication (Satterthwaite, 1946; Searle, Casella, McCulloch, 1992).

        Assumes that effects of repeats, of pictures and of their pairs are independent and add up; that repeats
        draw their seeds independently, and pictures are drawn independently. The variance of the mean is
        (MS_repeat + MS_picture - MS_error) / (repeats x pictures). Where it is not positive, the pictures' mean square
        stands for it. Three things differ from the textbook, since in simulations plain Satterthwaite errs in up to
        8 % with three repeats: no component is cut off at zero; for the degrees of freedom MS_repeat counts
        (repeats + 1) / (repeats - 1) times, by which its square exceeds that of its mean, for where it is low by
        chance they would come out far too many; and they are no fewer than the smaller factor has.
        """
        values = np.array(self.values)
        repeats, pictures = values.shape
        squares = _mean_squares(values)
        of_repeats, of_pictures, rest = (square / values.size for square in squares)
        noise = self._noise(of_repeats - rest, of_pictures - rest, rest)
        variance = of_repeats + of_pictures - rest
        if variance <= 0:
            return _estimate(values.mean(), of_pictures, min(repeats, pictures) - 1, noise)
        enlarged = of_repeats * (repeats + 1) / (repeats - 1)
        degrees = _satterthwaite((enlarged, of_pictures, rest), repeats - 1, pictures - 1)
        return _estimate(values.mean(), variance, degrees, noise)

    def _nested(self) -> Estimate:
        """Student's t of the repeats' means, in whose spread the noise of their own pictures is.

        Assumes that repeats are independent, and about as many pictures in each. Folds are not quite: their
        training parts overlap, and what they share by chance is in no interval (Bengio and Grandvalet, 2004). So it
        holds for networks trained on these pictures, drawn anew, no further than the overlap allows.
        """
        means = np.array([part.mean() for part in self.values])
        variance = means.var(ddof=1) / len(means)
        sizes = [len(part) for part in self.values]
        noise = None
        if min(sizes) > 1:
            within = float(np.mean([part.var(ddof=1) / len(part) for part in self.values])) / len(means)
            noise = self._noise(variance - within, 0, within)
        return _estimate(means.mean(), variance, len(means) - 1, noise)

    def _noise(self, repeat: float, picture: float, both: float) -> Noise:
        pictures = self.pictures or round(np.mean([len(part) for part in self.values]))
        return Noise(max(repeat, 0), max(picture, 0), both, len(self.values), int(pictures), self.crossed)


def possible(interval: Interval, own: Sequence[float] | np.ndarray, least: float, largest: float) -> Interval:
    """The interval, or from the least to the largest of the repeats' `own` values where it reaches the impossible.

    Student's t knows no bounds: with few repeats it reaches below the least and above the largest value there can be.
    The interval of one repeat, whose own value tells no spread, is cut off there.
    """
    low, high = interval
    if low is None or high is None or least <= low <= high <= largest:
        return interval
    if len(own) == 1:
        return max(low, least), min(high, largest)
    return float(np.min(own)), float(np.max(own))


def wilson(share: float, pictures: int, confidence: float) -> Interval:
    """The interval of a share of so many pictures, drawn independently (Wilson, 1927): inside 0 to 1, also at its ends.

    For one network: with several repeats, their noise has to come in.
    """
    z = float(scipy.stats.norm.ppf((1 + confidence) / 2))
    scale = 1 + z**2 / pictures
    centre = (share + z**2 / (2 * pictures)) / scale
    half = z * np.sqrt(share * (1 - share) / pictures + z**2 / (4 * pictures**2)) / scale
    return max(float(centre - half), 0.0), min(float(centre + half), 1.0)


def over_repeats(values: Sequence[float] | np.ndarray) -> Estimate:
    """The mean of one value a repeat and its t interval: for what has no value for each picture."""
    values = np.asarray(values, dtype=float)
    estimate = _of_values(values)
    if estimate.error is None:
        return estimate
    return replace(estimate, noise=Noise(estimate.error**2, 0, 0, len(values), pictures=1, crossed=False))


def pseudo_values(functional: Callable[[np.ndarray], float], pictures: int) -> np.ndarray:
    """Values of groups of pictures whose mean is `functional` of all: the jackknife's (Tukey, 1958), (groups,).

    `functional` takes the places of the pictures to use, int (n,). Group g leaves out every GROUPS-th picture from
    place g on. Leaving out more than the root of their number at once makes the jackknife hold for functionals that
    are not smooth, such as the first epoch under a target (Shao and Wu, 1989). The pseudo-values are centred on
    `functional`, without the jackknife's correction of bias, which such functionals make wild.
    """
    places = np.arange(pictures)
    groups = min(GROUPS, pictures)
    without = np.array([functional(places[places % groups != group]) for group in range(groups)])
    return functional(places) + (groups - 1) * (without.mean() - without)


def _of_values(values: np.ndarray) -> Estimate:
    if len(values) == 1:
        return Estimate(float(values[0]))
    return _estimate(values.mean(), values.var(ddof=1) / len(values), len(values) - 1, None)


def _estimate(value: float, variance: float, degrees: float, noise: Noise | None) -> Estimate:
    error = float(np.sqrt(variance))
    value = float(value)
    return Estimate(
        0.0 if abs(value) < _ROUNDING else value, 0.0 if error < _ROUNDING else error, float(degrees), noise
    )


def _mean_squares(values: np.ndarray) -> tuple[float, float, float]:
    """Of repeats, pictures and the rest, of values (repeats, pictures)."""
    repeats, pictures = values.shape
    of_repeats, of_pictures = values.mean(axis=1), values.mean(axis=0)
    rest = values - of_repeats[:, None] - of_pictures + values.mean()
    return (
        pictures * float(of_repeats.var(ddof=1)),
        repeats * float(of_pictures.var(ddof=1)),
        float((rest**2).sum()) / ((repeats - 1) * (pictures - 1)),
    )


def _satterthwaite(squares: tuple[float, float, float], repeats: float, pictures: float) -> float:
    """Degrees of freedom of the first two mean squares less the third, the factors having `repeats` and `pictures`."""
    of_repeats, of_pictures, rest = squares
    spread = of_repeats**2 / repeats + of_pictures**2 / pictures + rest**2 / (repeats * pictures)
    least = min(repeats, pictures)
    return max(least, (of_repeats + of_pictures - rest) ** 2 / spread) if spread else least
