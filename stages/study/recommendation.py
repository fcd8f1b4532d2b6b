"""Which schedule to choose for a budget, in words that follow from the numbers.

A schedule is shown to be good enough if it is worse than no other by the margin: tested against each at the full
level, since all tests must pass (Berger, 1982). Which schedules may be the best is Hsu's comparison with the best, by
the subset of Gupta (1965): all that none other beats in simultaneous one-sided tests.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stages.study import costs, simultaneous, variants
from stages.study.equivalence import Contrast
from stages.study.evidence import Study
from stages.study.two_way import Interval, Sample
from stages.study.variants import PAPER_ARM, Variant

COLUMNS = ("dataset", "budget", "sentence", "arm")
_LARGE = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))

Paid = Mapping[str, np.ndarray]  # by variant, the cost up to the end of each epoch


@dataclass(frozen=True)
class Stop:
    """A schedule up to an epoch: what it reaches and what it has cost.

    Learning rates do not depend on the epochs to come, so a schedule cut short is a schedule in its own right.
    """

    variant: Variant
    epoch: int
    loss: float
    interval: Interval
    cost: float

    @property
    def label(self) -> str:
        """The schedule of these epochs, such as `10 + 7`, with what its head has of its own."""
        transfer = min(self.variant.transfer, self.epoch)
        arm = "" if self.variant.arm == PAPER_ARM else f" ({self.variant.arm})"
        return f"{transfer} + {self.epoch - transfer}{arm}"


@dataclass(frozen=True)
class Choice:
    """The schedule recommended of those run to their end, the one of the lowest loss, and what may be the best too."""

    recommended: Stop
    lowest: Stop
    rivals: Sequence[Stop]
    schedules: int


def choices(study: Study) -> dict[str, Choice]:
    """What to choose for each data set, by multiply-adds; one that has but styles and the trial is left out.

    Of the schedules that are shown to be worse than no other by the margin, the cheapest; where none is, the one with
    the lowest validation loss. Only what ran to its end is chosen, for only of that there is a network.
    """
    by_dataset = {name: variants.arms(members) for name, members in variants.of_datasets(study.variants).items()}
    return {
        name: _of_ends(study, [variant for arm in arms.values() for variant in arm])
        for name, arms in by_dataset.items()
        if arms
    }


def _of_ends(study: Study, members: Sequence[Variant]) -> Choice:
    ends, enough = _ends(study, members, multiply_adds(study))
    lowest = min(ends, key=lambda end: (end.loss, end.cost))
    chosen = lowest if len(ends) == 1 or not enough else min(enough, key=lambda end: (end.cost, end.loss))
    rivals = [end for end in ends if end is not chosen and _may_be_best(study, end, ends)]
    return Choice(chosen, lowest, rivals, len(ends))


def multiply_adds(study: Study) -> Paid:
    """What each variant's epochs cost in multiply-adds."""
    return {each.name: costs.cumulative(each, costs.of_epoch(each, "multiply_adds")) for each in study.variants}


def seconds(study: Study, measured: Mapping[str, pd.DataFrame]) -> Paid:
    """What each variant's epochs cost in seconds."""
    return {
        each.name: costs.cumulative(each, costs.of_epoch(each, "seconds", measured[each.name]))
        for each in study.variants
    }


def table(study: Study, paid: Mapping[str, Paid]) -> pd.DataFrame:
    """All sentences, one a row: for every budget of `paid` (multiply_adds, seconds), data set and arm."""
    rows = [
        (dataset, budget, sentence, arm)
        for budget, spent in paid.items()
        for dataset, arms in for_budget(study, spent, budget).items()
        for arm, told in arms.items()
        for sentence in told
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def for_budget(study: Study, paid: Paid, budget: str = "multiply_adds") -> dict[str, dict[str, list[str]]]:
    """The sentences by data set and arm; where there are several arms, the last, `all`, is of all together."""
    return {
        dataset: {arm: _sentences(study, members, paid, budget) for arm, members in arms.items()}
        for dataset, arms in study.arms().items()
    }


def _sentences(study: Study, members: Sequence[Variant], paid: Paid, budget: str) -> list[str]:
    ends, enough = _ends(study, members, paid)
    best = min(ends, key=lambda end: (end.loss, end.cost))
    aim = min(enough, key=lambda end: end.cost) if enough else best
    chosen = _best_within(study, members, paid, aim.cost)
    smaller = sorted({end.cost: end for end in ends if end.cost < chosen.cost}.values(), key=lambda end: -end.cost)
    return [
        f"Of the schedules run to their end, {best.label} has the lowest validation loss: {_loss(best)}, "
        f"{_repeats(study, best)}. {_possibly_best(study, ends, best)}",
        _enough(study, enough, best, budget),
        _choice(study, members, paid, chosen, budget),
        *(_smaller_budget(study, members, paid, end, best, budget) for end in smaller),
    ]


def _ends(study: Study, members: Sequence[Variant], paid: Paid) -> tuple[list[Stop], list[Stop]]:
    """The schedules run to their end, and those of them that are shown to be worse than no other by the margin."""
    ends = [_stop(study, variant, variant.epochs, paid) for variant in members]
    return ends, [end for end in ends if _is_enough(study, end, ends)]


def _possibly_best(study: Study, ends: Sequence[Stop], best: Stop) -> str:
    rivals = [end.label for end in ends if end is not best and _may_be_best(study, end, ends)]
    return f"Not told apart from it: {_listed(rivals)}." if rivals else "Every other is told apart from it."


def _enough(study: Study, enough: Sequence[Stop], best: Stop, budget: str) -> str:
    margin = study.margin(best.variant.dataset).loss
    if not enough:
        return f"None is shown to be within {margin:g} of the best; it takes {cost(best.cost, budget)}."
    cheapest_first = sorted(enough, key=lambda end: end.cost)
    cheapest = cheapest_first[0]
    share = "" if cheapest is best else f", {cheapest.cost / best.cost:.0%} of what {best.label} takes"
    return (
        f"Shown to be within {margin:g} of the best, cheapest first: {_listed(end.label for end in cheapest_first)}. "
        f"{cheapest.label} takes {cost(cheapest.cost, budget)}{share}."
    )


def _choice(study: Study, members: Sequence[Variant], paid: Paid, chosen: Stop, budget: str) -> str:
    """What to choose, and what the same cost buys elsewhere."""
    sentence = f"Choose {chosen.label}: {_loss(chosen)} for {cost(chosen.cost, budget)}."
    others = [variant for variant in members if variant is not chosen.variant]
    elsewhere = _best_within(study, others, paid, chosen.cost) if _affordable(others, paid, chosen.cost) else None
    if elsewhere is None:
        return f"{sentence} The same cost buys nothing elsewhere."
    return (
        f"{sentence} Elsewhere the same cost buys {_loss(elsewhere)} at best, with {elsewhere.label}: "
        f"{_contrast(study, elsewhere, chosen).word}."
    )


def _smaller_budget(
    study: Study, members: Sequence[Variant], paid: Paid, budget_of: Stop, best: Stop, budget: str
) -> str:
    stop = _best_within(study, members, paid, budget_of.cost)
    money = f"{cost(budget_of.cost, budget)} ({budget_of.cost / best.cost:.0%}), what {budget_of.label} takes"
    sentence = f"With {money}, choose {stop.label}: {_loss(stop)}"
    others = [variant for variant in members if variant is not stop.variant]
    rivals = _rivals(study, stop, others, paid, budget_of.cost)
    return f"{sentence}. Not told apart from it: {_listed(rivals)}." if rivals else f"{sentence}."


def _rivals(study: Study, stop: Stop, others: Sequence[Variant], paid: Paid, budget: float) -> list[str]:
    """What the other schedules have when the budget is spent and is not told apart from `stop`."""
    last = [_stop(study, variant, epoch, paid) for variant, epoch in _affordable(others, paid, budget).values()]
    samples = [_difference(study, stop, other) for other in last]
    factor = simultaneous.factor(samples, study.statistics)
    contrasts = [study.contrast(stop.variant.dataset, sample.estimate(), "loss", factor) for sample in samples]
    return [other.label for other, contrast in zip(last, contrasts, strict=True) if not contrast.is_better]


def _stop(study: Study, variant: Variant, epoch: int, paid: Paid) -> Stop:
    loss, *interval = study.level(variant, "loss", epoch)
    return Stop(variant, epoch, loss, tuple(interval), float(paid[variant.name][epoch - 1]))


def _affordable(members: Sequence[Variant], paid: Paid, budget: float) -> dict[str, tuple[Variant, int]]:
    """The last epoch that each schedule reaches within the budget, where it reaches one."""
    epochs = {variant.name: (variant, int((paid[variant.name] <= budget).sum())) for variant in members}
    return {name: (variant, epoch) for name, (variant, epoch) in epochs.items() if epoch}


def _best_within(study: Study, members: Sequence[Variant], paid: Paid, budget: float) -> Stop:
    """The lowest mean loss of any schedule after any epoch within the budget; of equal ones the cheapest.

    So nothing that costs as much or less beats or equals it. Of so many, the lowest is in part the luckiest; its
    interval does not tell that.
    """
    losses = [
        (float(loss), float(paid[name][epoch]), variant, epoch + 1)
        for name, (variant, last) in _affordable(members, paid, budget).items()
        for epoch, loss in enumerate(_mean_curve(study, variant)[:last])
    ]
    *_, variant, epoch = min(losses, key=lambda each: each[:2])
    return _stop(study, variant, epoch, paid)


def _mean_curve(study: Study, variant: Variant) -> np.ndarray:
    return np.mean([losses.mean(axis=1) for losses in study.losses(variant)], axis=0)


def _contrast(study: Study, stop: Stop, other: Stop) -> Contrast:
    return study.contrast(stop.variant.dataset, _difference(study, stop, other).estimate(), "loss")


def _difference(study: Study, stop: Stop, other: Stop) -> Sample:
    return study.at(stop.variant, "loss", stop.epoch) - study.at(other.variant, "loss", other.epoch)


def _is_enough(study: Study, end: Stop, ends: Sequence[Stop]) -> bool:
    return all(_contrast(study, end, other).is_not_worse for other in ends if other is not end)


def _may_be_best(study: Study, end: Stop, ends: Sequence[Stop]) -> bool:
    """Whether no other beats it in simultaneous one-sided tests: two-sided ones at twice the level."""
    confidence = 2 * study.statistics.confidence - 1
    statistics = study.statistics.model_copy(update={"confidence": confidence})
    others = [other for other in ends if other is not end]
    samples = [_difference(study, end, other) for other in others]
    factor = simultaneous.factor(samples, statistics)
    return not any(
        Contrast(sample.estimate(), 0, confidence, study.repeated(end.variant.dataset), factor=factor).is_worse
        for sample in samples
    )


def _loss(stop: Stop) -> str:
    return level(stop.loss, stop.interval)


def level(value: float, interval: Interval) -> str:
    """A number with its interval, where that is known."""
    low, high = interval
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} ({low:.3f} to {high:.3f})"


def _repeats(study: Study, stop: Stop) -> str:
    repeats = study.repeated(stop.variant.dataset)
    if repeats > 1:
        return f"mean of {repeats} repeats"
    return "of one repeat, so that only the noise of the validation images is known, not that of training"


def cost(amount: float, budget: str) -> str:
    """A cost in words, `multiply_adds` or `seconds`: three digits and the unit."""
    unit = "seconds" if budget == "seconds" else "multiply-adds"
    size, word = next(((size, f"{word} ") for size, word in _LARGE if amount >= size), (1, ""))
    amount /= size
    return f"{amount:,.0f} {word}{unit}" if amount >= 100 else f"{amount:.3g} {word}{unit}"


def _listed(labels: Iterable[str]) -> str:
    return ", ".join(labels)
