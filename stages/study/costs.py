"""What a schedule costs: epochs, images, multiply-adds and seconds, in all and until a target is reached.

The target is the loss that nearly no fine-tuning gets to: the best validation loss of the data set's schedule with the
smallest share of it, of the same seed. Seconds are measured and differ from run to run; all else is reproducible.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.results import records
from stages.study import statistics, variants
from stages.study.evidence import Study
from stages.study.statistics import Estimate
from stages.study.variants import Variant

MEASURES = ("epochs", "images", "multiply_adds", "seconds")


def table(study: Study) -> pd.DataFrame:
    """One row a variant: what an epoch of each phase costs, and the schedule in all and until the target.

    `reached` counts the seeds that reach the target; where one does not, the costs until then are NaN. `area` is the
    normalised area under the curve of validation loss. Intervals, `_low` and `_high`, are over seeds.
    """
    references = {name: variants.by_share(members) for name, members in variants.of_datasets(study.variants).items()}
    rows = [_row(study, variant, references[variant.dataset][:1]) for variant in study.variants]
    return pd.DataFrame(rows).round(records.DECIMALS)


def read(path: Path) -> pd.DataFrame:
    """Read what `table` gave, indexed by variant; raises ThawError naming the file."""
    return records.read_table(path, ("variant", "dataset", "transfer", "fine")).set_index("variant")


def of_epoch(variant: Variant, seconds: pd.DataFrame) -> dict[str, dict[str, float]]:
    """What one epoch of each phase costs, by measure and phase; NaN seconds of a phase that did not run.

    Seconds are the median epoch's of the quickest seed, with the frozen activations that it needs: what else runs on
    the machine only adds to them.
    """
    whole = seconds["seconds"] + seconds["frozen_seconds"]
    whole = whole.groupby([seconds["phase"], seconds["seed"]]).median().groupby("phase").min()
    return {
        "epochs": dict.fromkeys(records.PHASES, 1),
        "images": dict.fromkeys(records.PHASES, variant.record["images"]["training"]),
        "multiply_adds": {phase: variant.record["multiply_adds"][phase] for phase in records.PHASES},
        "seconds": {phase: float(whole.get(phase, np.nan)) for phase in records.PHASES},
    }


def cumulative(variant: Variant, by_phase: Mapping[str, float]) -> np.ndarray:
    """The cost up to the end of each epoch, where an epoch of each phase costs `by_phase`."""
    return np.cumsum([by_phase[phase] for phase in variant.history["phase"]])


def epochs_to_targets(variant: Variant, reference: Variant, measure: str = "loss") -> list[int | None]:
    """For each seed, the first epoch as good in validation as `reference` of that seed at its best; None if never."""
    ours, theirs = variant.by_seed(f"val_{measure}"), reference.by_seed(f"val_{measure}")
    reached = ours <= theirs.min() if measure == "loss" else ours >= theirs.max()
    return [int(column.idxmax()) if column.any() else None for _, column in reached.items()]


def areas(variant: Variant) -> list[float]:
    """For each seed, the area under the curve of validation loss over epochs, divided by the epochs between.

    It is the loss's mean height, by trapezoids; with a single epoch, that epoch's loss.
    """
    curves = variant.by_seed("val_loss")
    if len(curves) == 1:
        return [float(loss) for loss in curves.iloc[0]]
    return [float(np.trapezoid(curves[seed]) / (len(curves) - 1)) for seed in curves]


def _row(study: Study, variant: Variant, reference: Sequence[Variant]) -> dict[str, Any]:
    confidence = study.settings.confidence
    costs = of_epoch(variant, study.seconds[variant.name])
    final = statistics.over_seeds(variant.by_seed("val_loss").iloc[-1].to_numpy(), confidence)
    row: dict[str, Any] = {
        "variant": variant.name,
        "dataset": variant.dataset,
        "transfer": variant.transfer,
        "fine": variant.fine,
        "repeats": len(study.seeds),
        **_with_interval("final_val_loss", final),
        **_with_interval("area", statistics.over_seeds(areas(variant), confidence)),
    }
    for measure in ("multiply_adds", "seconds"):
        row |= {f"{measure}_of_{phase}_epoch": costs[measure][phase] for phase in records.PHASES}
    sums = {measure: cumulative(variant, costs[measure]) for measure in MEASURES}
    row |= {measure: cost[-1] for measure, cost in sums.items()}
    reached = epochs_to_targets(variant, reference[0]) if reference else [None] * len(study.seeds)
    return row | _until_target(reached, sums, confidence)


def _until_target(reached: Sequence[int | None], sums: Mapping[str, np.ndarray], confidence: float) -> dict[str, Any]:
    found = [epoch for epoch in reached if epoch is not None]
    row: dict[str, Any] = {"reached": len(found)}
    if len(found) < len(reached):
        nothing = Estimate(np.nan, None, None)
        return row | {
            key: value for measure in sums for key, value in _with_interval(f"{measure}_to_target", nothing).items()
        }
    for measure, cost in sums.items():
        spent = statistics.over_seeds([cost[epoch - 1] for epoch in found], confidence)
        row |= _with_interval(f"{measure}_to_target", spent)
    return row


def _with_interval(name: str, estimate: Estimate) -> dict[str, float | None]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
