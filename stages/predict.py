"""Names the class of pictures: reads a trained model, prints csv of each file's class, probability and runners-up.

Pictures that cannot be read get a line on stderr each, and exit code 1 at the end.
"""

import argparse
import csv
import glob
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np

from stages.common import params, tables
from stages.common.command import ThawError, one_line, run
from stages.pictures.inspection import look
from stages.pictures.parts import resized
from stages.sources import folders

MODELS, METRICS = Path("models"), Path("metrics")
MODEL, CLASSES = "best.keras", "classes.json"  # as the stage `train` writes them
NAMED = ("class", "second", "third")  # as many of the likeliest classes as there are
AT_ONCE = 32  # pictures in a batch
DECIMALS = 4

Predict = Callable[[np.ndarray], np.ndarray]
"""Pixels, float32 (n, size, size, 3), to logits, float32 (n, 1) for two classes or (n, classes)."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Predict the classes of the pictures that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m stages.predict", description=__doc__)
    parser.add_argument("pictures", nargs="+", help="files, folders (all pictures below) or patterns such as '*.jpg'")
    parser.add_argument(
        "--model", type=Path, help="a .keras file that `train` wrote (default: the best of params.yaml)"
    )
    options = parser.parse_args(arguments)
    model_file = options.model or _best_model()
    told = _told(model_file)
    names, size = told["classes"], told["image_size"]
    failures: list[str] = []
    paths = list(_paths(options.pictures, failures))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    ranks = NAMED[: len(names)]
    writer.writerow(["file", *(column for rank in ranks for column in (rank, _column(rank)))])
    if paths:
        predict = _loaded(model_file, size, len(names))
        for batch in _batches(_decoded(paths, size, failures)):
            read, pixels = zip(*batch, strict=True)
            for path, likely in zip(read, _probabilities(predict, np.stack(pixels)), strict=True):
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


def _best_model() -> Path:
    """Of the models trained on `schedule.dataset`, the one with the lowest validation loss."""
    settings = params.load()
    losses = {}
    for name, schedule in settings.variants.items():
        model, record = MODELS / name / MODEL, METRICS / f"{name}.json"
        if schedule.dataset == settings.schedule.dataset and model.exists() and record.exists():
            losses[model] = tables.read_json(record)["val"]["best"]["loss"]
    if not losses:
        raise ThawError(
            f"{MODELS}: holds no model of '{settings.schedule.dataset}'; train one by `dvc repro`, or name it: --model"
        )
    best = min(losses, key=lambda path: losses[path])
    print(f"model: {best}", file=sys.stderr)
    return best


def _told(model: Path) -> dict:
    """The names of the classes and the image size of a model, which stand beside it."""
    if not model.is_file():
        raise ThawError(f"{model}: no such model; name a .keras file that `dvc repro` has trained")
    beside = model.with_name(CLASSES)
    if not beside.exists():
        raise ThawError(f"{beside}: no such file; copy it from where the model was trained, to lie beside {model.name}")
    told = tables.read_json(beside)
    if not isinstance(told.get("classes"), list) or not isinstance(told.get("image_size"), int):
        raise ThawError(f"{beside}: names no classes and image_size; copy it again from where the model was trained")
    return told


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
            failures.append(f"{name}: {'no pictures there' if path.is_dir() else 'no such file'}")
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


def _loaded(path: Path, size: int, classes: int) -> Predict:
    from stages.network.keras_quietly import keras  # takes seconds, and a mistake above is told before

    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # zipfile, h5py and Keras raise whatever damaged bytes lead them to
        raise ThawError(f"{path}: cannot be loaded ({one_line(error)}); train it again: `dvc repro`") from None
    shapes = (model.input_shape[1:], model.output_shape[1:])
    if shapes != ((size, size, 3), (1 if classes == 2 else classes,)):
        raise ThawError(f"{path}: takes and gives {shapes}, not what {CLASSES} beside it says; train it again")
    # Called as it is: to trace it takes longer than a hundred pictures.
    return lambda pixels: keras.ops.convert_to_numpy(model(pixels, training=False))


def _probabilities(predict: Predict, pixels: np.ndarray) -> np.ndarray:
    """Of each class, float64 (n, classes), of pixels (n, size, size, 3)."""
    logits = np.asarray(predict(pixels.astype(np.float32)), np.float64)
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    likely = np.exp(logits - logits.max(axis=1, keepdims=True))
    return likely / likely.sum(axis=1, keepdims=True)


if __name__ == "__main__":
    run(main)
