"""Reads a download's archive; writes a data set's images, each one decoded once, and its table of parts."""

import argparse
import csv
import hashlib
import io
import os
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from tqdm import tqdm

from stages.common import configuration, params
from stages.common.command import ThawError, run
from stages.common.files import folder_written_whole, only_file, written_whole
from stages.common.manifest import DrawnDataset, ShippedDataset, corrected
from stages.pictures import inspection, splits
from stages.pictures.parts import PARTS, TEST
from stages.sources import archive_layout, folders
from stages.sources.archive import Found, Survey, extract, survey

Dataset = ShippedDataset | DrawnDataset

SHOWN = 5  # how many of many mistakes one line names
UNREADABLE = Path("work/split")  # the folder for the lists of all of them

HELD = 2**26  # bytes: a larger file is not read into memory


class Row(NamedTuple):
    """A row of the table of parts, in the order of its columns."""

    path: str
    label: int
    part: str
    fold: int  # from 1; 0 where the manifest asks for no folds


class Checked(NamedTuple):
    """What became of decoding a file: the SHA-256 of its bytes, why it cannot be read, what to remark on it."""

    digest: bytes
    mistake: str | None
    remarks: Sequence[str] = ()


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
    unreadable = UNREADABLE / f"{options.dataset}-unreadable.txt"
    split(dataset, source.path, only_file(options.archive), options.images, options.split, unreadable)


def split(dataset: Dataset, source: Path, archive: Path, images: Path, table: Path, unreadable: Path) -> None:
    """Extract and check the images of `dataset` and write its table; `source` is the manifest's file.

    Raises ThawError where the archive is unsafe or damaged, or its images are not those of the manifest; pictures that
    cannot be read are then listed in the file `unreadable`.
    """
    table.unlink(missing_ok=True)  # no table ever stands beside images of another archive
    unreadable.unlink(missing_ok=True)
    shown = folders.read(archive)[0] if folders.is_listing(archive) else archive
    with folder_written_whole(images) as folder:
        contents = survey(archive, dataset.places(), dataset.limits.bytes, dataset.leave_out)
        _check_left_out(shown, source, dataset, contents)
        archive_layout.check(shown, source, dataset, contents)
        found, passed_over = extract(archive, contents, folder)
        _tell_passed_over(shown, passed_over)
        checked = _decode_all(folder, found, dataset.limits.pixels)
        _check_pictures(shown, source, checked, unreadable)
        _check_counts(shown, source, dataset, found)
        rows = assign_parts(dataset, found)
        _check_parts(source, dataset, rows)
        _warn_of_remarks(shown, checked)
        _warn_of_repeats(shown, rows, checked)
        _warn_of_contradictions(shown, rows, checked)
    with written_whole(table) as path, path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        writer.writerows(rows)


def _check_left_out(archive: Path, source: Path, dataset: Dataset, contents: Survey) -> None:
    if unknown := sorted(set(dataset.leave_out) - {str(path) for path in contents.left_out}):
        raise ThawError(
            f"{source}: leave_out: {archive} holds no picture of a class at {_some(unknown)}; take it out of the list"
        )


def _check_parts(source: Path, dataset: Dataset, rows: list[Row]) -> None:
    """Raise ThawError where a class has no picture in a part, or in a fold: a draw of whole groups can do that."""
    labels = {row.path: row.label for row in rows}
    parts = {"part": {row.path: row.part for row in rows}}
    if dataset.split.folds:
        parts["fold"] = {row.path: f"{row.fold} of {dataset.split.folds}" for row in rows if row.part != TEST}
    for kind, by_path in parts.items():
        if empty := splits.empty(labels, by_path):
            label, part = empty[0]
            raise ThawError(
                f"{source}: split: the {kind} {part} has no picture of '{list(dataset.classes)[label]}'; "
                "give the class more pictures or groups, a larger validation_share or fewer folds, or another seed"
            )


def _tell_passed_over(archive: Path, paths: list[PurePosixPath]) -> None:
    if paths:
        print(
            f"{archive}: {len(paths)} files in the class folders are no pictures and were passed over: "
            f"{_some(sorted(repr(str(path)) for path in paths))}",
            file=sys.stderr,
        )


def _decode_all(folder: Path, found: list[Found], most_pixels: int | None) -> dict[str, Checked]:
    """Decode every image, several at once; what became of each path."""
    paths = [str(each.path) for each in found]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(partial(_decode, most_pixels=most_pixels), [folder / path for path in paths])
        return dict(zip(paths, tqdm(results, "decoding", len(paths), unit="image", disable=None), strict=True))


def _decode(path: Path, most_pixels: int | None) -> Checked:
    size = path.stat().st_size
    with io.BytesIO(path.read_bytes()) if size <= HELD else path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
        _, mistake, remarks = inspection.look(path.name, file, size, most_pixels)
        return Checked(digest, mistake, remarks)


def _check_pictures(archive: Path, source: Path, checked: dict[str, Checked], unreadable: Path) -> None:
    mistakes = [f"{path} ({each.mistake})" for path, each in sorted(checked.items()) if each.mistake]
    if mistakes:
        with written_whole(unreadable) as path:
            path.write_text("".join(f"{mistake}\n" for mistake in mistakes), encoding="utf-8")
        raise ThawError(
            f"{archive}: {len(mistakes)} of {len(checked)} pictures in the class folders cannot be read: "
            f"{_some(mistakes)}; {unreadable} lists them all; mend them where they come from, or list them under "
            f"`leave_out` and {corrected(source)}"
        )


def _some(texts: list[str]) -> str:
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return f"{', '.join(texts[:SHOWN])}{more}"


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
            f"take the right pictures, or {corrected(source)}"
        )


def assign_parts(dataset: Dataset, found: list[Found]) -> list[Row]:
    """The rows of the table, by part, label and path; the same paths always give the same parts and folds.

    The test part is in no draw, and its fold is 0.
    """
    labels = {str(path): place.label for path, place in found if place.part != TEST}
    shipped = isinstance(dataset, ShippedDataset)
    parts = {str(path): place.part for path, place in found} if shipped else splits.drawn(labels, dataset.split)
    folds = splits.folds(labels, dataset.split)
    rows = [Row(path, label, parts[path], folds[path]) for path, label in labels.items()]
    rows += [Row(str(path), place.label, TEST, 0) for path, place in found if place.part == TEST]
    return sorted(rows, key=_order)


def _order(row: Row) -> tuple[str, int, str]:
    return row.part, row.label, row.path


def _warn_of_remarks(archive: Path, checked: dict[str, Checked]) -> None:
    """Say once for each remark how many pictures it is true of."""
    paths: dict[str, list[str]] = {}
    for path, each in sorted(checked.items()):
        for remark in each.remarks:
            paths.setdefault(remark, []).append(path)
    for remark, several in paths.items():
        others = f" (so of {len(several)} pictures in all)" if len(several) > 1 else ""
        print(f"warning: {archive}: {several[0]} {remark}{others}", file=sys.stderr)


def _warn_of_repeats(archive: Path, rows: list[Row], checked: dict[str, Checked]) -> None:
    """Say which validation and test images are in an earlier part too: they make results look better than they are."""
    known: dict[bytes, str] = {}
    words = dict(zip((*PARTS, TEST), ("", "training", "training or validation"), strict=True))
    for part, earlier in words.items():
        of_part = {row.path: checked[row.path].digest for row in rows if row.part == part}
        if repeated := [path for path, digest in of_part.items() if digest in known]:
            print(
                f"warning: {archive}: {len(repeated)} {part} images are {earlier} images too, byte for byte, "
                f"e.g. {repeated[0]} and {known[of_part[repeated[0]]]}",
                file=sys.stderr,
            )
        known = {digest: path for path, digest in of_part.items()} | known


def _warn_of_contradictions(archive: Path, rows: list[Row], checked: dict[str, Checked]) -> None:
    """Say which images are in several classes: at most one of these can be right."""
    first: dict[bytes, Row] = {}
    for row in rows:
        first.setdefault(checked[row.path].digest, row)
    pairs = [
        (first[checked[row.path].digest].path, row.path)
        for row in rows
        if first[checked[row.path].digest].label != row.label
    ]
    if pairs:
        print(
            f"warning: {archive}: {len(pairs)} images are in another class too, byte for byte: "
            f"{_some([f'{one} and {other}' for one, other in pairs])}; "
            "list the wrong ones under `leave_out` in the manifest",
            file=sys.stderr,
        )


if __name__ == "__main__":
    run(main)
