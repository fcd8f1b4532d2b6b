"""The figure of styles: variations of fine-tuning against the plain schedule with the same epochs."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stages.common.manifest import Manifest
from stages.drawing import drawing
from stages.drawing.drawing import GREY, LOOKS, Look
from stages.study import notes, variants
from stages.study.evidence import Study
from stages.study.variants import Variant

PLAIN = ("#000000", "o", "-")


def draw(study: Study, styles: Mapping[str, Any], source: Manifest) -> Figure:
    """A row for each data set: on the left validation loss over the epochs, on the right its difference from plain.

    `styles` is `styles` of metrics/claims.json. At least one style has a plain schedule.
    """
    shown = {name: _styled(members, styles) for name, members in variants.of_datasets(study.variants).items()}
    shown = {name: members for name, members in shown.items() if members}
    note = notes.of_repeats(study.variants, study.statistics.confidence, "bars")
    title = "Variations of fine-tuning against the plain schedule"
    figure, panels = drawing.new_rows(title, source, len(shown), note, drawing.WIDE_GAP)
    looks = _looks([variant for members in shown.values() for variant in members])
    for (left, right), (dataset, members) in zip(panels, shown.items(), strict=True):
        _draw_curves(left, members, looks)
        left.set_title(f"{drawing.title_of(dataset, source)}, {_schedules(members)}", size=10, loc="left")
        _draw_differences(right, [variant for variant in members if variant.name in styles], looks, styles)
    handles = {line.get_label(): line for row in panels for line in row[0].get_lines()}
    drawing.add_legend(figure, list(handles.values()))
    return figure


def _styled(members: list[Variant], styles: Mapping[str, Any]) -> list[Variant]:
    """The plain schedules that have styles, then the styles of a data set, which `styles` compares with them."""
    own = [variant for variant in members if variant.name in styles]
    plain = [variant for variant in members if any(style.is_style_of(variant) for style in own)]
    return plain + own


def _schedules(members: Sequence[Variant]) -> str:
    return ", ".join(dict.fromkeys(f"{variant.transfer} + {variant.fine}" for variant in members))


def _looks(members: Sequence[Variant]) -> dict[str, Look]:
    """The look of each variant by name; a style has the same in every data set."""
    styles = list(dict.fromkeys(variant.style for variant in members if variant.style))
    looks = dict(zip(styles, cycle(LOOKS), strict=False))
    return {variant.name: looks[variant.style] if variant.style else PLAIN for variant in members}


def _draw_curves(axes: Axes, members: Sequence[Variant], looks: Mapping[str, Look]) -> None:
    drawing.format_loss(axes)
    for variant in members:
        colour, _, dashes = looks[variant.name]
        label = variants.keys_in_words(variant.style) or "plain"
        axes.plot(variant.history["epoch"], variant.history["val_loss"], color=colour, ls=dashes, label=label)
    drawing.format_epochs(axes, max(len(variant.history) for variant in members))
    axes.set_ylabel("validation loss (log scale)")


def _draw_differences(
    axes: Axes, members: Sequence[Variant], looks: Mapping[str, Look], styles: Mapping[str, Any]
) -> None:
    """A point for each style, left of zero if its final loss is lower than the plain schedule's, with its interval.

    One repeat has none, as in the other figures.
    """
    for place, variant in enumerate(members):
        colour, marker, _ = looks[variant.name]
        value, low, high = (styles[variant.name][key] for key in ("value", "low", "high"))
        if len(variant.repeats) > 1:
            axes.plot([low, high], [place, place], color=colour)
        axes.plot(value, place, color=colour, marker=marker, ms=7)
    axes.set_yticks(range(len(members)), [variant.label for variant in members])
    axes.set_ylim(len(members) - 0.5, -0.5)
    axes.axvline(0, color=GREY, lw=1)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel("final validation loss, variation minus plain")
