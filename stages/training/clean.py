"""After which fine epochs the training pictures are measured again, clean: not augmented, as new pictures would be."""

from collections.abc import Mapping
from typing import Any

from stages.common import tables

EPOCHS = 5
"""After how many of the first fine epochs, besides the last: the claims and the figure of the dip need no others. After
every epoch it would make training a sixth longer."""


def epochs(numbers: range) -> set[int]:
    """The fine epochs of `numbers` after which the training pictures are measured again."""
    return {*numbers[:EPOCHS], numbers[-1]}


def without(row: Mapping[str, Any]) -> dict[str, Any]:
    """`row` of a history without these columns."""
    return {name: value for name, value in row.items() if not name.startswith(tables.CLEAN)}
