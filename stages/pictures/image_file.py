"""One image file to upright RGB: what `split` accepts is what `features` reads."""

from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageOps

# Pillow knows more, some by way of other programs (EPS): a picture never starts one.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")


def upright_rgb(file: Path | IO[bytes]) -> Image.Image:
    """Decode the first frame, turned as its EXIF says, as 8-bit RGB; raises what Pillow raises.

    Raises ValueError for numbers of 32 bits, of which nobody knows which one is white.
    """
    with Image.open(file, formats=FORMATS) as image:
        upright = ImageOps.exif_transpose(image)
        sixteen_bits = upright.mode.startswith("I;16") or (image.format, upright.mode) == ("PPM", "I")
        if sixteen_bits:  # Pillow would clip every grey above 255 to white
            upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
        if upright.mode in ("I", "F"):
            raise ValueError("has 32 bits a pixel; save it with 8 or 16")
        return upright.convert("RGB")
