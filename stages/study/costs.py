"""What a schedule costs: epochs, images, multiply-adds and seconds, in all and until a target is reached.

The target is the validation loss of a converged head where one was trained, else the lowest final loss of the data
set's grid plus the margin, for each repeat on its own pictures. Seconds are measured and differ from run to run; all
other costs are reproducible.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.common import tables
from stages.results import history
from stages.study import two_way
from stages.study.evidence import Study
from stages.study.two_way import Sample
from stages.study.variants import Variant

UNITS = ("epochs", "images", "multiply_adds", "seconds")


@dataclass(frozen=True)
class Target:
    """A validation loss to reach: in words, and as the losses of each repeat's pictures, (pictures,), to average."""

    what: str
    losses: list[np.ndarray]


def table(study: Study, seconds: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row for each variant: the cost of an epoch of each phase, of the whole schedule, and up to the target.

    `reached` counts the repeats that reach the target; the costs up to it are NaN unless all do. Their `_low` and
    `_high` are the minimum and maximum over the repeats; those of losses are two-way intervals. `area` is the
    normalised area under the curve of validation loss.
    """
    return pd.DataFrame([_row(study, variant, seconds[variant.name]) for variant in study.variants]).round(
        tables.DECIMALS
    )


def read(path: Path) -> pd.DataFrame:
    """Read the rows of `table` from a csv, indexed by variant; raises ThawError that names the file."""
    return tables.read_table(path, ("variant", "dataset", "transfer", "fine")).set_index("variant")


def of_epoch(variant: Variant, unit: str, seconds: pd.DataFrame | None = None) -> dict[str, float]:
    """The cost of one epoch of each phase in `unit`, one of UNITS; NaN seconds for a phase that did not run.

    Seconds are the median epoch of the fastest repeat in `seconds`, because other work on the machine only adds to
    them. They include the computation of the frozen activations.
    """
    if unit == "seconds" and seconds is not None:
        whole = seconds["seconds"] + seconds["frozen_seconds"]
        whole = whole.groupby([seconds["phase"], seconds["repeat"]]).median().groupby("phase").min()
        return {phase: float(whole.get(phase, np.nan)) for phase in history.PHASES}
    if unit == "multiply_adds":
        return {phase: variant.metrics["multiply_adds"][phase] for phase in history.PHASES}
    in_both = {"epochs": 1, "images": variant.metrics["images"]["training"]}
    return dict.fromkeys(history.PHASES, in_both[unit])


def cumulative(variant: Variant, by_phase: Mapping[str, float]) -> np.ndarray:
    """The cost up to the end of each epoch, where an epoch of each phase costs `by_phase`."""
    return np.cumsum([by_phase[phase] for phase in variant.history["phase"]])


def target(study: Study, dataset: str) -> Target | None:
    """The data set's target; None where it has neither a converged head nor a grid."""
    if dataset in study.converged:
        losses = [validation.losses()[-1] for validation in study.converged[dataset].values()]
        return Target("the validation loss of a converged head", losses)
    if dataset not in study.grids():
        return None
    best = min(study.grids()[dataset], key=lambda variant: study.at(variant, "loss").estimate().value)
    margin = study.margin(dataset).loss
    what = f"a validation loss at most {margin:g} above the final loss of {best.label}, the lowest"
    return Target(what, [losses[-1] + margin for losses in study.losses(best)])


def epochs_to(study: Study, aim: Target, variant: Variant) -> np.ndarray:
    """For each repeat, the first epoch whose loss is at or below the target: int (repeats,).

    If it never reaches the target, the number of its epochs plus one, a lower bound.
    """
    curves = zip(study.losses(variant), aim.losses, strict=True)
    return np.array([_first(losses, least, np.arange(len(least))) for losses, least in curves])


def reaching(reached: int, repeats: int, epochs: int) -> str:
    """What is known of the epochs to the target if `reached` of the repeats reach it, and not all of them."""
    return f"{reached} of {repeats} repeats reach it" if reached else f"> {epochs}"


def spent_until(study: Study, aim: Target, variant: Variant, by_phase: Mapping[str, float]) -> Sample:
    """The cost up to the target, as pseudo-values of groups of pictures (stages/study/two_way.py).

    If a repeat never reaches the target, the cost of its epochs plus one.
    """
    paid = cumulative(variant, by_phase)
    paid = np.append(paid, paid[-1] + by_phase[variant.history["phase"].iloc[-1]])
    values = []
    for losses, least, units in zip(study.losses(variant), aim.losses, study.units(variant.dataset), strict=True):
        first = partial(_first, losses, least)
        values.append(two_way.pseudo_values(lambda places, first=first: paid[first(places) - 1], units))
    return study.sample(variant.dataset, values, pictures=len(aim.losses[0]))


def _first(losses: np.ndarray, least: np.ndarray, places: np.ndarray) -> int:
    """The first epoch, from 1, whose mean of `losses` (epochs, pictures) at `places` is at most the mean of `least`."""
    reached = losses[:, places].mean(axis=1) <= least[places].mean()
    return int(reached.argmax()) + 1 if reached.any() else len(losses) + 1


def _row(study: Study, variant: Variant, seconds: pd.DataFrame) -> dict[str, Any]:
    each = {unit: of_epoch(variant, unit, seconds) for unit in UNITS}
    paid = {unit: cumulative(variant, by_phase) for unit, by_phase in each.items()}
    aim = target(study, variant.dataset)
    first = epochs_to(study, aim, variant) if aim else np.full(len(variant.repeats), variant.epochs + 1)
    row: dict[str, Any] = {
        "variant": variant.name,
        "dataset": variant.dataset,
        "transfer": variant.transfer,
        "fine": variant.fine,
        "repeats": len(variant.repeats),
        **_with_interval("final_val_loss", *study.level(variant, "loss")),
        **_with_interval("area", *_area(study, variant)),
    }
    for unit in ("multiply_adds", "seconds"):
        row |= {f"{unit}_of_{phase}_epoch": each[unit][phase] for phase in history.PHASES}
    row |= {unit: cost[-1] for unit, cost in paid.items()}
    row["reached"] = int((first <= variant.epochs).sum())
    for unit, cost in paid.items():
        spent = cost[first - 1] if row["reached"] == len(first) else np.full(len(first), np.nan)
        row |= _with_interval(f"{unit}_to_target", spent.mean(), spent.min(), spent.max())
    return row


def _area(study: Study, variant: Variant) -> tuple[float, float | None, float | None]:
    """The area under the curve of validation loss, divided by its width in epochs, and its interval.

    It is the mean loss by the trapezoidal rule; with a single epoch, that epoch's loss.
    """
    curves = study.losses(variant)
    areas = [np.trapezoid(losses, axis=0) / (len(losses) - 1) if len(losses) > 1 else losses[0] for losses in curves]
    estimate = study.sample(variant.dataset, areas).estimate()
    own = [area.mean() for area in areas]
    return estimate.value, *two_way.possible(estimate.interval(study.statistics.confidence), own, 0, np.inf)


def _with_interval(name: str, value: float, low: float | None, high: float | None) -> dict[str, float | None]:
    return {name: value, f"{name}_low": low, f"{name}_high": high}
