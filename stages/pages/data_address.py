"""Pictures as `data:` addresses, which a page carries in itself: figures and images to WebP, in Base64."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from stages.common.command import ThawError
from stages.pictures.image_file import upright_rgb

SIDE = 320  # pixels at most, of an image's longer side: sharp where a page shows it half as large
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


def of_image(path: Path) -> Picture:
    """An image upright and small; raises ThawError naming the file."""
    image = _read(path, "dvc repro split")
    image.thumbnail((SIDE, SIDE))
    return _encoded(image, quality=QUALITY)


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
