"""One image file to upright RGB: what `split` accepts is what `features` reads."""

from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageOps

# Pillow knows more, some by way of other programs (EPS): a picture never starts one.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")


def upright_rgb(file: Path | IO[bytes]) -> Image.Image:
    """Decode the first frame, turned as its EXIF says, as 8-bit RGB; raises what Pillow raises."""
    with Image.open(file, formats=FORMATS) as image:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I;16"):  # Pillow would clip every grey above 255 to white
            upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
        return upright.convert("RGB")
