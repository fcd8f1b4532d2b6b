"""Pictures of every kind decoded upright to RGB, resized as TensorFlow does, and read by the split table."""

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from own_data import dataset, fruit, pictures_taken, zipped
from PIL import Image

from stages import split
from stages.common.command import ThawError
from stages.pictures import image_file
from stages.pictures import parts as pictures

SIZE = 12

# What each EXIF orientation does to the pixels stored, to show them upright.
ORIENTATIONS = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: np.rot90(stored, 2),
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).transpose(1, 0, 2),
    8: lambda stored: np.rot90(stored),
}


def noise(height: int = SIZE, width: int = SIZE, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, size=(height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize("name", ["RGB.png", "RGB.jpg", "RGB.webp", "L.png", "L.jpg", "P.png", "P.gif", "1.png"])
def test_a_screen_s_picture_is_pillow_s_rgb(tmp_path, name):
    check_against_pillow(tmp_path / name)


@pytest.mark.parametrize("name", ["LA.png", "RGBA.png", "CMYK.jpg", "CMYK.tif", "YCbCr.jpg"])
def test_a_picture_with_alpha_or_for_print_is_pillow_s_rgb(tmp_path, name):
    check_against_pillow(tmp_path / name)


def check_against_pillow(path: Path) -> None:
    """Save noise in the mode that is the stem of the file's name, and decode it."""
    Image.fromarray(noise()).convert(path.stem).save(path)
    with Image.open(path) as image:
        expected = np.asarray(image.convert("RGB"))
    result = pictures.decoded(path, SIZE)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, expected)


def test_grey_is_the_same_in_all_channels(tmp_path):
    grey = noise(channels=1)
    Image.fromarray(grey[..., 0]).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(pictures.decoded(tmp_path / "grey.png", SIZE), np.repeat(grey, 3, axis=2))


@pytest.mark.parametrize("depth", ["16-bit.png", "16-bit.tif", "16-bit.pgm"])
def test_the_upper_half_of_16_bits_counts(tmp_path, depth):
    greys = np.random.default_rng(0).integers(0, 2**16, size=(SIZE, SIZE), dtype=np.uint16)
    if depth.endswith("pgm"):
        (tmp_path / depth).write_bytes(b"P5 %d %d 65535\n" % (SIZE, SIZE) + greys.astype(">u2").tobytes())
    else:
        Image.fromarray(greys).save(tmp_path / depth)
    np.testing.assert_array_equal(pictures.decoded(tmp_path / depth, SIZE)[..., 0], greys // 256)


def test_a_palette_s_colours_are_looked_up(tmp_path):
    indices = noise(channels=1)[..., 0] % 3
    palette = np.array([[255, 0, 0], [0, 128, 0], [10, 20, 30]], np.uint8)
    image = Image.fromarray(indices)
    image.putpalette(palette.tobytes())
    image.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(pictures.decoded(tmp_path / "palette.png", SIZE), palette[indices])


@pytest.mark.parametrize(
    ("ink", "colour"),
    [((0, 0, 0, 0), (255, 255, 255)), ((255, 0, 0, 0), (0, 255, 255)), ((0, 255, 255, 0), (255, 0, 0))],
)
def test_cyan_magenta_and_yellow_are_ink(tmp_path, ink, colour):
    Image.new("CMYK", (SIZE, SIZE), ink).save(tmp_path / "ink.tif")
    np.testing.assert_array_equal(pictures.decoded(tmp_path / "ink.tif", SIZE), np.full((SIZE, SIZE, 3), colour))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_camera_s_orientation_is_followed(tmp_path, orientation):
    stored = noise()
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / "turned.png", exif=exif)
    expected = ORIENTATIONS[orientation](stored)
    np.testing.assert_array_equal(pictures.decoded(tmp_path / "turned.png", SIZE), expected)


@pytest.mark.parametrize(("height", "width"), [(40, 25), (7, 11), (12, 31), (160, 160)])
def test_resizing_is_tensorflow_s_bilinear(tmp_path, height, width):
    import tensorflow as tf

    pixels = noise(height, width)
    Image.fromarray(pixels).save(tmp_path / "noise.png")
    expected = tf.image.resize(pixels, (SIZE, SIZE), method="bilinear", antialias=False).numpy()
    result = pictures.decoded(tmp_path / "noise.png", SIZE)
    assert result.shape == (SIZE, SIZE, 3)
    # OpenCV rounds to whole grey levels, and its weights to 1/2048.
    np.testing.assert_allclose(result.astype(float), expected, atol=1)


def test_a_broken_file_gives_one_line(tmp_path):
    whole = tmp_path / "whole.jpg"
    Image.fromarray(noise(64, 64)).save(whole)
    broken = {"cut.jpg": whole.read_bytes()[:-900], "text.jpg": b"no picture", "empty.png": b""}
    for name, content in broken.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ThawError) as error:
            pictures.decoded(path, SIZE)
        message = str(error.value)
        assert message.startswith(f"{path}: cannot be decoded (")
        assert message.endswith("; run `dvc repro split` again")
        assert "\n" not in message


def test_a_missing_file_gives_one_line(tmp_path):
    with pytest.raises(ThawError, match=r"gone\.png: cannot be decoded \(.*No such file.*\); run `dvc repro split`"):
        pictures.decoded(tmp_path / "gone.png", SIZE)


def test_many_pictures_keep_their_order(tmp_path):
    count = 2 * pictures.DECODED_AT_ONCE + 3
    paths = [tmp_path / f"{number}.png" for number in range(count)]
    for number, path in enumerate(paths):
        Image.new("RGB", (3, 3), (number, number, number)).save(path)
    shades = [int(picture[0, 0, 0]) for picture in pictures.decode_all(paths, 3)]
    assert shades == list(range(count))


def split_of(folder: Path) -> Path:
    """A table of three training pictures and one of validation, with their files below `folder`."""
    folder.mkdir()
    rows = [("a.png", 0, "training"), ("b.png", 1, "training"), ("c.png", 1, "training"), ("d.png", 1, "validation")]
    for number, (path, _, _) in enumerate(rows):
        Image.new("RGB", (2, 2), (number, 0, 0)).save(folder / path)
    table = folder.with_suffix(".csv")
    table.write_text("path,label,part,fold\n" + "".join(f"{path},{label},{part},0\n" for path, label, part in rows))
    return table


def test_the_split_table_gives_paths_and_labels(tmp_path):
    folder = tmp_path / "images"
    parts = pictures.read_split(split_of(folder), folder)
    assert list(parts) == ["training", "validation"]
    assert parts["training"].paths == [folder / "a.png", folder / "b.png", folder / "c.png"]
    assert parts["validation"].paths == [folder / "d.png"]
    assert [part.labels.tolist() for part in parts.values()] == [[0, 1, 1], [1]]
    assert parts["training"].labels.dtype == np.int64
    assert [len(part) for part in parts.values()] == [3, 1]


def test_the_digest_follows_the_table_and_every_picture(tmp_path):
    folder = tmp_path / "images"
    table = split_of(folder)
    parts = pictures.read_split(table, folder)
    digests = [pictures.digest(table, parts), pictures.digest(table, parts)]
    assert digests[0] == digests[1]
    for name in ("c.png", "d.png"):
        Image.new("RGB", (2, 2), (99, 99, 99)).save(folder / name)
        digests.append(pictures.digest(table, parts))
    table.write_text(table.read_text().replace("a.png,0", "a.png,1"))
    digests.append(pictures.digest(table, parts))
    assert len(set(digests)) == 4


def saved(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def tiff(bands: int, bits: int, extra: bool) -> bytes:
    """A TIFF of 4 x 4 pixels of so many bands, of which those after the first may be declared as unspecified."""
    pixels = np.arange(16 * bands, dtype=f"<u{bits // 8}").tobytes()
    tags = {256: [4], 257: [4], 258: [bits] * bands, 259: [1], 262: [1], 277: [bands], 278: [4], 279: [len(pixels)]}
    tags |= {273: [0], **({338: [0] * (bands - 1)} if extra else {})}
    after = 8 + 2 + 12 * len(tags) + 4
    values = {tag: struct.pack(f"<{len(several)}H", *several) for tag, several in tags.items()}
    tags[273] = [after + sum(len(value) for value in values.values() if len(value) > 4)]
    directory, beyond = struct.pack("<H", len(tags)), b""
    for tag, several in sorted(tags.items()):
        value = struct.pack(f"<{len(several)}H", *several)
        place = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", after + len(beyond))
        directory += struct.pack("<HHI", tag, 3, len(several)) + place
        beyond += value if len(value) > 4 else b""
    return b"II*\0\x08\0\0\0" + directory + bytes(4) + beyond + pixels


@pytest.mark.parametrize(
    ("bands", "bits", "cause"),
    [(2, 8, "2 bands of 8 bits, which none"), (2, 16, "2 bands of 16"), (5, 16, "5 bands of 16 bits, multispectral")],
)
def test_a_tiff_of_other_bands_is_told_as_that(bands, bits, cause):
    with pytest.raises(ValueError, match=f"a TIFF of {cause}.*; save it with 1 band"):
        image_file.read(io.BytesIO(tiff(bands, bits, extra=False)))


def test_bands_that_are_left_out_are_remarked_on():
    assert image_file.read(io.BytesIO(tiff(2, 8, extra=True))).remarks == [
        "has 2 bands, of which the first 1 are taken"
    ]


NAN = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 0x011A, 12, 1, 26, 0) + struct.pack("<d", np.nan)
GARBAGE = b"Exif\0\0II*\0\x08\0\0\0\xff\xff"


@pytest.mark.parametrize(("kind", "exif"), [("JPEG", NAN), ("JPEG", GARBAGE), ("WEBP", GARBAGE), ("PNG", NAN)])
def test_broken_metadata_are_worth_a_warning_at_most(kind, exif, tmp_path, capfd):
    plain, broken = (saved(Image.fromarray(noise()), kind, **extra) for extra in ({}, {"exif": exif}))
    assert exif[8:] in broken
    pixels = [np.asarray(image_file.upright_rgb(io.BytesIO(content))) for content in (plain, broken)]
    np.testing.assert_array_equal(*pixels)
    pictures_taken(tmp_path, zipped([("mine/ripe/x.jpg", broken), *fruit()[1:]]), dataset())
    told = capfd.readouterr().err.splitlines()
    assert told in ([], [f"warning: {tmp_path}/mine.archive: mine/ripe/x.jpg has broken metadata, which is left out"])


def test_a_png_with_a_damaged_text_is_taken_and_named(tmp_path, capfd):
    content = saved(Image.fromarray(noise()), "PNG")
    chunk = struct.pack(">I", 9) + b"tEXt" + b"key\0value" + struct.pack(">I", zlib.crc32(b"tEXtkey\0value") ^ 1)
    damaged = content[:33] + chunk + content[33:]  # behind the header
    pictures_taken(tmp_path, zipped([("mine/ripe/x.png", damaged), *fruit()[1:]]), dataset())
    line = capfd.readouterr().err.splitlines()[0]  # behind it, OpenCV's of the same
    assert line == f"warning: {tmp_path}/mine.archive: mine/ripe/x.png has broken metadata, which is left out"


@pytest.mark.parametrize(("kind", "most", "remarks"), [("PNG", 4096, 1), ("TIFF", 4096, 1), ("PNG", 2**16, 0)])
def test_12_bits_in_16_are_remarked_on(kind, most, remarks):
    greys = np.random.default_rng(0).integers(most // 2, most, size=(9, 9), dtype=np.uint16)
    reading = image_file.read(io.BytesIO(saved(Image.fromarray(greys), kind)))
    assert len(reading.remarks) == remarks
    assert all("nearly black" in remark for remark in reading.remarks)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "width", "height"), [("JPEG", 12000, 9000), ("TIFF", 6000, 4000)])
def test_photographs_of_today_s_cameras_are_taken(kind, width, height, tmp_path):
    row = np.random.default_rng(0).integers(0, 256, (1, width, 3), np.uint8)
    image = Image.fromarray(np.broadcast_to(row, (height, width, 3)).copy())
    members = [(name, saved(image, kind)) if "/0" in name else (name, content) for name, content in fruit()]
    data = dataset()
    archive = tmp_path / "mine.zip"
    archive.write_bytes(zipped(members))
    split.split(data, Path("mine.yaml"), archive, tmp_path / "i", tmp_path / "t.csv", tmp_path / "u.txt")
    assert (tmp_path / "t.csv").exists()


def test_the_manifest_may_say_how_many_pixels_a_picture_has(tmp_path):
    flat = saved(Image.new("1", (10000, 9000)), "PNG")
    members = [*fruit()[1:], ("mine/ripe/x.png", flat)]
    with pytest.raises(ThawError, match=r"90000000 pixels, more than 89478485.*`limits\.pixels`"):
        pictures_taken(tmp_path, zipped(members), dataset())
    pictures_taken(tmp_path, zipped(members), dataset(limits={"pixels": 90_000_000}))


def test_a_telephone_s_heic_is_read_upright():
    import pillow_heif

    pillow_heif.register_heif_opener()
    stored = np.zeros((32, 64, 3), np.uint8)
    stored[:, :32] = 255  # white on the left
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.asarray(image_file.upright_rgb(io.BytesIO(saved(Image.fromarray(stored), "HEIF", exif=exif.tobytes()))))
    assert pixels.shape == (64, 32, 3)
    assert pixels[:24].min() > 240  # turned clockwise: white on top
    assert pixels[40:].max() < 16


def test_without_its_package_heic_is_named_with_the_ways_out():
    picture = saved(Image.new("RGB", (32, 32), "teal"), "HEIF").hex()
    program = (
        "import io, sys; sys.modules['pillow_heif'] = None\n"  # as where it is not installed
        "from stages.pictures import inspection\n"
        f"content = bytes.fromhex('{picture}')\n"
        "print(inspection.look('0.heic', io.BytesIO(content), len(content)).mistake)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "HEIF, for which pillow-heif is missing; install requirements.txt, or save it as JPEG\n"
