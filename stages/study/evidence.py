"""A finished study: its variants, their logits of every validation picture, and how to compare them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np

from stages.common.command import ThawError
from stages.common.manifest import Manifest
from stages.common.params import Margins, Statistics
from stages.pictures.splits import group_of
from stages.results import repeats
from stages.results.repeats import Validation
from stages.study import two_way, variants
from stages.study.equivalence import Contrast
from stages.study.two_way import Estimate, Sample
from stages.study.variants import ALL_ARMS, PAPER_ARM, Variant

Validations = Mapping[int, Validation]  # by repeat
LARGEST = {"loss": np.inf, "accuracy": 1}  # the largest possible value of each measure; the smallest is 0
LOWER_IS_BETTER = {"loss": True, "accuracy": False, "epochs": True}


@dataclass(frozen=True)
class Study:
    """The variants in the order given, and by variant their `validations`, the logits of every repeat and epoch.

    All variants of a data set have the same repeats, and in each repeat the same pictures. `converged` has the logits
    of the converged head by data set, where one was trained, as those of one epoch. `margins` are by data set, as are
    two keys of `split` in the manifest: `groups`, the regular expressions of the pictures that are not independent, and
    `folds`, the number of folds that could run.
    """

    variants: list[Variant]
    validations: Mapping[str, Validations]
    statistics: Statistics
    margins: Mapping[str, Margins] = field(default_factory=dict)
    converged: Mapping[str, Validations] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    folds: Mapping[str, int] = field(default_factory=dict)

    def repeat_count(self, dataset: str) -> int:
        """The number of the data set's repeats; one repeat does not show the variation between training runs."""
        return len(variants.of_datasets(self.variants)[dataset][0].repeats)

    def margin(self, dataset: str) -> Margins:
        return self.margins.get(dataset, self.statistics.margin)

    def grids(self) -> dict[str, list[Variant]]:
        """By data set, the thesis's arm by rising share of fine-tuning, where it has at least two schedules."""
        return {name: arms[PAPER_ARM] for name, arms in self.arms().items() if PAPER_ARM in arms}

    def arms(self) -> dict[str, dict[str, list[Variant]]]:
        """By data set and arm, the schedules to compare, at least two; with several arms also `all` of them."""
        found = {}
        for dataset, members in variants.of_datasets(self.variants).items():
            arms = {name: arm for name, arm in variants.arms(members).items() if len(arm) > 1}
            if len(arms) > 1:
                arms[ALL_ARMS] = [variant for arm in arms.values() for variant in arm]
            if arms:
                found[dataset] = arms
        return found

    def styles_with_plain(self) -> list[tuple[Variant, Variant]]:
        """Pairs of a style and its plain schedule, with the same data set, epochs and head, where that ran."""
        return [(style, plain) for style in self.variants for plain in self.variants if style.is_style_of(plain)]

    def losses(self, variant: Variant) -> list[np.ndarray]:
        """The loss of each validation picture after each epoch, (epochs, pictures) for each repeat."""
        return self._losses[variant.name]

    def correct(self, variant: Variant) -> list[np.ndarray]:
        """1 for each validation picture classified correctly, else 0: (epochs, pictures) for each repeat."""
        return [each.correct().astype(float) for each in self.validations[variant.name].values()]

    def curves(self, variant: Variant, measure: str) -> list[np.ndarray]:
        """`losses` for the measure loss, `correct` for accuracy."""
        by_measure = {"loss": self.losses, "accuracy": self.correct}
        return by_measure[measure](variant)

    def units(self, dataset: str) -> list[np.ndarray]:
        """For each repeat, the number of each picture's unit, its group or itself: int (pictures,), from 0."""
        return self._units[dataset]

    def sample(
        self,
        dataset: str,
        values: Sequence[np.ndarray],
        pictures: int | None = None,
        places: Sequence[np.ndarray] | None = None,
    ) -> Sample:
        """Values of each repeat's pictures, (pictures,), as a sample in the data set's design.

        The values may be of some of the pictures, those at `places`; or pseudo-values of `pictures` pictures. Repeats
        on the same fold are averaged first, because folds are the independent units. On one split, the units are groups
        of pictures.
        """
        groups = self._repeats_by_pictures[dataset]
        if len(groups) > 1:
            return Sample([np.mean([values[place] for place in group], axis=0) for group in groups], False, pictures)
        if pictures is not None:
            return Sample(values, crossed=True, pictures=pictures)
        units = self.units(dataset)[0] if places is None else self.units(dataset)[0][places[0]]
        _, numbers = np.unique(units, return_inverse=True)
        return Sample([two_way.of_units(each, numbers) for each in values], crossed=True, pictures=len(units))

    def over_repeats(self, dataset: str, values: Sequence[float] | np.ndarray) -> Estimate:
        """The mean of one value a repeat, for values that no single picture has; folds as in `sample`."""
        groups = self._repeats_by_pictures[dataset]
        means = values if len(groups) == 1 else [np.mean([values[place] for place in group]) for group in groups]
        return two_way.over_repeats(means)

    def at(self, variant: Variant, measure: str, epoch: int = 0) -> Sample:
        """The validation `measure` of each picture after `epoch`, counted from 1; 0 is the last."""
        return self.sample(variant.dataset, [curve[epoch - 1] for curve in self.curves(variant, measure)])

    def level(self, variant: Variant, measure: str, epoch: int = 0) -> tuple[float, float | None, float | None]:
        """Mean and interval of the validation `measure` after `epoch`, without impossible values (`two_way.possible`).

        The accuracy of one repeat is a share of pictures and has Wilson's interval.
        """
        sample = self.at(variant, measure, epoch)
        if measure == "accuracy" and len(sample.values) == 1 and len(sample.values[0]) > 1:
            share = float(sample.values[0].mean())
            return share, *two_way.wilson(share, len(sample.values[0]), self.statistics.confidence)
        estimate, own = sample.estimate(), [values.mean() for values in sample.values]
        interval = estimate.interval(self.statistics.confidence)
        return estimate.value, *two_way.possible(interval, own, 0, LARGEST[measure])

    def converged_level(self, dataset: str, measure: str) -> tuple[float, float | None, float | None]:
        """The `level` of the converged head of `dataset`, which is in `converged`: as if it were a schedule."""
        first = next(variant for variant in self.variants if variant.dataset == dataset)
        head = replace(self, variants=[first], validations={first.name: self.converged[dataset]})
        return head.level(first, measure)

    @cached_property
    def _repeats_by_pictures(self) -> dict[str, list[list[int]]]:
        """By data set, the groups of `_group_by_pictures`: one for each fold, or a single one on the one split."""
        grouped = variants.of_datasets(self.variants)
        return {name: _group_by_pictures(self.validations[members[0].name]) for name, members in grouped.items()}

    @cached_property
    def _units(self) -> dict[str, list[np.ndarray]]:
        return {
            name: [
                unit_numbers(each.images, self.groups.get(name)) for each in self.validations[members[0].name].values()
            ]
            for name, members in variants.of_datasets(self.variants).items()
        }

    @cached_property
    def _losses(self) -> dict[str, list[np.ndarray]]:
        return {name: [each.losses() for each in by_repeat.values()] for name, by_repeat in self.validations.items()}

    def contrast(self, dataset: str, estimate: Estimate, measure: str, factor: float = 1.0) -> Contrast:
        """A difference in `measure` (loss, accuracy or epochs) with the data set's margin."""
        return Contrast(
            estimate,
            getattr(self.margin(dataset), measure),
            self.statistics.confidence,
            self.repeat_count(dataset),
            LOWER_IS_BETTER[measure],
            factor,
        )


def read(
    members: list[Variant],
    results: Path,
    statistics: Statistics,
    margins: Mapping[str, Margins] | None = None,
    source: Manifest | None = None,
) -> Study:
    """The study of `members`, with the logits of <results>/<variant>/; raises ThawError where they do not match.

    `source` says which pictures are not independent, and how many folds there are; without it, all are, and none.
    """
    validations = {variant.name: repeats.read_logits(results / variant.name) for variant in members}
    converged = {}
    for dataset, same_dataset in variants.of_datasets(members).items():
        first = validations[same_dataset[0].name]
        _check_design(first, _path(results, same_dataset[0].name))
        for variant in same_dataset:
            _check_alike(validations[variant.name], first, variant.epochs, _path(results, variant.name))
        if (results / f"{dataset}-converged").is_dir():
            converged[dataset] = repeats.read_logits(results / f"{dataset}-converged")
            _check_alike(converged[dataset], first, 1, _path(results, f"{dataset}-converged"))
    splits = {name: dataset.split for name, dataset in source.datasets.items()} if source else {}
    groups = {name: split.group for name, split in splits.items() if split.group}
    folds = {name: split.folds for name, split in splits.items() if split.folds}
    return Study(members, validations, statistics, margins or {}, converged, groups, folds)


def unit_numbers(images: Sequence[str], expression: str | None) -> np.ndarray:
    """The number of each picture's group, int (pictures,), from 0; without an expression, each is its own."""
    if expression is None:
        return np.arange(len(images))
    return np.unique([group_of(path, expression) for path in images], return_inverse=True)[1]


def _path(results: Path, name: str) -> Path:
    return results / name / repeats.LOGITS_FILE


def _check_design(validations: Validations, path: Path) -> None:
    in_order = list(validations.values())
    images = [set(in_order[group[0]].images) for group in _group_by_pictures(validations)]
    if any(one & other for one, other in combinations(images, 2)):
        raise ThawError(f"{path}: its repeats share some images, not all or none; give each a fold of its own, or none")


def _check_alike(validations: Validations, first: Validations, epochs: int, path: Path) -> None:
    if list(validations) != list(first):
        raise ThawError(f"{path}: has repeats {list(validations)}, other variants have {list(first)}; run `dvc repro`")
    if any(list(validations[repeat].images) != list(first[repeat].images) for repeat in first):
        raise ThawError(f"{path}: has other images than the data set's first variant; run `dvc repro`")
    if any(len(each.logits) != epochs for each in validations.values()):
        raise ThawError(f"{path}: does not have {epochs} epochs, as its csv has; run `dvc repro`")


def _group_by_pictures(validations: Validations) -> list[list[int]]:
    """Group the places of the repeats that have the same pictures in the same order."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for place, each in enumerate(validations.values()):
        groups.setdefault(tuple(each.images), []).append(place)
    return list(groups.values())
