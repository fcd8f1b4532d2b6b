"""Stage `costs`: what each schedule costs, and which to choose for a budget.

Reads each variant's json, csv, epochs, validation logits and measured seconds, and the paper's margins; writes a
folder of tables: costs and recommendation. They alone depend on seconds, which differ from run to run.
"""

import argparse
from pathlib import Path

from stages.common import params
from stages.common.command import run
from stages.common.files import folder_written_whole
from stages.results import records, repeats
from stages.study import costs, evidence, paper, recommendation, variants
from stages.study.equivalence import Margin


def main() -> None:
    arguments = _arguments()
    settings, told = params.load().statistics, paper.load(arguments.paper)
    members = variants.read_all(
        arguments.variants, arguments.metrics, arguments.histories, arguments.results, arguments.source
    )
    study = evidence.read(members, arguments.results, settings, told.margins_of(Margin()))
    seconds = {name: repeats.read_seconds(arguments.seconds / f"{name}.csv") for name in arguments.variants}
    paid = {
        "multiply_adds": recommendation.multiply_adds(study),
        "seconds": recommendation.seconds(study, seconds),
    }
    with folder_written_whole(arguments.out) as beside:
        records.write_table(costs.table(study, seconds), beside / "costs.csv")
        records.write_table(recommendation.table(study, paid), beside / "recommendation.csv")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, required=True, help="manifest of the inputs")
    parser.add_argument("--paper", type=Path, required=True, help="the paper's numbers and claims")
    parser.add_argument("--results", type=Path, required=True, help="folder of <variant>/, with its repeats")
    parser.add_argument("--metrics", type=Path, required=True, help="folder of <variant>.json")
    parser.add_argument("--histories", type=Path, required=True, help="folder of <variant>.csv")
    parser.add_argument("--seconds", type=Path, required=True, help="folder of <variant>.csv, with measured seconds")
    parser.add_argument("--variants", nargs="+", required=True, help="names, in the table's order")
    parser.add_argument("--out", type=Path, required=True, help="folder of csvs, written")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
