"""The verdict on a difference with a margin fixed beforehand, and what would settle one that is open (docs/method.md).

Two one-sided tests (Schuirmann, 1987): a difference is as good as none where its interval of confidence 1 - 2 alpha
lies inside the margin. That it is not significant never makes it so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import scipy  # its part `stats`, a second to import, comes with its first use

from stages.study.two_way import Estimate, Noise

BETTER, WORSE, AS_GOOD, CANNOT_TELL = "better", "worse", "as good within the margin", "cannot tell"
POWER = 0.8  # with which a larger run would settle a difference; the custom of the field (Cohen, 1988)
FEASIBLE = 100  # times as many repeats or pictures: more would not be run

Word = Literal["better", "worse", "as good within the margin", "cannot tell"]


@dataclass(frozen=True)
class Contrast:
    """A difference whose sign has a meaning: below 0 is better where `lower_is_better`.

    `factor` is that of its family (stages/study/simultaneous.py): the level of a single test is alpha / factor, so that
    intervals and p-values are adjusted alike. It is 1 for a primary contrast. `repeats` of 1 leave every question
    about schedules open.
    """

    estimate: Estimate
    margin: float
    confidence: float
    repeats: int
    lower_is_better: bool = True
    factor: float = 1.0

    @property
    def alpha(self) -> float:
        """Of one test: the family's, divided among its members."""
        return (1 - self.confidence) / self.factor

    @property
    def interval(self) -> tuple[float | None, float | None]:
        return self.estimate.interval(1 - self.alpha)

    @property
    def p_value(self) -> float:
        return min(1.0, self.estimate.p_value * self.factor)

    @property
    def differs(self) -> bool:
        """Whether noise alone does not explain the difference."""
        return self.repeats > 1 and self.p_value <= 1 - self.confidence

    @property
    def _worse_by(self) -> float:
        return self.estimate.value if self.lower_is_better else -self.estimate.value

    @property
    def is_better(self) -> bool:
        return self.differs and self._worse_by < 0

    @property
    def is_worse(self) -> bool:
        return self.differs and self._worse_by > 0

    @property
    def is_not_worse(self) -> bool:
        """Non-inferior: worse by less than the margin at most, in a one-sided test."""
        low, high = self.estimate.interval(1 - 2 * self.alpha)
        if self.repeats == 1 or low is None or high is None:
            return False
        return (high if self.lower_is_better else -low) < self.margin

    @property
    def is_as_good(self) -> bool:
        """Equivalent: neither better nor worse by the margin, in two one-sided tests."""
        low, high = self.estimate.interval(1 - 2 * self.alpha)
        return self.repeats > 1 and low is not None and high is not None and -self.margin < low <= high < self.margin

    @property
    def word(self) -> Word:
        """A difference beyond the noise is named even where it is smaller than the margin: see `remark`."""
        if self.is_better:
            return BETTER
        if self.is_worse:
            return WORSE
        return AS_GOOD if self.is_as_good else CANNOT_TELL

    @property
    def matters(self) -> bool:
        """Whether the difference is beyond the noise and not shown to be smaller than the margin."""
        return self.differs and not self.is_as_good

    @property
    def remark(self) -> str:
        """What qualifies the word: that the difference is smaller than the margin; empty where nothing does."""
        if self.differs and self.is_as_good:
            return f"{self.word} by less than the margin of {self.margin:g}"
        return ""

    @property
    def settle(self) -> str:
        """What would settle an open verdict if the difference is what it looks like; empty where it is settled."""
        if self.word != CANNOT_TELL:
            return ""
        noise = self.estimate.noise
        if self.repeats == 1 or noise is None or noise.scaled(1, 1)[0] == 0:
            return "more repeats; how many, one cannot tell"
        each = "validation pictures" if noise.crossed else "validation pictures a repeat"
        pictures = _least(lambda times: self._settles(noise, 1, times), noise.pictures)
        repeats = _least(lambda times: self._settles(noise, times, 1), noise.repeats)
        found = [
            f"about {count:,} {name} in place of {now:,}"
            for count, name, now in ((pictures, each, noise.pictures), (repeats, "repeats", noise.repeats))
            if count
        ]
        if found:
            return ", or ".join(found)
        both = _least(lambda times: self._settles(noise, times, times), noise.repeats)
        if both is None:
            return f"no feasible number of pictures and repeats, up to {FEASIBLE} times as many of both"
        more = -(-noise.pictures * both // noise.repeats)
        return f"about {more:,} {each} and {both:,} repeats in place of {noise.pictures:,} and {noise.repeats:,}"

    def _settles(self, noise: Noise, repeats: float, pictures: float) -> bool:
        """Whether a run so many times as large would end in a verdict with probability POWER."""
        error, degrees = noise.scaled(repeats, pictures)
        # Components cut off at zero may tell of less noise than there is.
        error *= max(1, (self.estimate.error or 0) / noise.scaled(1, 1)[0])
        chance = float(scipy.stats.t.ppf(POWER, degrees))
        different = float(scipy.stats.t.ppf(1 - self.alpha / 2, degrees)) + chance
        equal = float(scipy.stats.t.ppf(1 - self.alpha, degrees)) + chance
        size = abs(self.estimate.value)
        return size >= different * error or self.margin - size >= equal * error


def _least(settles: Callable[[float], bool], now: int) -> int | None:
    """The least number above `now` that settles, None where none up to FEASIBLE times it does; by bisection."""
    low, high = now, now * FEASIBLE
    if not settles(high / now):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if settles(middle / now) else (middle, high)
    return high
