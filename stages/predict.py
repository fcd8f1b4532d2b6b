"""Predicts the class of pictures with a trained model; prints a csv of each file's class, probability and runners-up.

A picture that cannot be read gets a line on stderr, and the exit code is then 1.
"""

import argparse
import csv
import glob
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np

from stages.common import params, tables
from stages.common.command import ThawError, one_line, run
from stages.pictures.inspection import look
from stages.pictures.parts import resized
from stages.sources import folders
from stages.trained import keras_file

MODELS, ANSWER = Path("models"), Path("plots/answer/answer.json")
NAMED = ("class", "second", "third")  # the columns of the likeliest classes; fewer if there are only two classes
AT_ONCE = 32  # pictures in a batch
DECIMALS = 4
# Keras and TensorFlow import these if they are installed. That takes a third of the start, and predicting needs none.
NOT_NEEDED = ("sklearn", "matplotlib", "jax")


def main(arguments: Sequence[str] | None = None) -> None:
    """Predict the classes of the pictures that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m stages.predict", description=__doc__)
    parser.add_argument(
        "pictures", nargs="+", help="files, folders (with all pictures below them) or patterns such as '*.jpg'"
    )
    parser.add_argument(
        "--model",
        type=Path,
        help="a trained .keras file below models/ (default: that of the schedule which the report names)",
    )
    options = parser.parse_args(arguments)
    model_file = options.model or _named_model()
    file = keras_file.read(model_file)
    names, size = file.classes, file.image_size
    failures: list[str] = []
    paths = list(_paths(options.pictures, failures))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    ranks = NAMED[: len(names)]
    writer.writerow(["file", *(column for rank in ranks for column in (rank, _column(rank)))])
    if paths:
        for package in NOT_NEEDED:
            if package != os.environ.get("KERAS_BACKEND"):
                sys.modules.setdefault(package, None)  # as if it were not installed
        predict = keras_file.predict(file.loaded())
        for batch in _batches(_decoded(paths, size, failures)):
            read, pixels = zip(*batch, strict=True)
            for path, likely in zip(read, predict(np.stack(pixels).astype(np.float32)), strict=True):
                order = np.argsort(-likely, kind="stable")[: len(ranks)]
                row = [cell for label in order for cell in (names[label], f"{likely[label]:.{DECIMALS}f}")]
                writer.writerow([path, *row])
    for failure in failures:
        print(f"error: {one_line(failure)}", file=sys.stderr)
    if failures:
        sys.stdout.flush()
        sys.exit(1)


def _column(rank: str) -> str:
    return "probability" if rank == NAMED[0] else f"{rank}_probability"


def _named_model() -> Path:
    """The model of the schedule that the stage `answer` names for the data set of `schedule.dataset`."""
    dataset = params.load().schedule.dataset
    answers = tables.read_json(ANSWER) if ANSWER.exists() else {}
    if dataset not in answers:
        raise ThawError(f"{ANSWER}: names no model for '{dataset}' yet; run `dvc repro`, or name one: --model")
    model = MODELS / answers[dataset]["variant"] / keras_file.LAST
    if not model.exists():
        raise ThawError(f"{model}: no such file; run `dvc repro`, or name another model: --model")
    print(f"model: {model}", file=sys.stderr)
    return model


def _paths(named: Iterable[str], failures: list[str]) -> Iterator[Path]:
    for name in named:
        path = Path(name).expanduser()
        if path.is_dir():
            found = folders.paths(path)
        elif path.exists():
            found = [path]
        else:
            matching = glob.glob(str(path), recursive=True)  # noqa: PTH207 (which takes no absolute patterns)
            found = [Path(each) for each in sorted(matching) if Path(each).is_file()]
        if not found:
            failures.append(f"{name}: {'no pictures in this folder' if path.is_dir() else 'no such file'}")
        yield from found


def _decoded(paths: list[Path], size: int, failures: list[str]) -> Iterator[tuple[Path, np.ndarray]]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(paths), AT_ONCE):
            some = paths[start : start + AT_ONCE]
            for path, pixels in zip(some, pool.map(lambda path: _pixels(path, size), some), strict=True):
                if isinstance(pixels, str):
                    failures.append(f"{path}: {pixels}")
                else:
                    yield path, pixels


def _pixels(path: Path, size: int) -> np.ndarray | str:
    """The picture as the model takes it, or why it cannot be read."""
    try:
        with path.open("rb") as file:
            looked = look(path.name, file, path.stat().st_size)
    except OSError as error:
        return error.strerror or one_line(error)
    return looked.mistake or "" if looked.image is None else resized(looked.image, size)


def _batches(pictures: Iterator[tuple[Path, np.ndarray]]) -> Iterator[list[tuple[Path, np.ndarray]]]:
    while batch := list(islice(pictures, AT_ONCE)):
        yield batch


if __name__ == "__main__":
    run(main)
