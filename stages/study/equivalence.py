"""The verdict on a difference, with an equivalence margin fixed beforehand, and what would settle an open one.

Two schedules are equivalent, `no difference beyond the margin`, if two one-sided tests (Schuirmann, 1987) show it: the
interval of confidence 1 - 2 alpha lies inside the margin. A difference that is merely not significant is inconclusive,
`cannot tell` (docs/method.md).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import scipy  # its part `stats`, a second to import, comes with its first use

from stages.study.two_way import Estimate, Noise

BETTER, WORSE, EQUIVALENT, CANNOT_TELL = "better", "worse", "no difference beyond the margin", "cannot tell"
POWER = 0.8  # probability that a larger run settles a difference; customary (Cohen, 1988)
FEASIBLE = 100  # how many times the repeats or pictures a larger run may have: nobody would run more

Word = Literal["better", "worse", "no difference beyond the margin", "cannot tell"]


@dataclass(frozen=True)
class Contrast:
    """A difference between schedules: a value below 0 is better if `lower_is_better`, else worse.

    `factor` adjusts intervals and p-values for the family (stages/study/simultaneous.py); it is 1 for a primary
    contrast. With `repeats` of 1 every verdict is `cannot tell`.
    """

    estimate: Estimate
    margin: float
    confidence: float
    repeats: int
    lower_is_better: bool = True
    factor: float = 1.0

    @property
    def alpha(self) -> float:
        """Significance level of one test: the family's level divided by `factor`."""
        return (1 - self.confidence) / self.factor

    @property
    def interval(self) -> tuple[float | None, float | None]:
        return self.estimate.interval(1 - self.alpha)

    @property
    def p_value(self) -> float:
        return min(1.0, self.estimate.p_value * self.factor)

    @property
    def is_significant(self) -> bool:
        """Whether the difference is significant."""
        return self.repeats > 1 and self.p_value <= 1 - self.confidence

    @property
    def _worse_by(self) -> float:
        return self.estimate.value if self.lower_is_better else -self.estimate.value

    @property
    def is_better(self) -> bool:
        return self.is_significant and self._worse_by < 0

    @property
    def is_worse(self) -> bool:
        return self.is_significant and self._worse_by > 0

    @property
    def is_not_worse(self) -> bool:
        """Non-inferior: not worse by the margin or more, in a one-sided test."""
        low, high = self.estimate.interval(1 - 2 * self.alpha)
        if self.repeats == 1 or low is None or high is None:
            return False
        return (high if self.lower_is_better else -low) < self.margin

    @property
    def is_equivalent(self) -> bool:
        """Equivalent: neither better nor worse by the margin, in two one-sided tests."""
        low, high = self.estimate.interval(1 - 2 * self.alpha)
        return self.repeats > 1 and low is not None and high is not None and -self.margin < low <= high < self.margin

    @property
    def word(self) -> Word:
        """The verdict. A significant difference is better or worse even if it is below the margin: see `remark`."""
        if self.is_better:
            return BETTER
        if self.is_worse:
            return WORSE
        return EQUIVALENT if self.is_equivalent else CANNOT_TELL

    @property
    def matters(self) -> bool:
        """Whether the difference is significant and not shown to be smaller than the margin."""
        return self.is_significant and not self.is_equivalent

    @property
    def remark(self) -> str:
        """The remark that a significant difference is smaller than the margin; else empty."""
        if self.is_significant and self.is_equivalent:
            return f"{self.word} by less than the margin of {self.margin:g}"
        return ""

    @property
    def settle(self) -> str:
        """What would settle an open verdict if the true difference is the estimate; empty if it is settled."""
        if self.word != CANNOT_TELL:
            return ""
        noise = self.estimate.noise
        if self.repeats == 1:
            return "more repeats; one repeat is too few to estimate how many"
        if noise is None or noise.scaled(1, 1)[0] == 0:
            return "more repeats; how many cannot be estimated"
        each = "validation pictures" if noise.crossed else "validation pictures a repeat"
        pictures = _least(lambda times: self._settles(noise, 1, times), noise.pictures)
        repeats = _least(lambda times: self._settles(noise, times, 1), noise.repeats)
        found = [
            f"about {_about(count)} {name} instead of {now:,}"
            for count, name, now in ((pictures, each, noise.pictures), (repeats, "repeats", noise.repeats))
            if count
        ]
        if found:
            return ", or ".join(found)
        both = _least(lambda times: self._settles(noise, times, times), noise.repeats)
        if both is None:
            return f"nothing feasible: even {FEASIBLE} times as many pictures and repeats would be too few"
        more = -(-noise.pictures * both // noise.repeats)
        now = f"{noise.pictures:,} and {noise.repeats:,}"
        return f"about {_about(more)} {each} and {_about(both)} repeats instead of {now}"

    def _settles(self, noise: Noise, repeats: float, pictures: float) -> bool:
        """Whether `repeats` and `pictures` times as many would give a verdict with probability POWER."""
        error, degrees = noise.scaled(repeats, pictures)
        # The components of the noise are cut off at zero, so that their sum may differ from the error's square.
        error *= max(1, (self.estimate.error or 0) / noise.scaled(1, 1)[0])
        chance = float(scipy.stats.t.ppf(POWER, degrees))
        different = float(scipy.stats.t.ppf(1 - self.alpha / 2, degrees)) + chance
        equal = float(scipy.stats.t.ppf(1 - self.alpha, degrees)) + chance
        size = abs(self.estimate.value)
        return size >= different * error or self.margin - size >= equal * error


def _about(count: int) -> str:
    """Two digits: the noise, from which it follows, is known no better."""
    return f"{int(float(f'{count:.2g}')):,}"


def _least(settles: Callable[[float], bool], now: int) -> int | None:
    """The smallest number above `now` that settles the verdict, by bisection; None if FEASIBLE times it does not."""
    low, high = now, now * FEASIBLE
    if not settles(high / now):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if settles(middle / now) else (middle, high)
    return high
