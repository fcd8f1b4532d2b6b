"""Splitting: good archives give exact folders and tables; what is unsafe, damaged or no image is named."""

import gzip
import io
import stat
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages import split
from stages.common.command import ThawError
from stages.common.manifest import corrected
from stages.pictures import parts
from stages.sources import archive as archives

ANIMALS = [
    "animals/train/cats/a.png",
    "animals/train/cats/b.png",
    "animals/train/dogs/a.png",
    "animals/train/dogs/b.png",
    "animals/validation/cats/c.png",
    "animals/validation/dogs/c.png",
]
FLOWERS = [
    *(f"flowers/roses/{name}.png" for name in "abcde"),
    *(f"flowers/tulips/{name}.png" for name in "abcd"),
]


def encoded(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def picture(number):
    return encoded(Image.new("RGB", (8, 6), (number, 0, 255 - number)), "PNG")


def pictures(names):
    return {name: picture(number) for number, name in enumerate(names)}


def zipped(members):
    """A zip archive of (name or ZipInfo, bytes) pairs or of a mapping."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in dict(members).items() if isinstance(members, dict) else members:
            archive.writestr(name, content)
    return stream.getvalue()


def tarred(members):
    """A gzipped tar archive of (name or TarInfo, bytes) pairs or of a mapping."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as archive:
        for name, content in dict(members).items() if isinstance(members, dict) else members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch, small_params, write_params):
    monkeypatch.chdir(tmp_path)
    write_params(small_params)


@pytest.fixture
def split_archive(small_manifest, write_manifest):
    """Split an archive of these bytes as `dataset` of the small manifest, into `images` and `table.csv`."""

    def run(dataset, archive):
        Path("raw").mkdir(exist_ok=True)
        Path("raw/archive").write_bytes(archive)
        source = write_manifest(small_manifest)
        arguments = ["--source", str(source), "--dataset", dataset, "--archive", "raw"]
        split.main([*arguments, "--images", "images", "--split", "table.csv"])

    return run


@pytest.fixture
def failure(split_archive, tmp_path, told):
    """The message of a split that fails, without the archive's name in front; nothing of it may be left."""

    def failed_split(dataset, archive):
        with pytest.raises(ThawError) as caught:
            split_archive(dataset, archive)
        left = {path.name for path in tmp_path.iterdir()} - {"work"}  # for lists of what cannot be read
        assert left == {"params.yaml", "raw", "small.yaml"}
        assert [path.name for path in Path("raw").iterdir()] == ["archive"]
        message = str(caught.value)
        told("archives", message)
        assert message.startswith("raw/archive: ")
        return message.removeprefix("raw/archive: ")

    return failed_split


def images():
    return {
        path.relative_to("images").as_posix(): path.read_bytes() for path in Path("images").rglob("*") if path.is_file()
    }


SHIPPED_TABLE = """\
path,label,part,fold
animals/train/cats/a.png,0,training,0
animals/train/cats/b.png,0,training,0
animals/train/dogs/a.png,1,training,0
animals/train/dogs/b.png,1,training,0
animals/validation/cats/c.png,0,validation,0
animals/validation/dogs/c.png,1,validation,0
"""


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_as_shipped(pack, split_archive, capfd):
    split_archive("animals", pack(dict(reversed(pictures(ANIMALS).items()))))
    assert images() == pictures(ANIMALS)
    assert Path("table.csv").read_text() == SHIPPED_TABLE
    assert capfd.readouterr() == ("", "")  # no bar where there is no terminal


def test_what_is_not_of_the_classes_is_left_out(split_archive):
    others = {
        "animals/LICENSE.txt": b"text",
        "animals/vectorize.py": b"raise SystemExit",
        "animals/train/rabbits/a.png": picture(99),
        "animals/train/a.png": picture(99),
        "__MACOSX/animals/train/cats/._a.png": b"junk",
        "animals/train/cats/._a.png": b"junk",
        "animals/train/cats/.DS_Store": b"junk",
        "animals/train/dogs/Thumbs.db": b"junk",
    }
    folders = [("animals/", b""), ("animals/train/cats/", b"")]
    split_archive("animals", zipped([*folders, *others.items(), *pictures(ANIMALS).items()]))
    assert images() == pictures(ANIMALS)
    assert Path("table.csv").read_text() == SHIPPED_TABLE


DRAWN_TABLE = """\
path,label,part,fold
flowers/roses/b.png,0,training,0
flowers/roses/c.png,0,training,0
flowers/roses/d.png,0,training,0
flowers/tulips/b.png,1,training,0
flowers/tulips/d.png,1,training,0
flowers/roses/a.png,0,validation,0
flowers/roses/e.png,0,validation,0
flowers/tulips/a.png,1,validation,0
flowers/tulips/c.png,1,validation,0
"""


@pytest.mark.parametrize("names", [FLOWERS, FLOWERS[::-1], [f"./{name}" for name in FLOWERS]])
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_drawn_split_depends_on_names_and_seed_alone(names, pack, split_archive):
    split_archive("flowers", pack(pictures(names)))
    assert Path("table.csv").read_text() == DRAWN_TABLE


def test_another_seed_draws_another_split(split_archive, small_manifest):
    small_manifest["datasets"]["flowers"]["split"]["seed"] = 2
    split_archive("flowers", zipped(pictures(FLOWERS)))
    table = Path("table.csv").read_text()
    assert table != DRAWN_TABLE
    assert table.count("training") == 5
    assert table.count("validation") == 4


def test_names_beyond_ascii(split_archive, small_manifest):
    small_manifest["datasets"]["flowers"]["classes"]["tulips"] = "Tulpen weiß"
    names = [name.replace("tulips", "Tulpen weiß").replace("a.png", "Ä 日本.png") for name in FLOWERS]
    for pack in (zipped, tarred):
        split_archive("flowers", pack(pictures(names)))
        assert images() == pictures(names)
    assert "flowers/Tulpen weiß/Ä 日本.png,1," in Path("table.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_names_that_yaml_and_eyes_mistake(pack, small_manifest, write_manifest):
    """Classes called yes, 0 and 2020 without quotes, their folders with no-break and ideographic spaces."""
    folders = {"yes": "\u00a0roses", "0": "tu\u3000lips", "2020": "asters\u3000"}
    counts = dict.fromkeys(folders, 4)
    small_manifest["datasets"]["flowers"] |= {"classes": "CLASSES", "images": "IMAGES"}
    small_manifest["datasets"]["flowers"]["split"]["validation_share"] = 0.5
    source = write_manifest(small_manifest)
    text = source.read_text(encoding="utf-8")
    for word, mapping in (("CLASSES", folders), ("IMAGES", counts)):
        text = text.replace(word, f"{{{', '.join(f'{name}: {value!r}' for name, value in mapping.items())}}}")
    source.write_text(text.replace("\\xa0", "\u00a0").replace("\\u3000", "\u3000"), encoding="utf-8")
    members = pictures([f"flowers/{folder}/{number}.png" for folder in folders.values() for number in range(4)])
    Path("raw").mkdir()
    Path("raw/archive").write_bytes(pack(members))
    arguments = ["--source", str(source), "--dataset", "flowers", "--archive", "raw"]
    split.main([*arguments, "--images", "images", "--split", "table.csv"])
    assert images() == members


RED = Image.new("RGB", (8, 6), (200, 0, 0))
ROTATED = Image.Exif()
ROTATED[274] = 6  # orientation: to be turned by a quarter


@pytest.mark.parametrize(
    "content",
    [
        encoded(RED, "JPEG"),
        encoded(RED.convert("CMYK"), "JPEG"),
        encoded(RED.convert("L"), "JPEG"),
        encoded(RED, "JPEG", exif=ROTATED),
        encoded(RED.convert("P"), "PNG"),
        encoded(RED.convert("RGBA"), "PNG"),
        encoded(Image.new("I;16", (8, 6), 40000), "PNG"),
        encoded(RED.resize((1, 1)), "BMP"),
        encoded(RED, "GIF", save_all=True, append_images=[RED.rotate(180), RED.convert("L")]),
        encoded(RED, "WEBP"),
        encoded(RED, "TIFF"),
        encoded(RED, "HEIF"),
        encoded(RED.resize((70000, 1)), "PNG"),
    ],
    ids="rgb cmyk grey rotated palette alpha 16-bit one-pixel animated webp tiff heic long".split(),  # noqa: SIM905
)
def test_kinds_of_images_that_are_taken(content, split_archive, fault, request):
    members = pictures(ANIMALS) | {ANIMALS[0]: content}
    split_archive("animals", zipped(members))
    assert images() == members
    fault("images", f"an image of another kind ({request.node.callspec.id})", 1, "taken as it is")


LOOKS = "AVIF, BMP, GIF, JPEG, JPEG2000, PNG, PPM, TIFF, WEBP, HEIF"
GRAINY = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"


@pytest.mark.parametrize(
    ("content", "mistake"),
    [
        (b"", "empty"),
        (b"only text", f"not one of {LOOKS}"),
        (b"<html>not found</html>", f"not one of {LOOKS}"),
        (POSTSCRIPT, f"not one of {LOOKS}"),
        (encoded(GRAINY, "JPEG")[:-500], "image file is truncated ("),
        (
            encoded(RED.convert("F"), "TIFF"),
            "has 32 bits a pixel, of which nobody knows which one is white; save it with 8 or 16",
        ),
        (
            encoded(Image.new("1", (10000, 9000)), "PNG"),
            "has 90000000 pixels, more than 89478485, in a file of ",
        ),
    ],
    ids="empty text html postscript truncated 32-bit huge".split(),  # noqa: SIM905
)
def test_files_that_are_no_whole_images(content, mistake, failure, tmp_path):
    members = pictures(ANIMALS) | {ANIMALS[0]: content}
    message = failure("animals", zipped(members))
    assert message.startswith(f"1 of 6 pictures in the class folders cannot be read: {ANIMALS[0]} ({mistake}")
    assert message.endswith(
        "); work/split/animals-unreadable.txt lists them all; mend them where they come from, or list them under "
        f"`leave_out` and {corrected(tmp_path / 'small.yaml')}"
    )


def test_many_mistakes_are_counted_and_the_first_ones_named(failure, tmp_path):
    members = pictures(FLOWERS) | dict.fromkeys(FLOWERS[:7], b"")
    listed = [f"{name} (empty)" for name in FLOWERS[:7]]
    assert failure("flowers", tarred(members)) == (
        f"7 of 9 pictures in the class folders cannot be read: {', '.join(listed[:5])} and 2 more; "
        "work/split/flowers-unreadable.txt lists them all; "
        f"mend them where they come from, or list them under `leave_out` and {corrected(tmp_path / 'small.yaml')}"
    )
    assert Path("work/split/flowers-unreadable.txt").read_text(encoding="utf-8").splitlines() == listed


def test_a_list_of_before_does_not_outlive_its_mistakes(failure, split_archive):
    failure("flowers", tarred(pictures(FLOWERS) | {FLOWERS[0]: b""}))
    split_archive("flowers", tarred(pictures(FLOWERS)))
    assert list(Path("work/split").iterdir()) == []


def test_counts_that_differ_from_the_manifest(failure, tmp_path):
    members = pictures([*ANIMALS, "animals/train/dogs/c.png", "animals/validation/dogs/d.png"])
    assert failure("animals", zipped(members)) == (
        f"the numbers of images differ from {tmp_path}/small.yaml (training dogs: 3 in animals/train/dogs, "
        "2 expected; validation dogs: 2 in animals/validation/dogs, 1 expected); "
        f"take the right pictures, or {corrected(tmp_path / 'small.yaml')}"
    )


def test_images_of_both_parts_are_warned_of(split_archive, capfd):
    members = pictures(ANIMALS) | dict.fromkeys([ANIMALS[1], ANIMALS[4]], picture(7))
    split_archive("animals", zipped(members))
    assert capfd.readouterr().err == (
        "warning: raw/archive: 1 validation images are training images too, byte for byte, "
        "e.g. animals/validation/cats/c.png and animals/train/cats/b.png\n"
    )
    assert Path("table.csv").read_text() == SHIPPED_TABLE


TEST_ROWS = "flowers_test/roses/a.png,0,test,0\nflowers_test/tulips/a.png,1,test,0\n"


@pytest.fixture
def with_test(small_manifest):
    """The small manifest with folds and a test part for flowers; returns the names of its pictures."""
    flowers = small_manifest["datasets"]["flowers"]
    flowers["split"]["folds"] = 2
    flowers["test"] = {"folder": "flowers_test", "images": {"roses": 1, "tulips": 1}}
    return [*FLOWERS, "flowers_test/roses/a.png", "flowers_test/tulips/a.png"]


def test_a_test_part_is_in_no_draw_and_no_training_reads_it(small_manifest, split_archive, with_test):
    split_archive("flowers", tarred(pictures(with_test)))
    table, images = Path("table.csv").read_text(), Path("images")
    read, test = parts.read_split(Path("table.csv"), images), parts.read_test(Path("table.csv"), images)
    assert TEST_ROWS in table
    assert [path.relative_to(images).as_posix() for path in test.paths] == with_test[-2:]
    assert all(path.exists() for path in test.paths)
    assert list(test.labels) == [0, 1]
    assert sum(map(len, read.values())) == len(FLOWERS)
    del small_manifest["datasets"]["flowers"]["test"]
    split_archive("flowers", tarred(pictures(FLOWERS)))
    assert Path("table.csv").read_text() == table.replace(TEST_ROWS, "")
    assert len(parts.read_test(Path("table.csv"), images)) == 0


def test_test_images_that_were_trained_on_are_warned_of(split_archive, with_test, capfd):
    members = pictures(with_test)
    split_archive("flowers", tarred(members | {with_test[-1]: members[FLOWERS[5]]}))
    assert capfd.readouterr().err == (
        "warning: raw/archive: 1 test images are training or validation images too, byte for byte, "
        f"e.g. {with_test[-1]} and {FLOWERS[5]}\n"
    )


def test_a_test_part_of_other_counts_is_refused(failure, with_test):
    message = failure("flowers", tarred(pictures([*with_test, "flowers_test/tulips/b.png"])))
    assert "(test tulips: 2 in flowers_test/tulips, 1 expected)" in message


def test_images_of_two_classes_are_named(split_archive, capfd):
    members = pictures(ANIMALS) | dict.fromkeys([ANIMALS[0], ANIMALS[3]], picture(7))
    split_archive("animals", zipped(members))
    assert capfd.readouterr().err == (
        "warning: raw/archive: 1 images are in another class too, byte for byte: "
        "animals/train/cats/a.png and animals/train/dogs/b.png; list the wrong ones under `leave_out` in the manifest\n"
    )


CAT = "animals/train/cats/x.png"


def special(kind, target="", name=CAT):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zipped_link(name=CAT):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def encrypted():
    archive = bytearray(zipped(pictures(ANIMALS)))
    archive[archive.index(b"PK\x01\x02") + 8] |= 1  # the first member's flags in the central directory
    return bytes(archive)


def deflate64():
    archive = zipped(pictures(ANIMALS))
    return archive.replace(b"\x08\x00", b"\x09\x00")  # the method


OUTSIDE = "points outside its folder (an absolute path or '..'); pack the archive again with plain names"
NO_TEXT = (
    "has a name that is no text (control characters, or an unknown encoding); rename it and pack the archive again"
)
TOO_LONG = (
    "has a name too long for file systems (255 bytes, 1024 with its folders); rename it and pack the archive again"
)
SPECIAL = f"'{CAT}' is a device, a pipe or a file with holes; pack the archive again without it"
LINK = f"'{CAT}' is a link to what is no file of the archive; pack the file itself (`tar -h`, `zip` without `-y`)"
CATS = "animals/train/cats"


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize(
    ("name", "danger"),
    [
        ("../x.png", f"'../x.png' {OUTSIDE}"),
        ("animals/train/cats/../../../../x.png", f"'animals/train/cats/../../../../x.png' {OUTSIDE}"),
        ("/tmp/x.png", f"'/tmp/x.png' {OUTSIDE}"),
        ("..\\x.png", f"'..\\x.png' {OUTSIDE}"),
        (f"{CATS}/x\\..\\..\\y.png", f"'{CATS}/x\\..\\..\\y.png' {OUTSIDE}"),
        ("C:/x.png", f"'C:/x.png' {OUTSIDE}"),
        (f"{CATS}/x\ny.png", f"'{CATS}/x\\ny.png' {NO_TEXT}"),
        (f"{CATS}/" + "ä" * 128, f"'{CATS}/{'ä' * 128}' {TOO_LONG}"),
        (f"{CATS}/" + "a/" * 513, f"'{CATS}/{'a/' * 127}"),
        (ANIMALS[3], f"'{ANIMALS[3]}' is there twice; pack it once"),
        (f"./{ANIMALS[3]}", f"'./{ANIMALS[3]}' is there twice; pack it once"),
    ],
    ids="parent ancestors absolute backslash backslashes drive new-line long-name long-path twice twice-spelt".split(),  # noqa: SIM905
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_are_unsafe(pack, name, danger, failure):
    archive = pack([*pictures(ANIMALS).items(), (name + "x" if name.endswith("/") else name, b"")])
    message = failure("animals", archive)
    assert message == danger or (name.endswith("/") and message.endswith(f"... {TOO_LONG}"))


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize("name", ["animals/x\ny.png", "animals/" + "ä" * 128, "a/" * 513 + "x", "animals/notes.txt"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_elsewhere_do_no_harm(pack, name, split_archive):
    split_archive("animals", pack([*pictures(ANIMALS).items(), (name, b""), (name, b"")]))
    assert images() == pictures(ANIMALS)


@pytest.mark.parametrize(
    ("members", "danger"),
    [
        ([(special(tarfile.SYMTYPE, "/etc/passwd"), b"")], LINK),
        ([(special(tarfile.SYMTYPE, "../../../../etc/passwd"), b"")], LINK),
        ([(special(tarfile.SYMTYPE, "x.png"), b"")], LINK),
        ([(special(tarfile.SYMTYPE, "../dogs"), b"")], LINK),
        ([(special(tarfile.LNKTYPE, "/etc/passwd"), b"")], LINK),
        ([(special(tarfile.CHRTYPE), b"")], SPECIAL),
        ([(special(tarfile.FIFOTYPE), b"")], SPECIAL),
    ],
    ids="absolute outside loop folder hard-link device pipe".split(),  # noqa: SIM905
)
def test_members_of_a_tar_that_are_unsafe(members, danger, failure):
    archive = tarred([*pictures(ANIMALS[1:]).items(), *members])
    assert failure("animals", archive) == danger


@pytest.mark.parametrize(
    ("archive", "danger"),
    [
        (zipped([*pictures(ANIMALS).items(), (zipped_link(), b"/etc/passwd")]), LINK),
        (encrypted(), f"'{ANIMALS[0]}' is encrypted; pack the archive again without a password"),
        (
            deflate64(),
            f"'{ANIMALS[0]}' is compressed by Deflate64, which is not read; pack the archive again with ordinary "
            "compression (Deflate), or as .tar.gz",
        ),
    ],
    ids=["link", "encrypted", "deflate64"],
)
def test_members_of_a_zip_that_cannot_be_taken(archive, danger, failure):
    assert failure("animals", archive) == danger


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_file_that_is_a_folder_too(pack, failure):
    archive = pack([*pictures(ANIMALS).items(), (f"{ANIMALS[0]}/x.png", b"")])
    assert failure("animals", archive) == f"'{ANIMALS[0]}/x.png' lies inside a file; pack the archive again without it"


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_archives_of_too_many_members(pack, failure, monkeypatch):
    monkeypatch.setattr(archives, "MEMBERS_WHATEVER_THE_SIZE", 1000)
    monkeypatch.setattr(archives, "ARCHIVED_BYTES_PER_MEMBER", 1000)
    archive = pack({f"animals/{number}": b"" for number in range(1001)})
    assert failure("animals", archive) == (
        "holds more than 1000 members, too many for its size; pack an archive of the class folders alone"
    )


@pytest.mark.parametrize("name", ["animals/train/cats/a.png", "elsewhere"])
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_archives_of_too_many_bytes(pack, name, failure, tmp_path, small_manifest, split_archive, monkeypatch):
    monkeypatch.setattr(archives, "BYTES_PER_IMAGE", 1000)
    archive = pack([(name, bytes(10**6)), *pictures(ANIMALS[1:]).items()])
    message = failure("animals", archive)
    assert message.startswith(
        f"unpacks to more than {max(6000, 100 * len(archive))} bytes, too many for its size and number of images; if "
        "that is right, give the data set `limits: {bytes: "
    )
    small_manifest["datasets"]["animals"]["limits"] = {"bytes": 3 * 10**6}
    assert "unpacks" not in failure("animals", archive)


def test_a_header_that_is_a_bomb(failure):
    info = tarfile.TarInfo("animals/x")
    info.pax_headers = {"comment": "x" * 2**21}
    assert failure("animals", tarred([(info, b"")])) == (
        f"is damaged or cut short (a header of 2097664 bytes); {archives.AGAIN}"
    )


def test_zeros_after_the_end_that_are_a_bomb(failure, monkeypatch):
    monkeypatch.setattr(archives, "BYTES_PER_IMAGE", 2**16)
    archive = tarred(pictures(ANIMALS)) + gzip.compress(bytes(10**6), 1)
    most = 2 * max(6 * 2**16, 100 * len(archive))
    assert failure("animals", archive) == (
        f"is damaged or cut short (unpacks to more than {most} bytes); {archives.AGAIN}"
    )


@pytest.mark.parametrize(
    ("archive", "what"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>", "is an HTML page"),
        (b"7z\xbc\xaf\x27\x1c", "is a 7z archive"),
        (b"\x28\xb5\x2f\xfd", "is compressed by Zstandard"),
        (b"nothing known", "is of another format"),
    ],
    ids=["empty", "html", "7z", "zstandard", "unknown"],
)
def test_files_that_are_no_archives(archive, what, failure):
    assert failure("animals", archive) == (
        f"{what}, not a zip or a tar archive (plain, or compressed by gzip, bzip2 or xz); name the archive itself, "
        "or pack the pictures as one of these"
    )


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.9, 0.999])
def test_archives_that_are_cut_short(pack, share, failure):
    archive = pack(pictures(ANIMALS))
    message = failure("animals", archive[: max(4, int(share * len(archive)))])
    assert message.startswith("is damaged or cut short (")
    assert message.endswith(f"); {archives.AGAIN}")


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_archives_with_a_damaged_member(pack, failure):
    archive = bytearray(pack(pictures(ANIMALS)))
    archive[len(archive) // 4] ^= 0xFF
    assert failure("animals", bytes(archive)).startswith("is damaged or cut short (")


def test_a_table_of_before_does_not_outlive_a_failure(split_archive):
    split_archive("animals", zipped(pictures(ANIMALS)))
    with pytest.raises(ThawError):
        split_archive("animals", zipped(pictures(ANIMALS[1:])))
    assert not Path("table.csv").exists()


@pytest.mark.parametrize("names", [[], ["a.zip", "b.zip"]])
def test_the_archive_stands_alone_in_its_folder(names, small_manifest, write_manifest):
    Path("raw").mkdir()
    for name in names:
        Path("raw", name).write_bytes(zipped(pictures(ANIMALS)))
    arguments = ["--source", str(write_manifest(small_manifest)), "--dataset", "animals", "--archive", "raw"]
    with pytest.raises(ThawError) as caught:
        split.main([*arguments, "--images", "images", "--split", "table.csv"])
    assert str(caught.value) == (f"raw: holds {len(names)} files, not the one downloaded; run `dvc repro`")
