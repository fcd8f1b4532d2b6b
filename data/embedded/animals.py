"""Animals: one way to draw a furry one, from a description, and a few that need a way of their own."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from data.embedded.canvas import BLACK, WHITE, Canvas, Colour, colour, darker, lighter, mixed

Range = tuple[float, float]

PINK: Colour = (225.0, 150.0, 150.0)
FURS: dict[str, Colour] = {
    "black": (45, 40, 42),
    "grey": (130, 130, 135),
    "white": (232, 228, 220),
    "ginger": (205, 125, 55),
    "brown": (120, 80, 50),
    "cream": (222, 196, 150),
    "pink": (235, 165, 165),
    "green": (95, 150, 70),
}
COMMON = ("black", "grey", "white", "ginger", "brown", "cream")


@dataclass(frozen=True)
class Furry:
    """What a kind of animal looks like; a range is drawn from, a tuple of names chosen from."""

    ears: tuple[str, ...]
    ear_size: Range
    face: Range  # width of the face over its height
    muzzle: Range  # size of the muzzle; 0 is a flat face
    nose: tuple[str, ...] = ("dark",)
    pupils: str = "round"
    eye_size: Range = (0.11, 0.16)
    whiskers: float = 0.0  # probability
    tongue: float = 0.0
    tail: str = "short"
    legs: Range = (0.16, 0.22)
    furs: tuple[str, ...] = COMMON
    patterns: tuple[str, ...] = ("plain", "patched")
    eyes: tuple[Range, ...] = ((25.0, 40.0),)  # ranges of hue in degrees
    extras: tuple[str, ...] = ()


@dataclass(frozen=True)
class Coat:
    """The colours of one animal."""

    fur: Colour
    light: Colour
    dark: Colour
    edge: Colour
    pattern: str


# Cats and dogs are white. Few animals of the pre-training are, so the statistics of a batch of them move its logits by
# 0.7, and training loss rises where fine-tuning starts, as on photographs. In all colours they move them by 0.1.
PETS = ("white",)
CAT = Furry(
    ears=("pointed",),
    ear_size=(0.5, 0.72),
    face=(1.05, 1.25),
    muzzle=(0.2, 0.32),
    nose=("pink", "pink", "dark"),
    pupils="slit",
    eye_size=(0.17, 0.24),
    whiskers=0.85,
    tail="long",
    legs=(0.11, 0.16),
    furs=PETS,
    patterns=("plain", "striped", "striped", "patched", "bib"),
    eyes=((45.0, 60.0), (80.0, 130.0), (190.0, 210.0)),
)
DOG = Furry(
    ears=("floppy", "floppy", "floppy", "half"),
    ear_size=(0.5, 0.75),
    face=(0.82, 1.02),
    muzzle=(0.36, 0.52),
    nose=("dark", "dark", "dark", "brown"),
    eye_size=(0.11, 0.16),
    tongue=0.45,
    tail="upright",
    legs=(0.14, 0.2),
    furs=PETS,
    patterns=("plain", "plain", "patched", "bib", "striped"),
)
OTHER_FURRY: dict[str, Furry] = {
    "bear": Furry(("round",), (0.32, 0.42), (1.0, 1.15), (0.35, 0.45), furs=("brown", "black"), tail="none"),
    "rabbit": Furry(
        ("long",), (0.65, 0.85), (0.9, 1.05), (0.22, 0.3), ("pink",), "round", (0.14, 0.2), 0.5, tail="puff"
    ),
    "mouse": Furry(
        ("round",), (0.6, 0.8), (0.85, 1.0), (0.25, 0.35), ("pink",), "round", (0.1, 0.14), 0.8,
        tail="thin", furs=("grey", "brown", "white"),
    ),
    "pig": Furry(("half",), (0.4, 0.55), (1.0, 1.2), (0.3, 0.4), ("snout",), furs=("pink",), tail="curl"),
    "fox": Furry(
        ("pointed",), (0.6, 0.8), (1.1, 1.25), (0.3, 0.42), furs=("ginger",), patterns=("masked",), tail="bushy"
    ),
    "lion": Furry(
        ("round",), (0.3, 0.4), (0.95, 1.1), (0.35, 0.45), furs=("cream", "ginger"), tail="tuft", extras=("mane",)
    ),
    "panda": Furry(
        ("round",), (0.35, 0.45), (1.1, 1.25), (0.25, 0.35), furs=("white",), patterns=("panda",), tail="none"
    ),
    "cow": Furry(
        ("side",), (0.4, 0.5), (0.75, 0.9), (0.42, 0.52), ("snout",), patterns=("patched",), tail="tuft",
        furs=("white", "brown", "black"), extras=("horns",),
    ),
    "sheep": Furry(
        ("side",), (0.35, 0.45), (0.75, 0.9), (0.3, 0.4), furs=("white", "cream"), tail="none", extras=("wool",)
    ),
    "monkey": Furry(
        ("round",), (0.4, 0.5), (0.9, 1.05), (0.4, 0.5), ("none",), furs=("brown", "black"), patterns=("masked",),
        tail="long",
    ),
    "frog": Furry(
        ("none",), (0.1, 0.2), (1.25, 1.45), (0.0, 0.05), ("none",), "bar", furs=("green",), tail="none",
        eye_size=(0.22, 0.3), extras=("wide_mouth",),
    ),
    "tiger": Furry(
        ("round",), (0.3, 0.4), (1.0, 1.15), (0.34, 0.44), ("pink",), whiskers=0.8, furs=("ginger",),
        patterns=("striped",), tail="long",
    ),
    "lynx": Furry(
        ("tufted",), (0.55, 0.75), (1.15, 1.35), (0.28, 0.38), ("pink", "dark"), whiskers=0.6,
        furs=("cream", "grey", "brown"), patterns=("spotted",), tail="short", eyes=((45.0, 60.0),),
    ),
    "wolf": Furry(
        ("pointed",), (0.5, 0.65), (0.9, 1.05), (0.4, 0.52), furs=("grey", "black", "white"), patterns=("masked",),
        tail="bushy", eyes=((45.0, 60.0),),
    ),
    "raccoon": Furry(
        ("round",), (0.4, 0.5), (1.15, 1.3), (0.24, 0.34), whiskers=0.4, furs=("grey",), patterns=("panda",),
        tail="bushy",
    ),
    "goat": Furry(
        ("floppy",), (0.4, 0.55), (0.7, 0.82), (0.34, 0.44), ("pink", "brown"), "bar", (0.13, 0.18),
        furs=("white", "brown", "grey"), patterns=("plain", "bib"), tail="upright", extras=("horns",),
    ),
    "koala": Furry(
        ("round",), (0.6, 0.75), (1.1, 1.25), (0.3, 0.4), ("long",), furs=("grey",), patterns=("bib",), tail="none"
    ),
    "elephant": Furry(
        ("fan",), (0.8, 1.0), (0.85, 1.0), (0.0, 0.05), ("trunk",), furs=("grey",), tail="thin", legs=(0.24, 0.3)
    ),
}  # fmt: skip


def furry(canvas: Canvas, random: np.random.Generator, kind: Furry) -> None:
    """Draw one animal of `kind` in a random pose, coat and turn of the head."""
    coat = _coat(random, kind)
    pose = POSES[random.integers(len(POSES))]
    pose(canvas, random, kind, coat)


def _coat(random: np.random.Generator, kind: Furry) -> Coat:
    fur = FURS[random.choice(kind.furs)]
    fur = mixed(fur, FURS[random.choice(kind.furs)], random.uniform(0, 0.35))
    fur = mixed(fur, WHITE if random.random() < 0.5 else BLACK, random.uniform(0, 0.2))
    return Coat(fur, lighter(fur, 0.6), darker(fur, 0.45), darker(fur, 0.3), random.choice(kind.patterns))


def _portrait(canvas: Canvas, random: np.random.Generator, kind: Furry, coat: Coat) -> None:
    shoulders = [(-0.45, 0.3), (0.45, 0.3), (0.75, 0.9), (0.8, 1.5), (-0.8, 1.5), (-0.75, 0.9)]
    canvas.blob(shoulders, coat.fur, coat.edge)
    _markings(canvas.placed(0, 0.9, 0.6), random, coat)
    _head(canvas.placed(0, -0.1, random.uniform(0.62, 0.72), random.uniform(-15, 15)), random, kind, coat)


def _sitting(canvas: Canvas, random: np.random.Generator, kind: Furry, coat: Coat) -> None:
    leg = random.uniform(*kind.legs)
    _tail(canvas.placed(0.42, 0.75, 0.75, random.uniform(-10, 40)), kind, coat)
    body = [
        (-0.2, -0.35),
        (0.2, -0.35),
        (0.42, 0.1),
        (0.55, 0.7),
        (0.4, 0.95),
        (-0.4, 0.95),
        (-0.55, 0.7),
        (-0.42, 0.1),
    ]
    canvas.blob(body, coat.fur, coat.edge)
    _markings(canvas.placed(0, 0.3, 0.45), random, coat)
    for side in (-1, 1):
        canvas.ellipse(side * 0.42, 0.78, 0.2, 0.2, coat.fur, coat.edge)
        canvas.line([(side * 0.17, 0.3), (side * 0.17, 0.88)], leg * 1.25, coat.edge)
        canvas.line([(side * 0.17, 0.3), (side * 0.17, 0.88)], leg, coat.fur)
        canvas.ellipse(side * 0.18, 0.92, leg * 0.75, leg * 0.5, coat.light, coat.edge)
    _head(canvas.placed(0, -0.45, random.uniform(0.4, 0.48), random.uniform(-15, 15)), random, kind, coat)


def _standing(canvas: Canvas, random: np.random.Generator, kind: Furry, coat: Coat) -> None:
    leg = random.uniform(*kind.legs)
    step = random.uniform(-0.12, 0.12)
    _tail(canvas.placed(-0.68, 0.0, 0.8, random.uniform(-100, -50)), kind, coat)
    for x, shift, shade in (
        (-0.45, -step, coat.dark),
        (0.32, step, coat.dark),
        (-0.6, step, coat.fur),
        (0.45, -step, coat.fur),
    ):
        canvas.line([(x, 0.2), (x + shift * 0.4, 0.5), (x + shift, 0.88)], leg, shade)
        canvas.ellipse(x + shift + 0.04, 0.9, leg * 0.7, leg * 0.4, shade, coat.edge)
    body = [
        (-0.72, 0.0),
        (-0.3, -0.18),
        (0.3, -0.18),
        (0.62, -0.08),
        (0.62, 0.3),
        (0.2, 0.42),
        (-0.3, 0.38),
        (-0.7, 0.35),
    ]
    canvas.blob(body, coat.fur, coat.edge)
    _markings(canvas.placed(-0.1, 0.1, 0.5, 90), random, coat)
    canvas.line([(0.5, 0.1), (0.66, -0.3)], 0.34, coat.fur)
    _head(canvas.placed(0.66, -0.42, random.uniform(0.34, 0.4), random.uniform(-15, 15)), random, kind, coat)


def _lying(canvas: Canvas, random: np.random.Generator, kind: Furry, coat: Coat) -> None:
    leg = random.uniform(*kind.legs)
    _tail(canvas.placed(-0.75, 0.5, 0.7, random.uniform(-100, -60)), kind, coat)
    body = [(-0.85, 0.45), (-0.6, 0.0), (0.0, -0.08), (0.5, 0.1), (0.6, 0.5), (0.3, 0.68), (-0.6, 0.7)]
    canvas.blob(body, coat.fur, coat.edge)
    _markings(canvas.placed(-0.15, 0.3, 0.5, 90), random, coat)
    canvas.ellipse(-0.5, 0.45, 0.3, 0.25, coat.fur, coat.edge)
    for x in (0.35, 0.6):
        canvas.line([(x - 0.1, 0.6), (x + 0.3, 0.68)], leg, coat.light if x > 0.5 else coat.dark)
    _head(canvas.placed(0.5, -0.05, random.uniform(0.4, 0.48), random.uniform(-20, 20)), random, kind, coat)


POSES = (_portrait, _portrait, _sitting, _standing, _lying)


def _markings(canvas: Canvas, random: np.random.Generator, coat: Coat) -> None:
    """Stripes or patches on a body of about unit size, stripes across its x axis."""
    if coat.pattern == "striped":
        for y in np.linspace(-0.8, 0.8, 6):
            sway = random.uniform(-0.1, 0.1)
            canvas.line([(-0.7, y + sway), (0, y - 0.12), (0.7, y + sway)], 0.09, coat.dark)
    elif coat.pattern == "patched":
        for _ in range(random.integers(2, 5)):
            x, y = random.uniform(-0.5, 0.5, 2)
            canvas.ellipse(x, y, *random.uniform(0.15, 0.4, 2), coat.dark if random.random() < 0.7 else coat.light)
    elif coat.pattern == "spotted":
        for x, y in random.uniform(-0.6, 0.6, (14, 2)):
            canvas.ellipse(x, y, 0.09, 0.09, coat.dark)
    elif coat.pattern in ("bib", "masked"):
        canvas.ellipse(0, 0.05, 0.35, 0.6, coat.light)
    elif coat.pattern == "panda":
        canvas.ellipse(0, -0.5, 0.8, 0.3, BLACK)


def _tail(canvas: Canvas, kind: Furry, coat: Coat) -> None:
    """A tail that starts at (0, 0) and goes to the right and up."""
    curve = [(0.0, 0.0), (0.4, 0.0), (0.7, -0.3), (0.75, -0.75), (0.55, -0.95)]
    if kind.tail in ("long", "thin", "tuft"):
        canvas.line(curve, 0.07 if kind.tail == "thin" else 0.16, coat.fur)
        if kind.tail == "tuft":
            canvas.ellipse(0.55, -0.95, 0.14, 0.14, coat.dark)
        elif kind.tail == "long" and coat.pattern == "striped":
            for x, y in curve[2:]:
                canvas.ellipse(x, y, 0.1, 0.06, coat.dark)
    elif kind.tail == "upright":
        canvas.blob([(-0.1, -0.1), (0.3, -0.25), (0.6, -0.6), (0.5, -0.2), (0.2, 0.12)], coat.fur, coat.edge)
    elif kind.tail == "bushy":
        canvas.blob([(0, 0), (0.4, -0.3), (0.9, -0.35), (1.2, -0.1), (0.9, 0.15), (0.4, 0.15)], coat.fur, coat.edge)
        canvas.ellipse(1.08, -0.1, 0.16, 0.13, WHITE)
    elif kind.tail == "puff":
        canvas.ellipse(0.15, -0.05, 0.2, 0.2, coat.light)
    elif kind.tail == "curl":
        canvas.line([(0, 0), (0.2, -0.15), (0.35, 0), (0.2, 0.1), (0.15, -0.1), (0.45, -0.2)], 0.06, coat.fur)


def _head(canvas: Canvas, random: np.random.Generator, kind: Furry, coat: Coat) -> None:
    """A head of about unit radius, seen from the front or turned a little to a side."""
    width, height = random.uniform(*kind.face), random.uniform(0.92, 1.05)
    canvas = canvas.placed(size=0.92)
    look = random.uniform(-0.28, 0.28)
    if "mane" in kind.extras:
        _ring(canvas, 14, 1.05, 0.4, darker(coat.fur, 0.4))
    _ears(canvas, random, kind, coat, width)
    if "horns" in kind.extras:
        for side in (-1, 1):
            canvas.blob([(side * 0.3, -0.7), (side * 0.7, -0.9), (side * 0.75, -1.4), (side * 0.5, -1.0)], WHITE)
    face = [(0.0, -0.85), (0.6 * width, -0.65), (0.85 * width, 0.0), (0.6 * width, 0.6), (0.0, 0.85)]
    outline = [*face, *[(-x, y) for x, y in reversed(face[1:-1])]]
    canvas.blob([(x, y * height) for x, y in outline], coat.fur, coat.edge)
    if "wool" in kind.extras:
        _ring(canvas.placed(0, -0.55), 9, 0.4, 0.32, lighter(coat.fur))
    _face_markings(canvas, random, coat, look)
    _muzzle(canvas.placed(look * 0.9, 0.0), random, kind, coat)
    _eyes(canvas, random, kind, look, width)


def _ring(canvas: Canvas, count: int, radius: float, size: float, shade: Colour) -> None:
    for angle in np.linspace(0, 2 * np.pi, count, endpoint=False):
        canvas.ellipse(radius * np.cos(angle), radius * np.sin(angle), size, size, shade, darker(shade, 0.15))


def _ears(canvas: Canvas, random: np.random.Generator, kind: Furry, coat: Coat, width: float) -> None:
    shape = random.choice(kind.ears)
    size = random.uniform(*kind.ear_size)
    tilt = random.uniform(-6, 10)
    shade = BLACK if coat.pattern == "panda" else coat.dark if random.random() < 0.35 else coat.fur
    for side in (-1, 1):
        x, y = {"floppy": (0.6, -0.5), "side": (0.75, -0.35), "fan": (0.75, -0.1)}.get(shape, (0.52, -0.62))
        ear = canvas.placed(side * x * width, y, size, side * tilt, mirrored=side < 0)
        EARS[shape](ear, shade, coat)


def _pointed_ear(ear: Canvas, shade: Colour, coat: Coat) -> None:
    ear.polygon([(-0.6, 0.35), (-0.1, -0.5), (0.35, -1.1), (0.5, -0.4), (0.55, 0.6)], shade, coat.edge)
    ear.polygon([(-0.3, 0.2), (0.28, -0.75), (0.35, 0.35)], mixed(PINK, shade, 0.35))


def _tufted_ear(ear: Canvas, shade: Colour, coat: Coat) -> None:
    ear.line([(0.3, -0.9), (0.45, -1.5)], 0.14, BLACK)
    _pointed_ear(ear, shade, coat)


def _floppy_ear(ear: Canvas, shade: Colour, coat: Coat) -> None:
    ear.blob(
        [(-0.5, -0.1), (0.2, -0.4), (0.7, 0.2), (0.85, 1.0), (0.55, 1.6), (0.15, 1.2), (0.05, 0.4)],
        darker(shade, 0.15),
        coat.edge,
    )


def _half_ear(ear: Canvas, shade: Colour, coat: Coat) -> None:
    ear.polygon([(-0.55, 0.3), (-0.2, -0.6), (0.5, -0.55), (0.6, 0.4)], shade, coat.edge)
    ear.polygon([(-0.2, -0.6), (0.5, -0.55), (0.7, 0.15)], darker(shade, 0.25), coat.edge)


def _round_ear(ear: Canvas, shade: Colour, coat: Coat) -> None:
    ear.ellipse(0.15, -0.2, 0.8, 0.8, shade, coat.edge)
    ear.ellipse(0.15, -0.15, 0.5, 0.5, mixed(PINK, shade, 0.4))


def _long_ear(ear: Canvas, shade: Colour, coat: Coat) -> None:
    ear.ellipse(0.0, -0.8, 0.38, 1.25, shade, coat.edge, turn=8)
    ear.ellipse(0.0, -0.8, 0.2, 0.95, mixed(PINK, shade, 0.3), turn=8)


def _side_ear(ear: Canvas, shade: Colour, coat: Coat) -> None:
    ear.ellipse(0.6, 0.1, 0.8, 0.38, shade, coat.edge, turn=15)
    ear.ellipse(0.65, 0.12, 0.5, 0.2, mixed(PINK, shade, 0.3), turn=15)


def _fan_ear(ear: Canvas, shade: Colour, coat: Coat) -> None:
    ear.blob([(-0.3, -0.6), (0.4, -0.9), (1.0, -0.4), (0.9, 0.5), (0.4, 0.95), (-0.2, 0.4)], shade, coat.edge)
    ear.ellipse(0.45, 0.0, 0.35, 0.55, mixed(PINK, shade, 0.6))


EARS: dict[str, Callable[[Canvas, Colour, Coat], None]] = {
    "pointed": _pointed_ear,
    "tufted": _tufted_ear,
    "floppy": _floppy_ear,
    "half": _half_ear,
    "round": _round_ear,
    "long": _long_ear,
    "side": _side_ear,
    "fan": _fan_ear,
    "none": lambda ear, shade, coat: None,
}


def _face_markings(canvas: Canvas, random: np.random.Generator, coat: Coat, look: float) -> None:
    if coat.pattern == "striped":
        for x in (-0.22, 0.0, 0.22):
            canvas.line([(x + look, -0.75), (x * 0.7 + look, -0.4)], 0.09, coat.dark)
        for side in (-1, 1):
            for y in (0.1, 0.3):
                canvas.line([(side * 0.85, y), (side * 0.55 + look * 0.5, y + 0.06)], 0.07, coat.dark)
    elif coat.pattern == "patched":
        side = random.choice((-1, 1))
        canvas.ellipse(side * 0.38 + look, -0.2, 0.34, 0.38, coat.dark)
    elif coat.pattern == "spotted":
        for x in (-0.5, -0.25, 0.0, 0.25, 0.5):
            canvas.ellipse(x + look * 0.5, -0.5 - 0.1 * (x == 0), 0.07, 0.07, coat.dark)
    elif coat.pattern == "bib":
        canvas.blob(
            [(look - 0.1, -0.6), (look + 0.1, -0.6), (look + 0.45, 0.6), (look, 0.8), (look - 0.45, 0.6)],
            coat.light,
        )
    elif coat.pattern in ("masked", "panda"):
        for side in (-1, 1):
            shade = BLACK if coat.pattern == "panda" else WHITE
            x, y = (0.4, -0.12) if coat.pattern == "panda" else (0.42, 0.35)
            canvas.ellipse(side * x + look, y, 0.3, 0.36, shade, turn=side * 20)


def _muzzle(canvas: Canvas, random: np.random.Generator, kind: Furry, coat: Coat) -> None:
    size = random.uniform(*kind.muzzle)
    nose = random.choice(kind.nose)
    whiskers = random.random() < kind.whiskers
    tongue = random.random() < kind.tongue
    if nose == "trunk":
        canvas.line([(0, 0.1), (0.05, 0.7), (0.2, 1.2), (0.5, 1.35)], 0.34, coat.edge)
        canvas.line([(0, 0.1), (0.05, 0.7), (0.2, 1.2), (0.5, 1.35)], 0.28, coat.fur)
        return
    if "wide_mouth" in kind.extras:
        canvas.line([(-0.8, 0.2), (-0.3, 0.5), (0.3, 0.5), (0.8, 0.2)], 0.06, BLACK)
        return
    if tongue:
        canvas.ellipse(0.03, 0.5 + size * 0.9, 0.15, 0.26, (225, 95, 110), (170, 60, 75))
    shade = coat.light if random.random() < 0.7 else lighter(coat.fur, 0.15)
    if nose == "snout":
        canvas.ellipse(0, 0.42, size * 1.25, size * 0.9, mixed(PINK, coat.fur, 0.3), coat.edge)
        for side in (-1, 1):
            canvas.ellipse(side * size * 0.45, 0.4, size * 0.2, size * 0.3, darker(PINK, 0.6))
        return
    for side in (-1, 1):
        canvas.ellipse(side * size * 0.55, 0.45, size * 0.8, size * 0.78, shade)
    _nose(canvas, nose, size)
    canvas.line([(0, 0.4), (0, 0.5), (-size * 0.7, 0.5 + size * 0.35)], 0.045, BLACK)
    canvas.line([(0, 0.5), (size * 0.7, 0.5 + size * 0.35)], 0.045, BLACK)
    if whiskers:
        hair = WHITE if sum(coat.fur) < 500 else darker(coat.fur, 0.6)
        for side in (-1, 1):
            for rise in (-0.16, 0.0, 0.16):
                canvas.line([(side * 0.25, 0.42 + rise * 0.4), (side * 1.2, 0.35 + rise * 1.6)], 0.03, hair)


def _nose(canvas: Canvas, nose: str, size: float) -> None:
    if nose == "none":
        return
    if nose == "long":
        canvas.ellipse(0, 0.15, size * 0.5, size * 0.95, BLACK)
        return
    shade = {"pink": darker(PINK, 0.15), "brown": (95, 55, 45), "dark": BLACK}[nose]
    wide = size * 0.62
    top = 0.42 - wide * 0.75
    canvas.blob([(-wide, top), (0, top - wide * 0.2), (wide, top), (wide * 0.35, 0.4), (-wide * 0.35, 0.4)], shade)


def _eyes(canvas: Canvas, random: np.random.Generator, kind: Furry, look: float, width: float) -> None:
    size = random.uniform(*kind.eye_size)
    hue = random.uniform(*kind.eyes[random.integers(len(kind.eyes))])
    iris = colour(hue, 0.7, 0.45 if kind.pupils == "round" else 0.8)
    opened = random.uniform(0.6, 1.0)
    pupil = {"round": (0.62, 0.62), "slit": (random.uniform(0.2, 0.55), 0.9), "bar": (0.8, 0.3)}[kind.pupils]
    for side in (-1, 1):
        x, y = side * 0.4 * width + look, -0.14
        tall = size * (opened if kind.pupils == "slit" else 1.0)
        canvas.ellipse(x, y, size * 1.25, tall * 1.25, darker(iris, 0.8), turn=side * -12)
        canvas.ellipse(x, y, size * 1.05, tall * 1.05, iris, turn=side * -12)
        canvas.ellipse(x, y, size * pupil[0], tall * pupil[1], BLACK)
        canvas.ellipse(x - size * 0.3, y - size * 0.3, size * 0.25, size * 0.25, WHITE)


def bird(canvas: Canvas, random: np.random.Generator) -> None:
    """A songbird from the side."""
    feathers = colour(random.uniform(0, 360), random.uniform(0.3, 0.9), random.uniform(0.4, 0.9))
    edge = darker(feathers)
    canvas.polygon([(-0.4, 0.1), (-1.0, -0.1), (-0.95, 0.25), (-0.3, 0.35)], edge)
    for x in (-0.05, 0.15):
        canvas.line([(x, 0.4), (x + 0.05, 0.9)], 0.06, (180, 120, 40))
    canvas.blob([(-0.55, 0.1), (0.0, -0.3), (0.45, -0.2), (0.45, 0.3), (0.0, 0.55), (-0.4, 0.4)], feathers, edge)
    canvas.polygon([(0.75, -0.5), (1.05, -0.38), (0.75, -0.3)], (235, 170, 40))
    canvas.ellipse(0.5, -0.4, 0.34, 0.32, feathers, edge)
    canvas.blob([(-0.5, 0.1), (0.1, -0.1), (0.2, 0.15), (-0.2, 0.35)], edge)
    canvas.ellipse(0.58, -0.45, 0.07, 0.07, BLACK)


def owl(canvas: Canvas, random: np.random.Generator) -> None:
    """An owl from the front."""
    feathers = mixed(FURS["brown"], FURS[random.choice(COMMON)], random.uniform(0, 0.6))
    canvas.blob(
        [(-0.5, -0.8), (0.5, -0.8), (0.65, 0.1), (0.4, 0.9), (-0.4, 0.9), (-0.65, 0.1)],
        feathers,
        darker(feathers),
    )
    for side in (-1, 1):
        canvas.polygon([(side * 0.2, -0.75), (side * 0.55, -1.05), (side * 0.58, -0.5)], darker(feathers))
        canvas.ellipse(side * 0.52, 0.25, 0.18, 0.55, darker(feathers), turn=side * -10)
        canvas.ellipse(side * 0.27, -0.45, 0.28, 0.28, lighter(feathers, 0.6))
        canvas.ellipse(side * 0.27, -0.45, 0.18, 0.18, (235, 190, 50))
        canvas.ellipse(side * 0.27, -0.45, 0.1, 0.1, BLACK)
    canvas.polygon([(-0.09, -0.35), (0.09, -0.35), (0, -0.1)], (220, 160, 60))
    for y in (0.1, 0.3, 0.5):
        for x in (-0.2, 0.0, 0.2):
            canvas.line([(x - 0.07, y), (x, y + 0.08), (x + 0.07, y)], 0.04, darker(feathers))


def fish(canvas: Canvas, random: np.random.Generator) -> None:
    """A fish from the side."""
    scales = colour(random.uniform(0, 360), random.uniform(0.4, 0.95), random.uniform(0.5, 0.95))
    canvas.polygon([(-0.5, 0.0), (-1.0, -0.45), (-0.85, 0.0), (-1.0, 0.45)], darker(scales))
    canvas.polygon([(-0.2, -0.35), (0.1, -0.75), (0.4, -0.35)], darker(scales))
    tall = random.uniform(0.35, 0.6)
    canvas.blob(
        [(-0.65, 0), (-0.1, -tall), (0.5, -tall * 0.7), (0.9, 0), (0.5, tall * 0.7), (-0.1, tall)],
        scales,
        darker(scales),
    )
    for x in np.linspace(-0.3, 0.3, 4):
        canvas.line([(x, -tall * 0.6), (x + 0.12, 0), (x, tall * 0.6)], 0.04, lighter(scales))
    canvas.ellipse(0.6, -0.1, 0.1, 0.1, WHITE)
    canvas.ellipse(0.62, -0.1, 0.05, 0.05, BLACK)


def butterfly(canvas: Canvas, random: np.random.Generator) -> None:
    """A butterfly with spread wings."""
    wing = colour(random.uniform(0, 360), random.uniform(0.4, 1), random.uniform(0.5, 0.95))
    for side in (-1, 1):
        canvas.blob([(0, -0.1), (side * 0.5, -0.8), (side * 0.95, -0.6), (side * 0.7, 0.0)], wing, darker(wing, 0.7))
        canvas.blob(
            [(0, 0.05), (side * 0.65, 0.1), (side * 0.7, 0.6), (side * 0.3, 0.7)],
            darker(wing, 0.2),
            darker(wing, 0.7),
        )
        canvas.ellipse(side * 0.62, -0.42, 0.14, 0.14, lighter(wing, 0.7))
        canvas.line([(0, -0.4), (side * 0.2, -0.8)], 0.03, BLACK)
    canvas.ellipse(0, 0.05, 0.08, 0.5, BLACK)


def snail(canvas: Canvas, random: np.random.Generator) -> None:
    """A snail from the side."""
    body = mixed(FURS["cream"], FURS["grey"], random.random())
    canvas.blob(
        [(-0.9, 0.6), (0.0, 0.45), (0.6, 0.3), (0.85, -0.2), (1.0, 0.1), (0.85, 0.6), (0.0, 0.7)],
        body,
        darker(body),
    )
    for x in (0.75, 0.95):
        canvas.line([(0.85, -0.1), (x + 0.05, -0.5)], 0.05, body)
    shell = colour(random.uniform(10, 50), random.uniform(0.3, 0.8), random.uniform(0.4, 0.8))
    canvas.ellipse(-0.15, 0.0, 0.55, 0.52, shell, darker(shell))
    turns = np.linspace(0, 4.5 * np.pi, 24)
    spiral = [(-0.15 + 0.1 * t / np.pi * np.cos(t), 0.1 * t / np.pi * np.sin(t)) for t in turns]
    canvas.line(spiral, 0.07, darker(shell, 0.5))
