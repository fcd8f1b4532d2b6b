"""Reads a manifest and fetches one of its downloads into a folder that holds the one file, checked."""

import argparse
import bz2
import gzip
import hashlib
import lzma
import os
import re
import shutil
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import unquote, urlsplit

import requests
import urllib3
from tqdm import tqdm

from stages.common import configuration, params
from stages.common.command import ThawError, one_line, run
from stages.common.files import folder_written_whole, sha256, written_whole
from stages.common.manifest import Copy, Download
from stages.sources import folders

MIRROR = "THAW_MIRROR"
UPDATE = "`python -m stages.adopt --update NAME` writes the manifest of the data set NAME anew"
# Seconds between attempts that bring nothing new: long enough for a server to recover, short enough to watch.
WAITS = (0.5, 1.0, 2.0, 4.0)
TIMEOUTS = (10, 60)  # seconds: to connect, and between two arrivals of data
CHUNK = 2**18  # bytes
HEAD = 1024  # bytes in which an HTML page shows itself
PASSING_STATUS = {408, 425, 429, 500, 502, 503, 504}  # HTTP: may be over at the next attempt
NETWORK_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError)


class NotFetchedError(Exception):
    """A copy that cannot be had or is not what the manifest says; the text tells which and why."""


class InterruptedTransferError(Exception):
    """An attempt that failed in a way that the next one may not."""


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
    with folder_written_whole(out) as folder:
        if found.path.is_dir():
            folders.write(found.path, folders.read(kept_listing(work, found.path))[1], folder / found.listing)
        elif found.transfer:
            shutil.move(found.path, folder / found.transfer.copy.file_name)
        else:
            shutil.copyfile(found.path, folder / found.path.name)
    if found.transfer:
        found.transfer.discard()


class Located(NamedTuple):
    """A good copy where it lies; `transfer` is what fetched it, if anything did."""

    path: Path
    transfer: "Transfer | None" = None

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

    `source` is the manifest's file. Raises ThawError with every failure where no copy can be had.
    """
    failures = []
    for attempt in _attempts(download, source, work, mirrors):
        try:
            return attempt()
        except NotFetchedError as failure:
            failures.append(str(failure))
    names = " or ".join(dict.fromkeys(copy.file_name for copy in download.copies))
    failures = failures or [f"{names}: {source} knows no address"]
    raise ThawError(
        f"{'; '.join(failures)}; set {MIRROR}=FOLDER to a folder that holds {names}, "
        "or `source: data/embedded.yaml` in params.yaml"
    )


def _attempts(download: Download, source: Path, work: Path, mirrors: Sequence[Path]) -> Iterator[Callable[[], Located]]:
    """What to try, in order: the mirrors, files of this machine, the network."""
    for mirror in mirrors:
        yield partial(_take_from_mirror, download, source, mirror)
    local = {copy: path for copy in download.copies if (path := _local_path(copy, source))}
    for copy, path in local.items():
        yield partial(_take_folder, path, copy, source, work) if path.is_dir() else partial(_take, path, copy)
    for copy in download.copies:
        if copy.address and copy not in local:
            yield partial(_fetch, copy, work)


def _local_path(copy: Copy, source: Path) -> Path | None:
    if copy.path is not None:
        return copy.path_from(source)
    parts = urlsplit(copy.address or "")
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


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
            return Located(path)
        print(f"warning: {path}: passed over, its sha256 {found} is not in {source}", file=sys.stderr)
    raise NotFetchedError(f"{MIRROR} ({mirror}): holds no good {' or '.join(names)}")


def _take(path: Path, copy: Copy) -> Located:
    if not path.is_file():
        raise NotFetchedError(f"{path}: no such file")
    try:
        _check(path, str(path), copy)
    except NotFetchedError as failure:
        raise NotFetchedError(
            f"{failure} (bring that file back, or, if it is right, correct the manifest: {UPDATE})"
        ) from None
    return Located(path)


def _take_folder(path: Path, copy: Copy, source: Path, work: Path) -> Located:
    """Hold a folder's pictures against the manifest's checksum and keep their listing."""
    listed = folders.pictures(path)
    kept = kept_listing(work, path)
    if copy.sha256 is not None and folders.checksum(listed) != copy.sha256:
        changed = folders.changes(folders.read(kept)[1], listed) if kept.exists() else ""
        raise ThawError(
            f"{path}: its {len(listed)} pictures are not those that {source} describes"
            f"{f' ({changed})' if changed else ''}; if they are right, `python -m stages.adopt --update {source.stem}` "
            "writes it anew"
        )
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


def _check_end(path: Path, copy: Copy) -> None:
    """Raise NotFetchedError where an archive, by what it is, ends early, as it may where its size is not known."""
    with path.open("rb") as file:
        start = file.read(6)
    if start.startswith(b"PK"):
        whole = zipfile.is_zipfile(path)  # its directory comes last
    else:
        packed = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
        whole = all(_reads_to_its_end(unpack(path)) for mark, unpack in packed.items() if start.startswith(mark))
    if not whole:
        raise NotFetchedError(f"{copy.address}: what arrived of {copy.file_name} ends early or is damaged; run again")


def _reads_to_its_end(unpacked: IO[bytes]) -> bool:
    try:
        with unpacked:
            while unpacked.read(CHUNK):
                pass
    except (EOFError, OSError, lzma.LZMAError, zlib.error):
        return False
    return True


def _fetch(copy: Copy, work: Path) -> Located:
    """Fetch `copy` over HTTPS to `work`, where what arrived waits for the next run."""
    part = work / f"{copy.file_name}.part"
    transfer = Transfer(copy, part)
    transfer.complete()
    try:
        _check(part, copy.address, copy)
        if copy.sha256 is None:
            _check_end(part, copy)
            print(f"{copy.address}: sha256: {sha256(part)}; in the manifest, it lets a change be seen", file=sys.stderr)
    except NotFetchedError:
        transfer.discard()
        raise
    return Located(part, transfer)


class Transfer:
    """A file on its way from `copy.address` to `part`, and beside that the version it belongs to."""

    def __init__(self, copy: Copy, part: Path) -> None:
        self.copy = copy
        self.part = part
        self.version = part.with_name(part.name + ".version")  # two lines: address, ETag or date
        part.parent.mkdir(parents=True, exist_ok=True)

    @property
    def arrived(self) -> int:
        """Bytes that lie in `part`."""
        return self.part.stat().st_size if self.part.exists() else 0

    def discard(self) -> None:
        """Forget what arrived."""
        self.part.unlink(missing_ok=True)
        self.version.unlink(missing_ok=True)

    def complete(self) -> None:
        """Fetch what is missing; the waits between attempts start over whenever more than ever arrived."""
        waits = iter(WAITS)
        most = self.arrived
        with requests.Session() as session:
            del session.adapters["http://"]  # no redirect leads away from https://
            while True:
                try:
                    return self._attempt(session)
                except InterruptedTransferError as interruption:
                    if self.arrived > most:
                        waits, most = iter(WAITS), self.arrived
                    wait = next(waits, None)
                    if wait is None:
                        raise NotFetchedError(f"{self.copy.address}: {interruption}") from None
                    time.sleep(wait)

    def _attempt(self, session: requests.Session) -> None:
        try:
            with session.get(
                self.copy.address, headers=self._request_headers(), stream=True, timeout=TIMEOUTS
            ) as response:
                self._receive(response)
        except requests.exceptions.InvalidSchema as error:
            raise NotFetchedError(f"{self.copy.address}: leads away from https:// ({error})") from None
        except NETWORK_ERRORS as error:
            raise InterruptedTransferError(f"cannot be fetched ({_innermost(error)})") from None

    def _request_headers(self) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity"}  # the bytes as they lie there, which sizes and ranges count
        kept = self.version.read_text(errors="replace") if self.version.exists() else ""
        address, _, version = kept.partition("\n")
        if not self.arrived or address != self.copy.address:
            self.discard()
            return headers
        headers["Range"] = f"bytes={self.arrived}-"
        if version:
            headers["If-Range"] = version
        return headers

    def _receive(self, response: requests.Response) -> None:
        status = response.status_code
        if status == requests.codes.requested_range_not_satisfiable and self.arrived:
            return self._end_of_range(response)
        if status in PASSING_STATUS:
            raise InterruptedTransferError(f"answers {status} {response.reason}")
        if status not in (requests.codes.ok, requests.codes.partial_content):
            raise NotFetchedError(f"{self.copy.address}: answers {status} {response.reason}")
        if status == requests.codes.partial_content and not self._continues(response):
            self.discard()
            raise InterruptedTransferError("answers with another range than the one asked for")
        if status == requests.codes.ok:
            self._start_over(response)
        return self._append(response)

    def _end_of_range(self, response: requests.Response) -> None:
        """The server has nothing after what arrived: either it is all there, or it is not of this file."""
        if response.headers.get("Content-Range") != f"bytes */{self.arrived}":
            self.discard()
            raise InterruptedTransferError("holds less than what arrived of it before")

    def _continues(self, response: requests.Response) -> bool:
        return response.headers.get("Content-Range", "").startswith(f"bytes {self.arrived}-")

    def _start_over(self, response: requests.Response) -> None:
        self.discard()
        etag = response.headers.get("ETag", "")
        # A weak ETag does not vouch for bytes.
        version = response.headers.get("Last-Modified", "") if etag.startswith("W/") or not etag else etag
        # With neither a version nor a checksum, two halves of different files could pass for one.
        if version or self.copy.sha256:
            with written_whole(self.version) as path:
                path.write_text(f"{self.copy.address}\n{version}")

    def _append(self, response: requests.Response) -> None:
        remaining = response.headers.get("Content-Length", "")
        total = self.arrived + int(remaining) if remaining.isdecimal() else self.copy.bytes
        most = self.copy.bytes or float("inf")
        with self.part.open("ab") as file, _progress(self.copy.file_name, self.arrived, total) as bar:
            for chunk in response.raw.stream(CHUNK, decode_content=False):
                file.write(chunk)
                bar.update(len(chunk))
                if file.tell() > most:
                    self.discard()
                    raise NotFetchedError(f"{self.copy.address}: sends more than {most} bytes, the manifest's number")


def _progress(name: str, arrived: int, total: int | None) -> tqdm:
    # disable=None: silent where stderr is no terminal
    return tqdm(desc=name, initial=arrived, total=total, unit="B", unit_scale=True, disable=None)


def _innermost(error: BaseException) -> str:
    """The cause at the bottom of a network error, without the layers and the connection's name around it."""
    wrapped = [error.__dict__.get("reason"), *error.args]
    inner = next((each for each in wrapped if isinstance(each, Exception)), None)
    if inner:
        return _innermost(inner)
    return re.sub(r"^\w+\(.*?\): ", "", one_line(error))


if __name__ == "__main__":
    run(main)
