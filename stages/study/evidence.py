"""A finished study: its variants with what they say of every validation image, and how they are to be compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np

from stages.common.command import ThawError
from stages.common.params import Margin, Statistics
from stages.results import repeats
from stages.results.repeats import Validation
from stages.study import two_way, variants
from stages.study.equivalence import Contrast
from stages.study.two_way import Estimate, Sample
from stages.study.variants import ALL_ARMS, PAPER_ARM, Variant

Says = Mapping[int, Validation]  # by repeat


@dataclass(frozen=True)
class Study:
    """The variants in the order given, and what each says of the validation images after every epoch.

    All variants of a data set have the same repeats, and in each repeat the same images. `converged` is what a
    converged head says, by data set, where it was trained: of one epoch. `margins` are those of the data sets.
    """

    variants: list[Variant]
    says: Mapping[str, Says]
    statistics: Statistics
    margins: Mapping[str, Margin] = field(default_factory=dict)
    converged: Mapping[str, Says] = field(default_factory=dict)

    @property
    def repeats(self) -> list[int]:
        return self.variants[0].repeats

    def repeated(self, dataset: str) -> int:
        """How many repeats the data set has; with one, the noise of training is not known."""
        return len(variants.of_datasets(self.variants)[dataset][0].repeats)

    def margin(self, dataset: str) -> Margin:
        return self.margins.get(dataset, self.statistics.margin)

    def grids(self) -> dict[str, list[Variant]]:
        """Each data set's grid, as in the paper, by rising share of fine-tuning; where it has two schedules."""
        return {name: arms[PAPER_ARM] for name, arms in self.arms().items() if PAPER_ARM in arms}

    def arms(self) -> dict[str, dict[str, list[Variant]]]:
        """By data set and arm, the schedules to compare, two at least; of several arms, `all` too."""
        found = {}
        for dataset, members in variants.of_datasets(self.variants).items():
            arms = {name: arm for name, arm in variants.arms(members).items() if len(arm) > 1}
            if len(arms) > 1:
                arms[ALL_ARMS] = [variant for arm in arms.values() for variant in arm]
            if arms:
                found[dataset] = arms
        return found

    def twins(self) -> list[tuple[Variant, Variant]]:
        """Each style with the variant of the same data set, epochs and head that has none, where that ran."""
        return [(style, plain) for style in self.variants for plain in self.variants if style.is_style_of(plain)]

    def losses(self, variant: Variant) -> list[np.ndarray]:
        """The loss of each validation image after each epoch, (epochs, images) of each repeat."""
        return self._losses[variant.name]

    def correct(self, variant: Variant) -> list[np.ndarray]:
        """Whether each validation image is told right after each epoch, (epochs, images) of each repeat."""
        return [told.correct().astype(float) for told in self.says[variant.name].values()]

    def curves(self, variant: Variant, measure: str) -> list[np.ndarray]:
        """`losses` or `correct`, by the name of the measure: loss or accuracy."""
        return self.losses(variant) if measure == "loss" else self.correct(variant)

    def sample(self, dataset: str, values: Sequence[np.ndarray], pictures: int | None = None) -> Sample:
        """Values of each repeat's images, (images,), in the design of the data set.

        Repeats on the same fold are averaged first: the fold is what is drawn anew. `pictures` as in Sample.
        """
        folds = self._folds[dataset]
        if len(folds) == 1:
            return Sample(values, crossed=True, pictures=pictures)
        return Sample([np.mean([values[place] for place in fold], axis=0) for fold in folds], False, pictures)

    def over_repeats(self, dataset: str, values: Sequence[float] | np.ndarray) -> Estimate:
        """The mean of one value a repeat, for what has none for each picture; folds as in `sample`."""
        folds = self._folds[dataset]
        means = values if len(folds) == 1 else [np.mean([values[place] for place in fold]) for fold in folds]
        return two_way.over_repeats(means)

    def at(self, variant: Variant, measure: str, epoch: int = 0) -> Sample:
        """The validation `measure` of each image after `epoch`, counted from 1; 0 is the last."""
        return self.sample(variant.dataset, [curve[epoch - 1] for curve in self.curves(variant, measure)])

    def level(self, variant: Variant, measure: str, epoch: int = 0) -> tuple[float, float | None, float | None]:
        """Mean and interval of the validation `measure` after `epoch`, which is possible (`two_way.possible`).

        The accuracy of one repeat is a share of pictures, with Wilson's interval.
        """
        sample = self.at(variant, measure, epoch)
        if measure == "accuracy" and len(sample.values) == 1 and len(sample.values[0]) > 1:
            share = float(sample.values[0].mean())
            return share, *two_way.wilson(share, len(sample.values[0]), self.statistics.confidence)
        estimate, own = sample.estimate(), [values.mean() for values in sample.values]
        largest = 1 if measure == "accuracy" else np.inf
        return estimate.value, *two_way.possible(estimate.interval(self.statistics.confidence), own, 0, largest)

    @cached_property
    def _folds(self) -> dict[str, list[list[int]]]:
        """By data set, the places of the repeats that have the same images."""
        grouped = variants.of_datasets(self.variants)
        return {dataset: _folds(self.says[members[0].name]) for dataset, members in grouped.items()}

    @cached_property
    def _losses(self) -> dict[str, list[np.ndarray]]:
        return {name: [told.losses() for told in says.values()] for name, says in self.says.items()}

    def contrast(
        self, dataset: str, estimate: Estimate, measure: str, factor: float = 1.0, lower_is_better: bool | None = None
    ) -> Contrast:
        """A difference of `measure` (loss, accuracy or epochs) with the data set's margin."""
        lower = measure != "accuracy" if lower_is_better is None else lower_is_better
        return Contrast(
            estimate,
            getattr(self.margin(dataset), measure),
            self.statistics.confidence,
            self.repeated(dataset),
            lower,
            factor,
        )


def read(
    members: list[Variant], results: Path, statistics: Statistics, margins: Mapping[str, Margin] | None = None
) -> Study:
    """The study of `members`, the rest read from <results>/<variant>/; raises ThawError where they do not match."""
    says = {variant.name: repeats.read_logits(results / variant.name) for variant in members}
    converged = {}
    for dataset, same_dataset in variants.of_datasets(members).items():
        first = says[same_dataset[0].name]
        _check_design(first, _path(results, same_dataset[0].name))
        for variant in same_dataset:
            _check_alike(says[variant.name], first, variant.epochs, _path(results, variant.name))
        if (results / f"{dataset}-converged").is_dir():
            converged[dataset] = repeats.read_logits(results / f"{dataset}-converged")
            _check_alike(converged[dataset], first, 1, _path(results, f"{dataset}-converged"))
    return Study(members, says, statistics, margins or {}, converged)


def _path(results: Path, name: str) -> Path:
    return results / name / repeats.LOGITS_FILE


def _check_design(told: Says, path: Path) -> None:
    repeats = list(told.values())
    folds = [set(repeats[fold[0]].images) for fold in _folds(told)]
    if any(one & other for one, other in combinations(folds, 2)):
        raise ThawError(f"{path}: its repeats share some images, not all or none; give each a fold of its own, or none")


def _check_alike(told: Says, first: Says, epochs: int, path: Path) -> None:
    if list(told) != list(first):
        raise ThawError(f"{path}: has repeats {list(told)}, other variants have {list(first)}; run `dvc repro`")
    if any(list(told[repeat].images) != list(first[repeat].images) for repeat in first):
        raise ThawError(f"{path}: has other images than the data set's first variant; run `dvc repro`")
    if any(len(of_repeat.logits) != epochs for of_repeat in told.values()):
        raise ThawError(f"{path}: does not have {epochs} epochs, as its csv has; run `dvc repro`")


def _folds(told: Says) -> list[list[int]]:
    """The places of the repeats that have the same images in the same order."""
    folds: dict[tuple[str, ...], list[int]] = {}
    for place, of_repeat in enumerate(told.values()):
        folds.setdefault(tuple(of_repeat.images), []).append(place)
    return list(folds.values())
