"""Files that appear whole or not at all, and their checksums.

They are written beside their place, flushed and renamed. Whoever writes holds a lock that ends with its process,
however that ends: a stand-in found under a free lock is a dead process's, and the next writer removes it.
"""

import errno
import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from stages.common.command import ThawError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; rename it into place once it is written and flushed.

    The stand-in keeps the suffix, by which some libraries choose a format, and is removed on failure.
    """
    beside = path.with_name(f".{path.stem}.part{path.suffix}")
    with held(path.with_name(f".{path.name}.lock")), _full_disk_named(path):
        beside.unlink(missing_ok=True)
        try:
            yield beside
            _flush(beside)
            beside.replace(path)
            _flush_folder(path.parent)
        finally:
            beside.unlink(missing_ok=True)


@contextmanager
def folder_written_whole(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path` to fill; rename it into place once all of it is flushed.

    A folder already at `path` is replaced.
    """
    beside = path.with_name(f".{path.name}.part")
    with held(path.with_name(f".{path.name}.lock")), _full_disk_named(path):
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()
        try:
            yield beside
            for inside in (*beside.rglob("*"), beside):
                _flush_folder(inside) if inside.is_dir() else _flush(inside)
            shutil.rmtree(path, ignore_errors=True)
            beside.replace(path)
            _flush_folder(path.parent)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """Hold the file `lock`, which is there only meanwhile; waits, and says so, while another process holds it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with lock.open("w") as file:
            _wait_for(file, lock)
            if not _stands_at(lock, file):  # whom we waited for has removed it: nobody else would see us hold it
                continue
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
            return


def _wait_for(file: IO, lock: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"{lock.parent}: another process is writing here; waiting for it", file=sys.stderr)
        fcntl.flock(file, fcntl.LOCK_EX)


def _stands_at(path: Path, file: IO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


@contextmanager
def _full_disk_named(path: Path) -> Iterator[None]:
    """Let the error of a full disk name what there was no room for: it names nothing, or what was copied there."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            error.filename = str(path)
        raise


def only_file(folder: Path) -> Path:
    """The one file that the `download` stage put into `folder`; raises ThawError where there is not one."""
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    if len(found) != 1:
        raise ThawError(f"{folder}: holds {len(found)} files, not the one downloaded; run `dvc repro download`")
    return found[0]


def sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _flush_folder(path: Path) -> None:
    """Have the names in the folder `path`, renamed ones too, outlast a power cut."""
    opened = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems cannot
            os.fsync(opened)
    finally:
        os.close(opened)
