"""The members of an archive, one after the other: zip and tar, the latter plain or compressed by gzip, bzip2 or xz."""

import bz2
import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Literal, NamedTuple

from stages.common.command import ThawError
from stages.sources import folders

LONGEST_HEADER = 2**20  # bytes; what tar says of a member is far shorter
LONGEST_TARGET = 2**12  # bytes of a link's target, more than file systems take
CHUNK = 2**18  # bytes
XZ_MEMORY = 2**28  # bytes; `xz -9` takes a quarter of it

READ = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
PACKINGS = {9: "Deflate64", 14: "LZMA", 93: "Zstandard", 95: "xz", 96: "JPEG", 97: "WavPack", 98: "PPMd"}
UTF_8 = 1 << 11  # a zip member's flag: its name is UTF-8
UNICODE_PATH = b"up"  # the extra field in which some packers repeat it in UTF-8

OTHERS = {
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\x28\xb5\x2f\xfd": "compressed by Zstandard",
    b"%PDF": "a PDF",
}

Open = Callable[[], IO[bytes]]


class Entry(NamedTuple):
    """What an archive says of one of its members."""

    name: str | bytes  # bytes where the archive does not say in which encoding
    kind: Literal["file", "folder", "link", "special"]
    size: int = 0
    target: str | bytes = b""  # a link's, relative to its own folder
    from_top: bool = False  # the target is relative to the top of the archive instead
    problem: str | None = None  # why it cannot be read, as the end of a sentence about it


def members(archive: Path, most_bytes: int) -> Iterator[tuple[Entry, Open]]:
    """The members in the archive's order, each with a way to open it; the format is told from the content.

    Raises ThawError where the file is no archive, and what Python's readers raise where it is damaged, or unpacks to
    more than twice `most_bytes`.
    """
    if folders.is_listing(archive):
        return _listed_members(archive)
    with archive.open("rb") as file:
        head = file.read(tarfile.BLOCKSIZE)
    if packer := packer_of(head):
        return _unpacked_tar(archive, partial(PACKERS[packer], archive), packer, most_bytes)
    if begins_tar(head):
        return _unpacked_tar(archive, partial(archive.open, "rb"), "", most_bytes)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")) or (head.startswith(b"MZ") and zipfile.is_zipfile(archive)):
        return _zip_members(archive)
    raise ThawError(
        f"{archive}: {_what(head)}, not a zip or a tar archive (plain, or compressed by gzip, bzip2 or xz); "
        "name the archive itself, or pack the pictures as one of these"
    )


def _listed_members(listing: Path) -> Iterator[tuple[Entry, Open]]:
    folder, files = folders.read(listing)
    for name in files:
        size = (folder / name).stat().st_size
        yield Entry(name, "file", size), partial((folder / name).open, "rb")


def _what(head: bytes) -> str:
    if not head:
        return "is empty"
    if b"<html" in head.lower() or b"<!doctype" in head.lower():
        return "is an HTML page"
    return next((f"is {what}" for start, what in OTHERS.items() if head.startswith(start)), "is of another format")


def _zip_members(archive: Path) -> Iterator[tuple[Entry, Open]]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            problem = _zip_problem(info)
            type_ = stat.S_IFMT(info.external_attr >> 16)
            name, target = _zip_name(info), b""
            kind = "folder" if info.is_dir() or info.filename.endswith("\\") else "file"
            if type_ == stat.S_IFLNK:
                kind = "link"
                if problem is None:
                    with opened.open(info) as file:
                        target = file.read(LONGEST_TARGET)
            elif type_ not in (0, stat.S_IFREG, stat.S_IFDIR):
                kind = "special"
            yield Entry(name, kind, info.file_size, target, problem=problem), partial(opened.open, info)


def _zip_name(info: zipfile.ZipInfo) -> str | bytes:
    if info.flag_bits & UTF_8:
        return info.orig_filename
    name = info.orig_filename.encode("cp437")  # as which Python has read it: all bytes come back
    extra = info.extra
    while len(extra) >= 4:
        length = int.from_bytes(extra[2:4], "little")
        if extra[:2] == UNICODE_PATH and extra[5:9] == zlib.crc32(name).to_bytes(4, "little"):
            return extra[9 : 4 + length]
        extra = extra[4 + length :]
    return name


def _zip_problem(info: zipfile.ZipInfo) -> str | None:
    if info.flag_bits & 1:
        return "is encrypted; pack the archive again without a password"
    if info.compress_type not in READ:
        packing = PACKINGS.get(info.compress_type, f"method {info.compress_type}")
        return (
            f"is compressed by {packing}, which is not read; pack the archive again with ordinary compression "
            "(Deflate), or as .tar.gz"
        )
    return None


def _unpacked_tar(
    archive: Path, unpacked: Callable[[], IO[bytes]], packer: str, most_bytes: int
) -> Iterator[tuple[Entry, Open]]:
    if packer:
        with unpacked() as stream:
            if not begins_tar(stream.read(tarfile.BLOCKSIZE)):
                raise ThawError(
                    f"{archive}: is compressed by {packer}, but holds no tar archive; pack the class folders as "
                    "zip or .tar.gz"
                )
    with unpacked() as stream:
        forward = _Forward(stream, most_bytes)
        with tarfile.TarFile(fileobj=forward, encoding="utf-8", errors="surrogateescape") as opened:
            while info := opened.next():
                opened.members.clear()  # where tarfile remembers every one
                yield _tar_entry(info), partial(opened.extractfile, info)
        # tarfile takes a damaged header for the end; to read on also checks the packer's own checksum.
        while rest := forward.read(CHUNK):
            if rest.strip(b"\0"):
                raise tarfile.ReadError("data after its end")


def packer_of(head: bytes) -> str | None:
    """The name in PACKERS of what has compressed a file that begins with `head`."""
    starts = {"gzip": b"\x1f\x8b", "bzip2": b"BZh", "xz": b"\xfd7zXZ\0"}
    return next((packer for packer, start in starts.items() if head.startswith(start)), None)


def begins_tar(head: bytes) -> bool:
    """Whether `head`, the first block of a file, is that of a tar archive."""
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.EOFHeaderError:  # a tar without a member
        return True
    except tarfile.HeaderError:
        return False
    return True


def _tar_entry(info: tarfile.TarInfo) -> Entry:
    name, target = (text.encode("utf-8", "surrogateescape") for text in (info.name, info.linkname))
    if info.isdir():
        return Entry(name, "folder")
    if info.issym() or info.islnk():
        return Entry(name, "link", 0, target, info.islnk())
    return Entry(name, "file" if info.isreg() and not info.issparse() else "special", info.size)


class _Forward:
    """A stream that tarfile can read forwards only, in short pieces and up to a limit."""

    def __init__(self, stream: IO[bytes], most_bytes: int) -> None:
        self._stream = stream
        # Headers and padding: tar adds less than this to members of ordinary number and size.
        self._most_bytes = 2 * most_bytes
        self._position = 0

    def tell(self) -> int:
        """How many bytes have been read or skipped."""
        return self._position

    def read(self, size: int) -> bytes:
        """Read `size` bytes, fewer at the end."""
        if not 0 <= size <= LONGEST_HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes")
        self._stay_below(self._position + size)
        pieces = []
        while size and (piece := self._stream.read(size)):
            pieces.append(piece)
            size -= len(piece)
            self._position += len(piece)
        return b"".join(pieces)

    def seek(self, position: int) -> int:
        """Skip to `position`."""
        if position < self._position:
            raise tarfile.ReadError("a member that points back")
        self._stay_below(position)
        while self._position < position and self.read(min(CHUNK, position - self._position)):
            pass
        return self._position

    def _stay_below(self, position: int) -> None:
        if position > self._most_bytes:
            raise tarfile.ReadError(f"unpacks to more than {self._most_bytes} bytes")


class _Xz:
    """A file compressed by xz, as `lzma.open` reads it, but in bounded memory."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._packed = b""
        self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, XZ_MEMORY)

    def __enter__(self) -> "_Xz":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes; none at the end."""
        while True:
            if self._decompressor.eof:  # of one stream: padding or another one may follow
                self._packed = self._decompressor.unused_data.lstrip(b"\0")
                while not self._packed and (more := self._file.read(CHUNK)):
                    self._packed = more.lstrip(b"\0")
                if not self._packed:
                    return b""
                self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, XZ_MEMORY)
            if self._decompressor.needs_input and not self._packed:
                self._packed = self._file.read(CHUNK)
                if not self._packed:
                    raise EOFError("Compressed file ended before the end-of-stream marker was reached")
            data = self._decompressor.decompress(self._packed, size)
            self._packed = b""
            if data:
                return data


PACKERS: dict[str, Callable[[Path], IO[bytes]]] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": _Xz}
"""What reads a compressed file, by the packer's name."""
