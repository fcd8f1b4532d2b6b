"""Archives read safely: a look at every member first, then the pictures of the class folders extracted.

Nothing but these pictures is written. So what lies elsewhere may have any name and be of any kind, and only refuses
the archive where it leads out of the folder, which no packer does by itself.
"""

import errno
import lzma
import posixpath
import shutil
import struct
import sys
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from stages.common.command import ThawError, one_line
from stages.common.manifest import Place
from stages.pictures.image_file import is_named_as_picture, kind_of
from stages.sources import folders
from stages.sources.archive_members import CHUNK, Entry, members
from stages.sources.archive_names import Spelling, composed, is_junk, leads_out, shown, spelling, unfit

# Against bombs. What an archive may unpack to follows its size and the number of images; the manifest may say more.
BYTES_PER_ARCHIVED_BYTE = 100  # photographs hardly shrink, zeros shrink to a thousandth
BYTES_PER_IMAGE = 2**27  # more than 40 megapixels take that are not compressed
BYTES_WHATEVER_THE_SIZE = 2**32
MEMBERS_WHATEVER_THE_SIZE = 100_000
ARCHIVED_BYTES_PER_MEMBER = 20  # its name and what is said of it take more
LONGEST_CHAIN = 10  # of links that lead to links

# DVC does not repeat a download that once succeeded.
AGAIN = "pack it again, or fetch it again: `dvc repro --force download@NAME`"

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


class Found(NamedTuple):
    """A picture of the data set: its path inside the archive, and the class folder it is from."""

    path: PurePosixPath
    place: Place


class Survey(NamedTuple):
    """What an archive holds: files of class folders by the number of the member with their bytes, and the rest."""

    found: dict[int, list[Found]]
    passed_over: list[PurePosixPath]  # of class folders, but no pictures
    folders: Counter[PurePosixPath]  # of all the archive, with how many pictures, by name, lie in each
    archives: list[PurePosixPath]  # inside this one
    most_bytes: int
    files: list[PurePosixPath]  # of all the archive, but for what is hidden or left behind by systems
    left_out: list[PurePosixPath]  # of class folders, as the manifest says


def survey(
    archive: Path, places: Sequence[Place], most_bytes: int | None = None, leave_out: Container[str] = ()
) -> Survey:
    """Look at every member, write nothing; `most_bytes`, of all it unpacks to, is the manifest's, if it says any.

    `leave_out` are the paths of pictures that are not taken.

    Raises ThawError on an archive that is damaged, unpacks to too much, or is unsafe in what it would write.
    """
    most_bytes = most_bytes or _likely_bytes(archive, places)
    with _damage_named(archive):
        entries = _within_limits(archive, most_bytes)
    by_folder = {composed(place.folder): place for place in places}
    listing = _Listing.of(entries, set(by_folder))
    result = Survey({}, [], Counter(), [], most_bytes, [], [])
    taken: set[PurePosixPath] = set()
    for number, path in enumerate(listing.paths):
        if danger := leads_out(listing.names[number]):
            raise ThawError(f"{archive}: {shown(listing.names[number])} {danger}")
        if entries[number].kind == "folder":
            continue
        _note(result, path)
        folder = next((parent for parent in path.parents if parent in by_folder), None)
        if folder is None:
            continue
        source = listing.source(number)
        if is_junk(path.relative_to(folder)) or (source is None and not is_named_as_picture(path.name)):
            result.passed_over.append(path)
            continue
        if str(path) in leave_out:
            result.left_out.append(path)
            continue
        if danger := "is there twice; pack it once" if path in taken else listing.danger(number, source):
            raise ThawError(f"{archive}: {shown(listing.names[number])} {danger}")
        taken.add(path)
        result.found.setdefault(source, []).append(Found(path, by_folder[folder]))
    _check_taken(archive, taken)
    _check_total(archive, sum(entries[number].size * len(found) for number, found in result.found.items()), most_bytes)
    return result


def extract(archive: Path, contents: Survey, folder: Path) -> tuple[list[Found], list[PurePosixPath]]:
    """Extract the pictures found to their paths below `folder`; returns them, and what was passed over.

    A file that neither its name nor its first bytes call a picture is passed over too.
    """
    pictures: list[Found] = []
    passed_over = list(contents.passed_over)
    with _damage_named(archive):
        for number, (_, opened) in enumerate(members(archive, contents.most_bytes)):
            if number not in contents.found:
                continue
            with opened() as member:
                head = member.read(CHUNK)
                kept = [each for each in contents.found[number] if is_named_as_picture(each.path.name) or kind_of(head)]
                _write(member, head, [folder / each.path for each in kept])
            pictures += kept
            passed_over += [each.path for each in contents.found[number] if each not in kept]
    return pictures, passed_over


def contents_of(archive: Path, contents: Survey) -> Iterator[tuple[Found, bytes]]:
    """The pictures that `extract` would write, one after the other, with the bytes of each."""
    with _damage_named(archive):
        for number, (_, opened) in enumerate(members(archive, contents.most_bytes)):
            if number in contents.found:
                with opened() as member:
                    content = member.read()
                for each in contents.found[number]:
                    if is_named_as_picture(each.path.name) or kind_of(content[:CHUNK]):
                        yield each, content


def _write(member: IO[bytes], head: bytes, targets: list[Path]) -> None:
    """Write the member, of which `head` has been read, to the first target, and copies to the others."""
    for target in targets:
        target.parent.mkdir(parents=True, exist_ok=True)
    if targets:
        with targets[0].open("xb") as file:
            file.write(head)
            while chunk := member.read(CHUNK):
                file.write(chunk)
    for target in targets[1:]:
        shutil.copyfile(targets[0], target)


class _Listing(NamedTuple):
    """All members of an archive, their names in one spelling."""

    entries: list[Entry]
    spelling: Spelling
    names: list[str]
    paths: list[PurePosixPath]
    by_path: dict[PurePosixPath, int]

    @classmethod
    def of(cls, entries: list[Entry], folders: set[PurePosixPath]) -> "_Listing":
        spelt = spelling([entry.name for entry in entries], folders)
        names = [spelt.text(entry.name) for entry in entries]
        paths = [PurePosixPath(name) for name in names]
        by_path = {path: number for number, path in enumerate(paths) if entries[number].kind != "folder"}
        return cls(entries, spelt, names, paths, by_path)

    def source(self, number: int) -> int | None:
        """The number of the member that holds a file's bytes, itself but for links; None where no file does."""
        for _ in range(LONGEST_CHAIN):
            entry = self.entries[number]
            if entry.kind != "link":
                return number if entry.kind == "file" else None
            start = "" if entry.from_top else str(self.paths[number].parent)
            target = posixpath.normpath(posixpath.join(start, self.spelling.text(entry.target)))
            if PurePosixPath(target) not in self.by_path:
                return None
            number = self.by_path[PurePosixPath(target)]
        return None

    def danger(self, number: int, source: int | None) -> str | None:
        """Why a file must not or cannot be extracted, as the end of a sentence about it."""
        if source is not None:
            return self.entries[source].problem or unfit(self.names[number])
        if self.entries[number].kind == "link":
            return "is a link to what is no file of the archive; pack the file itself (`tar -h`, `zip` without `-y`)"
        return "is a device, a pipe or a file with holes; pack the archive again without it"


def _likely_bytes(archive: Path, places: Sequence[Place]) -> int:
    if folders.is_listing(archive):  # what lies on this machine is as large as it is
        return sys.maxsize
    images = sum(place.images for place in places)
    likely = min(images * BYTES_PER_IMAGE, BYTES_WHATEVER_THE_SIZE)
    return max(likely, archive.stat().st_size * BYTES_PER_ARCHIVED_BYTE)


def _within_limits(archive: Path, most_bytes: int) -> list[Entry]:
    most_members = max(MEMBERS_WHATEVER_THE_SIZE, archive.stat().st_size // ARCHIVED_BYTES_PER_MEMBER)
    entries: list[Entry] = []
    total = 0
    for entry, _ in members(archive, most_bytes):
        if entry.size < 0:
            raise tarfile.ReadError("a member of negative size")
        total += entry.size
        _check_total(archive, total, most_bytes)
        entries.append(entry)
        if len(entries) > most_members:
            raise ThawError(
                f"{archive}: holds more than {most_members} members, too many for its size; "
                "pack an archive of the class folders alone"
            )
    return entries


def _check_total(archive: Path, total: int, most_bytes: int) -> None:
    if total > most_bytes:
        raise ThawError(
            f"{archive}: unpacks to more than {most_bytes} bytes, too many for its size and number of images; if that "
            f"is right, give the data set `limits: {{bytes: {2 * total}}}` in the manifest, or more"
        )


def _note(result: Survey, path: PurePosixPath) -> None:
    """Count a file for the list of what the archive holds."""
    if is_junk(path):
        return
    result.files.append(path)
    if path.suffix.lower() in (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar"):
        result.archives.append(path)
    if not path.suffix or is_named_as_picture(path.name):
        result.folders[path.parent] += 1


def _check_taken(archive: Path, taken: set[PurePosixPath]) -> None:
    for path in taken:
        if not taken.isdisjoint(path.parents):
            raise ThawError(f"{archive}: {shown(str(path))} lies inside a file; pack the archive again without it")


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
        raise ThawError(f"{archive}: is damaged or cut short ({cause}); {AGAIN}") from None
