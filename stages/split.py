"""Reads a download's archive; writes a data set's images, each one decoded once, and its table of parts."""

import argparse
import csv
import hashlib
import io
import os
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from stages.common import configuration, params
from stages.common.command import ThawError, one_line, run
from stages.common.files import folder_written_whole, only_file, written_whole
from stages.common.manifest import DrawnDataset, ShippedDataset
from stages.pictures import splits
from stages.pictures.image_file import FORMATS, upright_rgb
from stages.sources.archive import Found, extract

Dataset = ShippedDataset | DrawnDataset

SHOWN = 5  # how many of many mistakes one line names


class Row(NamedTuple):
    """A row of the table of parts, in the order of its columns."""

    path: str
    label: int
    part: str
    fold: int  # from 1; 0 where the manifest asks for no folds


def main(arguments: Sequence[str] | None = None) -> None:
    """Split the data set that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m stages.split", description=__doc__)
    parser.add_argument("--source", type=Path, required=True, help="the manifest")
    parser.add_argument("--dataset", required=True, help="the data set's name in the manifest")
    parser.add_argument("--archive", type=Path, required=True, help="the folder that holds the archive alone")
    parser.add_argument("--images", type=Path, required=True, help="the folder for the images")
    parser.add_argument("--split", type=Path, required=True, help="the table of path, label and part")
    options = parser.parse_args(arguments)
    source = configuration.read(options.source, params.load())
    dataset = source.dataset(options.dataset)
    split(dataset, source.path, only_file(options.archive), options.images, options.split)


def split(dataset: Dataset, source: Path, archive: Path, images: Path, table: Path) -> None:
    """Extract and check the images of `dataset` and write its table; `source` is the manifest's file.

    Raises ThawError where the archive is unsafe or damaged, or its images are not those of the manifest.
    """
    table.unlink(missing_ok=True)  # no table ever stands beside images of another archive
    with folder_written_whole(images) as folder:
        found = extract(archive, dataset.places(), folder)
        digests = _decode_all(archive, source, folder, found)
        _check_counts(archive, source, dataset, found)
        rows = assign_parts(dataset, found)
        _warn_of_repeats(archive, rows, digests)
    with written_whole(table) as path, path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        writer.writerows(rows)


def _decode_all(archive: Path, source: Path, folder: Path, found: list[Found]) -> dict[str, bytes]:
    """Decode every image; the SHA-256 of each path's bytes. Raises ThawError naming what is not an image."""
    paths = [str(each.path) for each in found]
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore")  # of metadata that no stage reads
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        results = pool.map(_decode, [folder / path for path in paths])
        checked = dict(zip(paths, tqdm(results, "decoding", len(paths), unit="image", disable=None), strict=True))
    mistakes = [f"{path} ({mistake})" for path, (_, mistake) in sorted(checked.items()) if mistake]
    if mistakes:
        more = f" and {len(mistakes) - SHOWN} more" if len(mistakes) > SHOWN else ""
        raise ThawError(
            f"{archive}: {len(mistakes)} of {len(paths)} files in the class folders are not whole images: "
            f"{', '.join(mistakes[:SHOWN])}{more}; mend the archive, or leave them out and correct {source}"
        )
    return {path: digest for path, (digest, _) in checked.items()}


def _decode(path: Path) -> tuple[bytes, str | None]:
    """The SHA-256 of the file's bytes, and why it is not an image, if it is none."""
    content = path.read_bytes()
    return hashlib.sha256(content).digest(), _mistake(content)


def _mistake(content: bytes) -> str | None:
    if not content:
        return "empty"
    try:
        upright_rgb(io.BytesIO(content))
    except UnidentifiedImageError:
        return f"not one of {', '.join(FORMATS)}"
    except Exception as error:  # Pillow's decoders raise whatever damaged bytes lead them to
        return one_line(error)
    return None


def _check_counts(archive: Path, source: Path, dataset: Dataset, found: list[Found]) -> None:
    counts = Counter(each.place for each in found)
    names = list(dataset.classes)
    differences = [
        f"{place.part + ' ' if place.part else ''}{names[place.label]}: {counts[place]} in {place.folder}, "
        f"{place.images} expected"
        for place in dataset.places()
        if counts[place] != place.images
    ]
    if differences:
        raise ThawError(
            f"{archive}: the numbers of images differ from {source} ({'; '.join(differences)}); "
            "correct the manifest or fetch another copy"
        )


def assign_parts(dataset: Dataset, found: list[Found]) -> list[Row]:
    """The rows of the table, by part, label and path; the same paths always give the same parts and folds."""
    labels = {str(path): place.label for path, place in found}
    shipped = isinstance(dataset, ShippedDataset)
    parts = {str(path): place.part for path, place in found} if shipped else splits.drawn(labels, dataset.split)
    folds = splits.folds(labels, dataset.split)
    return sorted((Row(path, label, parts[path], folds[path]) for path, label in labels.items()), key=_order)


def _order(row: Row) -> tuple[str, int, str]:
    return row.part, row.label, row.path


def _warn_of_repeats(archive: Path, rows: list[Row], digests: dict[str, bytes]) -> None:
    """Say which validation images are training images too: they make validation look better than it is."""
    training = {digests[row.path]: row.path for row in rows if row.part == "training"}
    repeated = [row.path for row in rows if row.part == "validation" and digests[row.path] in training]
    if repeated:
        print(
            f"warning: {archive}: {len(repeated)} validation images are training images too, byte for byte, "
            f"e.g. {repeated[0]} and {training[digests[repeated[0]]]}",
            file=sys.stderr,
        )


if __name__ == "__main__":
    run(main)
