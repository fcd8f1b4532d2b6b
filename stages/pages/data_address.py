"""Pictures as `data:` addresses inside a page: figures and images as WebP in Base64."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from stages.common.command import ThawError
from stages.pictures.image_file import upright_rgb

SIDE = 160  # pixels at most, of an image's longer side: the size on the page
GAP = 4  # pixels between an image and its map
HOT = (230, 60, 0)  # red, green, blue
MOST_HOT = 0.75  # the largest opacity of a map: the image stays visible
QUALITY = 80  # of an image, of 100; figures are stored without loss


@dataclass(frozen=True)
class Picture:
    """A picture's `data:` address and its size in pixels."""

    address: str
    width: int
    height: int


def of_figure(path: Path) -> Picture:
    """A figure without loss, in a third of the PNG's bytes; raises ThawError that names the file."""
    return _encoded(_read(path, "dvc repro figures"), lossless=True)


def of_image(path: Path, activation_map: np.ndarray | None = None) -> Picture:
    """An image upright and small, with its map over a grey copy beside it; raises ThawError that names the file.

    `activation_map`, float (height, width), covers the whole image. Values below 0 have no colour, the maximum has the
    strongest.
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
    except Exception as error:  # Pillow raises many kinds of error for a damaged file
        raise ThawError(f"{path}: no readable picture ({error}); run `{remedy}`") from None


def _encoded(image: Image.Image, **options: bool | int) -> Picture:
    written = io.BytesIO()
    image.save(written, "WEBP", **options)
    text = base64.b64encode(written.getvalue()).decode("ascii")
    return Picture(f"data:image/webp;base64,{text}", image.width, image.height)
