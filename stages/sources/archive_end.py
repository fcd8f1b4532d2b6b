"""Whether a file is whole, by its own end: what a download of unknown size and checksum can be held against."""

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO

import h5py

from stages.sources.archive_members import CHUNK, PACKERS, begins_tar, packer_of


def is_missing(path: Path) -> bool:
    """Whether an archive or a file of weights, told by its content, lacks its end or is damaged before that.

    Of files of other formats nothing is known. Nothing is kept of what is unpacked, so that a bomb takes time alone.
    """
    with path.open("rb") as file:
        head = file.read(tarfile.BLOCKSIZE)
    if packer := packer_of(head):
        return not _unpacks(partial(PACKERS[packer], path))
    if head.startswith(b"PK"):
        return not zipfile.is_zipfile(path)  # its directory comes last
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return not _opens(path)  # it says how long it is
    return begins_tar(head) and not _has_end_blocks(path)


def _unpacks(unpacked: Callable[[], IO[bytes]]) -> bool:
    try:
        with unpacked() as stream:
            while stream.read(CHUNK):
                pass
    except (EOFError, OSError, lzma.LZMAError, zlib.error):
        return False
    return True


def _opens(path: Path) -> bool:
    try:
        h5py.File(path).close()
    except OSError:
        return False
    return True


def _has_end_blocks(path: Path) -> bool:
    """Whether zeros follow the last member: a tar that is cut between two members has all that it says it has."""
    try:
        with tarfile.open(path, "r:") as opened:
            while opened.next():
                opened.members.clear()  # where tarfile remembers every one
            end = opened.offset
    except (tarfile.TarError, ValueError, OSError):
        return False
    with path.open("rb") as file:
        file.seek(end)
        return file.read(tarfile.BLOCKSIZE) == bytes(tarfile.BLOCKSIZE)
