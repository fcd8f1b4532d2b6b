"""Stage `report`: write the study as one page that contains all its pictures.

Reads a finished run with its figures, the answer and the misclassified pictures; writes one HTML file. The page loads
nothing from the network, and its content security policy forbids it.
"""

import argparse
from pathlib import Path

from stages.common import tables
from stages.common.command import run
from stages.pages import answer, data_address, facts, finished
from stages.pages.render import render


def main() -> None:
    arguments = _arguments()
    read = finished.read(arguments)
    values = facts.of_run(read)
    content = {
        **values,
        "pictures": {
            name: data_address.of_figure(arguments.plots / figure["file"]) for name, figure in values["figures"].items()
        },
        "answers": answer.of_run(read, arguments.plots / "answer", arguments.images),
        "params": arguments.params.read_text(encoding="utf-8"),
    }
    tables.write_text(render("report.html.jinja", content), arguments.out)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    finished.add_arguments(parser)
    parser.add_argument("--images", type=Path, required=True, help="folder of <dataset>/, with its images")
    parser.add_argument("--out", type=Path, required=True, help="html, written")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
