"""Stage `summarize`: all variants side by side, and the paper's claims checked.

Reads each variant's json, csv, and repeats, and the paper's claims; writes the summary and the claims, the tables of
variants, claims, comparisons, costs and recommendations, and curves for DVC's plots.
"""

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

from stages.common import manifest, params
from stages.common.command import ThawError, run
from stages.common.files import folder_written_whole
from stages.results import records
from stages.study import claims, comparisons, costs, evidence, paper, recommendation, statistics, variants
from stages.study.comparisons import Comparisons
from stages.study.evidence import Study
from stages.study.paper import Paper
from stages.study.variants import Variant

MEASURES = ("accuracy", "loss")


def main() -> None:
    arguments = _arguments()
    title = manifest.load(arguments.source).title
    settings, told = params.load().statistics, paper.load(arguments.paper)
    members = read_study(arguments.variants, arguments.metrics, arguments.histories, arguments.models, arguments.source)
    study = evidence.read(members, arguments.models, settings)
    compared = comparisons.compare(study)
    checked = checked_claims(title, study, compared, told)
    write_curves(members, arguments.curves)
    records.write_table(table(members, settings.confidence), arguments.table)
    records.write_table(claims.table(checked["claims"], len(study.seeds)), arguments.claims_table)
    records.write_table(comparisons.table(study, compared), arguments.comparisons)
    records.write_table(costs.table(study), arguments.costs)
    records.write_table(recommendation.table(study, compared), arguments.recommendation)
    records.write_json(checked, arguments.claims)
    records.write_json(summary(title, members, settings.confidence), arguments.out)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, required=True, help="manifest of the inputs")
    parser.add_argument("--metrics", type=Path, required=True, help="folder of <variant>.json")
    parser.add_argument("--histories", type=Path, required=True, help="folder of <variant>.csv")
    parser.add_argument("--models", type=Path, required=True, help="folder of <variant>/, with its repeats")
    parser.add_argument("--paper", type=Path, required=True, help="the paper's numbers and claims")
    parser.add_argument("--variants", nargs="+", required=True, help="names, in the table's order")
    parser.add_argument("--out", type=Path, required=True, help="json of the summary, written")
    parser.add_argument("--claims", type=Path, required=True, help="json of the claims checked, written")
    parser.add_argument("--table", type=Path, required=True, help="csv of one row a variant, written")
    parser.add_argument("--claims-table", type=Path, required=True, help="csv of one row a claim, written")
    parser.add_argument("--comparisons", type=Path, required=True, help="csv of one row a pair, written")
    parser.add_argument("--costs", type=Path, required=True, help="csv of one row a variant, written")
    parser.add_argument("--recommendation", type=Path, required=True, help="csv of one row a sentence, written")
    parser.add_argument("--curves", type=Path, required=True, help="folder of csvs for DVC's plots, written")
    return parser.parse_args()


def read_study(names: list[str], metrics: Path, histories: Path, models: Path, source: Path) -> list[Variant]:
    """Read all variants; raises ThawError where one is missing or ran on another source."""
    study = [variants.read(name, metrics, histories, models) for name in names]
    for variant in study:
        if variant.record["source"] != source.as_posix():
            path = metrics / f"{variant.name}.json"
            raise ThawError(f"{path}: ran on {variant.record['source']}, not on {source}; run `dvc repro`")
    return study


def checked_claims(title: str, study: Study, compared: Comparisons, told: Paper) -> dict[str, Any]:
    """What metrics/claims.json holds; stages/study/claims.py tells of each key."""
    return {
        "source": title,
        "seeds": study.seeds,
        "confidence": study.settings.confidence,
        "claims": claims.check(study, compared, told),
        "dip_parts": claims.parts_of_the_dip(study),
        "styles": claims.styles(study, compared),
        # By multiply-adds alone: seconds differ from run to run, and this file does not.
        "recommendation": recommendation.for_budget(study, compared, "multiply_adds"),
    }


def table(study: list[Variant], confidence: float) -> pd.DataFrame:
    """One row a variant, in the order given: its schedule, and final and best values with their epochs.

    Where there are several seeds, each value has its interval over them, `_low` and `_high`.
    """
    return pd.DataFrame([_row(variant, confidence) for variant in study])


def summary(title: str, study: list[Variant], confidence: float) -> dict[str, Any]:
    """Final and best validation results, by data set and schedule, with intervals where there are several seeds.

    The trial stands beside the data sets, not in one, so that a diff follows it from one to another.
    """
    content: dict[str, Any] = {"source": title, "seeds": study[0].seeds}
    for variant in study:
        results = with_intervals(variant, "val", confidence)
        if variant.kind == "trial":
            schedule = {key: variant.record[key] for key in ("dataset", "transfer", "fine")}
            content[variant.name] = {**schedule, **results}
        else:
            content.setdefault(variant.dataset, {})[variant.label] = results
    return content


def with_intervals(variant: Variant, part: str, confidence: float) -> dict[str, dict[str, float]]:
    """`final` and `best` of the record's `train` or `val`; with several seeds, `_low` and `_high` of each value too.

    The best epoch is that of the means over the seeds, and its interval is over the seeds at that epoch.
    """
    results = {when: dict(variant.record[part][when]) for when in ("final", "best")}
    if len(variant.seeds) == 1:
        return results
    for when, values in results.items():
        for measure in MEASURES:
            epoch = len(variant.history) if when == "final" else values[f"{measure}_epoch"]
            column = measure if part == "train" else f"val_{measure}"
            of_seeds = statistics.over_seeds(variant.by_seed(column).loc[epoch].to_numpy(), confidence)
            values[f"{measure}_low"] = round(of_seeds.low, records.DECIMALS)
            values[f"{measure}_high"] = round(of_seeds.high, records.DECIMALS)
    return results


def write_curves(study: list[Variant], folder: Path) -> None:
    """Write for each data set the validation results by epoch, and the final ones by fine-tuning's share."""
    with folder_written_whole(folder) as beside:
        for dataset in variants.of_datasets(study):
            for measure in MEASURES:
                records.write_table(curves(study, dataset, measure), beside / f"{dataset}-{measure}.csv")
            records.write_table(final_by_share(study, dataset), beside / f"{dataset}-final.csv")


def curves(study: list[Variant], dataset: str, measure: str) -> pd.DataFrame:
    """Validation `measure` of a data set: column `epoch`, then one a variant, NaN where it has no such epoch.

    Styles are left out: with them a plot has more lines than colours that can be told apart. A trial on another
    data set is a column of NaN, because dvc.yaml names the columns that it plots.
    """
    shown = {
        variant.label: variant.history.set_index("epoch")[f"val_{measure}"]
        for variant in study
        if variant.dataset == dataset and variant.kind != "style"
    }
    elsewhere = [variant.label for variant in study if variant.dataset != dataset and variant.kind == "trial"]
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


def _row(variant: Variant, confidence: float) -> dict[str, Any]:
    row: dict[str, Any] = {
        "variant": variant.name,
        "dataset": variant.dataset,
        "transfer": variant.transfer,
        "fine": variant.fine,
        "fine_share": variant.fine_share,
        "epochs": len(variant.history),
        "repeats": len(variant.seeds),
    }
    for part, prefix in (("train", ""), ("val", "val_")):
        for when, values in with_intervals(variant, part, confidence).items():
            for key, value in sorted(values.items()):
                row[f"{when}_{prefix}{key}"] = value
    return row


if __name__ == "__main__":
    run(main)
