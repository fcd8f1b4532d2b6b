"""A mean over repeats and pictures, both random: its standard error, interval and test (docs/method.md).

A repeat trains the network again; the pictures are the validation pictures. There are two designs:

crossed   all repeats have the same pictures (seeds on one split);
nested    each repeat has pictures of its own (folds), and every picture is validated once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy  # its part `stats`, a second to import, comes with its first use

GROUPS = 10  # of pictures, left out in turn: from 100 pictures on, a group has at least the root of their number
_ROUNDING = 1e-9  # the largest difference between values that should be equal

Interval = tuple[float | None, float | None]


@dataclass(frozen=True)
class Noise:
    """The variance of an estimate by its sources, and the number of repeats and of pictures in each.

    `repeat`: the variation between training runs. `picture`: the variation between pictures that all repeats share (0
    in the nested design). `both`: the rest, which falls with either number. They are parts of the variance of the mean,
    not of a single value.
    """

    repeat: float
    picture: float
    both: float
    repeats: int
    pictures: int
    crossed: bool

    def scaled(self, repeats: float, pictures: float) -> tuple[float, float]:
        """Standard error and degrees of freedom of a larger run.

        It has `repeats` times as many repeats and `pictures` times as many pictures.
        """
        repeat, picture = self.repeat / repeats, self.picture / pictures
        both = self.both / repeats / pictures
        degrees = self.repeats * repeats - 1
        if self.crossed:
            degrees = _satterthwaite((repeat + both, picture + both, both), degrees, self.pictures * pictures - 1)
        return float(np.sqrt(repeat + picture + both)), degrees


@dataclass(frozen=True)
class Estimate:
    """A mean, its standard error and degrees of freedom; both are None if the error is unknown.

    `noise` has the sources of the error, where several repeats with several pictures show them.
    """

    value: float
    error: float | None = None
    degrees: float | None = None
    noise: Noise | None = None

    def interval(self, confidence: float) -> Interval:
        """Student's t interval; (None, None) if the error is unknown."""
        if self.error is None:
            return None, None
        if self.error == 0:
            return self.value, self.value
        half = float(scipy.stats.t.ppf((1 + confidence) / 2, self.degrees)) * self.error
        return self.value - half, self.value + half

    @property
    def p_value(self) -> float:
        """Two-sided p-value of the hypothesis that the mean is 0; 1 if the error is unknown."""
        if self.error is None:
            return 1.0
        if self.error == 0:
            return float(self.value == 0)
        return float(2 * scipy.stats.t.sf(abs(self.value) / self.error, self.degrees))

    def at_least(self, error: float) -> "Estimate":
        """The estimate with `error` as the smallest possible error, because its values are rounded."""
        return self if self.error is None else replace(self, error=max(self.error, error))


@dataclass(frozen=True)
class Sample:
    """One value for each repeat and picture: an array (pictures,) for each repeat.

    `crossed`: place i is the same picture in all repeats; else no two repeats share a picture. `pictures` is the
    number of pictures in a repeat, needed where a value stands for several of them (`pseudo_values`).
    """

    values: Sequence[np.ndarray]
    crossed: bool
    pictures: int | None = None

    def __sub__(self, other: "Sample") -> "Sample":
        """The paired differences, on the same repeats and pictures."""
        return replace(self, values=[ours - theirs for ours, theirs in zip(self.values, other.values, strict=True)])

    def estimate(self) -> Estimate:
        """The mean of the repeats' means, with its error in this design.

        With one repeat the error covers the sampling of pictures alone; a single value has none.
        """
        if len(self.values) == 1:
            return _of_values(self.values[0])
        return self._crossed() if self.crossed and len(self.values[0]) > 1 else self._nested()

    def _crossed(self) -> Estimate:
        """Two-way random effects without replication (Satterthwaite, 1946; Searle, Casella, McCulloch, 1992).

        Assumes that effects of repeats, of pictures and of their pairs are independent and add up; that repeats
        draw their seeds independently, and pictures are drawn independently. The variance of the mean is
        (MS_repeat + MS_picture - MS_error) / (repeats x pictures). If it is not positive, MS_picture replaces it. Three
        things differ from the textbook, because in simulations plain Satterthwaite rejects up to 8 % of true
        hypotheses at 5 % with three repeats. No component is cut off at zero. In the degrees of freedom MS_repeat is
        multiplied by (repeats + 1) / (repeats - 1): for normal effects, E[x^2] is larger than E[x]^2 by this factor.
        Without it, a mean square that is low by chance gives too many degrees of freedom. And they are at least those
        of the smaller factor.
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
        """Student's t of the repeats' means, whose spread includes the sampling of their pictures.

        Means that are equal by chance, as accuracies of few pictures may be, have no spread. Then the error is that of
        the sampling of pictures alone.

        Assumes that repeats are independent and have about the same number of pictures. Folds are not fully
        independent: their training parts overlap, and no interval covers that (Bengio and Grandvalet, 2004).
        """
        means = np.array([part.mean() for part in self.values])
        variance = means.var(ddof=1) / len(means)
        sizes = [len(part) for part in self.values]
        noise = None
        if min(sizes) > 1:
            within = float(np.mean([part.var(ddof=1) / len(part) for part in self.values])) / len(means)
            noise = self._noise(variance - within, 0, within)
            if np.sqrt(variance) < _ROUNDING:
                variance = within
        return _estimate(means.mean(), variance, len(means) - 1, noise)

    def _noise(self, repeat: float, picture: float, both: float) -> Noise:
        pictures = self.pictures or round(np.mean([len(part) for part in self.values]))
        return Noise(max(repeat, 0), max(picture, 0), both, len(self.values), int(pictures), self.crossed)


def possible(interval: Interval, own: Sequence[float] | np.ndarray, least: float, largest: float) -> Interval:
    """The interval, or the range of the repeats' `own` values if it goes below `least` or above `largest`.

    Student's t has no bounds, so that with few repeats its interval may contain impossible values. The interval of a
    single repeat, which has no range, is cut off at the bounds.
    """
    low, high = interval
    if low is None or high is None or least <= low <= high <= largest:
        return interval
    if len(own) == 1:
        return max(low, least), min(high, largest)
    return float(np.min(own)), float(np.max(own))


def wilson(share: float, pictures: int, confidence: float) -> Interval:
    """The interval of a share of independent pictures (Wilson, 1927), which never leaves 0 to 1.

    It is for one network: with several repeats their variation matters too.
    """
    z = float(scipy.stats.norm.ppf((1 + confidence) / 2))
    scale = 1 + z**2 / pictures
    centre = (share + z**2 / (2 * pictures)) / scale
    half = z * np.sqrt(share * (1 - share) / pictures + z**2 / (4 * pictures**2)) / scale
    return max(float(centre - half), 0.0), min(float(centre + half), 1.0)


def over_repeats(values: Sequence[float] | np.ndarray) -> Estimate:
    """The mean of one value a repeat with its t interval, for values that no single picture has."""
    values = np.asarray(values, dtype=float)
    estimate = _of_values(values)
    if estimate.error is None:
        return estimate
    return replace(estimate, noise=Noise(estimate.error**2, 0, 0, len(values), pictures=1, crossed=False))


def pseudo_values(functional: Callable[[np.ndarray], float], units: np.ndarray) -> np.ndarray:
    """The jackknife's pseudo-values of groups of pictures (Tukey, 1958), whose mean is `functional` of all: (groups,).

    `functional` takes the places of the pictures to use, int (n,); `units` has the number of each picture's unit, int
    (pictures,). Group g leaves out every GROUPS-th unit from unit g on. The jackknife is valid for functionals that are
    not smooth, such as the first epoch under a target, if a group has more pictures than the root of their number (Shao
    and Wu, 1989). The pseudo-values are centred on `functional`, without the jackknife's correction of bias, which is
    erratic for such functionals.
    """
    places = np.arange(len(units))
    groups = min(GROUPS, int(units.max()) + 1)
    if groups == 1:  # nothing can be left out
        return np.array([functional(places)])
    without = np.array([functional(places[units % groups != group]) for group in range(groups)])
    return functional(places) + (groups - 1) * (without.mean() - without)


def of_units(values: np.ndarray, units: np.ndarray) -> np.ndarray:
    """The pictures' `values`, (pictures,), as one value for each unit, with the same mean.

    A unit is a group of pictures that are not independent, or a single picture. Its value is the mean of all plus the
    sum of its pictures' differences from that, times units / pictures: the linearisation by which surveys estimate a
    mean from clusters of unequal size (Cochran, 1977, section 9A). It assumes that units are independent.
    """
    count = int(units.max()) + 1
    if count == len(values):
        return values
    mean = values.mean()
    return mean + np.bincount(units, values - mean) * count / len(values)


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
    """The mean squares of repeats, pictures and the rest, for values (repeats, pictures)."""
    repeats, pictures = values.shape
    of_repeats, of_pictures = values.mean(axis=1), values.mean(axis=0)
    rest = values - of_repeats[:, None] - of_pictures + values.mean()
    return (
        pictures * float(of_repeats.var(ddof=1)),
        repeats * float(of_pictures.var(ddof=1)),
        float((rest**2).sum()) / ((repeats - 1) * (pictures - 1)),
    )


def _satterthwaite(squares: tuple[float, float, float], repeats: float, pictures: float) -> float:
    """Degrees of freedom of the sum of the first two mean squares minus the third.

    `repeats` and `pictures` are the degrees of freedom of the two factors.
    """
    of_repeats, of_pictures, rest = squares
    spread = of_repeats**2 / repeats + of_pictures**2 / pictures + rest**2 / (repeats * pictures)
    least = min(repeats, pictures)
    return max(least, (of_repeats + of_pictures - rest) ** 2 / spread) if spread else least
