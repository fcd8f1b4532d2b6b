"""`params.yaml` as frozen values, checked before any work starts."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from stages.lib import validation
from stages.lib.validation import Section

PARAMS_FILE = Path("params.yaml")

EpochCount = Annotated[int, Field(ge=0)]
LearningRate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class Schedule(Section):
    """How many epochs each phase takes, on which data set."""

    dataset: str
    transfer: EpochCount
    fine: EpochCount

    @property
    def epochs(self) -> int:
        return self.transfer + self.fine

    @model_validator(mode="after")
    def _some_epoch(self) -> "Schedule":
        if self.epochs == 0:
            raise ValueError("transfer and fine are both 0; give at least one phase an epoch")
        return self


class Augment(Section):
    flip: bool
    rotation: Annotated[float, Field(ge=0, le=0.5)]


class Features(Section):
    engine: Literal["xnnpack", "keras"]
    dtype: Literal["float16", "float32"]
    batch_size: Annotated[int, Field(ge=1)]


class Head(Section):
    dropout: Annotated[float, Field(ge=0, lt=1)]


class Transfer(Section):
    optimizer: Literal["adam", "rmsprop", "sgd"]
    learning_rate: LearningRate


class Fine(Section):
    from_layer: Annotated[int, Field(ge=1)]
    optimizer: Literal["adam", "rmsprop", "sgd"]
    learning_rate: LearningRate
    engine: Literal["fused", "keras"]
    batch_norm: Literal["batch", "moving"]


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
    seed: Seed
    batch_size: Annotated[int, Field(ge=1)]
    threads: Annotated[int, Field(ge=1)]
    augment: Augment
    features: Features
    head: Head
    transfer: Transfer
    fine: Fine
    statistics: Statistics


def load(path: Path = PARAMS_FILE) -> Params:
    """Read and check `params.yaml`; raises ThawError."""
    return validation.load(path, Params)
