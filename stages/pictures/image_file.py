"""One image file to upright RGB: what `split` accepts is what `features` reads.

Pixels that decode are taken. What stands beside them (EXIF, texts, colour profiles) turns a picture at most, and where
it is broken it is a remark, not an error.
"""

import io
import logging
import re
import warnings
import zlib
from contextlib import nullcontext, suppress
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import IO, NamedTuple

import numpy as np
from PIL import ExifTags, Image, TiffImagePlugin, UnidentifiedImageError

with suppress(ImportError):
    import pillow_heif

    pillow_heif.register_heif_opener()

# How a picture's file begins. Pillow knows more formats, some by way of other programs (EPS): none is ever started.
SIGNATURES = {
    "AVIF": rb"....ftyp(avif|avis)",
    "BMP": rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0",
    "GIF": rb"GIF8[79]a",
    "JPEG": rb"\xff\xd8\xff",
    "JPEG2000": rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "PPM": rb"P[1-6]\s+(#[^\n]*\n\s*)*\d+\s",
    "TIFF": rb"II[\x2a\x2b]\0|MM\0[\x2a\x2b]",
    "WEBP": rb"RIFF....WEBP",
    "HEIF": rb"....ftyp(heic|heix|heim|heis|hevc|hevx|mif1|msf1)",
    "Photoshop": rb"8BPS",
    "JPEG XL": rb"\xff\x0a|\0\0\0\x0cJXL ",
}
FORMATS = tuple(list(SIGNATURES)[:9])
HEAD = 256  # bytes that tell a picture by its beginning
# By name: what is read, what comes out of cameras before their own processing, and what else is a picture.
READ_SUFFIXES = {
    *(".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm"),
    *(".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"),
}
RAW_SUFFIXES = {".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".srw"}
OTHER_SUFFIXES = {".ai", ".eps", ".exr", ".hdr", ".ico", ".jxl", ".pcx", ".psd", ".svg", ".tga", ".xcf"}

LARGE = 2**25  # pixels: of such pictures one is decoded at a time, for the sake of memory
DEPTH = 4  # bits below the upper ones of 16: a sensor's 12 bits leave these alone empty

# Pillow's own limit counts pixels alone: it takes a telephone's photographs for bombs. `most_pixels` stands for it.
Image.MAX_IMAGE_PIXELS = None
# What Pillow logs of a file it raises too, and what it warns of are metadata that no stage reads.
logging.getLogger("PIL").setLevel(logging.CRITICAL)
warnings.filterwarnings("ignore", category=UserWarning, module="PIL")

_one_large = Lock()

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # by EXIF's orientation


class Reading(NamedTuple):
    """A picture, 8-bit RGB, and what to remark on its file, as ends of sentences about it."""

    image: Image.Image
    remarks: list[str]


class TooLargeError(ValueError):
    """A picture of more pixels than the limit."""


def is_named_as_picture(name: str) -> bool:
    """Whether a file's name says that it is a picture, of any kind."""
    return PurePosixPath(name).suffix.lower() in READ_SUFFIXES | RAW_SUFFIXES | OTHER_SUFFIXES


def kind_of(head: bytes) -> str | None:
    """The kind of picture that a file's first bytes announce."""
    return next((kind for kind, start in SIGNATURES.items() if re.match(start, head, re.DOTALL)), None)


def upright_rgb(file: Path | IO[bytes]) -> Image.Image:
    """Decode the first frame, turned as its EXIF says, as 8-bit RGB; raises as `read` does."""
    return read(file).image


def read(file: Path | IO[bytes], most_pixels: int | None = None) -> Reading:
    """Decode the first frame, turned as its EXIF says; alpha is left out, of 16 bits the upper 8 are taken.

    Raises TooLargeError before decoding more than `most_pixels`, ValueError with the cause for what cannot be shown as
    RGB, and whatever Pillow's decoders raise on damaged bytes.
    """
    if isinstance(file, Path):
        with file.open("rb") as opened:
            return read(opened, most_pixels)
    try:
        return _decoded(file, most_pixels)
    except (TooLargeError, MemoryError):
        raise
    except Exception as error:  # Pillow's decoders raise whatever damaged bytes lead them to
        if bare := _without_metadata(file):
            with suppress(Exception):
                image, remarks = _decoded(io.BytesIO(bare), most_pixels)
                return Reading(image, [*remarks, "has broken metadata, which is left out"])
        if isinstance(error, UnidentifiedImageError):
            raise ValueError(_unread(file)) from None
        raise


def _decoded(file: IO[bytes], most_pixels: int | None) -> Reading:
    with Image.open(file, formats=[*FORMATS, "HEIF"] if "HEIF" in Image.OPEN else FORMATS) as image:
        pixels = image.width * image.height
        if most_pixels is not None and pixels > most_pixels:
            raise TooLargeError(f"has {pixels} pixels, more than {most_pixels}")
        with _one_large if pixels > LARGE else nullcontext():
            return _upright(image)


def _upright(image: Image.Image) -> Reading:
    remarks = []
    deep = any(";16" in str(tile.args) for tile in image.tile)
    bands = image.tag_v2.get(TiffImagePlugin.SAMPLESPERPIXEL, 1) if image.format == "TIFF" else 1
    image.load()
    if bands > len(image.getbands()) and image.mode != "P":
        remarks.append(f"has {bands} bands, of which the first {len(image.getbands())} are taken")
    try:
        turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation))
    except Exception:  # Pillow's reader raises whatever broken metadata leads it to
        turn = None
        remarks.append("has broken metadata, which is left out")
    if image.mode.startswith("I;16") or (image.format, image.mode) == ("PPM", "I"):
        # Pillow would clip every grey above 255 to white
        deep, rgb = True, Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    elif image.mode in ("I", "F"):
        raise ValueError("has 32 bits a pixel, of which nobody knows which one is white; save it with 8 or 16")
    else:
        rgb = image.convert("RGB")
    if deep and max(high for _, high in rgb.getextrema()) < 2**DEPTH:
        remarks.append("is nearly black: its 16 bits a pixel hold 12 or fewer; scale its values to 65535")
    return Reading(rgb if turn is None else rgb.transpose(turn), remarks)


def _without_metadata(file: IO[bytes]) -> bytes | None:
    """A PNG of its pixels and intact EXIF alone; None where nothing would be left out, and for other formats.

    Of a PNG, Pillow takes a text or a colour profile that is too long, or has another checksum, for a broken file.
    """
    file.seek(0)
    if kind_of(file.read(HEAD)) != "PNG":
        return None
    file.seek(8)
    kept = [b"\x89PNG\r\n\x1a\n"]
    left_out = False
    while len(head := file.read(8)) == 8:
        length, name = int.from_bytes(head[:4]), head[4:]
        rest = file.read(length + 4)
        intact = zlib.crc32(name + rest[:-4]) == int.from_bytes(rest[-4:])
        if name[:1].isupper() or (name == b"eXIf" and intact):
            kept += [head, rest]
        else:
            left_out = True
    return b"".join(kept) if left_out else None


def _unread(file: IO[bytes]) -> str:
    """Why Pillow does not know the picture."""
    file.seek(0)
    kind = kind_of(file.read(HEAD))
    if kind is None:
        return f"not one of {', '.join(FORMATS)}, HEIF"
    if kind == "HEIF" and "HEIF" not in Image.OPEN:
        return "HEIF, for which pillow-heif is missing; install requirements.txt, or save it as JPEG"
    if kind == "TIFF" and (bands := _bands(file)):
        return f"a TIFF of {bands}; save it with 1 band (grey) or 3 (red, green, blue) of 8 or 16 bits"
    if kind in (*FORMATS, "HEIF"):
        return f"a damaged {kind}"
    return f"{kind}, which is not read; save it as PNG or JPEG"


def _bands(file: IO[bytes]) -> str | None:
    """The bands of a TIFF, in words; None where its directory is damaged."""
    with suppress(Exception):  # Pillow's reader raises whatever damaged bytes lead it to
        file.seek(0)
        tags = TiffImagePlugin.ImageFileDirectory_v2(file.read(8))
        file.seek(tags.next)
        tags.load(file)
        bits = tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,))
        bands = tags.get(TiffImagePlugin.SAMPLESPERPIXEL, len(bits))
        several = "multispectral" if bands > 4 else "which none of grey, colour and print has"
        return f"{bands} bands of {'/'.join(map(str, sorted(set(bits))))} bits" + (f", {several}" if bands != 1 else "")
    return None
