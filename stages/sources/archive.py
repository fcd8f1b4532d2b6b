"""Archives (zip or gzipped tar) read safely: a look at every member first, then the wanted files extracted."""

import errno
import gzip
import lzma
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Literal, NamedTuple

from stages.common.command import ThawError, one_line
from stages.common.manifest import Place

# Against bombs: an archive may hold more than the images (other classes, helper files), but not without end.
MEMBERS_PER_IMAGE = 100
BYTES_PER_IMAGE = 2**24  # on average; more than photographs of 24 megapixels take
BYTES_PER_ARCHIVED_BYTE = 100  # photographs hardly shrink, zeros shrink to a thousandth
LONGEST_HEADER = 2**20  # bytes; what tar says of a member is far shorter
LONGEST_NAME = 255  # bytes, and LONGEST_PATH: what the usual file systems take
LONGEST_PATH = 1024
CHUNK = 2**18  # bytes

# What file managers leave behind.
JUNK = {"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"}
# What Python's readers raise on damaged archives, besides an OSError without a cause in the file system.
DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    lzma.LZMAError,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    OverflowError,
    MemoryError,
    RuntimeError,
)


class Entry(NamedTuple):
    """What an archive says of one of its members."""

    name: str
    kind: Literal["file", "folder", "special"]
    size: int
    encrypted: bool = False

    @property
    def path(self) -> PurePosixPath:
        return PurePosixPath(self.name)


class Found(NamedTuple):
    """An image of the data set: its path inside the archive, and the class folder it is from."""

    path: PurePosixPath
    place: Place


def extract(archive: Path, places: list[Place], folder: Path) -> list[Found]:
    """Extract the members under `places` to their paths below `folder`, after a look at every member.

    Raises ThawError, before anything is written, on unsafe members and on more than the limits allow.
    """
    with _damage_named(archive):
        found = _survey(archive, places)
        wanted = {each.path for each in found}
        for entry, opened in _entries(archive, _most_bytes(archive, places)):
            if entry.kind == "file" and entry.path in wanted:
                target = folder / entry.path
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened() as member, target.open("xb") as file:
                    while chunk := member.read(CHUNK):
                        file.write(chunk)
    return found


def _most_bytes(archive: Path, places: list[Place]) -> int:
    images = sum(place.images for place in places)
    return max(images * BYTES_PER_IMAGE, archive.stat().st_size * BYTES_PER_ARCHIVED_BYTE)


def _survey(archive: Path, places: list[Place]) -> list[Found]:
    """The images to extract; raises ThawError on an archive that is unsafe in any member or too large."""
    images = sum(place.images for place in places)
    most_bytes = _most_bytes(archive, places)
    by_folder = {place.folder: place for place in places}
    files: set[PurePosixPath] = set()
    found: list[Found] = []
    total = wanted = 0
    for count, (entry, _) in enumerate(_entries(archive, most_bytes), start=1):
        place = _place_of(entry, by_folder)
        total += entry.size
        wanted += entry.size if place else 0
        if count > images * MEMBERS_PER_IMAGE or total > most_bytes or wanted > images * BYTES_PER_IMAGE:
            raise ThawError(f"{archive}: unpacks to far more than {images} images; check the archive")
        if danger := _danger(entry) or ("is there twice" if entry.path in files else None):
            raise ThawError(f"{archive}: {_shown(entry.name)} {danger}; pack the archive again without it")
        if entry.kind == "file":
            files.add(entry.path)
        if place:
            found.append(Found(entry.path, place))
    for each in found:
        if not files.isdisjoint(each.path.parents):
            raise ThawError(f"{archive}: {each.path} lies inside a file; pack the archive again without it")
    return found


def _danger(entry: Entry) -> str | None:
    """Why a member must not be extracted, as the end of a sentence about it."""
    if entry.kind == "special":
        return "is a link or a device, not a file"
    if entry.encrypted:
        return "is encrypted"
    if entry.size < 0:
        return "has a negative size"
    if entry.path.is_absolute() or ".." in entry.path.parts or "\\" in entry.name or entry.name[1:2] == ":":
        return "points outside its folder (an absolute path, '..' or a backslash)"
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in entry.name):
        return "has a name that is no text (control characters, or not UTF-8)"
    longest = max((len(part.encode()) for part in entry.path.parts), default=0)
    if longest > LONGEST_NAME or len(entry.name.encode()) > LONGEST_PATH:
        return f"has a name too long for file systems ({LONGEST_NAME} bytes, {LONGEST_PATH} with its folders)"
    return None


def _shown(name: str) -> str:
    """A name in one printable line of bounded length."""
    text = ascii(name) if not name.isprintable() else f"'{name}'"
    return text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}..."


def _place_of(entry: Entry, by_folder: dict[PurePosixPath, Place]) -> Place | None:
    """The class folder that a file lies in, at any depth; None for folders, junk and files of others."""
    path = entry.path
    if entry.kind == "folder" or path.name.startswith("._") or not JUNK.isdisjoint(path.parts):
        return None
    return next((by_folder[parent] for parent in path.parents if parent in by_folder), None)


@contextmanager
def _damage_named(archive: Path) -> Iterator[None]:
    """Turn what Python's archive readers raise into one line."""
    try:
        yield
    except (*DAMAGE, OSError) as error:
        # Readers also raise OSError: without a number, or for places that do not exist in the file.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        cause = one_line(error)
        raise ThawError(f"{archive}: is damaged or cut short ({cause}); fetch it again") from None


def _entries(archive: Path, most_bytes: int) -> Iterator[tuple[Entry, Callable[[], IO[bytes]]]]:
    """The members in the archive's order, each with a way to open it; the format is told from the content."""
    with archive.open("rb") as file:
        head = file.read(1024)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_entries(archive)
    if head.startswith(b"\x1f\x8b"):
        return _tar_entries(archive, most_bytes)
    html = b"<html" in head.lower() or b"<!doctype" in head.lower()
    what = "is an HTML page" if html else "is empty" if not head else "is of another format"
    raise ThawError(f"{archive}: {what}, not a zip or a gzipped tar archive; fetch the archive itself")


def _zip_entries(archive: Path) -> Iterator[tuple[Entry, Callable[[], IO[bytes]]]]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            kind = "folder" if info.filename.endswith("/") else "file"
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                kind = "special"
            encrypted = bool(info.flag_bits & 1)
            yield Entry(info.filename, kind, info.file_size, encrypted), partial(opened.open, info)


def _tar_entries(archive: Path, most_bytes: int) -> Iterator[tuple[Entry, Callable[[], IO[bytes]]]]:
    with gzip.open(archive) as stream:
        forward = _Forward(stream, most_bytes)
        with tarfile.TarFile(fileobj=forward, encoding="utf-8") as opened:
            for info in opened:
                kind = "folder" if info.isdir() else "file"
                if not info.isdir() and (not info.isreg() or info.issparse()):
                    kind = "special"
                yield Entry(info.name, kind, info.size), partial(opened.extractfile, info)
        # tarfile takes a damaged header for the end; to read on also checks gzip's own checksum.
        while rest := forward.read(CHUNK):
            if rest.strip(b"\0"):
                raise tarfile.ReadError("data after its end")


class _Forward:
    """A stream that tarfile can read forwards only, in short pieces and up to a limit."""

    def __init__(self, stream: gzip.GzipFile, most_bytes: int) -> None:
        self._stream = stream
        # Headers and padding: tar adds less than this to members of ordinary number and size.
        self._most_bytes = 2 * most_bytes
        self.tell = stream.tell

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes."""
        if not 0 <= size <= LONGEST_HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes")
        self._stay_below(self.tell() + size)
        return self._stream.read(size)

    def seek(self, position: int) -> int:
        """Skip to `position`."""
        if position < self.tell():
            raise tarfile.ReadError("a member that points back")
        self._stay_below(position)
        return self._stream.seek(position)

    def _stay_below(self, position: int) -> None:
        if position > self._most_bytes:
            raise tarfile.ReadError(f"unpacks to more than {self._most_bytes} bytes")
