"""Whole pictures: a background, the thing itself among clutter and half hidden, and a camera's faults."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from data.embedded import animals, plants, things
from data.embedded.canvas import Canvas, Colour, colour, darker, lighter, mixed

Draw = Callable[[Canvas, np.random.Generator], None]
Range = tuple[float, float]

SUPERSAMPLING = 4  # drawn at this many times the size, for smooth edges


@dataclass(frozen=True)
class Setting:
    """How hard a picture is to read; a range is drawn from evenly."""

    size: Range  # half the height of an animal, or the radius of a flower's head, as a share of the picture's half
    clutter: tuple[int, int]  # things of no class behind
    hidden: tuple[int, int]  # things of no class in front
    turn: float  # degrees, either way
    background_blur: Range  # pixels of the finished picture
    blur: Range  # the same, of the whole picture
    contrast: Range  # 1 leaves colours as they are
    noise: Range  # standard deviation, of 255
    companions: tuple[int, int] = (0, 0)  # more of the same kind, smaller


def classes() -> dict[str, Draw]:
    """The pre-training's classes, by name; none of them is a cat, a dog, a rose or a tulip."""
    creatures = (animals.bird, animals.owl, animals.fish, animals.butterfly, animals.snail)
    return dict(
        sorted(
            (
                {name: _furry(kind) for name, kind in animals.OTHER_FURRY.items()}
                | {draw.__name__: draw for draw in creatures}
                | plants.PLANTS
                | things.THINGS
            ).items()
        )
    )


def _furry(kind: animals.Furry) -> Draw:
    return lambda canvas, random: animals.furry(canvas, random, kind)


SUBJECTS: dict[str, Draw] = {
    "cats": _furry(animals.CAT),
    "dogs": _furry(animals.DOG),
    "roses": plants.rose,
    "tulips": plants.tulip,
}


def picture(draw: Draw, setting: Setting, size: int, random: np.random.Generator) -> np.ndarray:
    """Draw a scene with one subject: uint8 RGB (size, size, 3)."""
    side = size * SUPERSAMPLING
    canvas = Canvas.over(np.empty((side, side, 3), np.uint8))
    _background(canvas, setting, random)
    for _ in range(random.integers(setting.companions[0], setting.companions[1] + 1)):
        _put(canvas, draw, setting, random, share=random.uniform(0.5, 0.85))
    _put(canvas, draw, setting, random)
    for _ in range(random.integers(setting.hidden[0], setting.hidden[1] + 1)):
        _something(canvas, random, front=True)
    return _photographed(canvas.pixels, setting, size, random)


def _put(canvas: Canvas, draw: Draw, setting: Setting, random: np.random.Generator, share: float = 1.0) -> None:
    half = random.uniform(*setting.size) * share
    reach = max(0.05, 0.95 - half)
    x, y = random.uniform(-reach, reach, 2)
    # Subjects are taller than wide to their eye: a flower's stem leaves the picture below.
    turn = random.uniform(-setting.turn, setting.turn)
    draw(canvas.placed(x, y, half, turn, mirrored=bool(random.random() < 0.5)), random)


def _background(canvas: Canvas, setting: Setting, random: np.random.Generator) -> None:
    side = canvas.pixels.shape[0]
    top, bottom = _ground(random), _ground(random)
    share = np.linspace(0, 1, side)[:, None, None]
    if random.random() < 0.5:
        share = (share > random.uniform(0.3, 0.8)).astype(float)
    canvas.pixels[:] = (np.array(top) * (1 - share) + np.array(bottom) * share).astype(np.uint8)
    for _ in range(random.integers(setting.clutter[0], setting.clutter[1] + 1)):
        _something(canvas, random, front=False)
    small = cv2.resize(canvas.pixels, None, fx=1 / SUPERSAMPLING, fy=1 / SUPERSAMPLING, interpolation=cv2.INTER_AREA)
    cv2.resize(_blurred(small, random.uniform(*setting.background_blur)), (side, side), canvas.pixels)


def _ground(random: np.random.Generator) -> Colour:
    if random.random() < 0.45:
        return mixed(plants.leaf_green(random), (90, 80, 60), random.uniform(0, 0.5))
    return colour(random.uniform(0, 360), random.uniform(0.05, 0.45), random.uniform(0.25, 0.95))


def _something(canvas: Canvas, random: np.random.Generator, front: bool) -> None:
    """A thing of no class: a spot, a leaf, a blade of grass, a bar or a block."""
    x, y = random.uniform(-1, 1, 2)
    half = random.uniform(0.06, 0.22) if front else random.uniform(0.08, 0.4)
    place = canvas.placed(x, y, half, random.uniform(-180, 180))
    CLUTTER[random.integers(len(CLUTTER))](place, random)


def _spot(place: Canvas, random: np.random.Generator) -> None:
    shade = plants.petal_colour(random) if random.random() < 0.5 else things.any_colour(random)
    place.ellipse(0, 0, 1, random.uniform(0.5, 1), shade, darker(shade))


def _leaf(place: Canvas, random: np.random.Generator) -> None:
    green = plants.leaf_green(random)
    place.blob([(0, -1.6), (0.5, -0.4), (0.35, 0.9), (0, 1.4), (-0.35, 0.9), (-0.5, -0.4)], green, darker(green))
    place.line([(0, -1.4), (0, 1.3)], 0.08, lighter(green, 0.3))


def _grass(place: Canvas, random: np.random.Generator) -> None:
    for _ in range(3):
        lean = random.uniform(-0.8, 0.8)
        place.line([(lean * 0.3, 2), (lean * 0.5, 0), (lean * 1.4, -2.5)], 0.14, plants.leaf_green(random))


def _bar(place: Canvas, random: np.random.Generator) -> None:
    shade = _ground(random)
    wide = random.uniform(0.12, 0.35)
    place.polygon([(-wide, -5), (wide, -5), (wide, 5), (-wide, 5)], shade, darker(shade))


def _block(place: Canvas, random: np.random.Generator) -> None:
    shade = things.any_colour(random)
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * random.uniform(0.4, 1.1, (4, 2))
    place.polygon(corners, shade, darker(shade))


CLUTTER: tuple[Draw, ...] = (_spot, _leaf, _leaf, _grass, _bar, _block)


def _photographed(drawn: np.ndarray, setting: Setting, size: int, random: np.random.Generator) -> np.ndarray:
    """Blur, scale down, fade and add noise."""
    small = _blurred(cv2.resize(drawn, (size, size), interpolation=cv2.INTER_AREA), random.uniform(*setting.blur))
    contrast, light = random.uniform(*setting.contrast), random.uniform(-18, 18)
    noise = random.normal(0, random.uniform(*setting.noise), (size, size, 1))
    lit = (small.astype(np.float32) - 128) * contrast + 128 + light + noise
    return np.clip(np.round(lit), 0, 255).astype(np.uint8)


def _blurred(pixels: np.ndarray, sigma: float) -> np.ndarray:
    """Below a third of a pixel a blur changes nothing."""
    return cv2.GaussianBlur(pixels, (0, 0), sigma) if sigma > 0.3 else pixels


def jpeg(pixels: np.ndarray, quality: int) -> bytes:
    """RGB pixels as the bytes of a JPEG file."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    _, data = cv2.imencode(".jpg", pixels[:, :, ::-1], options)
    return data.tobytes()
