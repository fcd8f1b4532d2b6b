"""The figure of the switch: final validation results over the number of transfer epochs."""

from collections.abc import Sequence
from itertools import cycle

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stages.common.manifest import Manifest
from stages.drawing import drawing
from stages.drawing.drawing import GREY, LOOKS, MEASURE_LABELS, Look
from stages.study import notes, variants
from stages.study.evidence import Study
from stages.study.variants import Variant

CONVERGED = {"color": GREY, "ls": (0, (6, 2)), "lw": 1.4}


def draw(study: Study, source: Manifest) -> Figure:
    """A row for each data set, accuracy and loss: a line for each arm, and the level of the converged head."""
    grouped = variants.of_datasets(study.variants)
    note = notes.of_repeats(study.variants, study.statistics.confidence, "bands")
    title = "Final validation results over the transfer epochs before fine-tuning"
    figure, panels = drawing.new_rows(title, source, len(grouped), note)
    arms = {name: variants.drawn_arms(members) for name, members in grouped.items()}
    looks = dict(zip(dict.fromkeys(arm for found in arms.values() for arm in found), cycle(LOOKS), strict=False))
    for row, (dataset, found) in zip(panels, arms.items(), strict=True):
        drawing.prepare(row)
        for axes, measure in zip(row, MEASURE_LABELS, strict=True):
            for arm, members in found.items():
                _draw_arm(axes, study, members, measure, looks[arm], variants.arm_in_words(arm))
            _draw_converged(axes, study, dataset, measure)
            axes.set_xlabel("transfer epochs before fine-tuning")
            axes.set_title(drawing.title_of(dataset, source), size=10, loc="left")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    handles = {line.get_label(): line for axes in panels.flat for line in axes.get_lines()}
    drawing.add_legend(figure, list(handles.values()))
    return figure


def _draw_arm(axes: Axes, study: Study, members: Sequence[Variant], measure: str, look: Look, label: str) -> None:
    colour, marker, dashes = look
    ordered = sorted(members, key=lambda variant: variant.transfer)
    switches = [variant.transfer for variant in ordered]
    levels = [study.level(variant, measure) for variant in ordered]
    axes.plot(switches, [value for value, *_ in levels], color=colour, marker=marker, ls=dashes, ms=6, label=label)
    if len(ordered[0].repeats) > 1:
        low, high = zip(*((low, high) for _, low, high in levels), strict=True)
        axes.fill_between(switches, low, high, color=colour, alpha=drawing.BAND, lw=0)


def _draw_converged(axes: Axes, study: Study, dataset: str, measure: str) -> None:
    """Draw the level of the converged head, if one was trained."""
    if dataset not in study.converged:
        return
    value, *_ = study.converged_level(dataset, measure)
    axes.axhline(value, label="converged head", **CONVERGED)
