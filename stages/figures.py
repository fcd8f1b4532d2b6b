"""Stage `figures`: the study as pictures.

Reads the table of variants and their csvs; writes a PNG for each variant, one for each data set's variants
together, and one of the final results over the share of fine-tuning.
"""

import argparse
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # before pyplot: no display is needed

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullLocator, PercentFormatter

from stages.lib import manifest, records, variants
from stages.lib.command import ThawError, run
from stages.lib.files import written_whole
from stages.lib.manifest import Manifest
from stages.lib.variants import Variant

MEASURES = {"accuracy": "accuracy (share of images)", "loss": "loss (cross-entropy, log scale)"}

Colour = str | tuple[float, ...]
Look = tuple[Colour, str, str]  # colour, marker, dashes

# Colours of Okabe and Ito's palette, apart for colour-blind readers, and light and dark for grey print.
PARTS = {"training": ("", "#56B4E9", "o"), "validation": ("val_", "#B34700", "s")}
LOOKS: tuple[Look, ...] = (
    ("#0072B2", "o", "-"),
    ("#D55E00", "s", "--"),
    ("#009E73", "^", "-."),
    ("#CC79A7", "v", ":"),
)
TRIAL = "#000000"
GREY = "#5F6368"
MARK = 7  # points, the mark where fine-tuning starts
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


def main() -> None:
    arguments = _arguments()
    source = manifest.load(arguments.source)
    study = read_study(arguments.variants, arguments.table, arguments.histories)
    with plt.rc_context(STYLE):
        for variant in study:
            save(draw_variant(variant, source), arguments.out / f"{variant.name}.png")
        for dataset, members in variants.of_datasets(study).items():
            save(draw_dataset(dataset, members, source), arguments.out / f"{dataset}.png")
        save(draw_fine_share(study, source), arguments.out / "fine_share.png")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, required=True, help="manifest of the inputs")
    parser.add_argument("--histories", type=Path, required=True, help="folder of <variant>.csv")
    parser.add_argument("--table", type=Path, required=True, help="csv of one row a variant")
    parser.add_argument("--variants", nargs="+", required=True, help="names, in the legends' order")
    parser.add_argument("--out", type=Path, required=True, help="folder of the PNGs, written")
    return parser.parse_args()


def read_study(names: list[str], table: Path, histories: Path) -> list[Variant]:
    """The variants `names` of the table with their epochs; raises ThawError where one is missing."""
    columns = ("variant", "dataset", "transfer", "fine")
    rows = {row["variant"]: row for row in records.read_table(table, columns).to_dict("records")}
    missing = [name for name in names if name not in rows]
    if missing:
        raise ThawError(f"{table}: has no {', '.join(missing)}; run the stage that writes it, `summarize`")
    return [
        variants.checked(Variant(name, rows[name], records.read_history(histories / f"{name}.csv")), table)
        for name in names
    ]


def save(figure: Figure, path: Path) -> None:
    """Write `figure` as a PNG, the same bytes for the same picture."""
    with written_whole(path) as beside:
        figure.savefig(beside, metadata={"Software": None})  # else matplotlib's version
    plt.close(figure)


def draw_variant(variant: Variant, source: Manifest) -> Figure:
    """Training and validation over the epochs, as in the paper's figures 5.1 to 5.6."""
    figure, panels = _new_figure(f"{_title(variant.dataset, source)}: {_schedule(variant)}", source)
    for axes, measure in zip(panels, MEASURES, strict=True):
        for label, (prefix, colour, marker) in PARTS.items():
            values = variant.history[f"{prefix}{measure}"]
            axes.plot(variant.history["epoch"], values, color=colour, marker=marker, ms=3.5, label=label)
        _format_epochs(axes, len(variant.history))
        _mark_fine_start(axes, variant)
    _add_legend(figure, panels[0].get_lines()[: len(PARTS)])
    return figure


def draw_dataset(dataset: str, members: list[Variant], source: Manifest) -> Figure:
    """Validation results of all variants of a data set, the start of fine-tuning marked on each."""
    figure, panels = _new_figure(f"{_title(dataset, source)}: validation under every schedule", source)
    colours = _colours_by_share(members)
    for axes, measure in zip(panels, MEASURES, strict=True):
        for variant in members:
            _draw_validation(axes, variant, measure, colours[variant.name])
        _format_epochs(axes, max(len(variant.history) for variant in members))
    start = Line2D([], [], color=GREY, marker="o", ms=MARK, ls="", label="fine-tuning starts")
    _add_legend(figure, [*_plain_handles(panels[0]), start], title="transfer + fine epochs")
    return figure


def draw_fine_share(study: list[Variant], source: Manifest) -> Figure:
    """Final validation results over the share of epochs that fine-tuning takes, a line for each data set."""
    figure, panels = _new_figure("Final validation results by the share of fine-tuning", source)
    for axes, measure in zip(panels, MEASURES, strict=True):
        for (dataset, members), look in zip(variants.of_datasets(study).items(), cycle(LOOKS), strict=False):
            _draw_final(axes, members, measure, look, _title(dataset, source))
        axes.set_xlabel("fine-tuning's share of the epochs")
        axes.xaxis.set_major_formatter(PercentFormatter(1))
    _add_legend(figure, panels[0].get_lines())
    return figure


def _new_figure(title: str, source: Manifest) -> tuple[Figure, list[Axes]]:
    """A figure that says its source, and its two empty panels: accuracy and loss."""
    figure, panels = plt.subplots(1, 2)
    figure.subplots_adjust(left=0.075, right=0.985, top=0.79, bottom=0.235, wspace=0.22)
    figure.text(0.075, 0.93, title, size=13, weight="bold")
    figure.text(0.075, 0.875, f"images: {source.title}", color=GREY)
    for axes, label in zip(panels, MEASURES.values(), strict=True):
        axes.set_ylabel(label)
    _format_loss(panels[1])
    return figure, list(panels)


def _format_loss(axes: Axes) -> None:
    # Losses fall by an order of magnitude: on a linear axis the late epochs, which matter, lie on each other.
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.yaxis.set_minor_locator(NullLocator())


def _format_epochs(axes: Axes, epochs: int) -> None:
    axes.set_xlabel("epoch")
    axes.set_xlim(0.5, epochs + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


def _mark_fine_start(axes: Axes, variant: Variant) -> None:
    if not variant.fine:
        return
    border = variant.transfer + 0.5  # between the last transfer epoch and the first fine one
    axes.axvspan(border, len(variant.history) + 0.5, color="#F3F4F6", zorder=0)
    axes.axvline(border, color=GREY, ls="--", lw=1.2)
    side = "left" if variant.transfer < variant.fine else "right"
    axes.annotate(
        "fine-tuning starts",
        (border, 1),
        xytext=(0, 3),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha=side,
        va="bottom",
        color=GREY,
        size=9,
    )


def _draw_validation(axes: Axes, variant: Variant, measure: str, colour: Colour) -> None:
    axes.plot(
        variant.history["epoch"],
        variant.history[f"val_{measure}"],
        color=colour,
        ls="-" if variant.in_grid else (0, (4, 1.5)),
        marker="o",
        ms=MARK,
        mec="white",
        markevery=[variant.transfer] if variant.fine else [],
        label=_label(variant),
    )


def _colours_by_share(members: list[Variant]) -> dict[str, Colour]:
    """From light to dark as fine-tuning's share grows, an order that grey print keeps; the trial in black."""
    grid = sorted((variant for variant in members if variant.in_grid), key=lambda variant: variant.fine_share)
    shades = matplotlib.colormaps["plasma"](np.linspace(0.88, 0.05, len(grid)))
    colours = dict.fromkeys((variant.name for variant in members), TRIAL)
    return colours | {variant.name: tuple(shade) for variant, shade in zip(grid, shades, strict=True)}


def _draw_final(axes: Axes, members: list[Variant], measure: str, look: Look, title: str) -> None:
    colour, marker, dashes = look
    grid = sorted((variant for variant in members if variant.in_grid), key=lambda variant: variant.fine_share)
    points = [(variant.fine_share, variant.history[f"val_{measure}"].iloc[-1]) for variant in grid]
    axes.plot(*np.array(points).reshape(-1, 2).T, color=colour, marker=marker, ls=dashes, ms=7, label=title)
    for variant in members:
        if not variant.in_grid:
            final = variant.history[f"val_{measure}"].iloc[-1]
            label = f"{title}, {_label(variant)}"
            axes.plot(variant.fine_share, final, color=colour, mec=TRIAL, marker="*", ms=14, ls="", label=label)


def _plain_handles(axes: Axes) -> list[Line2D]:
    """The axes' lines as legends show them, without the mark at the start of fine-tuning."""
    return [
        Line2D([], [], color=line.get_color(), ls=line.get_linestyle(), label=line.get_label())
        for line in axes.get_lines()
    ]


def _add_legend(figure: Figure, handles: Sequence[Artist], title: str | None = None) -> None:
    figure.legend(
        handles=handles,
        loc="lower center",
        ncols=len(handles),
        title=title,
        columnspacing=1.4,
        handlelength=1.8,
    )


def _title(dataset: str, source: Manifest) -> str:
    title = source.dataset(dataset).title
    return title[:1].upper() + title[1:]


def _schedule(variant: Variant) -> str:
    epochs = f"{variant.transfer} transfer + {variant.fine} fine epochs"
    return epochs if variant.in_grid else f"{variant.name}, {epochs}"


def _label(variant: Variant) -> str:
    epochs = f"{variant.transfer} + {variant.fine}"
    return epochs if variant.in_grid else f"{variant.name}: {epochs}"


if __name__ == "__main__":
    run(main)
