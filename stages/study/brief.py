"""The answer for a data set in three short paragraphs: which schedule, what it reaches and costs, how sure that is."""

import pandas as pd

from stages.study import recommendation
from stages.study.evidence import Study
from stages.study.recommendation import Choice, Stop


def sentences(study: Study, choice: Choice, spent: pd.DataFrame) -> list[str]:
    """The paragraphs; `spent` has `epochs`, `multiply_adds` and `seconds` of each variant."""
    which = " ".join([reason(study, choice), *_advice(study, choice)])
    reached = " ".join([_reached(study, choice.recommended, spent), *_room(study, choice.recommended)])
    return [which, reached, _sure(study, choice)]


def reason(study: Study, choice: Choice) -> str:
    """The recommended schedule and why it is chosen; one repeat recommends none."""
    chosen, lowest = choice.recommended, choice.lowest
    if len(choice.ends) == 1:
        return f"{chosen.label} is the only schedule."
    if study.repeat_count(chosen.variant.dataset) == 1:
        return (
            f"{lowest.label} has the lowest validation loss of {len(choice.ends)} schedules. Each ran once, so this is "
            "not evidence that it is the best."
        )
    good_enough = f"at most {study.margin(chosen.variant.dataset).loss:g} worse in loss than every other"
    if chosen is not lowest:
        return (
            f"Choose {chosen.label}. It is shown to be {good_enough}, and takes {chosen.cost / lowest.cost:.0%} of "
            f"the multiply-adds of {lowest.label}, which has the lowest validation loss, "
            f"{recommendation.level(lowest.loss, lowest.interval)}."
        )
    sentence = f"Choose {chosen.label}. It has the lowest validation loss of {len(choice.ends)} schedules"
    if any(end.cost < chosen.cost for end in choice.ends):
        return f"{sentence}. No cheaper one is shown to be {good_enough}."
    return f"{sentence}, and none is cheaper."


def _advice(study: Study, choice: Choice) -> list[str]:
    """What to do where nothing is compared, or each schedule ran once; else nothing."""
    if len(choice.ends) == 1:
        return ["Add others to the variants in params.yaml to compare them."]
    dataset = choice.recommended.variant.dataset
    if study.repeat_count(dataset) == 1:
        folds = study.folds.get(dataset)
        keys = f"seeds: null and, under repeats, {dataset}: {folds}" if folds else "seeds: [1, 2, 3] and repeats: null"
        return [f"To find out which is better, set {keys} in params.yaml, and run dvc repro again."]
    return []


def _reached(study: Study, stop: Stop, spent: pd.DataFrame) -> str:
    """The schedule's results and its cost."""
    cost = spent.loc[stop.variant.name]
    seconds = float(f"{cost['seconds']:.2g}")  # measured: a third digit would be noise
    accuracy, *interval = study.level(stop.variant, "accuracy")
    return (
        f"{stop.variant.transfer} + {stop.variant.fine} ({_description(stop)}): "
        f"validation loss {recommendation.level(stop.loss, stop.interval)}, "
        f"accuracy {recommendation.level(accuracy, tuple(interval))}. "
        f"It takes {epochs(cost['epochs'])}, about {seconds:,g} seconds on the machine of this run and "
        f"{recommendation.cost(cost['multiply_adds'], 'multiply_adds')}."
    )


def _room(study: Study, stop: Stop) -> list[str]:
    """What speaks for more epochs, if anything: a loss that still falls, or a converged head that is better."""
    found = []
    if stop.variant.history["val_loss"].argmin() == stop.variant.epochs - 1:
        found.append("The loss was lowest after the last epoch, so more epochs may lower it.")
    dataset = stop.variant.dataset
    if dataset in study.converged and (loss := study.converged_level(dataset, "loss")[0]) < stop.loss:
        accuracy = study.converged_level(dataset, "accuracy")[0]
        found.append(
            f"A converged head, with nothing thawed, reaches loss {loss:.3f} and accuracy {accuracy:.3f}: try longer "
            "schedules or a higher head_rate in params.yaml."
        )
    return found


def _description(stop: Stop) -> str:
    """The phases, and the schedule's own keys if it has any."""
    transfer, fine, settings = stop.variant.transfer, stop.variant.fine, stop.variant.settings
    if not fine:
        phases = "the head alone, without fine-tuning"
    elif not transfer:
        phases = "fine-tuning from the first epoch"
    else:
        phases = f"{epochs(transfer)} of the head alone, then {fine} of fine-tuning"
    return f"{phases}; {settings}" if settings else phases


def epochs(count: float) -> str:
    """A number of epochs in words."""
    return "1 epoch" if count == 1 else f"{count:.0f} epochs"


def _sure(study: Study, choice: Choice) -> str:
    """What the intervals cover, and which other schedules may be the best."""
    repeats = study.repeat_count(choice.recommended.variant.dataset)
    if repeats == 1:
        return "The intervals cover the sampling of validation pictures, not the variation between training runs."
    sentence = (
        f"The {study.statistics.confidence:.0%} intervals cover the sampling of validation pictures and the variation "
        f"between the {repeats} repeats."
    )
    if len(choice.ends) == 1:
        return sentence
    if choice.rivals:
        return f"{sentence} Other schedules that may be the best: {recommendation.by_settings(choice.rivals)}."
    return f"{sentence} Every other schedule is shown to be worse than at least one other."
