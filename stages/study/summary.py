"""All variants side by side: final and best results with their intervals, and curves for plots.

Intervals of validation results are two-way, over repeats and pictures; those of training results are over repeats
alone. With one repeat there are none. If an interval contains impossible values, the repeats' minimum and maximum
replace it.
"""

import json
from typing import Any

import pandas as pd

from stages.common import tables
from stages.results.history import MEASURES
from stages.study import evidence, two_way, variants
from stages.study.evidence import Study
from stages.study.variants import Variant


def table(study: Study) -> pd.DataFrame:
    """One row for each variant, in the order given: its schedule, its final and best values, the latter's epochs."""
    return pd.DataFrame([_row(study, variant) for variant in study.variants]).round(tables.DECIMALS)


def summary(title: str, study: Study) -> dict[str, Any]:
    """What metrics/summary.json holds: final and best validation results, by data set and schedule.

    `seeds` and the number of `repeats` are by data set. The trial stands beside the data sets and not in one, so that a
    diff still compares it when its data set changes.
    """
    grouped = variants.of_datasets(study.variants)
    content: dict[str, Any] = {
        "source": title,
        "seeds": {dataset: members[0].metrics["seeds"] for dataset, members in grouped.items()},
        "repeats": {dataset: study.repeat_count(dataset) for dataset in grouped},
    }
    for variant in study.variants:
        results = with_intervals(study, variant, "val")
        if variant.kind == "trial":
            schedule = {key: variant.metrics[key] for key in ("dataset", "transfer", "fine")}
            content[variant.name] = {**schedule, **results}
        else:
            content.setdefault(variant.dataset, {})[variant.short_name] = results
    return content


def with_intervals(study: Study, variant: Variant, part: str) -> dict[str, dict[str, float]]:
    """`final` and `best` of the metrics' `train` or `val`; with several repeats, `_low` and `_high` of each value too.

    The best epoch is chosen on the mean curve; its interval is over the repeats' values at that epoch.
    """
    results = {when: dict(variant.metrics[part][when]) for when in ("final", "best")}
    if len(variant.repeats) == 1:
        return results
    for when, values in results.items():
        for measure in MEASURES:
            epoch = variant.epochs if when == "final" else int(values[f"{measure}_epoch"])
            low, high = _interval(study, variant, part, measure, epoch)
            values |= {f"{measure}_low": round(low, tables.DECIMALS), f"{measure}_high": round(high, tables.DECIMALS)}
    return results


def curves(study: Study) -> pd.DataFrame:
    """Validation accuracy and loss, means over the repeats: one row for each variant and epoch."""
    parts = [
        variant.history[["epoch", "val_accuracy", "val_loss"]].assign(variant=variant.name, dataset=variant.dataset)
        for variant in study.variants
    ]
    return pd.concat(parts)[["variant", "dataset", "epoch", "val_accuracy", "val_loss"]]


def final(study: Study) -> pd.DataFrame:
    """Final validation results of the data sets' grids, by rising share of fine-tuning."""
    rows = [
        {
            "dataset": dataset,
            "variant": variant.name,
            "fine_share": variant.fine_share,
            **variant.metrics["val"]["final"],
        }
        for dataset, members in variants.of_datasets(study.variants).items()
        for variant in variants.by_share(members)
    ]
    return pd.DataFrame(rows, columns=["dataset", "variant", "fine_share", *MEASURES])


def _interval(study: Study, variant: Variant, part: str, measure: str, epoch: int) -> tuple[float, float]:
    if part == "val":
        return study.level(variant, measure, epoch)[1:]
    own = variant.by_repeat(measure).loc[epoch].to_numpy()
    interval = study.over_repeats(variant.dataset, own).interval(study.statistics.confidence)
    return two_way.possible(interval, own, 0, evidence.LARGEST[measure])


def _row(study: Study, variant: Variant) -> dict[str, Any]:
    row: dict[str, Any] = {
        "variant": variant.name,
        "dataset": variant.dataset,
        "transfer": variant.transfer,
        "fine": variant.fine,
        "fine_share": variant.fine_share,
        "epochs": variant.epochs,
        "repeats": len(variant.repeats),
        "own_keys": json.dumps(variant.own_keys, sort_keys=True),
    }
    for part, prefix in (("train", ""), ("val", "val_")):
        for when, values in with_intervals(study, variant, part).items():
            for key, value in sorted(values.items()):
                row[f"{when}_{prefix}{key}"] = value
    return row
