"""What the report and the page of a recorded run say, as plain values; their templates add the words.

Every number is one of data/paper.yaml, metrics/, plots/tables/ or plots/costs/, so that the pages differ neither from
these nor from each other. Only the level of the converged head, which stands in none, comes from its logits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import pandas as pd

from stages.pages.finished import FinishedRun
from stages.results.history import MEASURES
from stages.study import costs, paper, variants
from stages.study.equivalence import CANNOT_TELL
from stages.study.paper import Claims, PaperVariant, Values
from stages.study.variants import PAPER_ARM, Variant

BUDGETS = ("multiply_adds", "seconds")
DECIMALS = 3  # an image in a thousand, about as many as a validation set has
# The claims of data/paper.yaml in about seven words.
IN_SHORT = {
    "sooner": "Sooner thawed, fewer epochs to a target",
    "share": "More fine-tuning, lower final validation loss",
    "dip": "Thawing makes training abruptly worse, not validation",
    "running_mean": "That dip comes of means over epochs",
    "batch_statistics": "That dip comes of normalisation by batches",
    "gap": "Long fine-tuning draws training from validation",
    "harm": "Long fine-tuning makes validation worse",
    "advice": "Start fine-tuning early, keep it short",
}
SERIES = {"train": "training", "val": "validation"}
# Of the change of training figures where fine-tuning starts, as in the figure of the dip.
PARTS = {
    "total": "the change reported",
    "batch_statistics": "batch statistics",
    "running_mean": "mean over the epoch",
    "real": "the network itself",
}
# Figures of the whole study by name: their file below plots/, what they show, and what to see in it.
OVERALL = {
    "switch": (
        "Line charts of final validation loss and accuracy over the epoch of the switch, a line for each head",
        "Final validation loss and accuracy over the epochs that the head trained alone before the network was thawed, "
        "and the level of a converged head.",
    ),
    "fine_share": (
        "Line charts of final validation accuracy and loss over fine-tuning's share of the epochs, a line a data set",
        "Final validation results over the share of the epochs that fine-tuning takes, with the paper's head.",
    ),
    "dip": (
        "Charts of training and validation figures around the start of fine-tuning, and of the parts of their change",
        "Where fine-tuning starts: how far training and validation figures move, and what of that is real.",
    ),
    "styles": (
        "Charts that compare each style of fine-tuning with the plain schedule of the same epochs",
        "Styles of fine-tuning against the plain schedule with the same epochs.",
    ),
    "costs": (
        "Charts of validation loss over the multiply-adds and the seconds that each schedule takes",
        "What each schedule reaches over what it costs, in multiply-adds and in seconds.",
    ),
}


def of_run(run: FinishedRun) -> dict[str, Any]:
    """All facts of the run by their names in the templates.

    A number with its interval is a mapping of `value`, `low` and `high`, None or NaN where there is none.
    """
    datasets = {name: _dataset(run, name, members) for name, members in _datasets(run).items()}
    rows = [_row(run, variant) for variant in run.study.variants]
    return {
        "source": {"title": run.source.title, "path": run.source.path.as_posix()},
        "backbone": run.source.backbone,
        "settings": {"from_layer": run.params.fine.from_layer, "batch_norm": run.params.fine.batch_norm},
        "confidence": f"{run.claims['confidence']:.0%}",
        "datasets": datasets,
        "claims": [_claim(run, name, datasets) for name in Claims.model_fields],
        "paper": _paper(run),
        "rows": rows,
        "arms": _arms(rows),
        "further": [row for row in rows if row["kind"] not in ("grid", "tuned")],
        "styles": run.claims["styles"],
        "dip_parts": run.claims["dip_parts"],
        "parts": PARTS,
        "advice": {budget: _advice(run.advice, budget, datasets) for budget in BUDGETS},
        "figures": _figures(run),
        "versions": _distinct(run.study.variants, "versions"),
        "machines": _distinct(run.study.variants, "machine"),
    }


def _datasets(run: FinishedRun) -> dict[str, list[Variant]]:
    return variants.of_datasets(run.study.variants)


def _dataset(run: FinishedRun, name: str, members: list[Variant]) -> dict[str, Any]:
    title, first = run.source.dataset(name).title, members[0]
    return {
        "title": title,
        "heading": title[:1].upper() + title[1:],
        "images": first.metrics["images"],
        "repeats": first.metrics["repeats"],
        "folds": any(repeat["fold"] is not None for repeat in first.metrics["repeats"]),
        "margin": run.study.margin(name).model_dump(),
        "of_paper": any(variant.name in run.paper.variants for variant in members),
        "target": aim.what if (aim := costs.target(run.study, name)) else None,
        "converged": _converged(run, first),
    }


def _converged(run: FinishedRun, first: Variant) -> dict[str, dict[str, float | None]] | None:
    """Validation accuracy and loss of the data set's converged head; None where none was trained."""
    if first.dataset not in run.study.converged:
        return None
    says = {first.name: run.study.converged[first.dataset]}  # in the place of a schedule of the same repeats
    head = replace(run.study, variants=[first], says=says)
    return {
        measure: dict(zip(("value", "low", "high"), head.level(first, measure), strict=True)) for measure in MEASURES
    }


def _claim(run: FinishedRun, name: str, datasets: Mapping[str, Any]) -> dict[str, Any]:
    """A claim of metrics/claims.json, and what its line has beside: in short, the paper's, what would settle."""
    claim = run.claims["claims"][name]
    headings = {dataset: datasets[dataset]["heading"] for dataset in claim["datasets"]}
    told = {headings[dataset]: each for dataset, each in claim["datasets"].items()}
    papers = {heading: each["paper"] for heading, each in told.items()}
    return {
        **claim,
        "name": name,
        "short": IN_SHORT[name],
        "paper": _once(papers) or claim["rests_on"],
        "settle": _once({heading: _settle(each) for heading, each in told.items()}),
    }


def _settle(told: Mapping[str, Any]) -> str:
    """What would settle an open verdict, or why nothing could be measured."""
    return told["settle"] or (told["note"] if told["verdict"] == CANNOT_TELL else "")


def _once(told: Mapping[str, str | None]) -> str:
    """The texts behind their headings, or the one that they all have."""
    texts = {heading: text for heading, text in told.items() if text}
    if len(texts) == len(told) > 1 and len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return "; ".join(f"{heading}: {text}" for heading, text in texts.items())


def _row(run: FinishedRun, variant: Variant) -> dict[str, Any]:
    """A variant: its schedule, its validation results and its costs."""
    results, spent = run.results.loc[variant.name], run.spent.loc[variant.name]
    return {
        "name": variant.name,
        "dataset": variant.dataset,
        "kind": variant.kind,
        "arm": variant.arm,
        "transfer": variant.transfer,
        "fine": variant.fine,
        "repeats": len(variant.repeats),
        "accuracy": _estimate(results, "final_val_accuracy"),
        "loss": _estimate(results, "final_val_loss"),
        "best_loss": results["best_val_loss"],
        "best_epoch": int(results["best_val_loss_epoch"]),
        "reached": int(spent["reached"]),
        "to_target": {"what": "epochs until the target", **_estimate(spent, "epochs_to_target")},
        **{budget: spent[budget] for budget in BUDGETS},
    }


def _estimate(row: pd.Series, name: str) -> dict[str, float | None]:
    return {"value": row.get(name), "low": row.get(f"{name}_low"), "high": row.get(f"{name}_high")}


def _arms(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The schedules without a style by arm, the paper's first: by data set, and by the epoch of the switch."""
    places = {name: place for place, name in enumerate(dict.fromkeys(row["dataset"] for row in rows))}
    found: dict[str, list[Mapping[str, Any]]] = {PAPER_ARM: []}
    for row in sorted(rows, key=lambda row: (places[row["dataset"]], row["transfer"], row["fine"])):
        if row["kind"] in ("grid", "tuned"):
            found.setdefault(row["arm"], []).append(row)
    return found


def _paper(run: FinishedRun) -> dict[str, Any]:
    """The paper's arm beside the paper's numbers: ours at the same place, and the difference, ours less the paper's."""
    grid = [variant for members in _datasets(run).values() for variant in variants.by_share(members)]
    rows = [_beside(variant, run.paper.variants.get(variant.name, PaperVariant())) for variant in grid]
    sizes = {
        f"{cell['what']} of {row['name']}": abs(cell["difference"])
        for row in rows
        for cell in row["cells"]
        if cell["theirs"] is not None
    }
    middle = median(sizes.values()) if sizes else None
    return {"rows": rows, "count": len(sizes), "median": middle, "largest": max(sizes.items(), key=_size, default=None)}


def _size(item: tuple[str, float]) -> float:
    return item[1]


def _beside(variant: Variant, told: PaperVariant) -> dict[str, Any]:
    cells = []
    for part, word in SERIES.items():
        values = getattr(told, part)
        for measure in MEASURES:
            theirs = getattr(values, measure)
            ours = paper.comparable(variant, part, Values() if theirs is None else values, measure)
            difference = None if theirs is None else round(round(ours, DECIMALS) - theirs, DECIMALS)
            what = f"{word} {measure}"
            cells.append({"what": what, "at": values.at, "ours": ours, "theirs": theirs, "difference": difference})
    settles = {measure: epoch for measure in MEASURES if (epoch := getattr(told.settles, measure)) is not None}
    return {"name": variant.name, "figure": told.figure, "cells": cells, "settles": settles, "remark": told.remark}


def _advice(table: pd.DataFrame, budget: str, datasets: Mapping[str, Any]) -> dict[str, list[str]]:
    """The sentences of the recommendation by data set: those on all of its arms together."""
    found = {}
    for name in datasets:
        told = table[(table["dataset"] == name) & (table["budget"] == budget)]
        if len(told):
            found[name] = list(told.loc[told["arm"] == told["arm"].iloc[-1], "sentence"])
    return found


def _figures(run: FinishedRun) -> dict[str, dict[str, str]]:
    """The figures by name: the file below plots/, what a reader who cannot see it is told, and its caption."""
    shown = {}
    for name in _datasets(run):
        title = run.source.dataset(name).title
        shown[name] = (
            f"Line charts of validation accuracy and loss over the epochs, a line for each schedule on {title}",
            f"On {title}: validation accuracy and loss of every schedule, with a mark where fine-tuning starts.",
        )
    shown |= OVERALL
    for variant in run.study.variants:
        shown[variant.name] = (
            f"Line charts of training and validation accuracy and loss of {variant.name} over the epochs",
            f"{variant.name}: training and validation over the epochs.",
        )
    folders = {"costs": "costs"}  # drawn by the stage of that name
    return {
        name: {"file": f"{folders.get(name, 'figures')}/{name}.png", "alt": alt, "caption": caption}
        for name, (alt, caption) in shown.items()
    }


def _distinct(members: Sequence[Variant], key: str) -> list[Mapping[str, Any]]:
    """What the variants' records have under `key`, each once."""
    found: list[Mapping[str, Any]] = []
    for variant in members:
        if variant.metrics[key] not in found:
            found.append(variant.metrics[key])
    return found
