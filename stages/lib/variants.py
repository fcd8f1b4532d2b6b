"""A variant of the study as it ran, read from its json and its csv."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from stages.lib import records
from stages.lib.command import ThawError

_RECORD_KEYS = (
    "dataset",
    "transfer",
    "fine",
    "seed",
    "source",
    "batch_norm",
    "train",
    "val",
    "versions",
    "machine",
)


@dataclass(frozen=True)
class Variant:
    """One schedule: its name, its record (`dataset`, `transfer`, `fine` and more) and its epochs."""

    name: str
    record: Mapping[str, Any]
    history: pd.DataFrame

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
    def in_grid(self) -> bool:
        """Whether the variant is of its data set's grid, where names tell the schedule; the trial is not."""
        return self.name == f"{self.dataset}-{self.transfer}-{self.fine}"

    @property
    def label(self) -> str:
        """The name within its data set: `30-1`, or `trial`."""
        return self.name.removeprefix(f"{self.dataset}-")


def read(name: str, metrics: Path, histories: Path) -> Variant:
    """Read the variant `name`; raises ThawError where a file is missing, wrong or of another run."""
    path = metrics / f"{name}.json"
    record = records.read_json(path)
    missing = [key for key in _RECORD_KEYS if key not in record]
    if missing:
        raise ThawError(f"{path}: has no {', '.join(missing)}; run `dvc repro`")
    return checked(Variant(name, record, records.read_history(histories / f"{name}.csv")), path)


def checked(variant: Variant, path: Path) -> Variant:
    """The variant, whose epochs are those that the file `path` tells of; raises ThawError otherwise."""
    fine = int((variant.history["phase"] == "fine").sum())
    if (len(variant.history) - fine, fine) != (variant.transfer, variant.fine):
        raise ThawError(f"{path}: {variant.name} there has other epochs than in its csv; run `dvc repro`")
    return variant


def of_datasets(variants: list[Variant]) -> dict[str, list[Variant]]:
    """The variants by data set, both in the order given."""
    grouped: dict[str, list[Variant]] = {}
    for variant in variants:
        grouped.setdefault(variant.dataset, []).append(variant)
    return grouped
