"""What the paper reports (`data/paper.yaml`), as frozen, checked values."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from stages.common import sections as validation
from stages.common.sections import Section

Value = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Epoch = Annotated[int, Field(ge=1)]


class Values(Section):
    """Final accuracy and loss, where the paper gives them."""

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


class Claim(Section):
    """A claim in our words, and what in the paper it rests on."""

    text: str
    rests_on: str


class Claims(Section):
    """The paper's five claims."""

    sooner: Claim
    share: Claim
    dip: Claim
    overfitting: Claim
    advice: Claim


class Paper(Section):
    """All of `data/paper.yaml`."""

    variants: Annotated[dict[str, PaperVariant], Field(min_length=1)]
    claims: Claims


def load(path: Path) -> Paper:
    """Read and check the paper's numbers; raises ThawError."""
    return validation.load(path, Paper)
