"""Archives as people pack them: formats, spellings of names, links, wrong layouts, what lies beside pictures."""

import io
import resource
import stat
import subprocess
import sys
import tarfile
import unicodedata
import zipfile
import zlib
from pathlib import Path, PurePosixPath

import pytest
from own_data import TARS, ZIPS, dataset, fruit, packings, pictures_taken, pixels_of, png, tarred, zipped

from stages import download, split
from stages.common.command import ThawError
from stages.common.manifest import Copy, Download
from stages.sources import folders
from stages.sources.archive import survey
from stages.sources.archive_names import is_junk


@pytest.fixture
def refusal(tmp_path, told):
    """The message with which an archive is refused, without the archive's name in front; nothing may be left."""

    def refuse(archive, data=None):
        with pytest.raises(ThawError) as caught:
            pictures_taken(tmp_path, archive, data or dataset())
        assert {path.name for path in tmp_path.iterdir()} <= {"mine.archive", "unreadable.txt"}
        message = str(caught.value)
        told("archives of one's own", message)
        assert message.startswith(f"{tmp_path}/mine.archive: ")
        return message.removeprefix(f"{tmp_path}/mine.archive: ")

    return refuse


@pytest.mark.parametrize("packing", packings())
def test_every_format_is_told_by_its_content(packing, tmp_path):
    assert pictures_taken(tmp_path, packings()[packing](fruit()), dataset()) == pixels_of()


@pytest.mark.parametrize("packing", TARS)
def test_a_tar_of_the_old_format(packing, tmp_path):
    assert pictures_taken(tmp_path, tarred(fruit(), TARS[packing], tarfile.USTAR_FORMAT), dataset()) == pixels_of()


def test_what_is_compressed_but_no_tar(refusal):
    archive = subprocess.run(["gzip", "-c"], input=b"only a text " * 99, stdout=subprocess.PIPE, check=True).stdout
    assert refusal(archive) == (
        "is compressed by gzip, but holds no tar archive; pack the class folders as zip or .tar.gz"
    )


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize(("manifest_s", "archive_s"), [("NFC", "NFD"), ("NFD", "NFC"), ("NFC", "NFC")])
def test_accents_may_be_decomposed(pack, manifest_s, archive_s, tmp_path):
    folders = [unicodedata.normalize(manifest_s, folder) for folder in ("grün", "가을")]
    names = [unicodedata.normalize(archive_s, f"mine/{folder}") for folder in folders]
    assert pictures_taken(tmp_path, pack(fruit(names)), dataset(folders)) == pixels_of()


SPELLINGS = {
    "cp932": ("写真", "猫", "表ソ能"),  # of the last, each has a byte that is ASCII's backslash
    "gbk": ("照片", "猫", "誠狗"),
    "big5": ("照片", "貓", "功能"),
    "cp949": ("사진", "고양이", "개"),
    "cp866": ("фото", "кошки", "собаки"),
    "cp1251": ("фото", "кошки", "собаки"),
    "koi8_r": ("фото", "кошки", "собаки"),
    "cp437": ("Fotos", "grün", "weiß"),
    "cp850": ("Fotos", "Ápfel", "weiß"),
    "cp1252": ("Fotos", "grün", "weiß"),
    "cp1250": ("zdjęcia", "żółte", "łaty"),
    "utf-8": ("写真", "кошки", "grün"),
}


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize("encoding", SPELLINGS)
def test_names_in_the_encodings_of_the_world(pack, encoding, tmp_path):
    top, *folders = SPELLINGS[encoding]
    members = [(name.encode(encoding), content) for name, content in fruit([f"{top}/{each}" for each in folders])]
    assert pictures_taken(tmp_path, pack(members), dataset(folders, top)) == pixels_of()
    paths = {path.relative_to(tmp_path / "images").parent.as_posix() for path in tmp_path.rglob("images/*/*/*.png")}
    assert paths == {f"{top}/{folder}" for folder in folders}


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_byte_that_looks_like_a_backslash_in_a_picture_s_name(pack, tmp_path):
    members = [(name.replace("/0.", "/表0.").encode("cp932"), content) for name, content in fruit()]
    assert pictures_taken(tmp_path, pack(members), dataset()) == pixels_of()
    assert (tmp_path / "images/mine/ripe/表0.png").exists()


def test_a_name_that_is_repeated_in_utf_8(tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in fruit(["mine/猫", "mine/犬"]):
            mangled = name.encode("ascii", "replace").decode().replace("?", "_" if "猫" in name else "-")
            info = zipfile.ZipInfo(mangled)
            extra = b"\1" + zlib.crc32(mangled.encode()).to_bytes(4, "little") + name.encode()
            info.extra = b"up" + len(extra).to_bytes(2, "little") + extra
            archive.writestr(info, content)
    assert pictures_taken(tmp_path, stream.getvalue(), dataset(["猫", "犬"])) == pixels_of()


@pytest.mark.parametrize("top", ["mine\\", "mine/"])  # as PowerShell writes, and programs that add a folder in front
def test_backslashes_between_folders(top, tmp_path):
    members = [(name.replace("/", "\\").replace("mine\\", top), content) for name, content in fruit()]
    folders = [(f"{top}ripe\\", b"")]
    assert pictures_taken(tmp_path, zipped([*folders, *members]), dataset()) == pixels_of()


def link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def zipped_link(name, target):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info, target.encode()


@pytest.mark.parametrize(
    "member",
    [
        link("mine/ripe/1.png", "mine/all/1.png", tarfile.LNKTYPE),
        link("mine/ripe/1.png", "../all/1.png"),
        link("mine/ripe/1.png", "../link.png"),
        zipped_link("mine/ripe/1.png", "../all/1.png"),
    ],
    ids=["hard", "symbolic", "chain", "zipped"],
)
@pytest.mark.parametrize("place", [0, 3])  # a link may stand before what it leads to
def test_links_inside_the_archive_are_the_files(member, place, tmp_path):
    name, content = fruit()[1]
    others = [fruit()[0], *fruit()[2:], (name.replace("ripe", "all"), content)]
    if isinstance(member[0], tarfile.TarInfo):
        archive = tarred([*others[:place], member, *others[place:], link("mine/link.png", "all/1.png")])
    else:
        archive = zipped([*others[:place], member, *others[place:]])
    assert pictures_taken(tmp_path, archive, dataset()) == pixels_of()


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../x", "nowhere", "ripe"])
def test_links_and_devices_elsewhere_are_left_alone(target, tmp_path):
    pipe = tarfile.TarInfo("mine/pipe")
    pipe.type = tarfile.FIFOTYPE
    members = [link("mine/x", target), link("mine/y", target, tarfile.LNKTYPE), (pipe, b""), *fruit()]
    assert pictures_taken(tmp_path, tarred(members), dataset()) == pixels_of()


JUNK = {
    "hidden": [".hidden.jpg", ".picasa.ini", ".gitkeep", "._0.png", ".DS_Store", ".thumbnails/1.jpg", ".git/config"],
    "systems'": ["Desktop.ini", "desktop.ini", "Thumbs.db", "ehthumbs.db", "Icon\r", "$RECYCLE.BIN/x.png"],
    "programs'": ["@eaDir/0.png/SYNOPHOTO_THUMB_M.jpg", "0.png~", "0.png_original", "0.png.bak", "Picasa.ini"],
    "__MACOSX": ["__MACOSX/._0.png", "__MACOSX/0.png"],
    "texts and videos": ["0.xmp", "IMG_1.MOV", "notes.txt", "labels.csv", "README", "0.json", "clip.mp4", "MVI.THM"],
}
VIDEO = b"\0\0\0\x14ftypqt  \0\0\0\0qt  " + bytes(64)


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize("kind", JUNK)
def test_what_lies_beside_pictures_is_passed_over(pack, kind, tmp_path, capfd, fault):
    beside = [(f"mine/ripe/{name}", VIDEO if "MOV" in name or "mp4" in name else png(9)) for name in JUNK[kind]]
    if kind == "texts and videos":
        beside = [(name, content if content == VIDEO or "THM" in name else b"text") for name, content in beside]
    assert pictures_taken(tmp_path, pack([*beside, *fruit()]), dataset()) == pixels_of()
    line = capfd.readouterr().err
    assert line.startswith(
        f"{tmp_path}/mine.archive: {len(beside)} files in the class folders are no pictures and were passed over: "
    )
    assert line.count("\n") == 1
    fault("archives of one's own", f"{kind} files beside the pictures", len(beside), "passed over, told in one line")


@pytest.mark.parametrize("kind", JUNK)
def test_what_lies_beside_pictures_in_a_folder_is_passed_over(kind, tmp_path, capfd, monkeypatch, fault):
    """As `download` lists a folder of this machine, and `split` reads it there."""
    text_alone = kind == "texts and videos"
    beside = {
        name: VIDEO if "MOV" in name or "mp4" in name else b"text" if text_alone else png(9) for name in JUNK[kind]
    }
    for name, content in [*fruit(), *((f"mine/ripe/{name}", content) for name, content in beside.items())]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    fruits = Download(copies=[Copy(path=str(tmp_path / "mine"))])
    download.obtain(fruits, Path("mine.yaml"), tmp_path / "raw/mine", tmp_path / "work", [])
    seen = [name for name in sorted(f"ripe/{name}" for name in beside) if not is_junk(PurePosixPath(name).parent)]
    told = capfd.readouterr().err
    if seen:
        assert told.startswith(f"{tmp_path}/mine: {len(seen)} files are no pictures and were passed over: ")
        assert told.count("\n") == 1
    paths = [tmp_path / name for name in ("images", "table.csv", "unreadable.txt")]
    split.split(dataset(top="."), Path("mine.yaml"), tmp_path / "raw/mine/mine.folder.json", *paths)
    rows = [line.split(",")[:2] for line in paths[1].read_text().splitlines()[1:]]
    assert sorted(rows) == [
        [f"{folder}/{n}.png", label] for folder, label in (("ripe", "0"), ("unripe", "1")) for n in (0, 1)
    ]
    fault(
        "pictures in a folder",
        f"{kind} files beside them",
        len(beside),
        "passed over, those not hidden told in one line",
    )


def test_of_a_folder_messages_name_the_folder(tmp_path):
    for name, content in fruit():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    listing = tmp_path / "raw/mine.folder.json"
    folders.write(tmp_path / "mine", folders.pictures(tmp_path / "mine"), listing)
    paths = [tmp_path / name for name in ("images", "table.csv", "unreadable.txt")]
    with pytest.raises(ThawError) as caught:
        split.split(dataset(top=".", images=3), Path("mine.yaml"), listing, *paths)
    assert str(caught.value).startswith(f"{tmp_path}/mine: the numbers of images differ from mine.yaml (")


UNREAD = {
    "0.heic": (b"text", "not one of "),
    "0.jpg": (VIDEO, "not one of "),
    "0.CR2": (png(1), "a camera's raw picture; export it as JPEG"),
    "0.svg": (b"<svg/>", "not one of "),
    "no suffix": (png(1)[:-40], "image file is truncated"),
    "0.psd": (b"8BPS" + bytes(99), "Photoshop, which is not read; save it as PNG or JPEG"),
}


@pytest.mark.parametrize("name", UNREAD)
def test_what_says_it_is_a_picture_must_be_readable(name, refusal, tmp_path):
    content, cause = UNREAD[name]
    archive = zipped([*fruit(), (f"mine/ripe/{name}", content)])
    message = refusal(archive)
    assert message.startswith(f"1 of 5 pictures in the class folders cannot be read: mine/ripe/{name} ({cause}")
    assert (tmp_path / "unreadable.txt").read_text(encoding="utf-8").startswith(f"mine/ripe/{name} ({cause}")
    left_out = dataset(leave_out={f"mine/ripe/{name}": "cannot be read"})
    assert pictures_taken(tmp_path, archive, left_out) == pixels_of()  # the remedy works


@pytest.mark.parametrize(
    ("folders", "held", "names"),
    [
        (("ripe", "unripe"), "ripe (2), unripe (2)", "split.folder: ., classes: {class 0: ripe, class 1: unripe}"),
        (
            ("mine/mine/ripe", "mine/mine/unripe"),
            "mine/mine/ripe (2), mine/mine/unripe (2)",
            "split.folder: mine/mine, classes: {class 0: ripe, class 1: unripe}",
        ),
        (
            ("mine/Ripe", "mine/Unripe"),
            "mine/Ripe (2), mine/Unripe (2)",
            "split.folder: mine, classes: {class 0: Ripe, class 1: Unripe}",
        ),
        (
            ("MINE/RIPE", "MINE/UNRIPE"),
            "MINE/RIPE (2), MINE/UNRIPE (2)",
            "split.folder: MINE, classes: {class 0: RIPE, class 1: UNRIPE}",
        ),
        (
            ("mine/ripe\u00a0", "mine/\u3000unripe"),
            "mine/ripe\\xa0 (2), mine/\\u3000unripe (2)",
            'split.folder: mine, classes: {class 0: "ripe\\_", class 1: "\\u3000unripe"}',
        ),
    ],
    ids=["no top folder", "a doubled one", "capital letters", "all capitals", "other spaces"],
)
def test_folders_of_other_names(folders, held, names, refusal, tmp_path):
    archive = zipped(fruit(folders))
    assert refusal(archive) == (
        f"holds no pictures in mine/ripe, mine/unripe; it holds {held}; if these are the ones, write in mine.yaml: "
        f"{names}"
    )
    top = names.removeprefix("split.folder: ").partition(",")[0]
    classes = [each.rpartition("/")[2] for each in folders]
    assert pictures_taken(tmp_path, archive, dataset(classes, top)) == pixels_of()  # the remedy works


def test_folders_of_names_that_tell_nothing(refusal):
    assert refusal(zipped(fruit(("a/b", "a/c")))) == (
        "holds no pictures in mine/ripe, mine/unripe; it holds a/b (2), a/c (2); "
        "name them in mine.yaml under `split` ('.' is the archive's top) and `classes`"
    )


@pytest.mark.parametrize(("top", "named"), [("train/", "train"), ("", "its top")])
def test_a_flat_folder(top, named, refusal):
    members = [(f"{top}{kind}.{number}.jpg", b"") for kind in ("cat", "dog") for number in range(3)]
    assert refusal(zipped(members)) == (
        f"holds no pictures in mine/ripe, mine/unripe; it holds {named} (6); "
        "give the pictures of each class a folder of their own and pack the archive again"
    )


def test_an_archive_in_the_archive(refusal):
    assert refusal(zipped([("mine/mine.zip", zipped(fruit()))])) == (
        "holds no pictures in mine/ripe, mine/unripe; it holds no folder of pictures at all; "
        "unpack what lies packed in it (mine/mine.zip) and pack the class folders themselves"
    )


def test_a_class_that_is_missing_and_many_folders(refusal):
    members = [*fruit()[:2], *((f"mine/{number:02}/{number}.png", b"") for number in range(20))]
    assert refusal(zipped(members)) == (
        f"holds no pictures in mine/unripe; it holds {', '.join(f'mine/{number:02} (1)' for number in range(8))} and "
        "13 more; name them in mine.yaml under `split` ('.' is the archive's top) and `classes`"
    )


def test_few_pictures_wanted_of_many(tmp_path):
    others = [(f"mine/other {number % 50}/{number}.jpg", b"any") for number in range(4000)]
    archive = zipped([*others, *fruit(images=20)])
    assert pictures_taken(tmp_path, archive, dataset(images=20)) == pixels_of(20)


def test_twelve_large_tiffs_are_no_bomb(tmp_path):
    """Of 6000 x 4000 pixels, 72 MB each, in an archive that is packed to less than a thousandth."""
    tiff = bytes(3 * 6000 * 4000)
    members = [(f"mine/{folder}/{number}.tif", tiff) for folder in ("ripe", "unripe") for number in range(6)]
    with zipfile.ZipFile(tmp_path / "mine.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members:
            archive.writestr(name, content)
    contents = survey(tmp_path / "mine.zip", dataset(images=6).places())
    assert [str(found.path) for several in contents.found.values() for found in several] == [
        name for name, _ in members
    ]


@pytest.mark.slow
@pytest.mark.parametrize("packing", [packing for packing in packings() if packing not in ("stored zip", "tar")])
def test_a_bomb_is_refused_in_bounded_memory(packing, tmp_path, fault):
    """Zeros for a picture, more than four images make likely, read by a process of little memory."""
    write_bomb(tmp_path / "bomb", packing, 2**29 + 2**20)
    code = """if True:
        import sys
        from pathlib import Path
        from own_data import TARS, ZIPS, dataset
        from stages import split
        from stages.common.command import ThawError
        folder = Path(sys.argv[1])
        try:
            split.split(dataset(images=2), Path("mine.yaml"), folder / "bomb", *(folder / each for each in "itu"))
        except ThawError as error:
            print(error)
    """
    # Python and its packages reserve a good part of this.
    limit = lambda: resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30))  # noqa: E731
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": f"{Path(__file__).parent}:{Path(__file__).parents[1]}", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.stderr == ""
    assert "unpacks to more than 536870912 bytes, too many for its size and number of images" in done.stdout
    assert not (tmp_path / "i").exists()
    fault("archives of one's own", f"a bomb ({packing})", 1, "refused in a gigabyte of memory")


class Zeros(io.RawIOBase):
    """So many zeros, never all in memory."""

    def __init__(self, size):
        self._left = size

    def readable(self):
        return True

    def readinto(self, buffer):
        count = min(len(buffer), self._left)
        buffer[:count] = bytes(count)
        self._left -= count
        return count


def write_bomb(path, packing, size):
    if packing.endswith(" zip"):
        with zipfile.ZipFile(path, "w", ZIPS[packing.removesuffix(" zip")], compresslevel=1) as archive:
            for name, content in fruit():
                archive.writestr(name, content)
            with archive.open("mine/ripe/bomb.png", "w", force_zip64=True) as member:
                for _ in range(size >> 20):
                    member.write(bytes(2**20))
        return
    with tarfile.open(path, TARS[packing], **({"preset": 0} if packing == "tar.xz" else {})) as archive:
        for name, content in fruit():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        info = tarfile.TarInfo("mine/ripe/bomb.png")
        info.size = size
        archive.addfile(info, io.BufferedReader(Zeros(info.size)))
