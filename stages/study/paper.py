"""The thesis's numbers and claims, and the contrasts that decide them (`data/paper.yaml`), as checked values."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from stages.common import sections
from stages.common.params import Margins
from stages.common.sections import Section
from stages.study.variants import Variant

Value = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Epoch = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Values(Section):
    """Accuracy and loss where the thesis gives them. `at` says which number of ours they are compared with.

    `last`: the level at which a curve settles; `last_transfer`: the level before the jump where fine-tuning starts;
    `best`: the curve's maximum or minimum.
    """

    at: Literal["last", "last_transfer", "best"] = "last"
    accuracy: Value | None = None
    loss: Value | None = None


class Settles(Section):
    """The epoch from which the thesis calls a validation curve settled."""

    accuracy: Epoch | None = None
    loss: Epoch | None = None


class PaperVariant(Section):
    """What the thesis says of a variant."""

    figure: str | None = None
    train: Values = Values()
    val: Values = Values()
    settles: Settles = Settles()
    remark: str | None = None


class ThesisMargins(Section):
    """Two equivalence margins of a data set. The third, of epochs, is that of `statistics.margin` in params.yaml."""

    loss: Positive
    accuracy: Positive


class Claim(Section):
    """A claim in our words, in full and in short; what it rests on in the thesis; the one contrast that decides it."""

    text: str
    short: str
    rests_on: str
    primary: str


class Claims(Section):
    """The thesis's claims. Two have parts: the dip and two causes of it; the gap and its harm."""

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
    margins: dict[str, ThesisMargins]
    claims: Claims

    def margins_of(self, default: Margins) -> dict[str, Margins]:
        """The margins by data set; `default` has the margin of epochs, which the file does not set."""
        return {
            name: Margins(loss=margins.loss, accuracy=margins.accuracy, epochs=default.epochs)
            for name, margins in self.margins.items()
        }


def load(path: Path) -> Paper:
    """Read and check the thesis's numbers and claims; raises ThawError."""
    return sections.load(path, Paper)


def comparable(variant: Variant, part: str, values: Values, measure: str) -> float:
    """Our number that the thesis's `values` of `part` (train or val) are compared with."""
    if values.at == "last_transfer":
        column = measure if part == "train" else f"val_{measure}"
        return float(variant.history[column].iloc[variant.transfer - 1])
    return variant.metrics[part]["best" if values.at == "best" else "final"][measure]
