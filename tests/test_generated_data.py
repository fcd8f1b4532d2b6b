"""500 generated archives and 500 generated pictures: taken with the right pixels, or refused in a line that helps."""

import io
import struct
import zlib
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from own_data import TARS, dataset, fruit, packings, pictures_taken, pixels_of, png, tarred, zipped
from PIL import Image
from test_own_archives import JUNK, SPELLINGS, link

from stages.common.command import ThawError
from stages.pictures import image_file

pytestmark = pytest.mark.slow

TRIES = 500
OUTCOME = "taken with the pixels of another decoder, or refused in one line that names file, cause and remedy"


def check_refusal(error, path):
    """A line that names the file and what to do."""
    message = str(error)
    assert message.startswith(f"{path}: ")
    assert len(message.splitlines()) == 1
    assert message.isprintable()
    assert "; " in message, message  # the remedy is after the cause


def generated_archive(random):
    """An archive, its data set, and whether it must be taken (None where it is damaged)."""
    encoding = random.choice(list(SPELLINGS))
    top, *folders = SPELLINGS[encoding]
    layout = random.choice(["right", "right", "right", "no top", "doubled", "in capitals"])
    root = {"no top": "", "doubled": f"{top}/{top}/", "in capitals": f"{top}/X"}.get(layout, f"{top}/")
    members = fruit([f"{root}{folder}" for folder in folders])
    for name in random.choice([*chain(*JUNK.values())], random.integers(0, 5), replace=False):
        content = png(9) if random.random() < 0.5 and not name.lower().endswith((".xmp", "s")) else b"text"
        named = image_file.is_named_as_picture(name) or content != b"text"
        hidden = name not in JUNK["texts and videos"] or name.endswith("THM")
        if hidden or not named:
            members.insert(random.integers(len(members)), (f"{root}{folders[0]}/{name}", content))
    if random.random() < 0.3:
        members.append((f"{top}/other/9.png", b"any"))
    raw = [(name.encode(encoding), content) for name, content in members]
    packing = random.choice(list(packings()))
    if packing in TARS and random.random() < 0.3:
        raw.append(link("elsewhere", "/etc/passwd"))
    archive = tarred(raw, TARS[packing]) if packing in TARS else zipped(raw, 8 if random.random() < 0.5 else 0)
    if random.random() < 0.3:
        content = bytearray(archive)
        for place in random.integers(len(content), size=3):
            content[place] ^= 1 << random.integers(8)
        return bytes(content[: random.integers(len(content))] if random.random() < 0.5 else content), None, folders, top
    return archive, layout == "right", folders, top


def test_generated_archives(tmp_path, fault, monkeypatch, capfd):
    # To flush every one of thousands of small files to the disk takes minutes.
    monkeypatch.setattr("stages.common.files._flush", lambda path: None)
    monkeypatch.setattr("stages.common.files._flush_folder", lambda path: None)
    outcomes = {True: 0, False: 0}
    for seed in range(TRIES):
        random = np.random.default_rng(seed)
        archive, right, folders, top = generated_archive(random)
        try:
            taken = pictures_taken(tmp_path, archive, dataset(folders, top))
        except ThawError as error:
            assert right is not True, f"seed {seed}: {error}"
            check_refusal(error, tmp_path / "mine.archive")
            outcomes[False] += 1
        else:
            assert right is not False, f"seed {seed}"
            assert taken == pixels_of(), f"seed {seed}"
            outcomes[True] += 1
    assert min(outcomes.values()) > TRIES / 5
    fault("fuzz", "archives of generated names, encodings, formats, junk, layouts and damage", TRIES, OUTCOME)


LOSSLESS = {
    "PNG": {"compress_level": 1},
    "BMP": {},
    "PPM": {},
    "TIFF": {},
    "TIFF, LZW": {"compression": "tiff_lzw"},
    "WEBP": {"lossless": True, "exact": True},
    "JPEG2000": {"irreversible": False},
}
SHOWN = {  # what each mode's arrays are as RGB, by arithmetic of our own
    "RGB": lambda array: array,
    "L": lambda array: np.repeat(array[..., :1], 3, axis=2),
    "RGBA": lambda array: array,
    "I;16": lambda array: np.repeat(array[..., :1], 3, axis=2),
}
GARBAGE = [None, b"Exif\0\0garbage", b"Exif\0\0II*\0\x08\0\0\0\xff\xff", b"Exif\0\0", "nan", "turned"]
TURNED = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HHHIIII", 1, 0x0112, 3, 1, 6, 0, 0)
NAN = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 0x011A, 12, 1, 26, 0) + struct.pack("<d", np.nan)


def chunk(name, content, damage=0):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content) ^ damage)


CHUNKS = [
    b"",
    chunk(b"tEXt", b"key\0value", damage=1),
    chunk(b"zTXt", b"key\0\0" + zlib.compress(bytes(2**21))),
    chunk(b"iCCP", b"key\0\0" + zlib.compress(bytes(2**21))),
    chunk(b"iTXt", b"key\0\1\0\0\0" + zlib.compress(bytes(2**21))),
    chunk(b"gAMA", b"\0"),
    chunk(b"acTL", b"\0"),
]


def generated_picture(random):
    """A picture's file and the pixels that it must be shown with."""
    kind, mode = random.choice(list(LOSSLESS)), random.choice(list(SHOWN))
    height, width = random.integers(1, 40, 2)
    array = random.integers(0, 256, (height, width, 3), np.uint8)
    if (mode == "RGBA" and kind in ("BMP", "PPM")) or (mode == "I;16" and kind not in ("PNG", "PPM", "TIFF")):
        mode = "RGB"
    if mode == "L" and kind == "WEBP":
        mode = "RGB"
    image = Image.fromarray(array)
    if mode == "L":
        image = Image.fromarray(array[..., 0])
    elif mode == "RGBA":
        image = Image.fromarray(np.dstack([array, random.integers(0, 256, (height, width), np.uint8)]))
    elif mode == "I;16":
        image = Image.fromarray(array[..., 0].astype(np.uint16) * 256 + array[..., 1])
    expected = SHOWN[mode](array)
    options = dict(LOSSLESS[kind])
    exif = GARBAGE[random.integers(len(GARBAGE))] if kind in ("PNG", "WEBP") else None
    if exif is not None:
        options["exif"] = {"nan": NAN, "turned": TURNED}.get(exif, exif)
        expected = np.rot90(expected, -1) if exif == "turned" else expected
    stream = io.BytesIO()
    image.save(stream, kind.partition(",")[0], **options)
    content = stream.getvalue()
    if kind == "PNG":
        place = 33 if random.random() < 0.5 else len(content) - 12  # behind the header, or before the end
        content = content[:place] + CHUNKS[random.integers(len(CHUNKS))] + content[place:]
    return content, expected


def test_generated_pictures(fault):
    for seed in range(TRIES):
        content, expected = generated_picture(np.random.default_rng(seed))
        pixels = np.asarray(image_file.upright_rgb(io.BytesIO(content)))
        np.testing.assert_array_equal(pixels, expected, err_msg=f"seed {seed}")
    fault("fuzz", "pictures of generated formats, modes and broken metadata", TRIES, OUTCOME)


def test_generated_pictures_that_are_damaged(tmp_path, fault, monkeypatch, capfd):
    """Damage, where it is not noticed, may change pixels; it ends in no traceback, and in no other size."""
    monkeypatch.setattr("stages.common.files._flush", lambda path: None)
    monkeypatch.setattr("stages.common.files._flush_folder", lambda path: None)
    for start in range(0, TRIES, 50):
        damaged = []
        for seed in range(start, start + 50):
            random = np.random.default_rng(seed)
            content = bytearray(generated_picture(random)[0])
            for place in random.integers(len(content), size=4):
                content[place] = random.integers(256)
            damaged.append(bytes(content[: random.integers(len(content))] if random.random() < 0.5 else content))
        members = [(f"mine/ripe/{number}.png", content) for number, content in enumerate(damaged)]
        with pytest.raises(ThawError) as caught:
            pictures_taken(tmp_path, zipped([*members, *fruit()[2:]]), dataset(images=2))
        check_refusal(caught.value, tmp_path / "mine.archive")
        lines = (tmp_path / "unreadable.txt").read_text(encoding="utf-8").splitlines()
        assert 0 < len(lines) < 50
        assert all(line.startswith("mine/ripe/") and line.endswith(")") for line in lines)
        assert not Path(tmp_path, "images").exists()
    fault("fuzz", "pictures with damaged bytes or an end cut off", TRIES, OUTCOME)
