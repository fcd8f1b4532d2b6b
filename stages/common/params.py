"""`params.yaml` as frozen values, checked before any work starts."""

from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, field_validator, model_validator

from stages.common import sections
from stages.common.command import ThawError
from stages.common.sections import Section

PARAMS_FILE = Path("params.yaml")

EpochCount = Annotated[int, Field(ge=0)]
LearningRate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Optimizer = Literal["adam", "rmsprop", "sgd"]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
BatchNorm = Literal["batch", "moving"]
Unfreezing = Literal["at_once", "gradual"]
Decay = Literal["none", "cosine"]
LayerDecay = Annotated[float, Field(gt=0, le=1)]

TRIAL = "trial"  # the name of the variant that `schedule` describes
AUTO, REST = "auto", "rest"


class Schedule(Section):
    """How many epochs each phase takes, on which data set. Keys left out come from the sections `transfer` and `fine`.

    `transfer: auto` thaws when the head stops gaining (`switch`); `fine: rest` takes what the budget leaves.
    """

    dataset: str
    transfer: EpochCount | Literal["auto"]
    fine: EpochCount | Literal["rest"]
    head_rate: LearningRate | None = None
    head_optimizer: Optimizer | None = None
    fine_rate: LearningRate | None = None
    fine_optimizer: Optimizer | None = None
    fine_head_rate: LearningRate | None = None
    batch_norm: BatchNorm | None = None
    unfreezing: Unfreezing | None = None
    layer_decay: LayerDecay | None = None
    warm_up_epochs: EpochCount | None = None
    decay: Decay | None = None

    @property
    def own_keys(self) -> dict[str, object]:
        """The keys that the schedule has besides its data set and epochs, with their values."""
        return self.model_dump(exclude={"dataset", "transfer", "fine"}, exclude_none=True)

    @property
    def default_name(self) -> str:
        """The name of the default schedule of these epochs, without own keys: `<dataset>-<transfer>-<fine>`."""
        return f"{self.dataset}-{self.transfer}-{self.fine}"

    @model_validator(mode="after")
    def _some_epoch(self) -> "Schedule":
        if self.transfer == 0 and self.fine == 0:
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
    optimizer: Optimizer
    learning_rate: LearningRate


class Switch(Section):
    """When `transfer: auto` thaws: after the first epoch whose relative gain in training loss is below this."""

    relative_gain: Annotated[float, Field(gt=0, lt=1)]


class Sweep(Section):
    """What `stages.head_rates` tries."""

    optimizers: Annotated[list[Optimizer], Field(min_length=1)]
    rates: Annotated[list[LearningRate], Field(min_length=1)]
    epochs: Annotated[int, Field(ge=1)]


class Fine(Section):
    from_layer: Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, lt=1)] | Annotated[str, Field(min_length=1)]
    optimizer: Optimizer
    learning_rate: LearningRate
    head_learning_rate: LearningRate | None
    decay: Decay
    engine: Literal["fused", "keras"]
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"]
    batch_norm: BatchNorm
    unfreezing: Unfreezing
    layer_decay: LayerDecay
    warm_up_epochs: EpochCount
    groups: Annotated[int, Field(ge=1)]
    epochs_a_group: Annotated[int, Field(ge=1)]


class Margins(Section):
    """What a difference must exceed to matter, by measure: loss, accuracy (a share of pictures), epochs."""

    loss: Annotated[float, Field(gt=0)]
    accuracy: Annotated[float, Field(gt=0)]
    epochs: Annotated[float, Field(gt=0)]


class Statistics(Section):
    """How sure an interval is, what a difference must exceed to matter, and how often chance is simulated."""

    # Above 0.5, because the two one-sided tests use the interval of confidence 1 - 2 alpha.
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    margin: Margins
    # Fewer draws say too little about the quantile in stages/study/simultaneous.py.
    resamples: Annotated[int, Field(ge=100)]
    seed: Seed


class Export(Section):
    """What `export` writes beside the model in float32."""

    quantised: bool


class Repeat(NamedTuple):
    """One of the times that a variant runs: what decides its draws, and which pictures validate it.

    `fold` is None where all repeats have the one split; `draw` numbers the order in which its epochs read the
    augmented passes over the pictures.
    """

    number: int
    seed: int
    fold: int | None
    draw: int


class Params(Section):
    """All of `params.yaml`."""

    source: str
    downloads: Annotated[list[str], Field(min_length=1)]
    local: dict[str, str]
    budget: Annotated[dict[str, Annotated[int, Field(ge=1)]], Field(min_length=1)]
    variants: Annotated[dict[str, Schedule], Field(min_length=1)]
    schedule: Schedule
    repeats: dict[str, Annotated[int, Field(ge=1)]] | None
    seeds: Annotated[list[Seed], Field(min_length=1)] | None
    clean_training: bool
    class_weight: Literal["none", "balanced"]
    batch_size: Annotated[int, Field(ge=1)]
    threads: Annotated[int, Field(ge=1)]
    augment: Augment
    features: Features
    head: Head
    transfer: Transfer
    switch: Switch
    sweep: Sweep
    fine: Fine
    statistics: Statistics
    export: Export

    @field_validator("seeds")
    @classmethod
    def _once_each(cls, seeds: list[int] | None) -> list[int] | None:
        if seeds and len(set(seeds)) < len(seeds):
            raise ValueError(f"{seeds} names a seed twice; a run repeated with the same seed is the same run")
        return seeds

    @field_validator("fine")
    @classmethod
    def _decays_in_single_schedules(cls, fine: Fine) -> Fine:
        """What is recommended may stop a schedule early, unless its own keys name a decay."""
        if fine.decay != "none":
            raise ValueError(
                f"decay: {fine.decay}; keep none here, and give the decay to entries of variants, or schedule"
            )
        return fine

    @field_validator("variants")
    @classmethod
    def _named_after_their_schedules(cls, variants: dict[str, Schedule]) -> dict[str, Schedule]:
        for name, schedule in variants.items():
            default = schedule.default_name
            if not schedule.own_keys and name != default:
                raise ValueError(f"'{name}' is the default schedule {default}; call it that")
            if schedule.own_keys and not name.startswith(f"{default}-"):
                raise ValueError(
                    f"'{name}' differs from {default} by {', '.join(schedule.own_keys)}; call it {default}-WORD"
                )
        return variants

    @model_validator(mode="after")
    def _one_kind_of_repeats(self) -> "Params":
        if (self.repeats is None) == (self.seeds is None):
            raise ValueError("repeats and seeds: exactly one must be null; folds have seeds of their own")
        return self

    @property
    def names(self) -> list[str]:
        """All variants in the order of the tables, the trial last."""
        return [*self.variants, TRIAL]

    def named(self, variant: str) -> Schedule:
        """The schedule of `variant`; raises ThawError with the known names."""
        schedules = {**self.variants, TRIAL: self.schedule}
        if variant not in schedules:
            raise ThawError(f"{PARAMS_FILE}: variants: there is no '{variant}'; known are {', '.join(schedules)}")
        return schedules[variant]

    def repeats_of(self, dataset: str) -> list[Repeat]:
        """The repeats of each variant of `dataset`: a fold each, or a seed each on the one split."""
        if self.repeats is not None:
            return [Repeat(number, number, number, number) for number in range(1, self.repeats.get(dataset, 1) + 1)]
        return [Repeat(number, seed, None, number) for number, seed in enumerate(self.seeds or [], start=1)]

    def of(self, schedule: Schedule) -> "Params":
        """A copy in which the keys of `schedule` replace those of `transfer` and `fine`."""
        own = schedule.own_keys
        changes = {
            "transfer": {"optimizer": own.pop("head_optimizer", None), "learning_rate": own.pop("head_rate", None)},
            "fine": {
                "optimizer": own.pop("fine_optimizer", None),
                "learning_rate": own.pop("fine_rate", None),
                "head_learning_rate": own.pop("fine_head_rate", None),
                **own,
            },
        }
        replaced = {
            name: getattr(self, name).model_copy(
                update={key: value for key, value in keys.items() if value is not None}
            )
            for name, keys in changes.items()
        }
        return self.model_copy(update=replaced)


def load(path: Path = PARAMS_FILE) -> Params:
    """Read and check `params.yaml`; raises ThawError."""
    return sections.load(path, Params)
