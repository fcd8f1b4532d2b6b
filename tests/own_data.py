"""Data sets as people have them: pictures of noise, archives of any format and spelling, and what `split` takes."""

import csv
import io
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from stages import split
from stages.common import sections as validation
from stages.common.manifest import DrawnDataset

ZIPS = {
    "stored": zipfile.ZIP_STORED,
    "deflated": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}
TARS = {"tar": "w", "tar.gz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}
Members = Sequence[tuple[str | bytes, bytes]]


def dataset(folders: Sequence[str] = ("ripe", "unripe"), top: str = "mine", images: int = 2, **more) -> DrawnDataset:
    """A data set of a class in each of the folders, with as many images each, half of them for validation."""
    classes = {f"class {label}": folder for label, folder in enumerate(folders)}
    content = {
        "title": "fruit",
        "classes": classes,
        "split": {"folder": top, "validation_share": 0.5, "seed": 1},
        "images": dict.fromkeys(classes, images),
    }
    return validation.checked(content | more, DrawnDataset, "mine.yaml")


def noise(number: int, height: int = 4, width: int = 5) -> np.ndarray:
    """A picture that no other number has."""
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)


def png(number: int) -> bytes:
    """The picture of that number."""
    stream = io.BytesIO()
    Image.fromarray(noise(number)).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def fruit(folders: Sequence[str] = ("mine/ripe", "mine/unripe"), images: int = 2) -> list[tuple[str, bytes]]:
    """Members: pictures 0, 1, … in the first folder, 100, 101, … in the second."""
    return [
        (f"{folder}/{number}.png", png(100 * label + number))
        for label, folder in enumerate(folders)
        for number in range(images)
    ]


def zipped(members: Members, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive; a name of bytes is written as it is, without the flag for UTF-8."""
    stream = io.BytesIO()
    stand_ins = {}
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for number, (name, content) in enumerate(members):
            if isinstance(name, bytes):
                stand_ins[f"<{number:05}>".encode().ljust(len(name), b"-")] = name
                name = list(stand_ins)[-1].decode()
                assert len(name) == len(stand_ins[name.encode()]), "a name too short for a stand-in"
            archive.writestr(name, content)
    packed = stream.getvalue()
    for stand_in, name in stand_ins.items():
        packed = packed.replace(stand_in, name)
    return packed


def tarred(members: Members, mode: str = "w:gz", format: int = tarfile.GNU_FORMAT) -> bytes:
    """A tar archive; names of bytes as they are; a TarInfo for a name is taken over, with its link."""
    stream = io.BytesIO()
    options = {"compresslevel": 1} if mode in ("w:gz", "w:bz2") else {"preset": 0} if mode == "w:xz" else {}
    names = {"encoding": "utf-8", "errors": "surrogateescape"}
    with tarfile.open(fileobj=stream, mode=mode, format=format, **names, **options) as archive:
        for name, content in members:
            if isinstance(name, bytes):
                name = name.decode("utf-8", "surrogateescape")
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def packings() -> dict:
    """Every way to pack members, by name."""
    zips = {f"{name} zip": (lambda members, kind=kind: zipped(members, kind)) for name, kind in ZIPS.items()}
    tars = {name: (lambda members, mode=mode: tarred(members, mode)) for name, mode in TARS.items()}
    return zips | tars


def pictures_taken(folder: Path, archive: bytes, data: DrawnDataset) -> dict[int, list[bytes]]:
    """Split the archive in `folder`; the pixels of each label's pictures by another decoder, sorted.

    Raises ThawError as `split` does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "mine.archive"
    path.write_bytes(archive)
    split.split(data, Path("mine.yaml"), path, folder / "images", folder / "table.csv", folder / "unreadable.txt")
    taken: dict[int, list[bytes]] = {}
    with (folder / "table.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            content = np.frombuffer((folder / "images" / row["path"]).read_bytes(), np.uint8)
            pixels = cv2.cvtColor(cv2.imdecode(content, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
            taken.setdefault(int(row["label"]), []).append(pixels.tobytes())
    return {label: sorted(several) for label, several in sorted(taken.items())}


def pixels_of(images: int = 2, labels: int = 2) -> dict[int, list[bytes]]:
    """What must be taken of `fruit`."""
    return {label: sorted(noise(100 * label + number).tobytes() for number in range(images)) for label in range(labels)}
