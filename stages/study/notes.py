"""What the lines and bands of a figure stand for, in words: for the figure's head and for its caption."""

from collections.abc import Sequence

from stages.study.variants import Variant

OVER_BOTH = "over repeats and pictures"
OVER_EACH = "over repeats, for validation also over pictures"  # no value of a single training picture is kept


def of_repeats(members: Sequence[Variant], confidence: float, shown: str = "", over: str = OVER_BOTH) -> str:
    """The number of repeats, and the meaning of what is `shown`, such as bands: intervals `over` a source of noise."""
    counts = {variant.dataset: len(variant.repeats) for variant in members}
    different = set(counts.values())
    if different == {1}:
        return "one repeat"
    each = [f"{count} ({dataset})" for dataset, count in counts.items()]
    note = f"means of {different.pop() if len(different) == 1 else ', '.join(each)} repeats"
    return f"{note}\n{shown}: {confidence:.0%} intervals {over}" if shown else note


def caption(what: str, members: Sequence[Variant], confidence: float, shown: str = "", over: str = OVER_BOTH) -> str:
    """The sentences `what`, and the same note as a sentence."""
    return f"{what} Lines: {of_repeats(members, confidence, shown, over)}.".replace("\n", "; ")
