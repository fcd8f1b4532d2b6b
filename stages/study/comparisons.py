"""Pairs of schedules on the same validation images, after the last epoch: which differ beyond the noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from stages.results import records
from stages.study import statistics
from stages.study.evidence import Study
from stages.study.statistics import Estimate
from stages.study.variants import Variant

COLUMNS = (
    "dataset",
    "variant",
    "other",
    "repeats",
    "loss",
    "loss_low",
    "loss_high",
    "loss_p_value",
    "accuracy",
    "ahead",
    "behind",
    "accuracy_p_value",
    "differs",
)


@dataclass(frozen=True)
class Comparison:
    """A variant against another: final validation loss and accuracy, the one's less the other's.

    `ahead` and `behind` count the images that the one, and the other, has right more often. The p-values are
    adjusted for the number of pairs in the family.
    """

    variant: Variant
    other: Variant
    loss: Estimate
    accuracy: float
    ahead: int
    behind: int
    accuracy_p_value: float


@dataclass(frozen=True)
class Comparisons:
    """All pairs that are compared. A data set's grid is one family of pairs, the styles are another."""

    grids: Mapping[str, list[Comparison]]  # by data set, the larger share of fine-tuning against the smaller
    styles: list[Comparison]  # each against its plain twin

    def between(self, variant: Variant, other: Variant) -> Estimate:
        """The loss of `variant` less that of `other`, of the same grid."""
        for pair in self.grids[variant.dataset]:
            if (pair.variant.name, pair.other.name) == (variant.name, other.name):
                return pair.loss
            if (pair.variant.name, pair.other.name) == (other.name, variant.name):
                return pair.loss.reversed()
        raise KeyError(f"{variant.name} is not compared with {other.name}")


def compare(study: Study) -> Comparisons:
    """Compare all pairs within each grid, and each style with its plain twin."""
    grids = {
        dataset: _family(study, [(larger, smaller) for smaller, larger in combinations(grid, 2)])
        for dataset, grid in study.grids().items()
    }
    return Comparisons(grids, _family(study, study.twins()))


def table(study: Study, compared: Comparisons) -> pd.DataFrame:
    """All comparisons, one a row: `loss` and `accuracy` are differences; `differs`, whether the loss's counts."""
    pairs = [pair for family in (*compared.grids.values(), compared.styles) for pair in family]
    rows = pd.DataFrame([_row(study, pair) for pair in pairs], columns=list(COLUMNS))
    return rows.round(records.DECIMALS)


def _family(study: Study, pairs: Sequence[tuple[Variant, Variant]]) -> list[Comparison]:
    losses = [
        statistics.difference(study.losses(variant), study.losses(other), study.settings) for variant, other in pairs
    ]
    tests = [statistics.discordant(study.correct(variant), study.correct(other)) for variant, other in pairs]
    p_values = statistics.adjusted_p_values([p_value for *_, p_value in tests])
    return [
        Comparison(variant, other, loss, _accuracy(study, variant, other), ahead, behind, p_value)
        for (variant, other), loss, (ahead, behind, _), p_value in zip(
            pairs, statistics.adjusted(losses), tests, p_values, strict=True
        )
    ]


def _accuracy(study: Study, variant: Variant, other: Variant) -> float:
    return float(study.correct(variant).mean() - study.correct(other).mean())


def _row(study: Study, pair: Comparison) -> dict[str, object]:
    return {
        "dataset": pair.variant.dataset,
        "variant": pair.variant.name,
        "other": pair.other.name,
        "repeats": len(study.seeds),
        "loss": pair.loss.value,
        "loss_low": pair.loss.low,
        "loss_high": pair.loss.high,
        "loss_p_value": pair.loss.p_value,
        "accuracy": pair.accuracy,
        "ahead": pair.ahead,
        "behind": pair.behind,
        "accuracy_p_value": pair.accuracy_p_value,
        "differs": pair.loss.differs(study.settings.confidence),
    }
