"""Stage `summarize`: compare the variants and check the thesis's claims.

Reads each variant's json, csv, epochs and validation logits, and the thesis's claims. Writes the summary, the claims,
and a folder of tables: summary, claims, comparisons, curves and final. No output depends on measured seconds.
"""

import argparse
from pathlib import Path

from stages.common import manifest, params, tables
from stages.common.command import run
from stages.common.files import folder_written_whole
from stages.study import claims, comparisons, inputs, summary


def main() -> None:
    arguments = _arguments()
    title = manifest.load(arguments.source).title
    study, thesis = inputs.read(arguments, params.load())
    compared = comparisons.compare(study)
    content = claims.content(title, study, compared, thesis)
    written = {
        "summary": summary.table(study),
        "claims": claims.table(study, content["claims"]),
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
    inputs.add_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="json of the summary, written")
    parser.add_argument("--claims", type=Path, required=True, help="json of the claims checked, written")
    parser.add_argument("--tables", type=Path, required=True, help="folder of csvs, written")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
