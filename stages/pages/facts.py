"""The values of the report and of the recorded page; their templates add the words.

Every number comes from data/paper.yaml, metrics/, plots/tables/ or plots/costs/, so that the pages agree with these and
with each other. Only the level of the converged head, which none of them has, comes from its logits.
"""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

import pandas as pd

from stages.common.params import Params
from stages.pages.finished import FinishedRun
from stages.results.history import MEASURES
from stages.study import costs, dip, evidence, notes, paper, variants
from stages.study.claim_checks import ONE_REPEAT
from stages.study.equivalence import CANNOT_TELL
from stages.study.paper import Claims, PaperVariant, Values
from stages.study.variants import PAPER_ARM, Variant

BUDGETS = ("multiply_adds", "seconds")
DECIMALS = 3  # a picture in a thousand: a validation set has about that many
SERIES = {"train": "training", "val": "validation"}
# Figures of the whole study, by name: a text for readers who cannot see it, the caption, what shows intervals,
# and over what they are.
OVERALL = {
    "switch": (
        "Line charts of final validation accuracy and loss over the transfer epochs, a line for each head",
        "Final validation accuracy and loss over the transfer epochs before fine-tuning, a line for each head, and the "
        "level of a converged head. The default head has the settings under transfer in params.yaml.",
        "bands",
        notes.OVER_BOTH,
    ),
    "fine_share": (
        "Line charts of final validation accuracy and loss over fine-tuning's share of the epochs, a line a data set",
        "Final validation accuracy and loss over fine-tuning's share of the epochs, with the default head, a line for "
        "each data set.",
        "bands",
        notes.OVER_BOTH,
    ),
    "dip": (
        "Charts of loss around the start of fine-tuning",
        "Loss around the epoch in which fine-tuning starts (dashed line). The clean training loss is measured after "
        "the epoch, without augmentation and dropout.",
        "bands",
        notes.OVER_EACH,
    ),
    "styles": (
        "Charts that compare each variation of fine-tuning with the plain schedule with the same epochs",
        "Variations of fine-tuning against the plain schedule with the same epochs. Left: validation loss over the "
        "epochs. Right: final loss, variation minus plain; left of zero is better.",
        "bars",
        notes.OVER_BOTH,
    ),
    "costs": (
        "Charts of validation loss over the multiply-adds and the seconds of each schedule",
        "Validation loss over the cost of each schedule, in multiply-adds and in measured seconds, a line for each "
        "schedule and a mark at its end.",
        "bars",
        notes.OVER_BOTH,
    ),
}
PARTS_OF_THE_DIP = " Bars: the change of training loss there, and its parts."


def of_run(run: FinishedRun) -> dict[str, Any]:
    """All facts of the run, by their names in the templates.

    A number with its interval is a mapping of `value`, `low` and `high`, which are None or NaN if they do not exist.
    """
    datasets = {name: _dataset(run, name, members) for name, members in _datasets(run).items()}
    rows = [_row(run, variant, datasets[variant.dataset]["target"]) for variant in run.study.variants]
    return {
        "source": {"title": run.source.title, "path": run.source.path.as_posix()},
        "backbone": run.source.backbone,
        "settings": _settings(run.params),
        "confidence": f"{run.claims['confidence']:.0%}",
        "datasets": datasets,
        "runs": _runs(datasets.values()),
        "targets": _targets(datasets.values()),
        "claims": [_claim(run, name, datasets) for name in Claims.model_fields],
        "paper": _paper(run),
        "rows": rows,
        "arms": _arms(rows),
        "further": [row for row in rows if row["kind"] not in ("grid", "tuned")],
        "styles": run.claims["styles"],
        "dip_parts": run.claims["dip_parts"],
        "parts": dip.PARTS,
        "recommendation": {budget: _recommendation(run.recommendation, budget, datasets) for budget in BUDGETS},
        "figures": _figures(run),
        "versions": _distinct(run.study.variants, "versions"),
        "machines": _distinct(run.study.variants, "machine"),
    }


def _settings(params: Params) -> dict[str, Any]:
    """What all schedules share that do not name a value of their own."""
    return {
        "from_layer": params.fine.from_layer,
        "batch_norm": params.fine.batch_norm,
        "head_rate": params.transfer.learning_rate,
        "fine_rate": params.fine.learning_rate,
    }


def _datasets(run: FinishedRun) -> dict[str, list[Variant]]:
    return variants.of_datasets(run.study.variants)


def _dataset(run: FinishedRun, name: str, members: list[Variant]) -> dict[str, Any]:
    described, first = run.source.dataset(name), members[0]
    title = described.title
    return {
        "title": title,
        "heading": title[:1].upper() + title[1:],
        "images": first.metrics["images"],
        "left_out": len(described.leave_out),
        "repeats": first.metrics["repeats"],
        "folds": any(repeat["fold"] is not None for repeat in first.metrics["repeats"]),
        "margin": run.study.margin(name).model_dump(),
        "of_paper": any(variant.name in run.paper.variants for variant in members),
        "target": aim.what if (aim := costs.target(run.study, name)) else None,
        "converged": _converged(run, name),
    }


def _runs(datasets: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """How often the schedules ran: the data sets with the same repeats together, unnamed if all have the same."""
    found: dict[tuple[Any, ...], list[str]] = {}
    for dataset in datasets:
        seeds, folds = [repeat["seed"] for repeat in dataset["repeats"]], dataset["folds"]
        found.setdefault((len(seeds), seeds[0] if len(seeds) == 1 else None, folds), []).append(dataset["heading"])
    return [
        {"datasets": "; ".join(names) if len(found) > 1 else "", "repeats": repeats, "seed": seed, "folds": folds}
        for (repeats, seed, folds), names in found.items()
    ]


def _targets(datasets: Iterable[Mapping[str, Any]]) -> str:
    """The target of every data set in sentences, in one if all are the same; empty without any."""
    targets = {dataset["title"]: dataset["target"] for dataset in datasets if dataset["target"]}
    if len(set(targets.values())) == 1:
        return f"The target is {next(iter(targets.values()))}."
    return " ".join(f"The target on {title} is {target}." for title, target in targets.items())


def _converged(run: FinishedRun, dataset: str) -> dict[str, dict[str, float | None]] | None:
    """Validation accuracy and loss of the data set's converged head; None if none was trained."""
    if dataset not in run.study.converged:
        return None
    return {
        measure: dict(zip(("value", "low", "high"), run.study.converged_level(dataset, measure), strict=True))
        for measure in MEASURES
    }


def _claim(run: FinishedRun, name: str, datasets: Mapping[str, Any]) -> dict[str, Any]:
    """A claim of metrics/claims.json, with its short form, the thesis's number and what would settle it."""
    claim = run.claims["claims"][name]
    headings = {dataset: datasets[dataset]["heading"] for dataset in claim["datasets"]}
    findings = {headings[dataset]: finding for dataset, finding in claim["datasets"].items()}
    papers = {heading: finding["paper"] for heading, finding in findings.items()}
    return {
        **claim,
        "datasets": {dataset: {**finding, "aside": _aside(finding)} for dataset, finding in claim["datasets"].items()},
        "name": name,
        "short": getattr(run.paper.claims, name).short,
        "paper": _once(papers) or claim["rests_on"],
        "settle": _once({heading: _settle(finding) for heading, finding in findings.items()}),
    }


def _aside(finding: Mapping[str, Any]) -> str:
    """What to read beside the verdict: its note, unless that is the reason why there is none."""
    return finding["note"] if finding["value"] is not None and finding["note"] != ONE_REPEAT else ""


def _settle(finding: Mapping[str, Any]) -> str:
    """What would settle an open verdict, or why nothing was measured."""
    return finding["settle"] or (finding["note"] if finding["verdict"] == CANNOT_TELL else "")


def _once(by_heading: Mapping[str, str | None]) -> str:
    """The texts after their headings, or the one text that all have."""
    texts = {heading: text for heading, text in by_heading.items() if text}
    if len(texts) == len(by_heading) > 1 and len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return "; ".join(f"{heading}: {text}" for heading, text in texts.items())


def _row(run: FinishedRun, variant: Variant, target: str | None) -> dict[str, Any]:
    """A variant: its schedule, its validation results and its costs, up to the `target` of its data set too."""
    results, spent = run.summary.loc[variant.name], run.spent.loc[variant.name]
    repeats = len(variant.repeats)
    return {
        "name": variant.name,
        "dataset": variant.dataset,
        "kind": variant.kind,
        "arm": variant.arm,
        "transfer": variant.transfer,
        "fine": variant.fine,
        "accuracy": _estimate(results, "final_val_accuracy"),
        "loss": _estimate(results, "final_val_loss"),
        "best_loss": results["best_val_loss"],
        "best_epoch": int(results["best_val_loss_epoch"]),
        "to_target": {"what": "epochs to the target", **_estimate(spent, "epochs_to_target")},
        "reaching": costs.reaching(int(spent["reached"]), repeats, variant.epochs) if target else "",
        **{budget: spent[budget] for budget in BUDGETS},
    }


def _estimate(row: pd.Series, name: str) -> dict[str, float | None]:
    return {"value": row.get(name), "low": row.get(f"{name}_low"), "high": row.get(f"{name}_high")}


def _arms(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The schedules without a style, by arm in words: the default head first; by data set and transfer epochs."""
    places = {name: place for place, name in enumerate(dict.fromkeys(row["dataset"] for row in rows))}
    found: dict[str, list[Mapping[str, Any]]] = {variants.arm_in_words(PAPER_ARM): []}
    for row in sorted(rows, key=lambda row: (places[row["dataset"]], row["transfer"], row["fine"])):
        if row["kind"] in ("grid", "tuned"):
            found.setdefault(variants.arm_in_words(row["arm"]), []).append(row)
    return found


def _paper(run: FinishedRun) -> dict[str, Any]:
    """Our numbers beside the thesis's, of its schedules: ours at the same place, and ours minus the thesis's."""
    grid = [variant for members in _datasets(run).values() for variant in variants.by_share(members)]
    rows = [_beside(variant, run.paper.variants.get(variant.name, PaperVariant())) for variant in grid]
    sizes = {
        f"{cell['what']} of {row['name']}": abs(cell["difference"])
        for row in rows
        for cell in row["cells"]
        if cell["theirs"] is not None
    }
    return {
        "rows": rows,
        "count": len(sizes),
        "worse": sum(cell["is_worse"] for row in rows for cell in row["cells"]),
        "median": median(sizes.values()) if sizes else None,
        "largest": max(sizes.items(), key=_size, default=None),
    }


def _size(item: tuple[str, float]) -> float:
    return item[1]


def _beside(variant: Variant, thesis: PaperVariant) -> dict[str, Any]:
    cells = []
    for part, word in SERIES.items():
        values = getattr(thesis, part)
        for measure in MEASURES:
            theirs = getattr(values, measure)
            ours = paper.comparable(variant, part, Values() if theirs is None else values, measure)
            difference = None if theirs is None else round(round(ours, DECIMALS) - theirs, DECIMALS)
            cell = {"what": f"{word} {measure}", "at": values.at, "ours": ours, "theirs": theirs}
            is_worse = bool(difference) and (difference > 0) == evidence.LOWER_IS_BETTER[measure]
            cells.append({**cell, "difference": difference, "is_worse": is_worse})
    settles = {measure: epoch for measure in MEASURES if (epoch := getattr(thesis.settles, measure)) is not None}
    return {"name": variant.name, "figure": thesis.figure, "cells": cells, "settles": settles, "remark": thesis.remark}


def _recommendation(table: pd.DataFrame, budget: str, datasets: Mapping[str, Any]) -> dict[str, list[str]]:
    """The sentences of the recommendation by data set, about all of its arms together."""
    found = {}
    for name in datasets:
        rows = table[(table["dataset"] == name) & (table["budget"] == budget)]
        if len(rows):
            found[name] = list(rows.loc[rows["arm"] == rows["arm"].iloc[-1], "sentence"])
    return found


def _figures(run: FinishedRun) -> dict[str, dict[str, str]]:
    """The figures by name: the file below plots/, a text for readers who cannot see it, and the caption."""
    study, confidence = run.study, run.study.statistics.confidence
    shown = {}
    for name, members in _datasets(run).items():
        title = run.source.dataset(name).title
        what = f"Validation accuracy and loss of every schedule on {title}. A mark shows where fine-tuning starts."
        shown[name] = (
            f"Line charts of validation accuracy and loss over the epochs, a line for each schedule on {title}",
            notes.caption(what, members, confidence),
        )
    is_drawn = {"dip": bool(dip.shown(study)), "styles": bool(study.styles_with_plain())}
    for name, (alt, what, intervals, over) in OVERALL.items():
        if name == "dip" and run.claims["dip_parts"]:
            what, intervals = what + PARTS_OF_THE_DIP, "bands and bars"
        if is_drawn.get(name, True):
            shown[name] = (alt, notes.caption(what, study.variants, confidence, intervals, over))
    for variant in study.variants:
        what = f"{variant.name}: training and validation over the epochs."
        shown[variant.name] = (
            f"Line charts of training and validation accuracy and loss of {variant.name} over the epochs",
            notes.caption(what, [variant], confidence, "bands", notes.OVER_EACH),
        )
    folders = {"costs": "costs"}  # the stage of that name draws it
    return {
        name: {"file": f"{folders.get(name, 'figures')}/{name}.png", "alt": alt, "caption": caption}
        for name, (alt, caption) in shown.items()
    }


def _distinct(members: Sequence[Variant], key: str) -> list[Mapping[str, Any]]:
    """The distinct values of `key` in the variants' metrics."""
    found: list[Mapping[str, Any]] = []
    for variant in members:
        if variant.metrics[key] not in found:
            found.append(variant.metrics[key])
    return found
