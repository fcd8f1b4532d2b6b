"""Files that appear whole or not at all, and their checksums.

They are written beside their place, flushed and renamed. Whoever writes holds a lock that ends with its process,
however that ends: a stand-in found under a free lock is a dead process's, and the next writer removes it.

The locks are the system's (flock, or Windows's own). Where it has none, they are files that name their process, and
one of a process that is no longer there counts for nothing.
"""

import hashlib
import os
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stages.common.command import NO_ROOM, ThawError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # that the system has no locks, which a user can do nothing about
    from filelock import FileLock, Timeout, UnixFileLock


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; rename it into place once it is written and flushed.

    The stand-in keeps the suffix, by which some libraries choose a format, and is removed on failure.
    """
    beside = path.with_name(f".{path.stem}.part{path.suffix}")
    with locked(path.with_name(f".{path.name}.lock")), _full_disk_named(path):
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
    with locked(path.with_name(f".{path.name}.lock")), _full_disk_named(path):
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
def put_back_on_failure(path: Path) -> Iterator[None]:
    """Give the file `path` its content of before, or none, where an exception passes through."""
    before = path.read_bytes() if path.exists() else None
    try:
        yield
    except BaseException:
        if before is None:
            path.unlink(missing_ok=True)
        else:
            with written_whole(path) as beside:
                beside.write_bytes(before)
        raise


@contextmanager
def locked(lock: Path) -> Iterator[None]:
    """Hold the file `lock`, which is there only meanwhile; waits, and says so, while another process holds it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    ours = FileLock(lock)
    try:
        ours.acquire(blocking=False)
    except Timeout:
        print(f"{lock.parent}: another process is writing here; waiting for it", file=sys.stderr)
        ours.acquire()
    try:
        yield
    finally:
        if isinstance(ours, UnixFileLock):  # the others remove their file themselves
            lock.unlink(missing_ok=True)
        ours.release()


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
        raise ThawError(f"{folder}: holds {len(found)} files, not the one downloaded; run `dvc repro`")
    return found[0]


def sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    with path.open("r+b") as file:  # Windows flushes only what is open for writing
        os.fsync(file.fileno())


def _flush_folder(path: Path) -> None:
    """Have the names in the folder `path`, renamed ones too, outlast a power cut."""
    with suppress(OSError):  # Windows opens no folder, and some network file systems flush none
        opened = os.open(path, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
