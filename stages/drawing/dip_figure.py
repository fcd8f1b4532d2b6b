"""The figure of the dip: training loss where fine-tuning starts, and the parts of its change."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stages.common.manifest import Manifest
from stages.drawing import drawing
from stages.drawing.drawing import GREY, Colour
from stages.study import dip, variants
from stages.study.evidence import Study
from stages.study.variants import Variant

AROUND = 5  # epochs shown before and after the border
# By line: its column, whether it is of the style with moving statistics, its colour and dashes.
LINES: Mapping[str, tuple[str, bool, Colour, str]] = {
    "training, batch statistics": ("loss", False, "#56B4E9", "-"),
    "training, moving statistics": ("loss", True, "#0072B2", "--"),
    "training, clean": ("train_clean_loss", False, "#009E73", "-."),
    "validation": ("val_loss", False, "#B34700", ":"),
}
COLOURS = ("#5F6368", "#56B4E9", "#CC79A7", "#009E73")  # of the bars, one for each of `dip.PARTS`


def draw(study: Study, parts: Mapping[str, Any], source: Manifest) -> Figure:
    """A row for each data set: on the left the loss around the start of fine-tuning, on the right its change by parts.

    `parts` is `dip_parts` of metrics/claims.json.
    """
    pairs = {name: _pair(members) for name, members in variants.of_datasets(study.variants).items()}
    shown = {name: pair for name, pair in pairs.items() if pair}
    title = "Loss where fine-tuning starts, and the parts of the change of training loss"
    note = drawing.repeats_note(study.variants, study.statistics.confidence, "bands and bars", drawing.OVER_EACH)
    figure, panels = drawing.new_rows(title, source, max(len(shown), 1), note, drawing.WIDE_GAP)
    for (left, right), (dataset, (plain, moving)) in zip(panels, shown.items(), strict=False):
        _draw_border(left, study, plain, moving)
        left.set_title(f"{drawing.title_of(dataset, source)}, {drawing.label_of(plain)}", size=10, loc="left")
        _draw_parts(right, parts.get(dataset, {}).get("loss"))
    if shown:
        handles = {line.get_label(): line for row in panels for line in row[0].get_lines()}
        drawing.add_legend(figure, [handles[label] for label in LINES if label in handles])
    else:
        drawing.say_nothing(panels[0], "no schedule has both phases")
    return figure


def _pair(members: list[Variant]) -> tuple[Variant, Variant | None] | None:
    """The plain schedule to show, which has both phases, and its style with moving statistics, if any has one."""
    with_moving = [
        (plain, style)
        for style in members
        for plain in members
        if style.is_style_of(plain) and style.own_keys == {"batch_norm": "moving"} and dip.has_border(plain)
    ]
    if with_moving:
        return with_moving[0]
    both = [variant for variant in members if variant.in_grid and dip.has_border(variant)]
    return (max(both, key=lambda variant: min(variant.transfer, variant.fine)), None) if both else None


def _draw_border(axes: Axes, study: Study, plain: Variant, moving: Variant | None) -> None:
    drawing.format_loss(axes)
    first, last = max(plain.transfer - AROUND + 1, 1), min(plain.transfer + AROUND, len(plain.history))
    for label, (column, of_style, colour, dashes) in LINES.items():
        variant = moving if of_style else plain
        if variant is None or column not in variant.history:
            continue
        history = variant.history.set_index("epoch").loc[first:last, column]
        axes.plot(history.index, history, color=colour, ls=dashes, marker="o", ms=3.5, label=label)
        drawing.draw_band(axes, study, variant, column, colour, slice(first, last))
    drawing.format_epochs(axes, len(plain.history))
    axes.set_xlim(first - 0.5, last + 0.5)
    axes.axvline(plain.transfer + 0.5, color=GREY, ls="--", lw=1.2)
    axes.set_ylabel("loss (log scale)")


def _draw_parts(axes: Axes, parts: Mapping[str, Mapping[str, float | None]] | None) -> None:
    """Draw bars of the parts with their intervals; a note if no style has moving statistics, which the parts need."""
    if parts is None:
        drawing.say_nothing([axes], "no style with moving statistics")
        return
    for place, ((name, label), colour) in enumerate(zip(dip.PARTS.items(), COLOURS, strict=True)):
        value, low, high = (parts[name][key] for key in ("value", "low", "high"))
        axes.barh(place, value, color=colour, label=label)
        if low is not None and high is not None:
            axes.errorbar(value, place, xerr=[[value - low], [high - value]], color="black", capsize=3, lw=1)
    axes.set_yticks(range(len(dip.PARTS)), dip.PARTS.values())
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.axvline(0, color=GREY, lw=1)
    axes.set_xlabel("training loss, first fine minus last transfer epoch")
