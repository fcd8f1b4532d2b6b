"""Stage `figures`: draw the study.

Reads the table of variants, the claims, and the variants' epochs and logits. Writes a PNG for each variant and for each
data set; and one each of the final results over the transfer epochs, the final results over the share of fine-tuning,
the dip where fine-tuning starts, and the styles of fine-tuning. The last two are left out if nothing of the kind ran.
"""

import argparse
import json
from itertools import cycle
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from stages.common import manifest, params, tables
from stages.common.command import ThawError, run
from stages.common.files import folder_written_whole
from stages.common.manifest import Manifest
from stages.common.params import Params
from stages.drawing import dip_figure, drawing, style_figure, switch_figure
from stages.drawing.drawing import GREY, LOOKS, MARK, MEASURE_LABELS, PART_LOOKS, STYLE, TRIAL, Colour, Look
from stages.study import dip, evidence, notes, variants
from stages.study.evidence import Study
from stages.study.variants import PAPER_ARM, Variant


def main() -> None:
    arguments = _arguments()
    source = manifest.load(arguments.source)
    study = read_study(params.load(), arguments.table, arguments.histories, arguments.results, source)
    claims = tables.read_json(arguments.claims)
    with plt.rc_context(STYLE), folder_written_whole(arguments.out) as folder:
        for variant in study.variants:
            drawing.save(draw_variant(study, variant, source), folder / f"{variant.name}.png")
        for dataset, members in variants.of_datasets(study.variants).items():
            drawing.save(draw_dataset(study, dataset, members, source), folder / f"{dataset}.png")
        drawing.save(switch_figure.draw(study, source), folder / "switch.png")
        drawing.save(draw_fine_share(study, source), folder / "fine_share.png")
        if dip.shown(study):
            drawing.save(dip_figure.draw(study, claims["dip_parts"], source), folder / "dip.png")
        if study.styles_with_plain():
            drawing.save(style_figure.draw(study, claims["styles"], source), folder / "styles.png")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, required=True, help="manifest of the inputs")
    parser.add_argument("--histories", type=Path, required=True, help="folder of <variant>.csv")
    parser.add_argument("--results", type=Path, required=True, help="folder of <variant>/, with its repeats")
    parser.add_argument("--table", type=Path, required=True, help="csv with a row for each variant")
    parser.add_argument("--claims", type=Path, required=True, help="json of the claims checked")
    parser.add_argument("--out", type=Path, required=True, help="folder of the PNGs, written")
    return parser.parse_args()


def read_study(settings: Params, table: Path, histories: Path, results: Path, source: Manifest) -> Study:
    """The variants of the params, from the table, their epochs and logits; raises ThawError if one is missing."""
    columns = ("variant", "dataset", "transfer", "fine")
    rows = {row["variant"]: row for row in tables.read_table(table, columns).to_dict("records")}
    for row in rows.values():
        row["own_keys"] = json.loads(row["own_keys"])
    missing = [name for name in settings.names if name not in rows]
    if missing:
        raise ThawError(f"{table}: has no {', '.join(missing)}; run the stage that writes it, `summarize`")
    members = [
        variants.checked(variants.with_epochs(name, rows[name], histories, results), table) for name in settings.names
    ]
    return evidence.read(members, results, settings.statistics, source=source)


def draw_variant(study: Study, variant: Variant, source: Manifest) -> Figure:
    """Training and validation over the epochs, as in the thesis's figures 5.1 to 5.6."""
    title = f"{drawing.title_of(variant.dataset, source)}: {_schedule(variant)}"
    figure, panels = _new_figure(study, title, source, [variant], notes.OVER_EACH)
    for axes, measure in zip(panels, MEASURE_LABELS, strict=True):
        for label, (prefix, colour, marker) in PART_LOOKS.items():
            values = variant.history[f"{prefix}{measure}"]
            axes.plot(variant.history["epoch"], values, color=colour, marker=marker, ms=3.5, label=label)
            drawing.draw_band(axes, study, variant, f"{prefix}{measure}", colour)
        drawing.format_epochs(axes, len(variant.history))
        _mark_fine_start(axes, variant)
    drawing.add_legend(figure, panels[0].get_lines()[: len(PART_LOOKS)])
    return figure


def draw_dataset(study: Study, dataset: str, members: list[Variant], source: Manifest) -> Figure:
    """Validation results of a data set's schedules, a row for each arm, with the trial in the first row.

    All rows have the same axes, and the thesis's schedules without transfer epochs, so that they can be compared. The
    start of fine-tuning is marked on each line. The intervals are in the variants' own figures, because overlapping
    bands would hide the lines. So would a trial that repeats the epochs of another schedule.
    """
    others = [variant for variant in members if variant.kind != "trial"]
    trials = [trial for trial in members if trial.kind == "trial" and not any(map(trial.is_start_of, others))]
    arms = variants.drawn_arms(members) or {PAPER_ARM: []}
    rows = {arm: [*shown, *(trials if place == 0 else [])] for place, (arm, shown) in enumerate(arms.items())}
    every = list({variant.name: variant for shown in rows.values() for variant in shown}.values())
    title = f"{drawing.title_of(dataset, source)}: validation results of every schedule"
    note = notes.of_repeats(every, study.statistics.confidence)
    figure, panels = drawing.new_rows(title, source, len(rows), note)
    for column in panels.T:
        for axes in column[1:]:
            axes.sharey(column[0])
    colours = drawing.colours_by_share(every)
    handles = {}
    for row, (arm, shown) in zip(panels, rows.items(), strict=True):
        drawing.prepare(row)
        for axes, measure in zip(row, MEASURE_LABELS, strict=True):
            for variant in shown:
                _draw_validation(axes, variant, measure, colours[variant.name])
            drawing.format_epochs(axes, max(len(variant.history) for variant in every))
            axes.set_title(variants.arm_in_words(arm) if len(rows) > 1 else "", size=10, loc="left")
        handles |= {handle.get_label(): handle for handle in _plain_handles(row[0])}
    start = Line2D([], [], color=GREY, marker="o", ms=MARK, ls="", label="fine-tuning starts")
    drawing.add_legend(figure, [*handles.values(), start], title="transfer + fine epochs")
    return figure


def draw_fine_share(study: Study, source: Manifest) -> Figure:
    """Final validation results over fine-tuning's share of the epochs, a line for each data set."""
    title = "Final validation results over fine-tuning's share of the epochs"
    figure, panels = _new_figure(study, title, source, study.variants, notes.OVER_BOTH)
    for axes, measure in zip(panels, MEASURE_LABELS, strict=True):
        for (dataset, members), look in zip(variants.of_datasets(study.variants).items(), cycle(LOOKS), strict=False):
            _draw_final(axes, study, members, measure, look, drawing.title_of(dataset, source))
        axes.set_xlabel("fine-tuning's share of the epochs")
        axes.xaxis.set_major_formatter(PercentFormatter(1))
    drawing.add_legend(figure, panels[0].get_lines())
    return figure


def _new_figure(
    study: Study, title: str, source: Manifest, shown: list[Variant], over: str
) -> tuple[Figure, list[Axes]]:
    """A figure with its source and number of repeats, and its two empty panels, accuracy and loss."""
    note = notes.of_repeats(shown, study.statistics.confidence, "bands", over)
    figure, panels = drawing.new_rows(title, source, 1, note)
    drawing.prepare(panels[0])
    return figure, list(panels[0])


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
        ls=(0, (4, 1.5)) if variant.kind == "trial" else "-",
        marker="o",
        ms=MARK,
        mec="white",
        markevery=[variant.transfer] if variant.fine else [],
        label=drawing.label_of(variant),
    )


def _draw_final(axes: Axes, study: Study, members: list[Variant], measure: str, look: Look, title: str) -> None:
    colour, marker, dashes = look
    column = f"val_{measure}"
    grid = variants.by_share(members)
    points = [(variant.fine_share, variant.history[column].iloc[-1]) for variant in grid]
    axes.plot(*np.array(points).reshape(-1, 2).T, color=colour, marker=marker, ls=dashes, ms=7, label=title)
    if grid and len(grid[0].repeats) > 1:
        low, high = zip(*(study.level(variant, measure)[1:] for variant in grid), strict=True)
        axes.fill_between([share for share, _ in points], low, high, color=colour, alpha=drawing.BAND, lw=0)
    for variant in members:
        is_drawn = any(variant.is_start_of(each) and each.is_start_of(variant) for each in grid)
        if variant.kind == "trial" and not is_drawn:
            final = variant.history[column].iloc[-1]
            label = f"{title}, {drawing.label_of(variant)}"
            axes.plot(variant.fine_share, final, color=colour, mec=TRIAL, marker="*", ms=14, ls="", label=label)


def _plain_handles(axes: Axes) -> list[Line2D]:
    """The axes' lines for a legend, without the mark at the start of fine-tuning."""
    return [
        Line2D([], [], color=line.get_color(), ls=line.get_linestyle(), label=line.get_label())
        for line in axes.get_lines()
    ]


def _schedule(variant: Variant) -> str:
    epochs = f"{variant.transfer} transfer + {variant.fine} fine epochs"
    if variant.kind == "trial":
        return f"schedule under trial, {epochs}"
    # The words of the name: several own keys with their values would be wider than the figure.
    words = variant.label.removeprefix(f"{variant.transfer} + {variant.fine} ")
    return f"{epochs}, {words}" if variant.style else epochs


if __name__ == "__main__":
    run(main)
