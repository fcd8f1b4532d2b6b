"""Stage `report`: the study as one page, with all that it shows inside.

Reads a finished run with its figures, and the best variants' predictions with their images; writes one HTML file. The
page asks no network for anything, and its policy forbids it to.
"""

import argparse
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any

from stages.common import tables
from stages.common.command import run
from stages.pages import data_address, facts, finished
from stages.pages.finished import FinishedRun
from stages.pages.render import render
from stages.results import repeats
from stages.study import hardest

HARDEST = 8  # images of each data set: two rows of a wide page


def main() -> None:
    arguments = _arguments()
    read = finished.read(arguments)
    told = facts.of_run(read)
    content = {
        **told,
        "pictures": {
            name: data_address.of_figure(arguments.plots / figure["file"]) for name, figure in told["figures"].items()
        },
        "hardest": {
            name: hard_images(read, name, dataset["best"], arguments.results, arguments.images)
            for name, dataset in told["datasets"].items()
            if dataset["best"]
        },
        "params": arguments.params.read_text(encoding="utf-8"),
    }
    tables.write_text(render("report.html.jinja", content), arguments.out)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    finished.add_arguments(parser)
    parser.add_argument("--images", type=Path, required=True, help="folder of <dataset>/, with its images")
    parser.add_argument("--out", type=Path, required=True, help="html, written")
    return parser.parse_args()


def hard_images(read: FinishedRun, dataset: str, best: str, results: Path, images: Path) -> list[dict[str, Any]]:
    """The hardest validation images of the data set's best variant, each with its picture and its classes by name."""
    classes = list(read.source.dataset(dataset).classes)
    predictions = repeats.final_predictions(results / best)
    return [
        {
            **asdict(hard),
            "file": PurePosixPath(hard.image).name,
            "label": classes[hard.label],
            "predicted": classes[hard.predicted],
            "wrong": hard.predicted != hard.label,
            "repeats": int((predictions["image"] == hard.image).sum()),
            "picture": data_address.of_image(images / dataset / hard.image),
        }
        for hard in hardest.of_predictions(predictions, HARDEST)
    ]


if __name__ == "__main__":
    run(main)
