"""What the paper reports and the contrasts that decide its claims (`data/paper.yaml`), as frozen, checked values."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from stages.common import sections as validation
from stages.common.params import Margin
from stages.common.sections import Section
from stages.study.variants import Variant

Value = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Epoch = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Values(Section):
    """Accuracy and loss, where the paper gives them, and which of ours they are to be compared with.

    `at`: `last`, the level that a curve settles at; `last_transfer`, that before the jump where fine-tuning starts;
    `best`, the curve's maximum or minimum.
    """

    at: Literal["last", "last_transfer", "best"] = "last"
    accuracy: Value | None = None
    loss: Value | None = None


class Settles(Section):
    """The epoch from which the paper calls a validation curve settled."""

    accuracy: Epoch | None = None
    loss: Epoch | None = None


class PaperVariant(Section):
    """What the paper says of a variant."""

    figure: str | None = None
    train: Values = Values()
    val: Values = Values()
    settles: Settles = Settles()
    remark: str | None = None


class Margins(Section):
    """What a difference must exceed to matter on a data set."""

    loss: Positive
    accuracy: Positive


class Claim(Section):
    """A claim in our words, what in the paper it rests on, and the one contrast that decides it, unadjusted."""

    text: str
    rests_on: str
    primary: str


class Claims(Section):
    """The paper's claims, two of them in parts: a dip and two reasons for it; a gap and whether it does harm."""

    sooner: Claim
    share: Claim
    dip: Claim
    running_mean: Claim
    batch_statistics: Claim
    gap: Claim
    harm: Claim
    advice: Claim


class Paper(Section):
    """All of `data/paper.yaml`."""

    variants: Annotated[dict[str, PaperVariant], Field(min_length=1)]
    margins: dict[str, Margins]
    claims: Claims

    def margins_of(self, default: Margin) -> dict[str, Margin]:
        """The margins by data set; what the paper's file does not fix is that of `default`."""
        return {
            name: Margin(loss=margins.loss, accuracy=margins.accuracy, epochs=default.epochs)
            for name, margins in self.margins.items()
        }


def load(path: Path) -> Paper:
    """Read and check the paper's numbers; raises ThawError."""
    return validation.load(path, Paper)


def comparable(variant: Variant, part: str, values: Values, measure: str) -> float:
    """The number of ours that the paper's `values` of `part` (train or val) are to be compared with."""
    if values.at == "last_transfer":
        column = measure if part == "train" else f"val_{measure}"
        return float(variant.history[column].iloc[variant.transfer - 1])
    return variant.metrics[part]["best" if values.at == "best" else "final"][measure]
