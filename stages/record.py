"""Copy a finished run into a folder of the repository, with a page that compares it with the thesis.

Reads the run's params, csvs, jsons, figures, epochs and logits, its downloads, and the thesis's numbers. Writes the
folder, from which every number, interval and verdict of the page can be computed again.
"""

import argparse
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from stages.common import files, tables
from stages.common.command import ThawError, run
from stages.common.manifest import Manifest
from stages.pages import facts, finished
from stages.pages.finished import FinishedRun
from stages.pages.render import render
from stages.results.repeats import EPOCHS_FILE, LOGITS_FILE
from stages.study import summary

TABLES = (
    "tables/summary",
    "tables/claims",
    "tables/comparisons",
    "tables/curves",
    "tables/final",
    "costs/costs",
    "costs/recommendation",
)


def main() -> None:
    arguments = _arguments()
    read = finished.read(arguments)
    check(read, arguments)
    values = facts.of_run(read)
    copies = run_files(values, arguments)
    inputs = [_input(arguments.raw / name, read.source) for name in read.source.downloads]
    write(arguments.out, copies, render("record.md.jinja", {**values, "inputs": inputs}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    finished.add_arguments(parser)
    parser.add_argument("--raw", type=Path, required=True, help="folder of the downloads")
    parser.add_argument("--out", type=Path, required=True, help="folder of the record, replaced whole")
    return parser.parse_args()


def check(read: FinishedRun, arguments: argparse.Namespace) -> None:
    """Raise ThawError if a variant of the thesis did not run, or a file is of other results or params."""
    if missing := [name for name in read.paper.variants if name not in read.summary.index]:
        raise ThawError(f"{arguments.plots / 'tables/summary.csv'}: has no {', '.join(missing)}; run `dvc repro`")
    path = arguments.metrics / "summary.json"
    if tables.read_json(path) != summary.summary(read.source.title, read.study):
        raise ThawError(f"{path}: differs from the variants' own jsons; run `dvc repro`")
    for variant in read.study.variants:
        own = read.params.of(read.params.named(variant.name))
        seeds = [repeat.seed for repeat in own.repeats_of(variant.dataset)]
        for key, value in {"source": own.source, "seeds": seeds, "batch_norm": own.fine.batch_norm}.items():
            if variant.metrics[key] != value:
                raise ThawError(
                    f"{arguments.params}: {key} is {value}, but {variant.name} ran with {variant.metrics[key]}; "
                    "run `dvc repro`"
                )


def run_files(values: dict[str, Any], arguments: argparse.Namespace) -> dict[Path, Path]:
    """The path of each file of the run, by its place in the record; raises ThawError if one is missing."""
    names = [row["name"] for row in values["rows"]]
    converged = [f"{name}-converged" for name, dataset in values["datasets"].items() if dataset["converged"]]
    plots = [*(f"{name}.csv" for name in (*names, *TABLES)), *(figure["file"] for figure in values["figures"].values())]
    copies = {
        Path("params.yaml"): arguments.params,
        Path("paper.yaml"): arguments.paper,
        **{
            Path("metrics", f"{name}.json"): arguments.metrics / f"{name}.json"
            for name in (*names, "summary", "claims")
        },
        **{Path("plots", file): arguments.plots / file for file in plots},
        **{Path("results", name, LOGITS_FILE): arguments.results / name / LOGITS_FILE for name in (*names, *converged)},
        **{Path("results", name, EPOCHS_FILE): arguments.results / name / EPOCHS_FILE for name in names},
    }
    for path in copies.values():
        if not path.is_file():
            raise ThawError(f"{path}: no such file; run `dvc repro`")
    return copies


def _input(folder: Path, source: Manifest) -> dict[str, Any]:
    """The file in a download's folder, with the note of the manifest's copy that has its checksum."""
    path = files.only_file(folder)
    sha256 = files.sha256(path)
    notes = [copy.note for copy in source.downloads[folder.name].copies if copy.sha256 == sha256 and copy.note]
    size = path.stat().st_size
    return {"name": folder.name, "file": path.name, "bytes": size, "sha256": sha256, "note": " ".join(notes)}


def write(out: Path, copies: dict[Path, Path], page: str) -> None:
    """Write the record's folder as a whole: the run's files, the logits compressed, and the page as README.md."""
    with files.folder_written_whole(out) as beside:
        for place, path in copies.items():
            (beside / place).parent.mkdir(parents=True, exist_ok=True)
            if place.name == LOGITS_FILE:  # the names of the pictures take most of it, and stand in each variant
                with np.load(path, allow_pickle=False) as arrays:
                    np.savez_compressed(beside / place, **arrays)
            else:
                shutil.copyfile(path, beside / place)
        tables.write_text(page, beside / "README.md")


if __name__ == "__main__":
    run(main)
