"""The figures of a suite: the switch on every data set of a network, and the regret of every rule."""

import textwrap
from collections.abc import Mapping, Sequence
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stages.common.params import Statistics
from stages.drawing import drawing
from stages.drawing.drawing import GREY, LOOKS
from stages.drawing.switch_figure import CONVERGED
from stages.study import variants
from stages.suite import switches
from stages.suite.networks import Network
from stages.suite.switches import Grid

COLUMNS = 4  # panels in a row
PANEL = (2.5, 2.2)  # inches
FRAME = 1.3  # inches, for title and legend
TITLE_WIDTH = 20  # letters: as wide as one of four panels


def draw_switches(network: Network, statistics: Statistics) -> Figure:
    """A panel for each data set: the final validation loss over the transfer epochs, a line for each head."""
    rows = -(-len(network.datasets) // COLUMNS)
    height = rows * PANEL[1] + FRAME
    figure, panels = plt.subplots(
        rows, COLUMNS, squeeze=False, figsize=(COLUMNS * PANEL[0], height), layout="constrained"
    )
    figure.suptitle(f"{network.name}: final validation loss over the transfer epochs before fine-tuning")
    found = switches.grids(network)
    looks = dict(zip(dict.fromkeys(grid.arm for grid in found), cycle(LOOKS), strict=False))
    for axes in panels.flat[len(network.datasets) :]:
        axes.set_axis_off()
    for axes, dataset in zip(panels.flat, network.datasets, strict=False):
        for grid in found:
            if grid.dataset == dataset:
                _draw_grid(axes, grid, looks[grid.arm], statistics.confidence)
        of_set = network.of_set(dataset)
        axes.axhline(of_set["converged_loss"].mean(), label="converged head", **CONVERGED)
        axes.set_title(of_set["title"].iloc[0], size=10, loc="left")
        drawing.format_loss(axes)
        axes.set_xlabel("transfer epochs")
    figure.legend(handles=panels.flat[0].get_lines(), loc="outside lower center", ncols=len(looks) + 1)
    return figure


def _draw_grid(axes: Axes, grid: Grid, look: drawing.Look, confidence: float) -> None:
    """The schedules at equal distances, because their numbers of epochs grow by about the same ratio."""
    colour, marker, dashes = look
    places = np.arange(len(grid.final.columns))
    axes.plot(places, grid.final.mean(), color=colour, marker=marker, ls=dashes, label=variants.arm_in_words(grid.arm))
    low, high = zip(*(switches.interval_of(grid.final[switch], confidence) for switch in grid.final), strict=True)
    axes.fill_between(places, low, high, color=colour, alpha=drawing.BAND, lw=0)
    axes.set_xticks(places, list(map(str, grid.final.columns)))


def draw_regrets(rows: pd.DataFrame, confidence: float) -> Figure:
    """A panel for each network: the mean regret of every rule over the data sets, a mark for each head.

    `rows` is the table of stages.elsewhere, of one kind of cost.
    """
    networks = list(rows["network"].unique())
    most = rows.groupby("network")["rule"].nunique().idxmax()  # its order has every rule in its place
    rules = list(dict.fromkeys([*rows.loc[rows["network"] == most, "rule"], *rows["rule"]]))
    figure, panels = plt.subplots(
        1,
        len(networks),
        squeeze=False,
        sharey=True,
        figsize=(9.6, 0.34 * len(rules) + FRAME),
        layout="constrained",
    )
    figure.suptitle(f"Regret of each rule for when to thaw (bars: {confidence:.0%} intervals over data sets)")
    looks = dict(zip(rows["arm"].unique(), cycle(LOOKS), strict=False))
    for axes, network in zip(panels[0], networks, strict=True):
        _draw_rules(axes, rows[rows["network"] == network], rules, looks)
        axes.set_title(textwrap.fill(network.replace("_", " "), TITLE_WIDTH), size=10, loc="left")
        axes.set_xlabel("regret in validation loss")
        axes.axvline(0, color=GREY, lw=1)
    panels[0][0].set_yticks(range(len(rules)), rules)
    panels[0][0].invert_yaxis()
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def _draw_rules(axes: Axes, rows: pd.DataFrame, rules: Sequence[str], looks: Mapping[str, drawing.Look]) -> None:
    for place, (arm, (colour, marker, _)) in enumerate(looks.items()):
        own = rows[rows["arm"] == arm].set_index("rule").reindex(rules)
        heights = np.arange(len(rules)) + 0.16 * (2 * place - len(looks) + 1)
        errors = [own["regret"] - own["regret_low"], own["regret_high"] - own["regret"]]
        axes.errorbar(
            own["regret"], heights, xerr=errors, color=colour, marker=marker, ls="", label=variants.arm_in_words(arm)
        )
