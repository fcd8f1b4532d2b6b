"""Folders of pictures, used where they lie: a listing of their pictures stands for them, as a file like any archive."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from stages.common import files, tables
from stages.pictures.image_file import HEAD, is_named_as_picture, kind_of
from stages.sources.archive_names import is_junk

SUFFIX = ".folder.json"

Files = dict[str, str]
"""By a picture's path below the folder, with '/' between its parts, the SHA-256 of its bytes; in the order of paths."""


def is_listing(path: Path) -> bool:
    """Whether the file `path` lists a folder."""
    return path.name.endswith(SUFFIX)


def pictures(folder: Path) -> Files:
    """Every picture below `folder` with its checksum."""
    found = paths(folder)
    with ThreadPoolExecutor() as pool:
        digests = pool.map(files.sha256, found)
        return {path.relative_to(folder).as_posix(): digest for path, digest in zip(found, digests, strict=True)}


def paths(folder: Path) -> list[Path]:
    """Every picture below `folder`, by name or content; hidden files and what systems leave behind are none."""
    files = (path for path in _walk(folder) if not is_junk(PurePosixPath(path.name)))
    return sorted(path for path in files if is_named_as_picture(path.name) or _begins_as_picture(path))


def passed_over(folder: Path, listed: Files) -> list[str]:
    """The paths of the other files below `folder`, but for those in hidden folders and in systems' own."""
    return sorted({path.relative_to(folder).as_posix() for path in _walk(folder)} - listed.keys())


def _walk(folder: Path) -> Iterator[Path]:
    entered: set[str] = set()
    for at, subfolders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(at)
        if real in entered:  # a link that leads back
            subfolders.clear()
            continue
        entered.add(real)
        subfolders[:] = [name for name in subfolders if not is_junk(PurePosixPath(name))]
        yield from (path for name in names if (path := Path(at, name)).is_file())


def _begins_as_picture(path: Path) -> bool:
    with path.open("rb") as file:
        return kind_of(file.read(HEAD)) is not None


def checksum(listed: Files) -> str:
    """The SHA-256 over the lines that `sha256sum` writes of the pictures, in the order of their paths."""
    lines = (f"{digest}  {path}\n" for path, digest in sorted(listed.items()))
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def write(folder: Path, listed: Files, path: Path) -> None:
    """Write the listing of `folder` to `path`, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tables.write_json({"folder": str(folder), "files": listed}, path)


def read(path: Path) -> tuple[Path, Files]:
    """The folder that the listing `path` is of, and its pictures."""
    listing = tables.read_json(path)
    return Path(listing["folder"]), listing["files"]


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """What is different between two listings, in words."""
    kinds = {
        "new": sorted(now.keys() - before.keys()),
        "gone": sorted(before.keys() - now.keys()),
        "changed": sorted(path for path in now.keys() & before.keys() if now[path] != before[path]),
    }
    return "; ".join(f"{len(paths)} {kind}, e.g. {paths[0]}" for kind, paths in kinds.items() if paths)
