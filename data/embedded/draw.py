"""Draws the embedded pictures, and packs them as the public archives of photographs are packed."""

import argparse
import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from data.embedded.scenes import SUBJECTS, Setting, jpeg, picture
from stages.common.command import run
from stages.common.files import written_whole

STREAM = 0  # sets these pictures' random numbers apart from those of `pretrain`
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip archive can hold
LICENSE = "Drawn by data/embedded/draw.py of this repository, and under the repository's licence.\n"

Task = tuple[str, dict[str, Any], str, int]  # path in the archive, parameters, class, number


def main() -> None:
    arguments = _arguments()
    params = yaml.safe_load(arguments.params.read_text())
    with ProcessPoolExecutor() as pool:
        cats_dogs = pool.map(drawn, cats_dogs_tasks(params), chunksize=16)
        with written_whole(arguments.cats_dogs) as beside:
            pack_zip(beside, cats_dogs)
        roses_tulips = pool.map(drawn, roses_tulips_tasks(params), chunksize=16)
        with written_whole(arguments.roses_tulips) as beside:
            pack_tgz(beside, roses_tulips)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, required=True)
    parser.add_argument("--cats-dogs", type=Path, required=True, help="the zip archive to write")
    parser.add_argument("--roses-tulips", type=Path, required=True, help="the tgz archive to write")
    return parser.parse_args()


def cats_dogs_tasks(params: dict[str, Any]) -> list[Task]:
    """Every picture of `cats_and_dogs_filtered`, numbered through a class's training and validation pictures."""
    counts = params["cats_dogs"]["images"]
    total = counts["training"] + counts["validation"]
    parts = ["train" if number < counts["training"] else "validation" for number in range(total)]
    return [
        (
            f"cats_and_dogs_filtered/{part}/{name}/{name[:-1]}.{number}.jpg",
            _shared(params, "cats_dogs"),
            name,
            number,
        )
        for name in ("cats", "dogs")
        for number, part in enumerate(parts)
    ]


def roses_tulips_tasks(params: dict[str, Any]) -> list[Task]:
    """Every picture of `flower_photos`."""
    return [
        (f"flower_photos/{name}/{number:04}.jpg", _shared(params, "roses_tulips"), name, number)
        for name, count in params["roses_tulips"]["images"].items()
        for number in range(count)
    ]


def _shared(params: dict[str, Any], dataset: str) -> dict[str, Any]:
    return {"seed": params["seed"], "size": params["size"], **params[dataset]}


def drawn(task: Task) -> tuple[str, bytes]:
    """The path in the archive and the JPEG file's bytes; they depend on the task alone."""
    cv2.setNumThreads(1)  # the pool uses every core already
    path, params, name, number = task
    random = np.random.default_rng([params["seed"], STREAM, list(SUBJECTS).index(name), number])
    pixels = picture(SUBJECTS[name], Setting(**params["setting"]), params["size"], random)
    low, high = params["quality"]
    return path, jpeg(pixels, int(random.integers(low, high + 1)))


def pack_zip(path: Path, members: Iterator[tuple[str, bytes]]) -> None:
    """Write a zip archive whose bytes follow from its members alone."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:  # JPEG does not shrink further
        for name, data in sorted(members):
            archive.writestr(zipfile.ZipInfo(name, ZIP_EPOCH), data)


def pack_tgz(path: Path, members: Iterator[tuple[str, bytes]]) -> None:
    """Write a gzipped tar archive whose bytes follow from its members alone."""
    licensed = [("flower_photos/LICENSE.txt", LICENSE.encode()), *members]
    with (
        path.open("wb") as file,
        gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, data in sorted(licensed):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


if __name__ == "__main__":
    run(main)
