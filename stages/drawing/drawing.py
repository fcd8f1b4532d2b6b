"""Shared by all figures: their style, titles, legends and bands."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # before pyplot: no display is needed

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullLocator

from stages.common.files import written_whole
from stages.common.manifest import Manifest
from stages.study import evidence, two_way
from stages.study.evidence import Study
from stages.study.two_way import Interval
from stages.study.variants import Variant

Colour = str | tuple[float, ...]
Dashes = str | tuple[float, tuple[float, ...]]
Look = tuple[Colour, str, Dashes]  # colour, marker, dashes

# Most colours are from Okabe and Ito's palette, which colour-blind readers can tell apart. In grey print, markers and
# dashes tell the looks apart.
PART_LOOKS = {"training": ("", "#56B4E9", "o"), "validation": ("val_", "#B34700", "s")}
LOOKS: tuple[Look, ...] = (
    ("#0072B2", "o", "-"),
    ("#D55E00", "s", "--"),
    ("#009E73", "^", "-."),
    ("#CC79A7", "v", ":"),
    ("#56B4E9", "D", (0, (6, 1.5))),
    ("#8C5A00", "P", (0, (3, 1, 1, 1, 1, 1))),
    ("#E69F00", "X", (0, (1, 1))),
    ("#5E3C99", "*", (0, (8, 2, 2, 2))),
)
TRIAL = "#000000"
GREY = "#5F6368"
MARK = 7  # points, the size of a mark
STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so every machine draws the same letters
    "font.size": 10,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.edgecolor": "#9AA0A6",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#E3E5E8",
    "grid.linewidth": 0.8,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "figure.figsize": (9.6, 4.2),
    "savefig.dpi": 150,
}
ROW = 2.4  # inches, the height of a row of panels
HEADER, FOOTER = 1.06, 0.99  # inches, the height of titles and of legends
EVERY = slice(None)  # all epochs
GAP, WIDE_GAP = 0.22, 0.62  # between panels; wide where the right one has named rows
IN_A_ROW = 7  # entries of a legend: more would be wider than the figure
BAND = 0.16  # opacity of a band
MEASURE_LABELS = {"accuracy": "accuracy", "loss": "loss (log scale)"}


def save(figure: Figure, path: Path) -> None:
    """Write `figure` as a PNG, with the same bytes every time."""
    with written_whole(path) as beside:
        figure.savefig(beside, metadata={"Software": None})  # else matplotlib's version
    plt.close(figure)


def new_rows(
    title: str, source: Manifest, rows: int, note: str, gap: float = GAP, columns: int = 2
) -> tuple[Figure, np.ndarray]:
    """A figure with its title, source and note, and its empty panels, (rows, columns).

    `gap` is the space between the panels of a row, as a share of a panel's width.
    """
    width = STYLE["figure.figsize"][0]
    height = rows * ROW + HEADER + FOOTER
    figure, panels = plt.subplots(rows, columns, squeeze=False, figsize=(width, height))
    figure.subplots_adjust(
        left=0.075, right=0.985, top=1 - HEADER / height, bottom=FOOTER / height, wspace=gap, hspace=0.42
    )
    figure.text(0.075, 1 - 0.3 / height, title, size=13, weight="bold")
    figure.text(0.075, 1 - 0.39 / height, f"images: {source.title}; {note}", color=GREY, va="top")
    return figure, panels


def format_loss(axes: Axes) -> None:
    # Losses fall by an order of magnitude: on a linear axis the late epochs, which matter, would overlap.
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 4, 5, 6, 8)))
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.yaxis.set_minor_locator(NullLocator())


def format_epochs(axes: Axes, epochs: int) -> None:
    axes.set_xlabel("epoch")
    axes.set_xlim(0.5, epochs + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


def prepare(row: Sequence[Axes]) -> None:
    """Label the two panels of a row, accuracy and loss."""
    for axes, label in zip(row, MEASURE_LABELS.values(), strict=True):
        axes.set_ylabel(label)
    format_loss(row[1])


def draw_band(axes: Axes, study: Study, variant: Variant, column: str, colour: Colour, epochs: slice = EVERY) -> None:
    """Draw the interval of each epoch's `column` of the history; nothing with one repeat.

    One repeat does not show the variation between training runs. `epochs` count from 1, and the last one is included.
    No band goes below 0 or above an accuracy of 1.
    """
    if len(variant.repeats) == 1:
        return
    values = variant.by_repeat(column).loc[epochs]
    low, high = zip(
        *(_interval(study, variant, column, epoch, values.loc[epoch]) for epoch in values.index), strict=True
    )
    axes.fill_between(values.index, low, high, color=colour, alpha=BAND, lw=0)


def _interval(study: Study, variant: Variant, column: str, epoch: int, values: pd.Series) -> Interval:
    """The interval over repeats and pictures for a validation column, else over repeats alone."""
    if column.startswith("val_"):
        return study.level(variant, column.removeprefix("val_"), epoch)[1:]
    own = values.to_numpy()
    interval = study.over_repeats(variant.dataset, own).interval(study.statistics.confidence)
    return two_way.possible(interval, own, 0, evidence.LARGEST[column.rpartition("_")[2]])


def colours_by_share(members: Sequence[Variant]) -> dict[str, Colour]:
    """From light to dark as fine-tuning's share grows, which grey print keeps; the trial is black."""
    shares = sorted({variant.fine_share for variant in members if variant.kind != "trial"})
    shades = dict(zip(shares, matplotlib.colormaps["plasma"](np.linspace(0.88, 0.05, len(shares))), strict=True))
    return {each.name: TRIAL if each.kind == "trial" else tuple(shades[each.fine_share]) for each in members}


def add_legend(figure: Figure, handles: Sequence[Artist], title: str | None = None) -> None:
    figure.legend(
        handles=handles,
        loc="lower center",
        ncols=-(-len(handles) // (1 if len(handles) <= IN_A_ROW else 2)),
        title=title,
        columnspacing=1.4,
        handlelength=1.8,
    )


def title_of(dataset: str, source: Manifest) -> str:
    title = source.dataset(dataset).title
    return title[:1].upper() + title[1:]


def label_of(variant: Variant) -> str:
    """The epochs of a schedule, such as `10 + 21`; for the trial and styles with the name."""
    epochs = f"{variant.transfer} + {variant.fine}"
    if variant.kind == "trial":
        return f"schedule under trial: {epochs}"
    return epochs if variant.kind in ("grid", "tuned") else f"{variant.name}: {epochs}"
