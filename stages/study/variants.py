"""A variant of the study as it ran, read from its json, its csv and the epochs of every seed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from stages.common.command import ThawError
from stages.results import records, repeats

_RECORD_KEYS = (
    "dataset",
    "transfer",
    "fine",
    "seed",
    "seeds",
    "source",
    "batch_norm",
    "train",
    "val",
    "versions",
    "machine",
    "images",
    "multiply_adds",
)

Kind = Literal["grid", "style", "trial"]


@dataclass(frozen=True)
class Variant:
    """One schedule: its name, its record (`dataset`, `transfer`, `fine` and more) and its epochs.

    `history` holds the means over the seeds, one row an epoch; `runs` the epochs of every seed, with a column `seed`.
    """

    name: str
    record: Mapping[str, Any]
    history: pd.DataFrame
    runs: pd.DataFrame

    @property
    def dataset(self) -> str:
        return self.record["dataset"]

    @property
    def transfer(self) -> int:
        return self.record["transfer"]

    @property
    def fine(self) -> int:
        return self.record["fine"]

    @property
    def fine_share(self) -> float:
        """The share of the epochs that fine-tuning takes, 0 to 1."""
        return round(self.fine / (self.transfer + self.fine), records.DECIMALS)

    @property
    def seeds(self) -> list[int]:
        return [int(seed) for seed in self.runs["seed"].unique()]

    @property
    def kind(self) -> Kind:
        """`grid` where the name tells data set and schedule; `style` where a word follows them; else `trial`."""
        if self.name == self.plain_name:
            return "grid"
        return "style" if self.name.startswith(f"{self.plain_name}-") else "trial"

    @property
    def in_grid(self) -> bool:
        """Whether the variant is of its data set's grid, where schedules alone differ."""
        return self.kind == "grid"

    @property
    def label(self) -> str:
        """The name within its data set: `30-1`, `40-11-gradual`, or `trial`."""
        return self.name.removeprefix(f"{self.dataset}-")

    @property
    def style(self) -> str:
        """What a style's name adds to that of its plain twin, such as `gradual`; empty for the others."""
        return self.name.removeprefix(f"{self.plain_name}-") if self.kind == "style" else ""

    def by_seed(self, column: str) -> pd.DataFrame:
        """A column of the epochs, (epochs, seeds): indexed by epoch, a column for each seed."""
        return self.runs.pivot(index="epoch", columns="seed", values=column)

    @property
    def plain_name(self) -> str:
        """The name that the grid's variant with the same data set and schedule has."""
        return f"{self.dataset}-{self.transfer}-{self.fine}"


def read(name: str, metrics: Path, histories: Path, models: Path) -> Variant:
    """Read the variant `name`; raises ThawError where a file is missing, wrong or of another run."""
    path = metrics / f"{name}.json"
    record = records.read_json(path)
    missing = [key for key in _RECORD_KEYS if key not in record]
    if missing:
        raise ThawError(f"{path}: has no {', '.join(missing)}; run `dvc repro`")
    variant = checked(with_epochs(name, record, histories, models), path)
    if variant.seeds != record["seeds"]:
        raise ThawError(f"{path}: {name} there has other seeds than in its histories; run `dvc repro`")
    return variant


def with_epochs(name: str, record: Mapping[str, Any], histories: Path, models: Path) -> Variant:
    """The variant of `record` with its epochs, read from <histories>/<name>.csv and <models>/<name>/."""
    history = records.read_history(histories / f"{name}.csv")
    return Variant(name, record, history, repeats.read_epochs(models / name))


def checked(variant: Variant, path: Path) -> Variant:
    """The variant, whose epochs are those that the file `path` tells of; raises ThawError otherwise."""
    fine = int((variant.history["phase"] == "fine").sum())
    if (len(variant.history) - fine, fine) != (variant.transfer, variant.fine):
        raise ThawError(f"{path}: {variant.name} there has other epochs than in its csv; run `dvc repro`")
    first = variant.runs[variant.runs["seed"] == variant.seeds[0]]
    if list(first["phase"]) != list(variant.history["phase"]):
        raise ThawError(f"{path}: {variant.name} has other epochs in its csv than in its histories; run `dvc repro`")
    return variant


def of_datasets(variants: list[Variant]) -> dict[str, list[Variant]]:
    """The variants by data set, both in the order given."""
    grouped: dict[str, list[Variant]] = {}
    for variant in variants:
        grouped.setdefault(variant.dataset, []).append(variant)
    return grouped


def by_share(variants: list[Variant]) -> list[Variant]:
    """The grid among the variants, by rising share of fine-tuning."""
    return sorted((variant for variant in variants if variant.in_grid), key=lambda variant: variant.fine_share)
