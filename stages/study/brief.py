"""The answer for a data set in three sentences: what to do and what it brings, what else would do, how sure that is."""

import pandas as pd

from stages.study import recommendation
from stages.study.evidence import Study
from stages.study.recommendation import Choice


def sentences(study: Study, choice: Choice, spent: pd.DataFrame) -> list[str]:
    """The three sentences; `spent` has `epochs`, `multiply_adds` and `seconds` of each variant."""
    return [_do(study, choice, spent), _else(study, choice), _sure(study, choice)]


def _do(study: Study, choice: Choice, spent: pd.DataFrame) -> str:
    """What to do, what it reaches and what it costs."""
    variant = choice.recommended.variant
    cost = spent.loc[variant.name]
    accuracy, *interval = study.level(variant, "accuracy")
    loss = recommendation.level(choice.recommended.loss, choice.recommended.interval)
    return (
        f"{_recipe(choice)}: validation loss {loss}, accuracy {recommendation.level(accuracy, tuple(interval))}, "
        f"for {cost['epochs']:.0f} epochs, {recommendation.cost(cost['seconds'], 'seconds')} as measured and "
        f"{recommendation.cost(cost['multiply_adds'], 'multiply_adds')}."
    )


def _recipe(choice: Choice) -> str:
    variant, label = choice.recommended.variant, choice.recommended.label
    if not variant.fine:
        return f"Choose {label}, {_epochs(variant.transfer)} of the head alone without fine-tuning"
    if not variant.transfer:
        return f"Choose {label}, which fine-tunes from the first epoch on, {_epochs(variant.fine)} in all"
    return f"Choose {label}, {_epochs(variant.transfer)} of the head alone and then {variant.fine} of fine-tuning"


def _epochs(count: int) -> str:
    return f"{count} epoch" if count == 1 else f"{count} epochs"


def _else(study: Study, choice: Choice) -> str:
    """What is as good within the margin, and cheaper."""
    chosen, lowest = choice.recommended, choice.lowest
    margin = study.margin(chosen.variant.dataset).loss
    if choice.schedules == 1:
        return "No other schedule ran to compare it with; add some to the variants in params.yaml."
    if chosen is not lowest:
        loss = recommendation.level(lowest.loss, lowest.interval)
        return (
            f"{lowest.label} has the lowest loss, {loss}, but {chosen.label} is shown to be worse than no schedule by "
            f"the margin of {margin:g}, and takes {chosen.cost / lowest.cost:.0%} of its multiply-adds."
        )
    return (
        f"It has the lowest loss of {choice.schedules} schedules, and none that is cheaper is shown to be as good "
        f"within the margin of {margin:g}."
    )


def _sure(study: Study, choice: Choice) -> str:
    """How sure that is: with one repeat, that nobody knows."""
    dataset = choice.recommended.variant.dataset
    repeats = study.repeated(dataset)
    if repeats == 1:
        return (
            "Every schedule ran once, so the intervals hold the noise of the validation pictures alone: that of "
            "training is unknown, another seed may turn the order round, and no schedule is shown to be better than "
            "another (more seeds or repeats in params.yaml would show it)."
        )
    over = f"Over {repeats} repeats, with intervals of {study.statistics.confidence:.0%}"
    if choice.schedules == 1:
        return f"{over}, that is how far the same schedule may come out elsewhere."
    if choice.rivals:
        return f"{over}, these may be the best as well: {', '.join(rival.label for rival in choice.rivals)}."
    return f"{over}, no other schedule may still be the best."
