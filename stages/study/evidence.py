"""A finished study: its variants with their predictions and seconds, and how they are to be compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from stages.common.command import ThawError
from stages.common.params import Statistics
from stages.results import repeats
from stages.study import variants
from stages.study.variants import Variant


@dataclass(frozen=True)
class Study:
    """The variants in the order given, what each predicts after its last epoch, and its seconds.

    All have the same seeds; those of a data set, the same validation images.
    """

    variants: list[Variant]
    predictions: Mapping[str, pd.DataFrame]
    seconds: Mapping[str, pd.DataFrame]
    settings: Statistics

    @property
    def seeds(self) -> list[int]:
        return self.variants[0].seeds

    @property
    def repeated(self) -> bool:
        """Whether there are several seeds, so that the noise of training is known."""
        return len(self.seeds) > 1

    def grids(self) -> dict[str, list[Variant]]:
        """Each data set's grid by rising share of fine-tuning, where it has two schedules to compare."""
        grids = {name: variants.by_share(members) for name, members in variants.of_datasets(self.variants).items()}
        return {name: grid for name, grid in grids.items() if len(grid) > 1}

    def twins(self) -> list[tuple[Variant, Variant]]:
        """Each style with the grid's variant of the same data set and schedule, where that ran."""
        named = {variant.name: variant for variant in self.variants}
        styles = [variant for variant in self.variants if variant.kind == "style"]
        return [(style, named[style.plain_name]) for style in styles if style.plain_name in named]

    def losses(self, variant: Variant) -> np.ndarray:
        """The loss of each validation image after the last epoch, (seeds, images)."""
        return self._by_seed(variant, "loss")

    def correct(self, variant: Variant) -> np.ndarray:
        """Whether each validation image is told right after the last epoch, (seeds, images)."""
        return self._by_seed(variant, "predicted") == self._by_seed(variant, "label")

    def _by_seed(self, variant: Variant, column: str) -> np.ndarray:
        return self.predictions[variant.name].pivot(index="seed", columns="image", values=column).to_numpy()


def read(members: list[Variant], models: Path, settings: Statistics) -> Study:
    """The study of `members`, the rest read from <models>/<variant>/; raises ThawError where they do not match."""
    predictions = {variant.name: repeats.read_predictions(models / variant.name) for variant in members}
    seconds = {variant.name: repeats.read_seconds(models / variant.name) for variant in members}
    study = Study(members, predictions, seconds, settings)
    _check_seeds(study, models)
    for same_dataset in variants.of_datasets(members).values():
        _check_images(study, same_dataset, models)
    return study


def _check_seeds(study: Study, models: Path) -> None:
    for variant in study.variants:
        tables = {
            repeats.EPOCHS_FILE: variant.runs,
            repeats.PREDICTIONS_FILE: study.predictions[variant.name],
            repeats.SECONDS_FILE: study.seconds[variant.name],
        }
        for file, table in tables.items():
            seeds = sorted(table["seed"].unique())
            if seeds != sorted(study.seeds):
                path, told = models / variant.name / file, ", ".join(map(str, seeds))
                raise ThawError(f"{path}: has seeds {told}, other variants have {study.seeds}; run `dvc repro`")


def _check_images(study: Study, members: list[Variant], models: Path) -> None:
    first = set(study.predictions[members[0].name]["image"])
    for variant in members[1:]:
        if set(study.predictions[variant.name]["image"]) != first:
            path = models / variant.name / repeats.PREDICTIONS_FILE
            raise ThawError(f"{path}: has other images than {members[0].name}; run `dvc repro`")
