"""Which schedule to choose for a budget, in words that follow from the numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stages.study import costs, statistics
from stages.study.comparisons import Comparisons
from stages.study.evidence import Study
from stages.study.statistics import Estimate
from stages.study.variants import Variant

BUDGETS = ("multiply_adds", "seconds")
COLUMNS = ("dataset", "budget", "sentence")
_LARGE = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))


@dataclass(frozen=True)
class Option:
    """A schedule at its end: what it reaches and costs, and whether it is worse than the best beyond the noise."""

    label: str
    loss: Estimate
    cost: float
    worse: bool


@dataclass(frozen=True)
class Stop:
    """The best that is measured within a budget: that of another schedule's end.

    `label` is the schedule, cut short where it goes on; `rivals` are those that it is not told apart from.
    """

    budget_of: str
    budget: float
    label: str
    loss: Estimate
    rivals: Sequence[str]


def sentences(options: Sequence[Option], stops: Sequence[Stop], budget: str, repeats: int) -> list[str]:
    """The recommendation for a data set.

    `options` are its schedules, in any order, `stops` what smaller budgets buy, the largest first; `budget` is
    `multiply_adds` or `seconds`, in which costs are given.
    """
    best = min(options, key=lambda option: option.loss.value)
    equal = sorted((option for option in options if not option.worse), key=lambda option: option.cost)
    return [
        f"Of the schedules run to their end, {best.label} has the lowest validation loss: {_loss(best.loss)}, "
        f"{_repeats(repeats)}.",
        _cheapest(best, equal, budget),
        *(_smaller_budget(stop, budget, best, repeats) for stop in stops),
    ]


def for_budget(study: Study, compared: Comparisons, budget: str) -> dict[str, list[str]]:
    """The sentences of each data set for a budget of `multiply_adds` or `seconds`."""
    return {
        dataset: sentences(
            _options(study, compared, grid, budget), _stops(study, compared, grid, budget), budget, len(study.seeds)
        )
        for dataset, grid in study.grids().items()
    }


def table(study: Study, compared: Comparisons) -> pd.DataFrame:
    """All sentences, one a row: for every budget and data set."""
    rows = [
        (dataset, budget, sentence)
        for budget in BUDGETS
        for dataset, told in for_budget(study, compared, budget).items()
        for sentence in told
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _cheapest(best: Option, equal: Sequence[Option], budget: str) -> str:
    cheapest = equal[0]
    cost = f"{_cost(cheapest.cost, budget)}"
    if len(equal) == 1:
        return f"Every other is worse beyond the noise at its end. It takes {cost}."
    others = _listed([option.label for option in equal if option is not best])
    return (
        f"Not worse beyond the noise at their end: {others}. The cheapest of all these is {cheapest.label}: {cost}, "
        f"{cheapest.cost / best.cost:.0%} of what {best.label} takes."
    )


def _smaller_budget(stop: Stop, budget: str, best: Option, repeats: int) -> str:
    money = f"{_cost(stop.budget, budget)} ({stop.budget / best.cost:.0%}), what {stop.budget_of} takes"
    sentence = f"With {money}, choose {stop.label}: {_loss(stop.loss)}"
    if not stop.rivals or repeats == 1:
        return f"{sentence}."
    return f"{sentence}. Not told apart from it: {_listed(stop.rivals)}."


def _options(study: Study, compared: Comparisons, grid: Sequence[Variant], budget: str) -> list[Option]:
    best = min(grid, key=lambda variant: _final_loss(study, variant).value)
    return [
        Option(
            _label(variant, variant.transfer + variant.fine),
            _final_loss(study, variant),
            float(_spent(study, variant, budget)[-1]),
            worse=variant is not best and compared.between(variant, best).lies_above(study.settings.confidence),
        )
        for variant in grid
    ]


def _stops(study: Study, compared: Comparisons, grid: Sequence[Variant], budget: str) -> list[Stop]:
    """What each budget buys that is smaller than that of the cheapest schedule not worse than the best."""
    options = _options(study, compared, grid, budget)
    enough = min(option.cost for option in options if not option.worse)
    smaller = sorted((option for option in options if option.cost < enough), key=lambda option: -option.cost)
    return [_stop(study, grid, budget, option) for option in smaller]


def _stop(study: Study, grid: Sequence[Variant], budget: str, option: Option) -> Stop:
    """The lowest loss that a schedule has when the budget is spent; later ones give their last affordable epoch.

    Learning rates do not depend on the epochs to come, so a schedule cut short is a schedule in its own right.
    """
    reached = {}
    for variant in grid:
        epochs = int((_spent(study, variant, budget) <= option.cost).sum())
        if epochs:
            reached[_label(variant, epochs)] = variant.by_seed("val_loss").loc[epochs].to_numpy()
    label = min(reached, key=lambda name: reached[name].mean())
    rivals = [name for name in reached if name != label]
    confidence = study.settings.confidence
    lower = statistics.adjusted([statistics.over_seeds(reached[label] - reached[name], confidence) for name in rivals])
    level = [name for name, estimate in zip(rivals, lower, strict=True) if not estimate.lies_below(confidence)]
    return Stop(option.label, option.cost, label, statistics.over_seeds(reached[label], confidence), level)


def _spent(study: Study, variant: Variant, budget: str) -> np.ndarray:
    return costs.cumulative(variant, costs.of_epoch(variant, study.seconds[variant.name])[budget])


def _final_loss(study: Study, variant: Variant) -> Estimate:
    return statistics.over_seeds(variant.by_seed("val_loss").iloc[-1].to_numpy(), study.settings.confidence)


def _label(variant: Variant, epochs: int) -> str:
    """The schedule of the first `epochs`, such as `10 + 7`."""
    transfer = min(variant.transfer, epochs)
    return f"{transfer} + {epochs - transfer}"


def _loss(loss: Estimate) -> str:
    if loss.low is None or loss.high is None:
        return f"{loss.value:.3f}"
    return f"{loss.value:.3f} ({loss.low:.3f} to {loss.high:.3f})"


def _repeats(repeats: int) -> str:
    if repeats > 1:
        return f"mean of {repeats} seeds"
    return "of one seed, so that only the noise of the validation images is known, not that of training"


def _cost(cost: float, budget: str) -> str:
    unit = "seconds" if budget == "seconds" else "multiply-adds"
    size, word = next(((size, f"{word} ") for size, word in _LARGE if cost >= size), (1, ""))
    amount = cost / size
    return f"{amount:,.0f} {word}{unit}" if amount >= 100 else f"{amount:.3g} {word}{unit}"


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(labels)
