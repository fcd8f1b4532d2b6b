"""Which schedule to choose, in all and for each budget, in sentences that follow from the numbers.

A schedule is good enough if it is shown to be non-inferior to every other. Each test has the full significance level,
because all must pass (Berger, 1982). The schedules that may be the best are the subset of Gupta (1965), as in Hsu's
comparison with the best: those that no other beats in simultaneous one-sided tests. With one repeat no test can show
anything, and the sentences only describe.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stages.study import costs, simultaneous, variants
from stages.study.equivalence import BETTER, CANNOT_TELL, EQUIVALENT, WORSE, Contrast
from stages.study.evidence import Study
from stages.study.two_way import Interval, Sample
from stages.study.variants import ALL_ARMS, Variant

# What the comparison of the best other schedule with the one chosen shows.
COMPARED = {
    BETTER: "it is shown to be better",
    WORSE: "it is shown to be worse",
    EQUIVALENT: "the two are shown to differ by less than the margin",
    CANNOT_TELL: "which of the two is better is not settled",
}
COLUMNS = ("dataset", "budget", "sentence", "arm")
_LARGE = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))

Paid = Mapping[str, np.ndarray]  # the cost up to the end of each epoch, by variant


@dataclass(frozen=True)
class Stop:
    """A schedule stopped after an epoch: its validation loss and its cost up to there.

    If its learning rates do not depend on later epochs (`_depends_on_its_end`), it equals a shorter schedule.
    """

    variant: Variant
    epoch: int
    loss: float
    interval: Interval
    cost: float

    @property
    def label(self) -> str:
        """The schedule of these epochs, such as `10 + 7`, with its own keys behind."""
        return f"{self.epochs} ({self.variant.settings})" if self.variant.settings else self.epochs

    @property
    def epochs(self) -> str:
        """The epochs of each phase, such as `10 + 7`."""
        transfer = min(self.variant.transfer, self.epoch)
        return f"{transfer} + {self.epoch - transfer}"


@dataclass(frozen=True)
class Choice:
    """Of `ends`, the schedules run to their end: the recommended one, the one with the lowest loss, and the rivals.

    `rivals` are the others that may be the best.
    """

    recommended: Stop
    lowest: Stop
    rivals: Sequence[Stop]
    ends: Sequence[Stop]


def choices(study: Study) -> dict[str, Choice]:
    """The choice for each data set, by multiply-adds, among `variants.comparable`. A data set without any is left out.

    The recommended schedule is the cheapest that is shown to be non-inferior to every other; if there is none, the one
    with the lowest validation loss. Only schedules run to their end count, because only they have a saved network.
    """
    by_dataset = variants.of_datasets(study.variants)
    members = {name: variants.comparable(of_dataset) for name, of_dataset in by_dataset.items()}
    return {name: _of_ends(study, those) for name, those in members.items() if those}


def _of_ends(study: Study, members: Sequence[Variant]) -> Choice:
    ends, enough = _ends(study, members, multiply_adds(study))
    lowest = min(ends, key=lambda end: (end.loss, end.cost))
    chosen = lowest if len(ends) == 1 or not enough else min(enough, key=lambda end: (end.cost, end.loss))
    rivals = [end for end in ends if end is not chosen and _may_be_best(study, end, ends)]
    return Choice(chosen, lowest, rivals, ends)


def multiply_adds(study: Study) -> Paid:
    """The cost of each variant's epochs in multiply-adds."""
    return {each.name: costs.cumulative(each, costs.of_epoch(each, "multiply_adds")) for each in study.variants}


def seconds(study: Study, measured: Mapping[str, pd.DataFrame]) -> Paid:
    """The cost of each variant's epochs in seconds; `measured` has the seconds of every epoch, by variant."""
    return {
        each.name: costs.cumulative(each, costs.of_epoch(each, "seconds", measured[each.name]))
        for each in study.variants
    }


def table(study: Study, paid: Mapping[str, Paid]) -> pd.DataFrame:
    """One row for each sentence: by unit of `paid` (multiply_adds, seconds; the column `budget`), data set and arm."""
    rows = [
        (dataset, unit, sentence, arm)
        for unit, spent in paid.items()
        for dataset, arms in for_budget(study, spent, unit).items()
        for arm, sentences in arms.items()
        for sentence in sentences
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def for_budget(study: Study, paid: Paid, unit: str = "multiply_adds") -> dict[str, dict[str, list[str]]]:
    """The sentences by data set and arm, for budgets in `unit`, of arms with at least two schedules.

    If there are more schedules than one arm has, the last, `all`, is about all of them: other arms and styles.
    """
    found, of_datasets = {}, study.arms()
    for dataset, of_dataset in variants.of_datasets(study.variants).items():
        arms = {name: arm for name, arm in of_datasets.get(dataset, {}).items() if name != ALL_ARMS}
        every = variants.comparable(of_dataset)
        if len(every) > max(map(len, arms.values()), default=1):
            arms[ALL_ARMS] = every
        if arms:
            found[dataset] = {arm: _sentences(study, members, paid, unit) for arm, members in arms.items()}
    return found


def _depends_on_its_end(variant: Variant) -> bool:
    """Whether earlier epochs depend on the number of all, by a learning rate that decays to 0 at the end."""
    return variant.own_keys.get("decay", "none") != "none"


def _first_stop(variant: Variant) -> int:
    """The first epoch, from 1, after which the schedule may be stopped."""
    return variant.epochs if _depends_on_its_end(variant) else 1


def _sentences(study: Study, members: Sequence[Variant], paid: Paid, unit: str) -> list[str]:
    """The best schedule; those that are good enough, which one repeat cannot show; the choice; smaller budgets."""
    ends, enough = _ends(study, members, paid)
    best = min(ends, key=lambda end: (end.loss, end.cost))
    aim = min(enough, key=lambda end: end.cost) if enough else best
    chosen = _best_within(study, members, paid, aim.cost)
    smaller = sorted({end.cost: end for end in ends if end.cost < chosen.cost}.values(), key=lambda end: -end.cost)
    return [
        _lowest(study, ends, best),
        *([_enough(study, enough, best, unit)] if _is_repeated(study, best) else []),
        _choice(study, members, paid, chosen, best, unit),
        *(_smaller_budget(study, members, paid, end, best, unit) for end in smaller),
    ]


def _ends(study: Study, members: Sequence[Variant], paid: Paid) -> tuple[list[Stop], list[Stop]]:
    """The schedules run to their end, and which of them are shown to be non-inferior to every other."""
    ends = [_stop(study, variant, variant.epochs, paid) for variant in members]
    return ends, [end for end in ends if _is_enough(study, end, ends)]


def _lowest(study: Study, ends: Sequence[Stop], best: Stop) -> str:
    sentence = f"{best.label} has the lowest final validation loss, {_loss(best)}"
    if not _is_repeated(study, best):
        return f"{sentence}, in one repeat."
    rivals = [end for end in ends if end is not best and _may_be_best(study, end, ends)]
    others = (
        f"Other schedules that may be the best: {by_settings(rivals)}."
        if rivals
        else "Every other schedule is shown to be worse than at least one other."
    )
    return f"{sentence}, the mean of {study.repeat_count(best.variant.dataset)} repeats. {others}"


def _enough(study: Study, enough: Sequence[Stop], best: Stop, unit: str) -> str:
    margin = study.margin(best.variant.dataset).loss
    if not enough:
        return (
            f"No schedule is shown to be non-inferior to every other (margin: {margin:g}). "
            f"{best.label} takes {cost(best.cost, unit)}."
        )
    cheapest_first = sorted(enough, key=lambda end: end.cost)
    cheapest = cheapest_first[0]
    share = "" if cheapest is best else f", {cheapest.cost / best.cost:.0%} of the cost of {best.label}"
    return (
        f"Shown to be non-inferior to every other (margin: {margin:g}), cheapest first: "
        f"{', '.join(end.label for end in cheapest_first)}. {cheapest.label} takes {cost(cheapest.cost, unit)}{share}."
    )


def _choice(study: Study, members: Sequence[Variant], paid: Paid, chosen: Stop, best: Stop, unit: str) -> str:
    """The schedule to choose, and the best other schedule for the same cost."""
    if _is_repeated(study, chosen):
        sentence = f"Choose {chosen.label}: loss {_loss(chosen)} for {cost(chosen.cost, unit)}."
    elif chosen.label == best.label:
        sentence = f"{chosen.label} takes {cost(chosen.cost, unit)}."
    else:
        sentence = f"For {cost(chosen.cost, unit)}, {chosen.label} has the lowest loss, {_loss(chosen)}."

    def shared(variant: Variant) -> int:
        """The epochs of the same head that both train: stopped in them, it is no other schedule."""
        return min(variant.transfer, chosen.variant.transfer) if variant.arm == chosen.variant.arm else 0

    others = [
        variant
        for variant, last in _affordable(members, paid, chosen.cost).values()
        if variant is not chosen.variant and last > shared(variant)
    ]
    if not others:
        return f"{sentence} No other schedule completes an epoch for the same cost."
    other = _best_within(study, others, paid, chosen.cost, shared)
    return (
        f"{sentence} For the same cost, the best other schedule is {other.label} with loss {_loss(other)}; "
        f"{COMPARED[_contrast(study, other, chosen).word]}."
    )


def _smaller_budget(
    study: Study, members: Sequence[Variant], paid: Paid, budget_of: Stop, best: Stop, unit: str
) -> str:
    """The best schedule for the cost of `budget_of`, with its share of the cost of `best`."""
    stop = _best_within(study, members, paid, budget_of.cost)
    amount = f"{cost(budget_of.cost, unit)} ({budget_of.cost / best.cost:.0%}; what {budget_of.label} takes)"
    sentence = f"Within {amount}, the lowest loss is {_loss(stop)}, with {stop.label}."
    others = [variant for variant in members if variant is not stop.variant]
    rivals = _rivals(study, stop, others, paid, budget_of.cost) if _is_repeated(study, stop) else []
    return f"{sentence} Not shown to be worse: {by_settings(rivals)}." if rivals else sentence


def _rivals(study: Study, stop: Stop, others: Sequence[Variant], paid: Paid, amount: float) -> list[Stop]:
    """The schedules that, at this cost, are not shown to be worse than `stop`."""
    last = [_stop(study, variant, epoch, paid) for variant, epoch in _affordable(others, paid, amount).values()]
    samples = [_difference(study, stop, other) for other in last]
    factor = simultaneous.factor(samples, study.statistics)
    contrasts = [study.contrast(stop.variant.dataset, sample.estimate(), "loss", factor) for sample in samples]
    return [other for other, contrast in zip(last, contrasts, strict=True) if not contrast.is_better]


def _stop(study: Study, variant: Variant, epoch: int, paid: Paid) -> Stop:
    loss, *interval = study.level(variant, "loss", epoch)
    return Stop(variant, epoch, loss, tuple(interval), float(paid[variant.name][epoch - 1]))


def _affordable(members: Sequence[Variant], paid: Paid, amount: float) -> dict[str, tuple[Variant, int]]:
    """The last epoch that each schedule completes for this amount, if it completes one at which it may be stopped."""
    epochs = {variant.name: (variant, int((paid[variant.name] <= amount).sum())) for variant in members}
    return {name: (variant, epoch) for name, (variant, epoch) in epochs.items() if epoch >= _first_stop(variant)}


def _best_within(
    study: Study,
    members: Sequence[Variant],
    paid: Paid,
    amount: float,
    after: Callable[[Variant], int] = lambda variant: 0,
) -> Stop:
    """The lowest mean loss of any schedule after any epoch within the amount; among equal ones the cheapest.

    Of each schedule, only the epochs after its `after` count.
    Nothing that costs as much or less beats it. The lowest of many losses is optimistic (selection bias), which its
    interval does not show.
    """
    losses = [
        (float(loss), float(paid[name][epoch - 1]), variant, epoch)
        for name, (variant, last) in _affordable(members, paid, amount).items()
        for epoch, loss in enumerate(_mean_curve(study, variant)[:last], start=1)
        if epoch > after(variant) and epoch >= _first_stop(variant)
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
    """Whether no other beats it in simultaneous one-sided tests, which are two-sided ones at twice the level."""
    confidence = 2 * study.statistics.confidence - 1
    statistics = study.statistics.model_copy(update={"confidence": confidence})
    others = [other for other in ends if other is not end]
    samples = [_difference(study, end, other) for other in others]
    factor = simultaneous.factor(samples, statistics)
    return not any(
        Contrast(sample.estimate(), 0, confidence, study.repeat_count(end.variant.dataset), factor=factor).is_worse
        for sample in samples
    )


def _loss(stop: Stop) -> str:
    return level(stop.loss, stop.interval)


def level(value: float, interval: Interval) -> str:
    """A number with its interval, if that is known."""
    low, high = interval
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} ({low:.3f} to {high:.3f})"


def _is_repeated(study: Study, stop: Stop) -> bool:
    return study.repeat_count(stop.variant.dataset) > 1


def cost(amount: float, unit: str) -> str:
    """A cost in `unit`, multiply_adds or seconds, in words and with three digits."""
    size, word = scale(amount)
    amount /= size
    words = " ".join([word, unit.replace("_", "-")]).strip()
    return f"{amount:,.0f} {words}" if amount >= 100 else f"{amount:.3g} {words}"


def scale(amount: float) -> tuple[float, str]:
    """In what to count so that `amount` reads well, such as 1e12 and `trillion`; 1 and no word below a million."""
    return next(((size, word) for size, word in _LARGE if abs(amount) >= size), (1, ""))


def by_settings(stops: Iterable[Stop]) -> str:
    """The schedules in a list, own keys named once: `10 + 41; with head learning rate 0.001: 3 + 48, 6 + 45`."""
    found: dict[str, list[str]] = {}
    for stop in stops:
        found.setdefault(stop.variant.settings, []).append(stop.epochs)
    parts = [
        f"with {settings}: {', '.join(epochs)}" if settings else ", ".join(epochs) for settings, epochs in found.items()
    ]
    return "; ".join(parts)
