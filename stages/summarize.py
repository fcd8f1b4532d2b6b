"""Stage `summarize`: all variants side by side.

Reads each variant's json and csv; writes the table of variants, the summary, and curves for DVC's plots.
"""

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

from stages.lib import manifest, records, variants
from stages.lib.command import ThawError, run
from stages.lib.files import folder_written_whole
from stages.lib.variants import Variant

MEASURES = ("accuracy", "loss")


def main() -> None:
    arguments = _arguments()
    title = manifest.load(arguments.source).title
    study = read_study(arguments.variants, arguments.metrics, arguments.histories, arguments.source)
    write_curves(study, arguments.curves)
    records.write_table(table(study), arguments.table)
    records.write_json(summary(title, study), arguments.out)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, required=True, help="manifest of the inputs")
    parser.add_argument("--metrics", type=Path, required=True, help="folder of <variant>.json")
    parser.add_argument("--histories", type=Path, required=True, help="folder of <variant>.csv")
    parser.add_argument("--variants", nargs="+", required=True, help="names, in the table's order")
    parser.add_argument("--out", type=Path, required=True, help="json of the summary, written")
    parser.add_argument("--table", type=Path, required=True, help="csv of one row a variant, written")
    parser.add_argument("--curves", type=Path, required=True, help="folder of csvs for DVC's plots, written")
    return parser.parse_args()


def read_study(names: list[str], metrics: Path, histories: Path, source: Path) -> list[Variant]:
    """Read all variants; raises ThawError where one is missing or ran on another source."""
    study = [variants.read(name, metrics, histories) for name in names]
    for variant in study:
        if variant.record["source"] != source.as_posix():
            path = metrics / f"{variant.name}.json"
            raise ThawError(f"{path}: ran on {variant.record['source']}, not on {source}; run `dvc repro`")
    return study


def table(study: list[Variant]) -> pd.DataFrame:
    """One row a variant, in the order given: its schedule, and final and best values with their epochs."""
    return pd.DataFrame([_row(variant) for variant in study])


def summary(title: str, study: list[Variant]) -> dict[str, Any]:
    """Final and best validation results, by data set and schedule.

    The trial stands beside the data sets, not in one, so that a diff follows it from one to another.
    """
    content: dict[str, Any] = {"source": title}
    for variant in study:
        results = variant.record["val"]
        if variant.in_grid:
            content.setdefault(variant.dataset, {})[variant.label] = results
        else:
            schedule = {key: variant.record[key] for key in ("dataset", "transfer", "fine")}
            content[variant.name] = {**schedule, **results}
    return content


def write_curves(study: list[Variant], folder: Path) -> None:
    """Write for each data set the validation results by epoch, and the final ones by fine-tuning's share."""
    with folder_written_whole(folder) as beside:
        for dataset in variants.of_datasets(study):
            for measure in MEASURES:
                records.write_table(curves(study, dataset, measure), beside / f"{dataset}-{measure}.csv")
            records.write_table(final_by_share(study, dataset), beside / f"{dataset}-final.csv")


def curves(study: list[Variant], dataset: str, measure: str) -> pd.DataFrame:
    """Validation `measure` of a data set: column `epoch`, then one a variant, NaN where it has no such epoch.

    A trial on another data set is a column of NaN, because dvc.yaml names the columns that it plots.
    """
    shown = {
        variant.label: variant.history.set_index("epoch")[f"val_{measure}"]
        for variant in study
        if variant.dataset == dataset
    }
    elsewhere = [variant.label for variant in study if variant.dataset != dataset and not variant.in_grid]
    wide = pd.DataFrame(shown).reindex(columns=[*shown, *elsewhere])
    return wide.rename_axis("epoch").reset_index()


def final_by_share(study: list[Variant], dataset: str) -> pd.DataFrame:
    """Final validation results of a data set's grid: columns `fine_share` (rising), `accuracy`, `loss`."""
    rows = [
        {"fine_share": variant.fine_share, **variant.record["val"]["final"]}
        for variant in study
        if variant.dataset == dataset and variant.in_grid
    ]
    return pd.DataFrame(rows, columns=["fine_share", *MEASURES]).sort_values("fine_share")


def _row(variant: Variant) -> dict[str, Any]:
    row: dict[str, Any] = {
        "variant": variant.name,
        "dataset": variant.dataset,
        "transfer": variant.transfer,
        "fine": variant.fine,
        "fine_share": variant.fine_share,
        "epochs": len(variant.history),
    }
    for part, prefix in (("train", ""), ("val", "val_")):
        for when in ("final", "best"):
            for key, value in sorted(variant.record[part][when].items()):
                row[f"{when}_{prefix}{key}"] = value
    return row


if __name__ == "__main__":
    run(main)
