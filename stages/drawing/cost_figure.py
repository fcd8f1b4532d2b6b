"""The figure of costs: validation loss over multiply-adds and over seconds, with the lowest loss for each cost."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from stages.common.manifest import Manifest
from stages.drawing import drawing
from stages.drawing.drawing import GREY, LOOKS, MARK, Colour, Look
from stages.results import history
from stages.study import costs, notes, recommendation, variants
from stages.study.two_way import Interval
from stages.study.variants import Variant

AXES = {"multiply_adds": "multiply-adds of training", "seconds": "seconds of training, measured"}
FRONTIER = {"color": "#000000", "ls": ":", "lw": 1.8}
ABOVE_ENDS = 1.8  # the axis ends at this many times the highest final loss: first epochs would flatten the rest
BELOW_ENDS = 1.5  # the axis begins at the lowest interval divided by this, if names stand below it
NAME_SIZE, NAME_HEIGHT = 8, 10  # points, of the letters and of a line
NAME_OFFSET = 4  # points, from an end to its name
POINTS = 72  # in an inch
SLANT = 50  # degrees, of the names
INK = "#1F2328"  # of the names: the lightest colours of schedules are too light for letters


def draw(shown: list[Variant], spent: pd.DataFrame, source: Manifest, confidence: float) -> Figure:
    """A row for each data set: every schedule's validation loss over its cost, and its final loss with its interval.

    `spent` is plots/costs/costs.csv, indexed by variant. Schedules have the colours of their data set's figure, and the
    marks and dashes of their arm.
    """
    grouped = variants.of_datasets(shown)
    looks = dict(zip(variants.arms(shown), cycle(LOOKS), strict=False))
    note = notes.of_repeats(shown, confidence, "bars")
    figure, panels = drawing.new_rows("Validation loss over the cost of training", source, len(grouped), note)
    for row, (dataset, members) in zip(panels, grouped.items(), strict=True):
        shown = [variant for arm in variants.arms(members).values() for variant in arm]
        colours = drawing.colours_by_share(shown)
        for axes, (unit, label) in zip(row, AXES.items(), strict=True):
            _draw_schedules(axes, shown, spent, unit, colours, looks)
            _label_costs(axes, label)
            axes.set_ylabel("validation loss (log scale)")
            axes.set_title(drawing.title_of(dataset, source), size=10, loc="left")
    drawing.add_legend(figure, _legend(looks))
    return figure


def _draw_schedules(
    axes: Axes,
    shown: Sequence[Variant],
    spent: pd.DataFrame,
    unit: str,
    colours: Mapping[str, Colour],
    looks: Mapping[str, Look],
) -> None:
    drawing.format_loss(axes)
    axes.margins(x=0.1, y=0.08)
    points, named = [], {}
    for variant in shown:
        cost = spent.loc[variant.name]
        points.append(_draw_schedule(axes, variant, cost, unit, colours[variant.name], looks[variant.arm]))
        paid, loss = points[-1][-1]
        # The same epochs with another head have the same colour and need no second name.
        named.setdefault(variant.fine_share, (variant, paid, _ends_of_bar(variant, loss, cost)))
    if not points:
        return
    axes.plot(*frontier(np.concatenate(points)).T, zorder=4, **FRONTIER)
    axes.set_ylim(top=ABOVE_ENDS * max(ends[-1, 1] for ends in points))
    if not all(variant.in_grid for variant in shown):
        axes.set_ylim(bottom=axes.get_ylim()[0] / BELOW_ENDS)
    axes.autoscale_view()  # which else waits for the drawing
    _name_ends(axes, list(named.values()))


def _label_costs(axes: Axes, label: str) -> None:
    """Count the costs along the axis in what reads well, such as trillions, as the tables do."""
    size, word = recommendation.scale(axes.get_xlim()[1])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda amount, _: f"{amount / size:,g}"))
    axes.set_xlabel(f"{word} {label}".strip())


def _draw_schedule(axes: Axes, variant: Variant, spent: pd.Series, unit: str, colour: Colour, look: Look) -> np.ndarray:
    """Draw a schedule; returns its points, (epochs, 2): cost up to each epoch and mean validation loss."""
    _, marker, dashes = look
    by_phase = {phase: spent[f"{unit}_of_{phase}_epoch"] for phase in history.PHASES}
    paid, loss = costs.cumulative(variant, by_phase), variant.history["val_loss"].to_numpy()
    axes.plot(paid, loss, color=colour, ls=dashes, lw=1.2)
    axes.plot([paid[-1]] * 2, _ends_of_bar(variant, loss[-1], spent), color=colour, lw=1.4)
    axes.plot(paid[-1], loss[-1], color=colour, marker=marker, ms=MARK, mec="white", zorder=5)
    return np.column_stack([paid, loss])


def _ends_of_bar(variant: Variant, loss: float, spent: pd.Series) -> tuple[float, float]:
    """The interval of the final loss; with one repeat the loss, since its interval does not cover the training runs."""
    if len(variant.repeats) == 1:
        return loss, loss
    return spent["final_val_loss_low"], spent["final_val_loss_high"]


def _name_ends(axes: Axes, ends: Sequence[tuple[Variant, float, Interval]]) -> None:
    """Write each schedule above its bar, or below it if it is not of the thesis's arm; `ends` are cost and bar.

    The names are slanted, because ends are close and horizontal names would overlap. Where slanted ones would too, they
    move away from their bars. The axes must have their limits.
    """
    sine, cosine = np.sin(np.radians(SLANT)), np.cos(np.radians(SLANT))
    for sign in (1, -1):  # above, below
        occupied = -np.inf
        side = [end for end in ends if end[0].in_grid == (sign > 0)]
        for variant, cost, (low, high) in sorted(side, key=lambda end: -sign * end[1]):
            end = (cost, high if sign > 0 else low)
            x, y = axes.transData.transform(end) * POINTS / axes.figure.dpi
            place = sign * (y * cosine - x * sine)  # perpendicular to the names, in points; it grows from name to name
            offset = max(NAME_OFFSET, (occupied - place) / cosine)
            occupied = place + offset * cosine + NAME_HEIGHT
            axes.annotate(
                f"{variant.transfer} + {variant.fine}",
                end,
                xytext=(0, sign * offset),
                textcoords="offset points",
                rotation=SLANT,
                rotation_mode="anchor",
                ha="left" if sign > 0 else "right",
                va="bottom" if sign > 0 else "top",
                size=NAME_SIZE,
                color=INK,
            )


def frontier(points: np.ndarray) -> np.ndarray:
    """The `points` (n, 2), cost and loss, whose loss no point of the same or a lower cost reaches, by rising cost."""
    ordered = points[np.lexsort((points[:, 1], points[:, 0]))]
    lowest_before = np.concatenate([[np.inf], np.minimum.accumulate(ordered[:, 1])[:-1]])
    return ordered[ordered[:, 1] < lowest_before]


def _legend(looks: Mapping[str, Look]) -> list[Line2D]:
    ends = [
        Line2D([], [], color=GREY, marker=marker, ls=dashes, lw=1.2, ms=MARK, label=variants.arm_in_words(arm))
        for arm, (_, marker, dashes) in looks.items()
    ]
    return [*ends, Line2D([], [], **FRONTIER, label="lowest loss for the cost")]
