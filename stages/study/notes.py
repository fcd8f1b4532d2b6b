"""What the lines and bands of a figure stand for, in words: for the figure's head and for its caption."""

from collections.abc import Sequence

from stages.study.variants import Variant

OVER_BOTH = "over repeats and pictures"
OVER_EACH = "over repeats, for validation also over pictures"  # no value of a single training picture is kept


def of_repeats(members: Sequence[Variant], confidence: float, shown: str = "", over: str = OVER_BOTH) -> str:
    """The number of repeats, and the meaning of what is `shown`, such as bands: intervals `over` a source of noise."""
    counts = sorted({len(variant.repeats) for variant in members})
    if counts == [1]:
        return "one repeat"
    note = f"means of {' or '.join(map(str, counts))} repeats"
    return f"{note}\n{shown}: {confidence:.0%} intervals {over}" if shown else note


def caption(what: str, members: Sequence[Variant], confidence: float, shown: str = "", over: str = OVER_BOTH) -> str:
    """The sentences `what`, and the same note as a sentence."""
    return f"{what} Lines: {of_repeats(members, confidence, shown, over)}.".replace("\n", "; ")
