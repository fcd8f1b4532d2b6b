"""The dip in training figures where fine-tuning starts, and what it is made of."""

import numpy as np

from stages.study import statistics
from stages.study.evidence import Study
from stages.study.statistics import Estimate
from stages.study.variants import Variant

PARTS = ("batch_statistics", "running_mean", "real")


def has_border(variant: Variant) -> bool:
    """Whether both phases ran, so that there is a first fine epoch after a last transfer epoch."""
    return bool(variant.transfer and variant.fine)


def change(variant: Variant, column: str) -> np.ndarray:
    """Of each seed: the first fine epoch's `column` less the last transfer epoch's."""
    values = variant.by_seed(column)
    return (values.loc[variant.transfer + 1] - values.loc[variant.transfer]).to_numpy()


def explained(study: Study, measure: str) -> dict[str, dict[str, Estimate]]:
    """By data set, the change of training `measure` at the border and its parts, intervals over seeds.

    Empty where no schedule ran in both forms of batch normalisation and with clean training figures.
    """
    return {plain.dataset: _parts(study, moving, plain, measure) for moving, plain in _pairs(study)}


def _pairs(study: Study) -> list[tuple[Variant, Variant]]:
    """Each variant of the grid that normalises by the batch, behind its twin by moving statistics."""
    return [
        (style, plain)
        for style, plain in study.twins()
        if (style.record["batch_norm"], plain.record["batch_norm"]) == ("moving", "batch")
        and has_border(plain)
        and "train_clean_loss" in plain.runs
    ]


def _parts(study: Study, moving: Variant, plain: Variant, measure: str) -> dict[str, Estimate]:
    first = plain.transfer + 1
    total = change(plain, measure)
    batch = (plain.by_seed(measure).loc[first] - moving.by_seed(measure).loc[first]).to_numpy()
    real = change(plain, f"train_clean_{measure}")
    values = {"total": total, "batch_statistics": batch, "running_mean": total - batch - real, "real": real}
    return {name: statistics.over_seeds(value, study.settings.confidence) for name, value in values.items()}
