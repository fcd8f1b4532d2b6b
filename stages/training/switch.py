"""When a schedule with `transfer: auto` thaws: once an epoch of the head gains too little."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from stages.training.epochs import Row


@dataclass(frozen=True)
class Thaw:
    """After how many transfer epochs it thaws, and the last one's relative gain in training loss, if that decided."""

    epoch: int
    gain: float | None


def thaw(rows: Sequence[Row], relative_gain: float, most: int) -> Thaw:
    """Thaw after the first epoch that lowers the loss by a smaller share than `relative_gain`, else after `most`.

    The loss is the training loss that Keras reports: validation pictures must not decide what they then measure.
    """
    losses = [row["loss"] for row in rows[:most]]
    for epoch, (before, after) in enumerate(pairwise(losses), start=2):
        gain = (before - after) / before if before else 0.0  # float32 ends at 0, with nothing left to gain
        if gain < relative_gain:
            return Thaw(epoch, round(gain, 6))
    return Thaw(most, None)
