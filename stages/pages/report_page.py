"""What the report says, as plain values; the words around them are the template's, stages/report.html.jinja."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from stages.common.manifest import Manifest
from stages.study import variants
from stages.study.hardest import HardImage
from stages.study.paper import Claims
from stages.study.variants import Variant

OVERALL_FIGURES = ("fine_share", "dip", "styles")  # drawn beside one for each data set and each variant
MINUS = "\u2212"


def datasets(study: Sequence[Variant], source: Manifest) -> list[dict[str, Any]]:
    """Each data set's name, title (as a heading, too), numbers of images, and best schedule."""
    return [
        {
            "name": name,
            "title": source.dataset(name).title,
            "heading": _with_capital(source.dataset(name).title),
            "images": members[0].record["images"],
            "best": best(members),
        }
        for name, members in variants.of_datasets(list(study)).items()
    ]


def best(members: list[Variant]) -> Variant | None:
    """The variant of the grid with the lowest final validation loss, the mean over its repeats; None without a grid."""
    grid = variants.by_share(members)
    return min(grid, key=lambda variant: variant.record["val"]["final"]["loss"], default=None)


def variant_rows(study: Sequence[Variant], table: pd.DataFrame, spent: pd.DataFrame) -> list[dict[str, Any]]:
    """A row a variant: its schedule, its results and its costs, as `number` and `interval` take them.

    `table` is plots/tables/summary.csv and `spent` plots/costs/costs.csv, both indexed by variant.
    """
    return [_variant_row(variant, table.loc[variant.name], spent.loc[variant.name]) for variant in study]


def sentences(recommendation: pd.DataFrame, dataset: str, budget: str) -> list[str]:
    """The recommendation for a data set, of plots/costs/recommendation.csv."""
    chosen = (recommendation["dataset"] == dataset) & (recommendation["budget"] == budget)
    told = recommendation[chosen]
    return list(told.loc[told["arm"] == told["arm"].iloc[-1], "sentence"]) if len(told) else []  # of all arms together


def in_order(claims: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """`claims` of metrics/claims.json, whose keys are sorted, in the order of the paper."""
    return [claims[name] for name in Claims.model_fields]


def hard_image(hard: HardImage, classes: Sequence[str]) -> dict[str, Any]:
    """A hard image in words: its file's name, its classes by name, and what is predicted of it."""
    return {
        "file": PurePosixPath(hard.image).name,
        "label": classes[hard.label],
        "predicted": classes[hard.predicted],
        "wrong": hard.predicted != hard.label,
        "votes": hard.votes,
        "probability": f"{hard.probability:.1%}",
        "loss": number(hard.loss),
    }


def distinct(study: Sequence[Variant], key: str) -> list[Mapping[str, Any]]:
    """What the variants' records have under `key`, each once."""
    found: list[Mapping[str, Any]] = []
    for variant in study:
        if variant.record[key] not in found:
            found.append(variant.record[key])
    return found


def number(value: float | None) -> str:
    """Three decimals, an image in a thousand; empty where there is no number."""
    return "" if _absent(value) else _with_minus(f"{value:.3f}")


def interval(told: Mapping[str, Any]) -> str:
    """`value` with the interval from `low` to `high`, where there is one, in three digits."""
    if _absent(told["value"]):
        return ""
    if _absent(told["low"]) or _absent(told["high"]):
        return _digits(told["value"])
    return f"{_digits(told['value'])} ({_digits(told['low'])} to {_digits(told['high'])})"


def _variant_row(variant: Variant, results: pd.Series, spent: pd.Series) -> dict[str, Any]:
    return {
        "variant": variant,
        "accuracy": _estimate(results, "final_val_accuracy"),
        "loss": _estimate(results, "final_val_loss"),
        "best_loss": results["best_val_loss"],
        "best_epoch": int(results["best_val_loss_epoch"]),
        "to_target": _estimate(spent, "epochs_to_target"),
        "multiply_adds": spent["multiply_adds"],
        "seconds": spent["seconds"],
    }


def _estimate(row: pd.Series, name: str) -> dict[str, float | None]:
    return {"value": row.get(name), "low": row.get(f"{name}_low"), "high": row.get(f"{name}_high")}


def _digits(value: float) -> str:
    if abs(value) >= 1000:
        return _with_minus(f"{value:,.0f}")
    digits = f"{value:g}" if float(value).is_integer() else f"{value:#.3g}"  # epochs are whole; 0.9 is 0.900
    return _with_minus(digits.rstrip("."))


def _with_minus(text: str) -> str:
    return text.replace("-", MINUS)


def _absent(value: float | None) -> bool:
    return value is None or pd.isna(value)


def _with_capital(title: str) -> str:
    return title[:1].upper() + title[1:]
