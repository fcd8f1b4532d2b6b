"""Stage `summarize`: all variants side by side, and the paper's claims checked.

Reads each variant's json, csv, epochs and validation logits, and the paper's claims; writes the summary, the claims,
and a folder of tables: summary, claims, comparisons, curves and final. Nothing here depends on measured seconds.
"""

import argparse
from pathlib import Path

from stages.common import manifest, params, tables
from stages.common.command import run
from stages.common.files import folder_written_whole
from stages.study import claims, comparisons, evidence, paper, summary, variants


def main() -> None:
    arguments = _arguments()
    title = manifest.load(arguments.source).title
    settings, told = params.load(), paper.load(arguments.paper)
    members = variants.read_all(
        settings.names, arguments.metrics, arguments.histories, arguments.results, arguments.source
    )
    margins = told.margins_of(settings.statistics.margin)
    study = evidence.read(members, arguments.results, settings.statistics, margins)
    compared = comparisons.compare(study)
    content = claims.content(title, study, compared, told)
    written = {
        "summary": summary.table(study),
        "claims": claims.table(content["claims"], len(study.repeats)),
        "comparisons": comparisons.table(compared),
        "curves": summary.curves(study),
        "final": summary.final(study),
    }
    with folder_written_whole(arguments.tables) as beside:
        for name, table in written.items():
            tables.write_table(table, beside / f"{name}.csv")
    tables.write_json(content, arguments.claims)
    tables.write_json(summary.summary(title, study), arguments.out)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, required=True, help="manifest of the inputs")
    parser.add_argument("--paper", type=Path, required=True, help="the paper's numbers and claims")
    parser.add_argument("--results", type=Path, required=True, help="folder of <variant>/, with its repeats")
    parser.add_argument("--metrics", type=Path, required=True, help="folder of <variant>.json")
    parser.add_argument("--histories", type=Path, required=True, help="folder of <variant>.csv")
    parser.add_argument("--out", type=Path, required=True, help="json of the summary, written")
    parser.add_argument("--claims", type=Path, required=True, help="json of the claims checked, written")
    parser.add_argument("--tables", type=Path, required=True, help="folder of csvs, written")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
