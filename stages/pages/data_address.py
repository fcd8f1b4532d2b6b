"""Pictures as `data:` addresses, which a page carries in itself: figures and images to WebP, in Base64."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from stages.common.command import ThawError
from stages.pictures.image_file import upright_rgb

SIDE = 160  # pixels at most, of an image's longer side: as large as a page shows it
GAP = 4  # pixels between an image and its map
HOT = (230, 60, 0)  # red, green, blue
MOST_HOT = 0.75  # of a map's colour: the image stays visible below
QUALITY = 80  # of an image, of 100; figures lose nothing


@dataclass(frozen=True)
class Picture:
    """A picture's `data:` address and its size in pixels."""

    address: str
    width: int
    height: int


def of_figure(path: Path) -> Picture:
    """A figure, pixel for pixel, a third of its PNG's size; raises ThawError naming the file."""
    return _encoded(_read(path, "dvc repro figures"), lossless=True)


def of_image(path: Path, activation_map: np.ndarray | None = None) -> Picture:
    """An image upright and small, beside it the same in grey under its map; raises ThawError naming the file.

    `activation_map`, float (height, width), is of the whole image: what is below 0 has no colour, its maximum the most.
    """
    image = _read(path, "dvc repro split")
    image.thumbnail((SIDE, SIDE))
    if activation_map is None:
        return _encoded(image, quality=QUALITY)
    both = Image.new("RGB", (2 * image.width + GAP, image.height), "white")
    both.paste(image, (0, 0))
    both.paste(_under_map(image, activation_map), (image.width + GAP, 0))
    return _encoded(both, quality=QUALITY)


def _under_map(image: Image.Image, activation_map: np.ndarray) -> Image.Image:
    heat = np.maximum(activation_map.astype(np.float32), 0)
    heat *= 255 * MOST_HOT / max(float(heat.max()), np.finfo(np.float32).tiny)
    mask = Image.fromarray(np.rint(heat).astype(np.uint8)).resize(image.size, Image.Resampling.BILINEAR)
    return Image.composite(Image.new("RGB", image.size, HOT), image.convert("L").convert("RGB"), mask)


def _read(path: Path, remedy: str) -> Image.Image:
    try:
        return upright_rgb(path)
    except FileNotFoundError:
        raise ThawError(f"{path}: no such file; run `{remedy}`") from None
    except Exception as error:  # Pillow raises nearly anything for a damaged file
        raise ThawError(f"{path}: no readable picture ({error}); run `{remedy}`") from None


def _encoded(image: Image.Image, **options: bool | int) -> Picture:
    written = io.BytesIO()
    image.save(written, "WEBP", **options)
    text = base64.b64encode(written.getvalue()).decode("ascii")
    return Picture(f"data:image/webp;base64,{text}", image.width, image.height)
