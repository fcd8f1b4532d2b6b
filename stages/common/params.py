"""`params.yaml` as frozen values, checked before any work starts."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from stages.common import sections as validation
from stages.common.sections import Section

PARAMS_FILE = Path("params.yaml")

EpochCount = Annotated[int, Field(ge=0)]
LearningRate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
BatchNorm = Literal["batch", "moving"]
Unfreezing = Literal["at_once", "gradual"]
LayerDecay = Annotated[float, Field(gt=0, le=1)]
STYLE = (
    "batch_norm",
    "unfreezing",
    "layer_decay",
    "warm_up_epochs",
)  # keys of `fine` that a schedule may have its own of


class Schedule(Section):
    """How many epochs each phase takes, on which data set; what it leaves out of the fine phase's style is `fine`'s."""

    dataset: str
    transfer: EpochCount
    fine: EpochCount
    batch_norm: BatchNorm | None = None
    unfreezing: Unfreezing | None = None
    layer_decay: LayerDecay | None = None
    warm_up_epochs: EpochCount | None = None

    @property
    def epochs(self) -> int:
        return self.transfer + self.fine

    @property
    def style(self) -> dict[str, object]:
        """What the schedule says of the fine phase's style, by the names of `fine`'s keys."""
        return self.model_dump(include=set(STYLE), exclude_none=True)

    @model_validator(mode="after")
    def _some_epoch(self) -> "Schedule":
        if self.epochs == 0:
            raise ValueError("transfer and fine are both 0; give at least one phase an epoch")
        return self


class Augment(Section):
    flip: bool
    rotation: Annotated[float, Field(ge=0, le=0.5)]
    seed: Seed


class Features(Section):
    engine: Literal["xnnpack", "keras"]
    dtype: Literal["float16", "float32"]
    storage: Literal["on_disk", "recompute"]
    batch_size: Annotated[int, Field(ge=1)]


class Head(Section):
    dropout: Annotated[float, Field(ge=0, lt=1)]


class Transfer(Section):
    optimizer: Literal["adam", "rmsprop", "sgd"]
    learning_rate: LearningRate


class Fine(Section):
    from_layer: Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, lt=1)] | Annotated[str, Field(min_length=1)]
    optimizer: Literal["adam", "rmsprop", "sgd"]
    learning_rate: LearningRate
    engine: Literal["fused", "keras"]
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"]
    batch_norm: BatchNorm
    unfreezing: Unfreezing
    layer_decay: LayerDecay
    warm_up_epochs: EpochCount
    groups: Annotated[int, Field(ge=1)]
    epochs_a_group: Annotated[int, Field(ge=1)]


class Statistics(Section):
    """How sure an interval is, and the draws of the bootstrap."""

    confidence: Annotated[float, Field(gt=0, lt=1)]
    resamples: Annotated[int, Field(ge=100)]  # fewer say nothing about an interval's ends
    seed: Seed


class Params(Section):
    """All of `params.yaml`."""

    source: str
    budget: Annotated[dict[str, Annotated[int, Field(ge=1)]], Field(min_length=1)]
    schedule: Schedule
    seeds: Annotated[list[Seed], Field(min_length=1)]
    clean_training: bool
    batch_size: Annotated[int, Field(ge=1)]
    threads: Annotated[int, Field(ge=1)]
    augment: Augment
    features: Features
    head: Head
    transfer: Transfer
    fine: Fine
    statistics: Statistics

    @field_validator("seeds")
    @classmethod
    def _once_each(cls, seeds: list[int]) -> list[int]:
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"{seeds} names a seed twice; a run repeated with the same seed is the same run")
        return seeds

    def styled(self, schedule: Schedule) -> "Params":
        """These params, with what `schedule` says of the fine phase's style."""
        return self.model_copy(update={"fine": self.fine.model_copy(update=schedule.style)})


def schedule(**keys: object) -> Schedule:
    """A schedule of the keys that are not None; raises ThawError."""
    return validation.checked({key: value for key, value in keys.items() if value is not None}, Schedule, "schedule")


def load(path: Path = PARAMS_FILE) -> Params:
    """Read and check `params.yaml`; raises ThawError."""
    return validation.load(path, Params)
