"""Which of two schedules is better after its last epoch, on the same repeats and validation pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from stages.common import tables
from stages.results.history import MEASURES
from stages.study import simultaneous
from stages.study.equivalence import Contrast
from stages.study.evidence import Study
from stages.study.variants import ALL_ARMS, Variant

STYLES = "styles"


@dataclass(frozen=True)
class Comparison:
    """A variant against another: final validation loss and accuracy of `variant` minus those of `other`."""

    variant: Variant
    other: Variant
    loss: Contrast
    accuracy: Contrast


@dataclass(frozen=True)
class Comparisons:
    """All pairs that are compared, in families. Within a family intervals and p-values are simultaneous.

    `arms`: by data set and arm, the larger share of fine-tuning minus the smaller; under `all`, a schedule of a later
    arm minus one of an earlier arm. `styles`: by data set, each style minus its plain schedule.
    """

    arms: Mapping[str, Mapping[str, list[Comparison]]]
    styles: Mapping[str, list[Comparison]]


def compare(study: Study) -> Comparisons:
    """Compare all pairs within each arm and across arms, and each style with its plain schedule."""
    arms = {
        dataset: {arm: _family(study, _pairs(arm, members)) for arm, members in of_dataset.items()}
        for dataset, of_dataset in study.arms().items()
    }
    styles: dict[str, list[tuple[Variant, Variant]]] = {}
    for style, plain in study.styles_with_plain():
        styles.setdefault(style.dataset, []).append((style, plain))
    return Comparisons(arms, {dataset: _family(study, pairs) for dataset, pairs in styles.items()})


def table(compared: Comparisons) -> pd.DataFrame:
    """One row for each comparison: the differences `loss` and `accuracy`, with verdict, note and what would settle it.

    The note says whether a significant difference is smaller than the margin.
    """
    families = [
        *((name, family) for arms in compared.arms.values() for name, family in arms.items()),
        *((STYLES, family) for family in compared.styles.values()),
    ]
    return pd.DataFrame([_row(name, pair) for name, family in families for pair in family]).round(tables.DECIMALS)


def _pairs(arm: str, members: Sequence[Variant]) -> list[tuple[Variant, Variant]]:
    pairs = [(later, earlier) for earlier, later in combinations(members, 2)]
    return [pair for pair in pairs if pair[0].arm != pair[1].arm] if arm == ALL_ARMS else pairs


def _family(study: Study, pairs: Sequence[tuple[Variant, Variant]]) -> list[Comparison]:
    contrasts = {measure: _contrasts(study, pairs, measure) for measure in MEASURES}
    each = zip(pairs, contrasts["loss"], contrasts["accuracy"], strict=True)
    return [Comparison(*pair, loss, accuracy) for pair, loss, accuracy in each]


def _contrasts(study: Study, pairs: Sequence[tuple[Variant, Variant]], measure: str) -> list[Contrast]:
    samples = [study.at(variant, measure) - study.at(other, measure) for variant, other in pairs]
    factor = simultaneous.factor(samples, study.statistics)
    return [
        study.contrast(variant.dataset, sample.estimate(), measure, factor)
        for (variant, _), sample in zip(pairs, samples, strict=True)
    ]


def _row(family: str, pair: Comparison) -> dict[str, object]:
    row: dict[str, object] = {
        "dataset": pair.variant.dataset,
        "variant": pair.variant.name,
        "other": pair.other.name,
        "family": family,
        "repeats": pair.loss.repeats,
    }
    for measure in MEASURES:
        contrast: Contrast = getattr(pair, measure)
        low, high = contrast.interval
        row |= {
            measure: contrast.estimate.value,
            f"{measure}_low": low,
            f"{measure}_high": high,
            f"{measure}_p_value": contrast.p_value,
            f"{measure}_verdict": contrast.word,
            f"{measure}_note": contrast.remark,
            f"{measure}_settle": contrast.settle,
        }
    return row
