"""Reads every picture of a folder or an archive once, and finds which of them must be left out."""

import hashlib
import io
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple, TypeVar

import numpy as np
from tqdm import tqdm

from stages.common.command import ThawError
from stages.common.manifest import Place
from stages.own import leaks
from stages.own.layout import Layout, layout
from stages.pictures.inspection import look
from stages.pictures.parts import TEST
from stages.sources import archive
from stages.sources.archive import Found

Result = TypeVar("Result")

UNREADABLE = "cannot be read"
WAITING = 4  # pictures in memory per thread


class Picture(NamedTuple):
    """A picture that can be read: its class and part, a digest of its pixels, its thumbnail, remarks on its file."""

    name: str
    part: str
    digest: bytes
    thumbnail: np.ndarray
    remarks: tuple[str, ...]


class Pictures(NamedTuple):
    """The pictures of a folder or an archive by path, and the reason for each that is left out."""

    layout: Layout
    kept: dict[str, Picture]
    left_out: dict[str, str]
    passed_over: int  # files in the classes' folders that are not pictures

    def labels(self) -> dict[str, int]:
        """By path, the number of the class in the order of the layout; without the test part, which is not split."""
        numbers = {name: number for number, name in enumerate(self.layout.classes)}
        return {path: numbers[each.name] for path, each in self.kept.items() if each.part != TEST}

    def counts(self, part: str) -> dict[str, int]:
        """The number of pictures of each class in a part."""
        found = Counter(each.name for each in self.kept.values() if each.part == part)
        return {name: found[name] for name in self.layout.classes}


def pictures(source: Path, shown: Path) -> Pictures:
    """Read every picture of `source`, an archive or a folder's listing, which messages call `shown`.

    Raises ThawError if it has fewer than two classes, or is unsafe or damaged.
    """
    found = layout(shown, archive.survey(source, ()).files)
    places = {place: (name, part) for part, root in found.roots.items() for name, place in _places(found, part, root)}
    contents = archive.survey(source, list(places))
    looked = _looked_at(archive.contents_of(source, contents), sum(map(len, contents.found.values())))
    kept, left_out = {}, {}
    for (path, place), result in looked:
        if isinstance(result, str):
            left_out[str(path)] = f"{UNREADABLE}: {result}"
        else:
            kept[str(path)] = Picture(*places[place], *result)
    classes, parts = ({path: each[index] for path, each in kept.items()} for index in (0, 1))
    twice = leaks.left_out(leaks.equal({path: each.digest for path, each in kept.items()}), classes, parts)
    kept = {path: kept[path] for path in sorted(kept) if path not in twice}
    return Pictures(found, kept, dict(sorted((left_out | twice).items())), len(contents.passed_over))


def _places(found: Layout, part: str, root: PurePosixPath) -> Iterator[tuple[str, Place]]:
    kind: Literal["training", "validation", "test"] | None = None if part == "all" else part
    for label, (name, folder) in enumerate(found.classes.items()):
        yield name, Place(root / folder, label, kind, 1)


def _looked_at(
    contents: Iterable[tuple[Found, bytes]], count: int
) -> Iterator[tuple[Found, str | tuple[bytes, np.ndarray, tuple[str, ...]]]]:
    jobs = ((found, content) for found, content in contents)
    yield from tqdm(_in_threads(_seen, jobs), "checking", count, unit="picture", disable=None)


def _seen(found: Found, content: bytes) -> tuple[Found, str | tuple[bytes, np.ndarray, tuple[str, ...]]]:
    """Why the picture cannot be read, or the digest of its pixels, its thumbnail and the remarks on it."""
    image, mistake, remarks = look(found.path.name, io.BytesIO(content), len(content))
    if image is None:
        return found, mistake or ""
    digest = hashlib.sha256(f"{image.size}".encode() + image.tobytes()).digest()
    return found, (digest, leaks.thumbnail(image), remarks)


def _in_threads(function: Callable[..., Result], jobs: Iterable[tuple]) -> Iterator[Result]:
    """The results in the order of `jobs`, of which only a few are in memory at a time."""
    threads = os.cpu_count() or 1
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for job in jobs:
            waiting.append(pool.submit(function, *job))
            if len(waiting) == threads * WAITING:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def check_classes(source: Path, found: Pictures) -> None:
    """Raise ThawError if a class has too few pictures to train and validate."""
    for part in found.layout.roots:
        least = 2 if part == "all" else 1
        counts = found.counts(part)
        if few := [name for name, count in counts.items() if count < least]:
            need = "at least 2, one to train and one to validate" if least == 2 else f"at least 1 in the {part} part"
            dropped = sum(1 for path in found.left_out if _is_in(path, found.layout, few[0]))
            more = f"; the same holds for {len(few) - 1} more classes" if len(few) > 1 else ""
            raise ThawError(
                f"{source}: only {counts[few[0]]} of the pictures of '{few[0]}' can be used"
                f"{f' ({dropped} are unreadable or duplicates)' if dropped else ''}, but a class needs {need}{more}; "
                "add pictures, or move the folder away"
            )


def _is_in(path: str, found: Layout, name: str) -> bool:
    return any((root / found.classes[name]) in PurePosixPath(path).parents for root in found.roots.values())
