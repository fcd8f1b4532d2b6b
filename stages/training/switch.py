"""When a schedule with `transfer: auto` thaws: once an epoch of the head gains too little."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from stages.training.epochs import Row


@dataclass(frozen=True)
class Thaw:
    """The number of transfer epochs before the schedule thaws, and the last one's relative gain, if the gain decided.

    The gain is the share by which the epoch lowered the training loss.
    """

    epoch: int
    gain: float | None


def choose_thaw(rows: Sequence[Row], relative_gain: float, most: int) -> Thaw:
    """Choose the first epoch that lowers the loss by a smaller share than `relative_gain`, else the epoch `most`.

    The loss is the training loss that Keras reports: validation pictures must not decide what they then measure.
    """
    losses = [row["loss"] for row in rows[:most]]
    for epoch, (before, after) in enumerate(pairwise(losses), start=2):
        gain = (before - after) / before if before else 0.0  # float32 ends at 0, with nothing left to gain
        if gain < relative_gain:
            return Thaw(epoch, round(gain, 6))
    return Thaw(most, None)
