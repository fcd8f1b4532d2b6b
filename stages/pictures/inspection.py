"""One look at a picture's file: whether it can be read, and why not."""

from pathlib import PurePath
from typing import IO, NamedTuple

from PIL import Image

from stages.common.command import one_line
from stages.pictures import image_file

# A picture of more pixels than these is taken for a bomb, where nobody says how many there may be.
PIXELS_WHATEVER_THE_SIZE = 89_478_485  # Pillow's own limit
PIXELS_PER_BYTE = 1000  # of the file: a flat colour, packed as PNG, has a third of it
MOST_PIXELS = 2**28  # telephones take photographs of 2e8


class Look(NamedTuple):
    """The picture, upright 8-bit RGB, or why it cannot be read; and what to remark on its file."""

    image: Image.Image | None
    mistake: str | None = None
    remarks: tuple[str, ...] = ()


def look(name: str, file: IO[bytes], size: int, most_pixels: int | None = None) -> Look:
    """Decode the picture `file`, called `name`, of `size` bytes; `most_pixels` is the user's limit, if there is one."""
    if not size:
        return Look(None, "empty")
    if PurePath(name).suffix.lower() in image_file.RAW_SUFFIXES:
        return Look(None, "a camera's raw picture; export it as JPEG")
    likely = min(MOST_PIXELS, max(PIXELS_WHATEVER_THE_SIZE, PIXELS_PER_BYTE * size))
    try:
        reading = image_file.read(file, most_pixels or likely)
    except image_file.TooLargeError as error:
        return Look(None, f"{error}, in a file of {size} bytes; the limit is the data set's `limits.pixels`")
    except Exception as error:  # Pillow's decoders raise whatever damaged bytes lead them to
        return Look(None, one_line(error))
    return Look(reading.image, None, tuple(reading.remarks))
