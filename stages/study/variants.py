"""A finished variant, read from its json, its csv and the epochs of every repeat.

A variant is a schedule that params.yaml names. Its kind follows from its own keys: without any it is a default schedule
and belongs to the thesis's arm; with keys of the head alone it belongs to another arm; any other key makes it a style,
a variation of fine-tuning. An arm is a set of schedules that differ in their epochs alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from stages.common import tables
from stages.common.command import ThawError
from stages.results import history, repeats

_METRICS_KEYS = (
    "dataset",
    "transfer",
    "fine",
    "own_keys",
    "seed",
    "seeds",
    "repeats",
    "source",
    "batch_norm",
    "train",
    "val",
    "versions",
    "machine",
    "images",
    "multiply_adds",
)
_OF_THE_HEAD = "head"  # the keys of a schedule that start with this make an arm; all others make a style
PAPER_ARM, ALL_ARMS = "paper", "all"

Kind = Literal["grid", "tuned", "adaptive", "style", "trial"]


@dataclass(frozen=True)
class Variant:
    """One schedule: its name, its metrics (`dataset`, `transfer`, `fine` and more) and its epochs.

    `history` has one row an epoch, the means over the repeats. `runs` has the epochs of every repeat, with a column
    `repeat`.
    """

    name: str
    metrics: Mapping[str, Any]
    history: pd.DataFrame
    runs: pd.DataFrame

    @property
    def dataset(self) -> str:
        return self.metrics["dataset"]

    @property
    def transfer(self) -> int:
        return self.metrics["transfer"]

    @property
    def fine(self) -> int:
        return self.metrics["fine"]

    @property
    def epochs(self) -> int:
        return len(self.history)

    @property
    def fine_share(self) -> float:
        """The share of the epochs that fine-tuning takes, 0 to 1."""
        return round(self.fine / (self.transfer + self.fine), tables.DECIMALS)

    @property
    def repeats(self) -> list[int]:
        return [int(repeat) for repeat in self.runs["repeat"].unique()]

    @property
    def own_keys(self) -> Mapping[str, Any]:
        """The schedule's own keys, with the values that replace those of the params."""
        return self.metrics["own_keys"]

    @property
    def kind(self) -> Kind:
        """`grid` without own keys, as in the thesis; `tuned` with keys of the head alone; else `style`.

        `adaptive`: a schedule with `transfer: auto`, whose repeats may thaw after different epochs. `trial`: the
        schedule under trial, whatever its keys.
        """
        if self.name == "trial":
            return "trial"
        if "switch" in self.metrics:
            return "adaptive"
        if not self.own_keys:
            return "grid"
        return "style" if self.has_style else "tuned"

    @property
    def in_grid(self) -> bool:
        """Whether the variant belongs to its data set's grid, whose schedules differ in their epochs alone."""
        return self.kind == "grid"

    @property
    def arm(self) -> str:
        """Name of its arm: `paper`, or the head's own keys, such as `head_rate 0.001`."""
        return _in_words({key: value for key, value in self.own_keys.items() if key not in self._of_style}) or PAPER_ARM

    @property
    def settings(self) -> str:
        """All own keys in words, such as `fine learning rate 0.0001, head learning rate 0.001`; empty without any."""
        return keys_in_words(_in_words(self.own_keys))

    @property
    def has_style(self) -> bool:
        """Whether it has a key besides those of the head, whatever its kind."""
        return bool(self._of_style)

    @property
    def style(self) -> str:
        """A style's own keys, such as `unfreezing gradual`; empty for the other kinds."""
        return _in_words(self._of_style) if self.kind == "style" else ""

    @property
    def short_name(self) -> str:
        """The name within its data set: `30-1`, `40-11-gradual`, or `trial`."""
        return self.name.removeprefix(f"{self.dataset}-")

    @property
    def label(self) -> str:
        """The schedule in sentences and tables: `30 + 1`, `3 + 17 (head learning rate 0.001)`, `40 + 11 gradual`."""
        if self.kind == "tuned":
            return f"{self.transfer} + {self.fine} ({self.settings})"
        return self.short_name.replace("-", " + ", 1).replace("-", " ").replace("_", " ")

    def by_repeat(self, column: str) -> pd.DataFrame:
        """The values of `column`: indexed by epoch, a column for each repeat."""
        return self.runs.pivot(index="epoch", columns="repeat", values=column)

    def is_style_of(self, other: "Variant") -> bool:
        """Whether `other` is its plain schedule: with the same data set, epochs and head, and without a style."""
        return (
            self.kind == "style"
            and other.kind in ("grid", "tuned")
            and (self.dataset, self.transfer, self.fine, self.arm)
            == (other.dataset, other.transfer, other.fine, other.arm)
        )

    def is_start_of(self, other: "Variant") -> bool:
        """Whether its epochs are the first of `other`, number for number, so that their curves are one.

        The training pictures may have been measured again after other epochs.
        """
        own, whole = (each.history[list(history.COLUMNS)] for each in (self, other))
        return self.dataset == other.dataset and own.equals(whole.head(self.epochs))

    @property
    def _of_style(self) -> dict[str, Any]:
        return {key: value for key, value in self.own_keys.items() if not key.startswith(_OF_THE_HEAD)}


def _in_words(own_keys: Mapping[str, Any]) -> str:
    """Keys with their values, such as `head_rate 0.001, layer_decay 0.5`."""
    return ", ".join(f"{key} {value}" for key, value in sorted(own_keys.items()))


def read_all(names: Sequence[str], metrics: Path, histories: Path, results: Path, source: Path) -> list[Variant]:
    """Read all variants; raises ThawError where one is missing or ran on another source."""
    members = [read(name, metrics, histories, results) for name in names]
    for variant in members:
        if variant.metrics["source"] != source.as_posix():
            path = metrics / f"{variant.name}.json"
            raise ThawError(f"{path}: ran on {variant.metrics['source']}, not on {source}; run `dvc repro`")
    return members


def read(name: str, metrics: Path, histories: Path, results: Path) -> Variant:
    """Read the variant `name`; raises ThawError where a file is missing, wrong or of another run."""
    path = metrics / f"{name}.json"
    values = tables.read_json(path)
    missing = [key for key in _METRICS_KEYS if key not in values]
    if missing:
        raise ThawError(f"{path}: has no {', '.join(missing)}; run `dvc repro`")
    variant = checked(with_epochs(name, values, histories, results), path)
    if variant.repeats != [repeat["repeat"] for repeat in values["repeats"]]:
        raise ThawError(f"{path}: {name} there has other repeats than in its epochs; run `dvc repro`")
    return variant


def with_epochs(name: str, values: Mapping[str, Any], histories: Path, results: Path) -> Variant:
    """The variant of `values`, its metrics, with its epochs, read from <histories>/<name>.csv and <results>/<name>/."""
    means = history.read(histories / f"{name}.csv")
    return Variant(name, values, means, repeats.read_epochs(results / name))


def checked(variant: Variant, path: Path) -> Variant:
    """The variant; raises ThawError where its epochs differ from those in the file `path`."""
    fine = int((variant.history["phase"] == "fine").sum())
    if (variant.epochs - fine, fine) != (variant.transfer, variant.fine):
        raise ThawError(f"{path}: {variant.name} there has other epochs than in its csv; run `dvc repro`")
    if variant.runs["epoch"].max() != variant.epochs:
        raise ThawError(f"{path}: {variant.name} has other epochs in its csv than its repeats have; run `dvc repro`")
    return variant


def of_datasets(variants: Sequence[Variant]) -> dict[str, list[Variant]]:
    """The variants by data set, both in the order given."""
    grouped: dict[str, list[Variant]] = {}
    for variant in variants:
        grouped.setdefault(variant.dataset, []).append(variant)
    return grouped


def by_share(variants: Sequence[Variant]) -> list[Variant]:
    """The thesis's grid among the variants, by rising share of fine-tuning."""
    return arms(variants).get(PAPER_ARM, [])


def arms(variants: Sequence[Variant]) -> dict[str, list[Variant]]:
    """The schedules without a style, by arm: the thesis's arm first, each by rising share of fine-tuning."""
    found: dict[str, list[Variant]] = {}
    members = [variant for variant in variants if variant.kind in ("grid", "tuned")]
    for variant in sorted(members, key=lambda variant: (variant.kind != "grid", variant.fine_share)):
        found.setdefault(variant.arm, []).append(variant)
    return found


def comparable(variants: Sequence[Variant]) -> list[Variant]:
    """The schedules among which one is recommended: each arm's, then the styles; not the trial and `transfer: auto`."""
    plain = [variant for arm in arms(variants).values() for variant in arm]
    return plain + [variant for variant in variants if variant.kind == "style"]


def drawn_arms(variants: Sequence[Variant]) -> dict[str, list[Variant]]:
    """The arms, and the thesis's schedules without transfer epochs in each arm that has none of its own.

    In such schedules the keys of the head make no difference. A further arm without fine-tuning is left out: it has no
    start of fine-tuning to compare.
    """
    found = {
        arm: members
        for arm, members in arms(variants).items()
        if arm == PAPER_ARM or any(variant.fine for variant in members)
    }
    at_once = [variant for variant in found.get(PAPER_ARM, []) if not variant.transfer]
    return {
        arm: members if any(not variant.transfer for variant in members) else [*members, *at_once]
        for arm, members in found.items()
    }


def arm_in_words(arm: str) -> str:
    """The head of an arm: `default head`, or the head's own keys, such as `head learning rate 0.001`."""
    return "default head" if arm == PAPER_ARM else keys_in_words(arm)


def keys_in_words(keys: str) -> str:
    """Keys and values as in `arm`, for sentences: `rate` becomes `learning rate`, `_` a blank, and 1e-05 is 1e-5."""
    return keys.replace("_rate", "_learning_rate").replace("_", " ").replace("e-0", "e-")
