"""The page of a recorded run: its inputs, and its results beside the paper's, in Markdown.

Every number comes from the run's files or from data/paper.yaml, and every sentence is true whichever way
the numbers fall.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from stages.common import files
from stages.common.manifest import Manifest
from stages.common.params import Params
from stages.pages import record_claims, report_page
from stages.pages.markdown import SHOWN_DECIMALS, change, number, rounded, table
from stages.study import paper, variants
from stages.study.paper import Paper, PaperVariant
from stages.study.variants import Variant

# Part and measure as the jsons have them, the history's column, and how the page calls it.
SERIES = (
    ("train", "accuracy", "accuracy", "training accuracy"),
    ("train", "loss", "loss", "training loss"),
    ("val", "accuracy", "val_accuracy", "validation accuracy"),
    ("val", "loss", "val_loss", "validation loss"),
)


@dataclass(frozen=True)
class Page:
    """What the page is about, beside the variants."""

    source: Manifest
    settings: Params
    paper: Paper
    paper_link: str  # from the page to the file of the paper's numbers


def compose(page: Page, study: list[Variant], downloads: Mapping[str, Path], claims: Mapping[str, Any]) -> str:
    """The whole page; `claims` is metrics/claims.json."""
    sections = [
        _introduction(page, study[0].repeats),
        record_claims.verdicts(claims),
        record_claims.recommendation(claims),
        _the_run(page, study),
        _the_inputs(page, downloads),
        _final_values(page, study),
        _by_share(page, study),
        _epochs_needed(page, study),
        _the_dip(page, study),
        record_claims.parts_of_the_dip(claims, _titles(page, study)),
        record_claims.styles(claims),
        _the_figures(study),
    ]
    return "\n".join(line for section in sections for line in section)


def _introduction(page: Page, seeds: Sequence[int]) -> list[str]:
    return [
        f"# The study on {page.source.title}, beside the paper",
        "",
        "`make record` wrote this page from the files in this folder; no number was typed by hand. The",
        f"paper's, marked ≈, were read off its text and are approximate ([all of them]({page.paper_link})).",
        "",
        *_chance(len(seeds)),
        f"Rises and falls are counted as shown, to {SHOWN_DECIMALS} decimals.",
        "",
        "The paper's conclusion:",
        "",
        f"> {page.paper.claims.advice.text}",
        "",
    ]


def _chance(repeats: int) -> list[str]:
    if repeats == 1:
        return ["Each variant ran once, with one seed: how much of a difference is chance, this page cannot tell."]
    return [
        f"Each variant ran with {repeats} repeats; its values are their means, with intervals where they are given."
    ]


def _the_run(page: Page, study: list[Variant]) -> list[str]:
    backbone, settings = page.source.backbone, page.settings
    arguments = "".join(f", {key} {value}" for key, value in backbone.arguments.items())
    size = f"{backbone.image_size} by {backbone.image_size} pixels"
    rows = [
        ("source", f"{page.source.title} (`{page.source.path.as_posix()}`)"),
        ("backbone", f"{backbone.name}{arguments}, {size}"),
        ("unfrozen from layer", str(settings.fine.from_layer)),
        ("statistics of unfrozen batch normalisation in training", settings.fine.batch_norm),
        ("seeds", ", ".join(map(str, settings.seeds))),
        ("all other settings", "[params.yaml](params.yaml)"),
        ("versions", _distinct(study, "versions")),
        ("machine", _distinct(study, "machine")),
    ]
    return ["## The run", "", *table(["", "this run"], rows)]


def _distinct(study: list[Variant], key: str) -> str:
    told = [", ".join(f"{name} {value}" for name, value in sorted(variant.record[key].items())) for variant in study]
    return "; ".join(dict.fromkeys(told))


def _the_inputs(page: Page, downloads: Mapping[str, Path]) -> list[str]:
    digests = {path.name: files.sha256(path) for path in downloads.values()}
    rows = [
        (name, f"`{path.name}`", f"{path.stat().st_size:,}", f"`{digests[path.name]}`")
        for name, path in downloads.items()
    ]
    notes = [
        f"`{copy.file_name}`: {copy.note}"
        for download in page.source.downloads.values()
        for copy in download.copies
        if copy.note and copy.sha256 in digests.values()
    ]
    listed = table(["input", "file", "bytes", "SHA-256"], rows)
    return ["The files that it read:", "", *listed, *(line for note in notes for line in (note, ""))]


def _final_values(page: Page, study: list[Variant]) -> list[str]:
    rows, differences = [], {}
    for variant in study:
        told = page.paper.variants.get(variant.name, PaperVariant())
        cells = []
        for part, measure, _, title in SERIES:
            values = getattr(told, part)
            theirs = getattr(values, measure)
            ours = paper.comparable(variant, part, values, measure)
            cells.append(number(ours) if theirs is None else _beside(ours, theirs))
            if theirs is not None:
                differences[f"{title} of {variant.name}"] = rounded(rounded(ours) - theirs)
        rows.append((told.figure or "", _name(variant), *cells, told.remark or ""))
    return [
        "## Final values",
        "",
        "Ours after the last epoch, and where the paper's number is the level before the jump or a curve's best, ours",
        "there; in brackets the paper's, and the difference, ours less the paper's.",
        "",
        *table(["figure", "variant", *(title for *_, title in SERIES), "the paper says"], rows),
        *_differences_in_words(differences),
    ]


def _beside(ours: float, theirs: float) -> str:
    return f"{number(ours)} (≈ {theirs:g}, {change(rounded(ours) - theirs)})"


def _differences_in_words(differences: Mapping[str, float]) -> list[str]:
    sizes = {title: abs(difference) for title, difference in differences.items()}
    if not sizes:
        return []
    middle = number(median(sizes.values()))
    largest = max(sizes, key=lambda title: sizes[title])
    return [
        f"Of these numbers the paper gives {len(sizes)}. Ours differ from them by {middle} in the median,",
        f"and most in {largest}, by {number(sizes[largest])}.",
        "",
    ]


def _by_share(page: Page, study: list[Variant]) -> list[str]:
    claims = page.paper.claims
    header = ["variant", "share of fine-tuning", "final validation loss", "gap in loss", "gap in accuracy"]
    return [
        "## The share of fine-tuning",
        "",
        f"> {claims.share.text}",
        ">",
        f"> {claims.gap.text}",
        "",
        "The gaps are between training and validation, positive where training is the better.",
        "",
        *table(header, [_share_row(variant) for variant in study]),
        *(_share_in_words(title, _by_rising_share(members)) for title, members in _datasets(page, study)),
        "",
    ]


def _share_row(variant: Variant) -> tuple[str, ...]:
    training, validation = variant.record["train"]["final"], variant.record["val"]["final"]
    return (
        _name(variant),
        f"{variant.fine_share:.0%}",
        number(validation["loss"]),
        change(validation["loss"] - training["loss"]),
        change(training["accuracy"] - validation["accuracy"]),
    )


def _share_in_words(title: str, grid: list[Variant]) -> str:
    losses = [rounded(variant.record["val"]["final"]["loss"]) for variant in grid]
    steps = list(pairwise(losses))
    falls, rises = (
        sum(after < before for before, after in steps),
        sum(after > before for before, after in steps),
    )
    best = [variant.label for variant, loss in zip(grid, losses, strict=True) if loss == min(losses)]
    return (
        f"- {title}: of {len(steps)} steps to a larger share, final validation loss falls at {falls} "
        f"and rises at {rises}. It is lowest for {', '.join(best)}: {number(min(losses))}."
    )


def _epochs_needed(page: Page, study: list[Variant]) -> list[str]:
    lines = ["## Epochs needed", "", f"> {page.paper.claims.sooner.text}", ""]
    for title, members in _datasets(page, study):
        lines += _epochs_of_dataset(page, title, members)
    return lines


def _epochs_of_dataset(page: Page, title: str, members: list[Variant]) -> list[str]:
    slowest = _by_rising_share(members)[0]
    best = slowest.record["val"]["best"]
    reached = {variant.name: _first_epochs(variant, best) for variant in members}
    rows = [_epochs_row(page, variant, *reached[variant.name]) for variant in members]
    header = ["variant", "accuracy reached at", "loss reached at", "best accuracy at", "best loss at"]
    return [
        f"{title}: the first epoch at which a variant is as good in validation as {slowest.label} at its",
        f"best (accuracy {number(best['accuracy'])}, loss {number(best['loss'])}), and the epoch of its",
        "own best.",
        "",
        *table([*header, "the paper: settled at"], rows),
    ]


def _first_epochs(variant: Variant, target: Mapping[str, float]) -> tuple[str, str]:
    history = variant.history
    accurate = history["epoch"][history["val_accuracy"] >= target["accuracy"]]
    low = history["epoch"][history["val_loss"] <= target["loss"]]
    return _first(accurate), _first(low)


def _first(epochs: pd.Series) -> str:
    return "never" if epochs.empty else str(epochs.iloc[0])


def _epochs_row(page: Page, variant: Variant, accuracy: str, loss: str) -> tuple[str, ...]:
    best = variant.record["val"]["best"]
    settles = page.paper.variants.get(variant.name, PaperVariant()).settles
    told = {"accuracy": settles.accuracy, "loss": settles.loss}
    settled = ", ".join(f"{measure} ≈ {epoch}" for measure, epoch in told.items() if epoch is not None)
    return (_name(variant), accuracy, loss, str(best["accuracy_epoch"]), str(best["loss_epoch"]), settled)


def _the_dip(page: Page, study: list[Variant]) -> list[str]:
    both = [variant for variant in study if variant.kind != "style" and variant.transfer and variant.fine]
    titles = [title for *_, title in SERIES]
    rows = [(_name(variant), *(_step(variant, column) for *_, column, _ in SERIES)) for variant in both]
    return [
        "## Where fine-tuning starts",
        "",
        f"> {page.paper.claims.dip.text}",
        "",
        "From the last transfer epoch to the first fine one, in the variants that have both phases:",
        "",
        *table(["variant", *titles], rows),
        *(_steps_in_words(both, column, title) for *_, column, title in SERIES),
        "",
    ]


def _border(variant: Variant, column: str) -> tuple[float, float]:
    before, after = variant.history[column].iloc[variant.transfer - 1 : variant.transfer + 1]
    return rounded(before), rounded(after)


def _step(variant: Variant, column: str) -> str:
    before, after = _border(variant, column)
    return f"{number(before)} → {number(after)} ({change(after - before)})"


def _steps_in_words(both: list[Variant], column: str, title: str) -> str:
    steps = [_border(variant, column) for variant in both]
    rises, falls = (
        sum(after > before for before, after in steps),
        sum(after < before for before, after in steps),
    )
    return f"- {title.capitalize()} rises in {rises} and falls in {falls} of {len(both)} variants."


def _the_figures(study: list[Variant]) -> list[str]:
    grouped = variants.of_datasets(study)
    names = [*grouped, *report_page.OVERALL_FIGURES, *(variant.name for variant in study)]
    shown = [*(f"figures/{name}" for name in names), "costs/costs"]
    return ["## Figures", "", *(f"![{Path(name).name}](plots/{name}.png)\n" for name in shown)]


def _name(variant: Variant) -> str:
    if variant.kind != "trial":
        return variant.name
    return f"{variant.name} ({variant.dataset}, {variant.transfer} + {variant.fine})"


def _datasets(page: Page, study: list[Variant]) -> list[tuple[str, list[Variant]]]:
    """Each data set's title, with a capital, and its variants."""
    titles = _titles(page, study)
    return [(titles[name], members) for name, members in variants.of_datasets(study).items()]


def _titles(page: Page, study: list[Variant]) -> dict[str, str]:
    titles = {name: page.source.dataset(name).title for name in variants.of_datasets(study)}
    return {name: title[:1].upper() + title[1:] for name, title in titles.items()}


def _by_rising_share(members: list[Variant]) -> list[Variant]:
    return sorted((variant for variant in members if variant.in_grid), key=lambda variant: variant.fine_share)
