"""The figure of costs: validation loss over multiply-adds and over seconds, and the frontier of the cheapest."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter

from stages.common.manifest import Manifest
from stages.drawing import drawing
from stages.drawing.drawing import GREY, MARK, Colour
from stages.results import history
from stages.study import costs, two_way, variants
from stages.study.two_way import Interval
from stages.study.variants import Variant

AXES = {"multiply_adds": "multiply-adds of training", "seconds": "seconds of training, measured"}
FRONTIER = {"color": "#000000", "ls": ":", "lw": 1.8}
ABOVE_ENDS = 1.8  # how far over the highest end the axis reaches: the first epochs' losses would flatten the rest
NAME_OFFSET = 4  # points, from an end to its name
SLANT = 50  # degrees, of the names


def draw(study: list[Variant], spent: pd.DataFrame, source: Manifest, confidence: float) -> Figure:
    """A row a data set: every schedule's validation loss as its cost grows, the end with its interval."""
    grids = {name: variants.by_share(members) for name, members in variants.of_datasets(study).items()}
    note = drawing.repeats_note(study[0], confidence)
    figure, panels = drawing.new_rows("What a schedule's validation loss costs", source, len(grids), note)
    for row, (dataset, grid) in zip(panels, grids.items(), strict=True):
        for axes, (measure, label) in zip(row, AXES.items(), strict=True):
            _draw_grid(axes, grid, spent, measure, confidence)
            axes.set_xlabel(label)
            axes.set_ylabel("validation loss (log scale)")
            axes.set_title(drawing.title_of(dataset, source), size=10, loc="left")
    drawing.add_legend(figure, _legend())
    return figure


def _draw_grid(axes: Axes, grid: Sequence[Variant], spent: pd.DataFrame, measure: str, confidence: float) -> None:
    drawing.format_loss(axes)
    axes.margins(x=0.1, y=0.08)
    colours = drawing.colours_by_share(list(grid))
    points = [_draw_schedule(axes, variant, spent, measure, colours[variant.name], confidence) for variant in grid]
    if not points:
        return
    axes.plot(*frontier(np.concatenate(points)).T, zorder=4, **FRONTIER)
    for variant, ends in zip(grid, points, strict=True):
        _name_end(axes, variant, ends[-1], confidence)
    axes.set_ylim(top=ABOVE_ENDS * max(ends[-1, 1] for ends in points))
    axes.xaxis.set_major_formatter(EngFormatter())


def _draw_schedule(
    axes: Axes, variant: Variant, spent: pd.DataFrame, measure: str, colour: Colour, confidence: float
) -> np.ndarray:
    """Draw a schedule; returns its points, (epochs, 2): cost so far and mean validation loss."""
    by_phase = {phase: spent.loc[variant.name, f"{measure}_of_{phase}_epoch"] for phase in history.PHASES}
    paid, loss = costs.cumulative(variant, by_phase), variant.history["val_loss"].to_numpy()
    axes.plot(paid, loss, color=colour, lw=1.2, alpha=0.75)
    low, high = _end(variant, confidence)
    if low is not None and high is not None:
        axes.errorbar(paid[-1], loss[-1], [[loss[-1] - low], [high - loss[-1]]], color=colour, capsize=3)
    axes.plot(paid[-1], loss[-1], color=colour, marker="o", ms=MARK, mec="white", zorder=5)
    return np.column_stack([paid, loss])


def _end(variant: Variant, confidence: float) -> Interval:
    return two_way.over_repeats(variant.by_repeat("val_loss").iloc[-1].to_numpy()).interval(confidence)


def _name_end(axes: Axes, variant: Variant, end: np.ndarray, confidence: float) -> None:
    """Write the schedule above its interval, slanted: ends are near each other, and level names would touch."""
    _, high = _end(variant, confidence)
    axes.annotate(
        f"{variant.transfer} + {variant.fine}",
        (end[0], end[1] if high is None else high),
        xytext=(0, NAME_OFFSET),
        textcoords="offset points",
        rotation=SLANT,
        rotation_mode="anchor",
        ha="left",
        va="bottom",
        size=8,
    )


def frontier(points: np.ndarray) -> np.ndarray:
    """Of `points` (n, 2), cost and loss, those that no cheaper or equally cheap one matches, by rising cost."""
    ordered = points[np.lexsort((points[:, 1], points[:, 0]))]
    lowest_before = np.concatenate([[np.inf], np.minimum.accumulate(ordered[:, 1])[:-1]])
    return ordered[ordered[:, 1] < lowest_before]


def _legend() -> list[Line2D]:
    return [
        Line2D([], [], color=GREY, lw=1.2, label="a schedule, epoch by epoch"),
        Line2D([], [], color=GREY, marker="o", ms=MARK, ls="", label="its end: transfer + fine epochs"),
        Line2D([], [], **FRONTIER, label="frontier: the lowest loss at the cost"),
    ]
