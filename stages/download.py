"""Reads a manifest and fetches one of its downloads into a folder that holds the one file, checked."""

import argparse
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from stages.common import configuration, params, tables
from stages.common.command import ThawError, one_line, run
from stages.common.files import folder_written_whole, sha256
from stages.common.manifest import Copy, Download, corrected
from stages.common.params import PARAMS_FILE
from stages.sources import archive_end, folders
from stages.sources.transfer import NotFetchedError, Transfer

MIRROR = "THAW_MIRROR"
SHOWN = 5  # of many files that one line names
HEAD = 1024  # bytes in which an HTML page shows itself


class UnavailableError(ThawError):
    """A download of which no copy can be had; `causes` tells of each copy why not."""

    def __init__(self, causes: str, remedy: str = "") -> None:
        super().__init__(f"{causes}; {remedy}" if remedy else causes)
        self.causes = causes


def main(arguments: Sequence[str] | None = None) -> None:
    """Fetch the download that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m stages.download", description=__doc__)
    parser.add_argument("--source", type=Path, required=True, help="the manifest")
    parser.add_argument("--name", required=True, help="the download's name in the manifest")
    parser.add_argument("--out", type=Path, required=True, help="the folder for the one file")
    parser.add_argument("--work", type=Path, default=Path("work/download"), help="keeps what arrived so far")
    options = parser.parse_args(arguments)
    settings = params.load()
    source = configuration.read(options.source, settings)
    configuration.check_watched(settings, options.name, source)
    download = source.download(options.name)
    obtain(download, source.path, options.out, options.work, mirrors())


def mirrors() -> list[Path]:
    """The folders that THAW_MIRROR names, separated as in PATH."""
    named = [Path(each).expanduser() for each in os.environ.get(MIRROR, "").split(os.pathsep) if each]
    for each in named:
        if not each.is_dir():
            raise ThawError(f"{MIRROR}: there is no folder '{each}'; name an existing one or unset it")
    return named


def obtain(download: Download, source: Path, out: Path, work: Path, mirrors: Sequence[Path]) -> None:
    """Put the first good copy of `download` into the folder `out`, under its own name; of a folder, its listing.

    `source` is the manifest's file. Raises ThawError with every failure where no copy can be had.
    """
    found = located(download, source, work, mirrors)
    if found.unknown:
        _note_checksum(found.unknown, source, sha256(found.path), work)
    with folder_written_whole(out) as folder:
        if found.path.is_dir():
            folders.write(found.path, folders.read(kept_listing(work, found.path))[1], folder / found.listing)
        elif found.transfer:
            shutil.move(found.path, folder / found.transfer.copy.file_name)
        else:
            shutil.copyfile(found.path, folder / found.path.name)
    if found.transfer:
        found.transfer.discard()


def _note_checksum(place: str, source: Path, found: str, work: Path) -> None:
    """Write down the checksum of what came from `place`, where the manifest has none; warn if it was another before."""
    noted = work / f"{hashlib.sha256(place.encode()).hexdigest()[:16]}.sha256"
    before = noted.read_text(encoding="utf-8") if noted.exists() else found
    if before == found:
        print(f"{place}: has sha256 {found}; written into {source}, it lets nothing else pass", file=sys.stderr)
    else:
        print(
            f"warning: {place}: is another file than before, of sha256 {found} in place of {before}; all that depends "
            "on it is computed anew",
            file=sys.stderr,
        )
    tables.write_text(found, noted)


class Located(NamedTuple):
    """A good copy where it lies; `transfer` is what fetched it, if anything did.

    `unknown` is the place, in words, of what the manifest has no checksum of and DVC does not watch.
    """

    path: Path
    transfer: Transfer | None = None
    unknown: str | None = None

    @property
    def listing(self) -> str:
        """The name of the file that stands for a folder."""
        return f"{self.path.name}{folders.SUFFIX}"


def kept_listing(work: Path, folder: Path) -> Path:
    """Where the last listing of `folder` that was taken waits to be compared with the next."""
    name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    return work / f"{name}{folders.SUFFIX}"


def located(download: Download, source: Path, work: Path, mirrors: Sequence[Path]) -> Located:
    """The first good copy of `download`: a mirror's, this machine's, or fetched to `work`, where `obtain` finds it.

    `source` is the manifest's file. Raises UnavailableError with every failure where no copy can be had, and
    ThawError where a folder's pictures have changed.
    """
    failures = []
    for attempt in _attempts(download, source, work, mirrors):
        try:
            return attempt()
        except NotFetchedError as failure:
            failures.append(str(failure))
    names = " or ".join(dict.fromkeys(copy.file_name for copy in download.copies))
    failures = failures or [f"{names}: {source} knows no address"]
    raise UnavailableError("; ".join(failures), _remedy(download, source, names))


def _remedy(download: Download, source: Path, names: str) -> str:
    """What helps where no copy can be had; nothing for files of this machine, of which each failure says it."""
    elsewhere = [copy for copy in download.copies if copy.path_from(source) is None]
    if not elsewhere:
        return ""
    address = (
        "see that the address is right and can be reached from here, or "
        if any(copy.address for copy in elsewhere)
        else ""
    )
    return f"{address}set {MIRROR}=FOLDER to a folder that holds {names}"


def _attempts(download: Download, source: Path, work: Path, mirrors: Sequence[Path]) -> Iterator[Callable[[], Located]]:
    """What to try, in order: the mirrors, files of this machine, the network."""
    for mirror in mirrors:
        yield partial(_take_from_mirror, download, source, mirror)
    local = {copy: path for copy in download.copies if (path := copy.path_from(source))}
    for copy, path in local.items():
        yield partial(_take_folder, path, copy, source, work) if path.is_dir() else partial(_take, path, copy, source)
    for copy in download.copies:
        if copy.address and copy not in local:
            yield partial(_fetch, copy, source, work)


def _take_from_mirror(download: Download, source: Path, mirror: Path) -> Located:
    """Take a file by a copy's name; good if its checksum is any copy's, or if none is known of that copy.

    Warns of files that are not.
    """
    names = dict.fromkeys(copy.file_name for copy in download.copies)
    known = {copy.sha256 for copy in download.copies}
    unchecked = {copy.file_name: copy for copy in download.copies if copy.sha256 is None}
    for path in (mirror / name for name in names):
        if not path.is_file():
            continue
        found = sha256(path)
        if found in known:
            return Located(path)
        if path.name in unchecked:
            _check(path, str(path), unchecked[path.name])
            return Located(path, unknown=str(path))
        print(f"warning: {path}: passed over, its sha256 {found} is not in {source}", file=sys.stderr)
    raise NotFetchedError(f"{MIRROR} ({mirror}): holds no good {' or '.join(names)}")


def missing(path: Path, source: Path) -> str:
    """The message if nothing is where the manifest `source` says."""
    return f"{path}: is not there; bring it back, or correct its path in {source} (and under `local` in {PARAMS_FILE})"


def _take(path: Path, copy: Copy, source: Path) -> Located:
    if not path.is_file():
        raise NotFetchedError(missing(path, source))
    try:
        _check(path, str(path), copy)
    except NotFetchedError as failure:
        raise NotFetchedError(
            f"{failure}; put the right file there, or, if this one is right, {corrected(source)}"
        ) from None
    return Located(path)


def _take_folder(path: Path, copy: Copy, source: Path, work: Path) -> Located:
    """Hold a folder's pictures against the manifest's checksum and keep their listing."""
    listed = folders.pictures(path)
    kept = kept_listing(work, path)
    found = folders.checksum(listed)
    if copy.sha256 not in (None, found):
        changed = folders.changes(folders.read(kept)[1], listed) if kept.exists() else ""
        raise ThawError(
            f"{path}: its {len(listed)} pictures, of sha256 {found}, are not those that {source} describes"
            f"{f' ({changed})' if changed else ''}; if they are right, {corrected(source)}"
        )
    if others := folders.passed_over(path, listed):
        some = ", ".join(map(repr, others[:SHOWN])) + (f" and {len(others) - SHOWN} more" if others[SHOWN:] else "")
        print(one_line(f"{path}: {len(others)} files are no pictures and were passed over: {some}"), file=sys.stderr)
    folders.write(path, listed, kept)
    return Located(path)


def _check(path: Path, place: str, copy: Copy) -> None:
    """Hold a file against what the manifest says of `copy`; raises NotFetchedError naming `place`."""
    with path.open("rb") as file:
        head = file.read(HEAD).lstrip().lower()
    if head.startswith((b"<!doctype html", b"<html")):
        raise NotFetchedError(f"{place}: is an HTML page (a login or an error?), not {copy.file_name}")
    size = path.stat().st_size
    if copy.bytes not in (None, size):
        raise NotFetchedError(f"{place}: has {size} bytes, not {copy.bytes} as the manifest says")
    if copy.sha256 is not None and (found := sha256(path)) != copy.sha256:
        raise NotFetchedError(f"{place}: has sha256 {found}, not {copy.sha256} as the manifest says")
    if copy.sha256 is None and archive_end.is_missing(path):
        raise NotFetchedError(f"{place}: ends early or is damaged (its sha256 is {sha256(path)})")


def _fetch(copy: Copy, source: Path, work: Path) -> Located:
    """Fetch `copy` over HTTPS to `work`, where what arrived waits for the next run."""
    part = work / f"{copy.file_name}.part"
    transfer = Transfer(copy, part)
    transfer.complete()
    try:
        _check(part, copy.address, copy)
    except NotFetchedError as failure:
        transfer.discard()
        raise NotFetchedError(f"{failure}; run again, or, if that is right, correct {source}") from None
    return Located(part, transfer, None if copy.sha256 else copy.address)


if __name__ == "__main__":
    run(main)
