"""The dip: training metrics change abruptly where fine-tuning starts. How much, and the parts of that change.

`train` keeps no value for each training picture, so that intervals of training metrics are over repeats alone.
"""

from collections.abc import Sequence

import numpy as np

from stages.study import variants
from stages.study.evidence import Study
from stages.study.two_way import Estimate, Sample
from stages.study.variants import Variant

# The change of a training metric and its parts, in the words of the pages and figures.
PARTS = {
    "total": "reported change",
    "batch_statistics": "batch statistics",
    "running_mean": "averaging over the epoch",
    "real": "the network itself",
}


def has_border(variant: Variant) -> bool:
    """Whether both phases ran, so that a first fine epoch follows a last transfer epoch."""
    return bool(variant.transfer and variant.fine)


def shown(study: Study) -> dict[str, tuple[Variant, Variant | None]]:
    """By data set, a plain schedule with both phases, and its style with moving statistics, if any has one.

    Without such a style, the schedule whose phases are the most alike. A data set without both phases is left out.
    """
    found: dict[str, tuple[Variant, Variant | None]] = {}
    for dataset, members in variants.of_datasets(study.variants).items():
        pairs = [(plain, style) for style, plain in _pairs(study) if plain.dataset == dataset]
        both = [variant for variant in members if variant.in_grid and has_border(variant)]
        if pairs:
            found[dataset] = pairs[0]
        elif both:
            found[dataset] = (max(both, key=lambda variant: min(variant.transfer, variant.fine)), None)
    return found


def change(variant: Variant, column: str) -> np.ndarray:
    """`column` of the first fine epoch minus the last transfer epoch, for each repeat: (repeats,)."""
    values = variant.by_repeat(column)
    return (values.loc[variant.transfer + 1] - values.loc[variant.transfer]).to_numpy()


def mean_change(study: Study, members: Sequence[Variant], column: str) -> Estimate:
    """`change`, averaged over the schedules."""
    return study.over_repeats(members[0].dataset, np.mean([change(variant, column) for variant in members], axis=0))


def validation_change(study: Study, members: Sequence[Variant], measure: str) -> Sample:
    """The same difference of each validation picture's `measure`, averaged over the schedules."""
    changes = [
        [curve[variant.transfer] - curve[variant.transfer - 1] for curve in study.curves(variant, measure)]
        for variant in members
    ]
    return study.sample(members[0].dataset, [np.mean(of_repeat, axis=0) for of_repeat in zip(*changes, strict=True)])


def explained(study: Study, measure: str) -> dict[str, dict[str, Estimate]]:
    """By data set, the change of the training `measure` where fine-tuning starts, and its parts, by names of PARTS.

    A data set is left out if no schedule ran with both forms of batch normalisation and with clean training metrics. If
    several did, the first counts, as in `shown`.
    """
    first: dict[str, tuple[Variant, Variant]] = {}
    for moving, plain in _pairs(study):
        if plain.metrics["batch_norm"] == "batch" and "train_clean_loss" in plain.runs:
            first.setdefault(plain.dataset, (moving, plain))
    return {dataset: _parts(study, *pair, measure) for dataset, pair in first.items()}


def _pairs(study: Study) -> list[tuple[Variant, Variant]]:
    """Pairs of a style whose one own key is moving statistics, and its plain schedule, with both phases."""
    return [
        (style, plain)
        for style, plain in study.styles_with_plain()
        if style.own_keys == {"batch_norm": "moving"} and has_border(plain)
    ]


def _parts(study: Study, moving: Variant, plain: Variant, measure: str) -> dict[str, Estimate]:
    first = plain.transfer + 1
    total = change(plain, measure)
    batch = (plain.by_repeat(measure).loc[first] - moving.by_repeat(measure).loc[first]).to_numpy()
    real = change(plain, f"train_clean_{measure}")
    values = {"total": total, "batch_statistics": batch, "running_mean": total - batch - real, "real": real}
    return {name: study.over_repeats(plain.dataset, value) for name, value in values.items()}
