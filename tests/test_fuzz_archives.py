"""Generated archives: each one taken or refused in one line, and never a file outside the folder of images."""

import csv
import gzip
import io
import stat
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import hypothesis.strategies as st
import pytest
from fuzzing import damaged, edits, tries
from hypothesis import given
from PIL import Image

from stages import split
from stages.common import manifest
from stages.common.command import ThawError

pytestmark = pytest.mark.slow

COUNTS = {
    "animals/train/cats": 2,
    "animals/train/dogs": 2,
    "animals/validation/cats": 1,
    "animals/validation/dogs": 1,
}  # the small manifest's
OUTCOME = "refused in one line, nothing written; or taken, its images in their folder and nothing elsewhere"
OUTSIDE = "OUTSIDE"  # in a name, stands for the folder around the one that may be written to


def picture(number: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), (number, 0, 0)).save(stream, "PNG")
    return stream.getvalue()


PICTURES = {
    f"{folder}/{number}.png": picture(10 * index + number)
    for index, (folder, count) in enumerate(COUNTS.items())
    for number in range(count)
}


@pytest.fixture
def check(small_manifest, write_manifest, tmp_path) -> Callable[[Callable[[str], bytes]], None]:
    """Split the archive that is packed for the folder around; check what then lies in it."""
    dataset = manifest.load(write_manifest(small_manifest)).dataset("animals")

    def attempt(pack: Callable[[str], bytes]) -> None:
        with TemporaryDirectory() as around:
            work = Path(around, "a/b/work")
            archive = work / "raw/archive"
            archive.parent.mkdir(parents=True)
            archive.write_bytes(pack(around))
            before = contents(Path(around))
            try:
                split.split(
                    dataset, Path("small.yaml"), archive, work / "images", work / "table.csv", tmp_path / "unreadable"
                )
            except ThawError as error:
                assert len(str(error).splitlines()) == 1
                assert str(error).isprintable()
                assert contents(Path(around)) == before
            else:
                check_taken(work, before, contents(Path(around)))

    return attempt


def contents(folder: Path) -> dict[Path, bytes | None]:
    """All that lies in a folder at any depth; of files their bytes."""
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def check_taken(work: Path, before: dict[Path, bytes | None], after: dict[Path, bytes | None]) -> None:
    """Nothing changed but for the table and the images in it, which are as many as the manifest says."""
    with (work / "table.csv").open(encoding="utf-8", newline="") as file:
        paths = [row["path"] for row in csv.DictReader(file)]
    files = {path for path, content in after.items() if content is not None}
    assert before.items() <= after.items()
    assert files - before.keys() == {work / "table.csv", *(work / "images" / path for path in paths)}
    assert Counter(PurePosixPath(path).parents[-4].as_posix() for path in paths) == COUNTS


def zipped(members: list[tuple[str, int, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive of names, modes of Unix and contents."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, mode, content in members:
            info = zipfile.ZipInfo(name or ".")
            info.compress_type, info.external_attr = compression, mode << 16
            archive.writestr(info, content)
    return stream.getvalue()


def tarred(members: list[tuple[str, bytes, bytes]], format: int = tarfile.GNU_FORMAT) -> bytes:
    """A tar archive, not gzipped, of names, types and contents; a link's content is its target."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=format) as archive:
        for name, kind, content in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            info.linkname = content.decode("latin-1") if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            info.size = len(content) if kind in tarfile.REGULAR_TYPES else 0
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


ZIPS = [
    zipped([(name, 0, content) for name, content in PICTURES.items()], compression)
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
]
TARS = [
    tarred([(name, tarfile.REGTYPE, content) for name, content in PICTURES.items()], format)
    for format in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
]
PIECES = [
    *("..", ".", "", "/", "\\", "C:", "~", "\n", "\x1b[31m", "\u202e", "\u2028", "con ", "n" * 256, OUTSIDE),
    *("animals", "train", "validation", "cats", "dogs", "0.png", "1.PNG", "ä", "日本.png", "__MACOSX", "._0.png"),
]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NAMES = st.one_of(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("/".join),
    TEXTS,
    st.builds("{}/{}".format, st.sampled_from(list(COUNTS)), TEXTS | st.sampled_from(PIECES)),
)
CONTENTS = st.sampled_from([*PICTURES.values(), b"", b"text", bytes(2000)]) | st.binary(max_size=64)
TYPES = [
    *(tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE),
    *(tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE, b"Z"),
]
MODES = [0, *(kind | 0o777 for kind in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR))]


def with_others(kinds: list, kind: object) -> st.SearchStrategy[list[tuple]]:
    """The pictures, of one kind, with generated members of all `kinds` between, before or after them."""
    good = [(name, kind, content) for name, content in PICTURES.items()]
    others = st.lists(st.tuples(NAMES, st.sampled_from(kinds), CONTENTS), min_size=1, max_size=4)
    return st.builds(lambda place, some: good[:place] + some + good[place:], st.integers(0, len(good)), others)


def outside_named(members: list[tuple], around: str) -> list[tuple]:
    return [
        (name.replace(OUTSIDE, around), kind, content.replace(OUTSIDE.encode(), around.encode()))
        for name, kind, content in members
    ]


@tries(500)
@given(archive=st.sampled_from(ZIPS), edits=edits())
def test_damaged_zips(archive, edits, check, fault):
    check(lambda _: damaged(archive, edits))
    fault("fuzz", "a zip with damaged bytes", 1, OUTCOME)


@tries(250)
@given(archive=st.sampled_from(TARS), edits=edits())
def test_damaged_gzipped_tars(archive, edits, check, fault):
    check(lambda _: damaged(gzip.compress(archive, 1, mtime=0), edits))
    fault("fuzz", "a gzipped tar with damaged bytes", 1, OUTCOME)


@tries(500)
@given(archive=st.sampled_from(TARS), edits=edits())
def test_damaged_tars_gzipped_afterwards(archive, edits, check, fault):
    check(lambda _: gzip.compress(damaged(archive, edits), 1, mtime=0))
    fault("fuzz", "a tar with damaged bytes, gzipped afterwards", 1, OUTCOME)


@tries(400)
@given(members=with_others(MODES, 0))
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_zips_of_generated_members(members, check, fault):
    check(lambda around: zipped(outside_named(members, around)))
    fault("fuzz", "a zip with generated names and kinds of members", 1, OUTCOME)


@tries(400)
@given(members=with_others(TYPES, tarfile.REGTYPE), format=st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
def test_tars_of_generated_members(members, format, check, fault):
    check(lambda around: gzip.compress(tarred(outside_named(members, around), format), 1))
    fault("fuzz", "a tar with generated names and kinds of members", 1, OUTCOME)
