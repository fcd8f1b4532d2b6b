"""The figure of the dip: training loss where fine-tuning starts, and the parts of its change."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stages.common.manifest import Manifest
from stages.drawing import drawing
from stages.drawing.drawing import GREY, Colour
from stages.study import dip, notes
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
    """For each data set the loss around the start of fine-tuning, and beside it its change by parts, if they are known.

    `parts` is `dip_parts` of metrics/claims.json. At least one data set has something to show (`dip.shown`).
    """
    shown = dip.shown(study)
    title = "Loss where fine-tuning starts" + ", and the parts of the change of training loss" * bool(parts)
    bands = "bands and bars" if parts else "bands"
    note = notes.of_repeats(study.variants, study.statistics.confidence, bands, notes.OVER_EACH)
    columns = 2 if parts else min(len(shown), 2)
    rows = len(shown) if parts else -(-len(shown) // columns)
    gap = drawing.WIDE_GAP if parts else drawing.GAP
    figure, panels = drawing.new_rows(title, source, rows, note, gap, columns)
    for place, (dataset, (plain, moving)) in enumerate(shown.items()):
        axes = panels[place, 0] if parts else panels.flat[place]
        _draw_border(axes, study, plain, moving)
        axes.set_title(f"{drawing.title_of(dataset, source)}, {drawing.label_of(plain)}", size=10, loc="left")
        if dataset in parts:
            _draw_parts(panels[place, 1], parts[dataset]["loss"])
        elif parts:
            axes.set_subplotspec(axes.get_gridspec()[place, :])  # the width of the row
    for axes in panels.flat:
        if not axes.has_data():
            axes.remove()
    handles = {line.get_label(): line for axes in figure.axes for line in axes.get_lines()}
    drawing.add_legend(figure, [handles[label] for label in LINES if label in handles])
    return figure


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


def _draw_parts(axes: Axes, parts: Mapping[str, Mapping[str, float | None]]) -> None:
    """Draw bars of the parts with their intervals."""
    for place, ((name, label), colour) in enumerate(zip(dip.PARTS.items(), COLOURS, strict=True)):
        value, low, high = (parts[name][key] for key in ("value", "low", "high"))
        axes.barh(place, value, color=colour, label=label)
        if low is not None and high is not None:
            axes.errorbar(value, place, xerr=[[value - low], [high - value]], color="black", capsize=3, lw=1)
    axes.set_yticks(range(len(dip.PARTS)), dip.PARTS.values())
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.axvline(0, color=GREY, lw=1)
    axes.locator_params(axis="x", nbins=5)  # more labels would touch
    axes.set_xlabel("training loss, first fine minus last transfer epoch")
