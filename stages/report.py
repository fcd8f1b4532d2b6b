"""Stage `report`: the study as one page, with all that it shows inside.

Reads a finished run with its figures, the answer and the images that it gets wrong; writes one HTML file. The
page asks no network for anything, and its policy forbids it to.
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
    told = facts.of_run(read)
    content = {
        **told,
        "pictures": {
            name: data_address.of_figure(arguments.plots / figure["file"]) for name, figure in told["figures"].items()
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
