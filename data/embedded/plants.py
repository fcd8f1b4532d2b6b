"""Flowers and other plants. A flower's head lies around (0, 0); its stem and leaves hang below."""

from collections.abc import Callable

import numpy as np

from data.embedded.canvas import BLACK, WHITE, Canvas, Colour, colour, darker, lighter, mixed

Draw = Callable[[Canvas, np.random.Generator], None]


def leaf_green(random: np.random.Generator) -> Colour:
    return colour(random.uniform(75, 140), random.uniform(0.35, 0.8), random.uniform(0.25, 0.65))


def petal_colour(random: np.random.Generator) -> Colour:
    """Red, pink, yellow, orange, white or purple: what roses and tulips have in common."""
    hue, saturation = [
        (random.uniform(-12, 8), random.uniform(0.75, 0.95)),
        (random.uniform(325, 350), random.uniform(0.3, 0.7)),
        (random.uniform(44, 56), random.uniform(0.5, 0.9)),
        (random.uniform(14, 34), random.uniform(0.5, 0.9)),
        (random.uniform(30, 60), random.uniform(0.03, 0.15)),
        (random.uniform(290, 320), random.uniform(0.3, 0.7)),
    ][random.integers(6)]
    return colour(hue, saturation, random.uniform(0.6, 0.97))


def rose(canvas: Canvas, random: np.random.Generator) -> None:
    """A rose: petals rolled around each other, toothed leaves in pairs, thorns."""
    petal = petal_colour(random)
    green = leaf_green(random)
    sway = random.uniform(-0.25, 0.25)
    _stem(canvas, green, sway)
    _thorns(canvas, green, sway)
    for side in (-1, 1):
        if random.random() < 0.75:
            _toothed_leaf(
                canvas.placed(sway * 0.4, random.uniform(1.2, 2.0), 0.75, side * random.uniform(40, 85)),
                green,
            )
    if random.random() < 0.6:
        _rose_from_above(canvas.placed(turn=random.uniform(-180, 180)), random, petal)
    else:
        _rose_from_the_side(canvas.placed(turn=random.uniform(-35, 35)), random, petal, green)


def _rose_from_above(head: Canvas, random: np.random.Generator, petal: Colour) -> None:
    head = head.placed(flatness=random.uniform(0.7, 1.0))
    rings = [(0.95, 6), (0.74, 5), (0.54, 5), (0.36, 4), (0.2, 3)]
    for depth, (radius, count) in enumerate(rings):
        start = random.uniform(0, 360)
        for number in range(count):
            shade = mixed(petal, BLACK, 0.08 * depth + random.uniform(-0.08, 0.1))
            part = head.placed(size=radius, turn=start + number * 360 / count)
            part.blob(
                [(-0.6, -0.25), (-0.45, -0.85), (0, -1.05), (0.5, -0.85), (0.65, -0.2), (0, 0.2)],
                shade,
                darker(shade, 0.45),
            )
            part.line([(-0.4, -0.85), (0, -0.99), (0.42, -0.85)], 0.09, lighter(shade, 0.4))
    _spiral(head, darker(petal, 0.55))


def _spiral(head: Canvas, shade: Colour) -> None:
    turns = np.linspace(0.5, 3.2 * np.pi, 18)
    head.line([(0.026 * t * np.cos(t), 0.026 * t * np.sin(t)) for t in turns], 0.045, shade)


def _rose_from_the_side(head: Canvas, random: np.random.Generator, petal: Colour, green: Colour) -> None:
    edge = darker(petal, 0.45)
    for side in (-1, 0, 1):
        head.blob(
            [(side * 0.3, 0.6), (side * 0.55 - 0.15, 0.95), (side * 0.75, 1.2), (side * 0.5 + 0.15, 0.85)],
            green,
        )
    head.blob([(-0.55, -0.6), (0, -0.85), (0.55, -0.6), (0.6, 0.2), (-0.6, 0.2)], darker(petal, 0.2), edge)
    _spiral(head.placed(0, -0.55, 1.1, flatness=0.5), edge)
    head.blob([(-0.75, -0.45), (-0.2, -0.4), (0.35, -0.1), (0.4, 0.6), (0, 0.85), (-0.5, 0.7)], petal, edge)
    head.blob(
        [(0.8, -0.45), (0.25, -0.4), (-0.2, 0.1), (-0.1, 0.7), (0.2, 0.85), (0.6, 0.6)],
        lighter(petal, 0.12),
        edge,
    )
    for side, top in ((-1, -0.1), (1, -0.15)):
        curl = [(side * 0.95, top), (side * 0.5, top + 0.1), (side * 0.3, 0.75), (side * 0.7, 0.6)]
        head.blob(curl, darker(petal, random.uniform(0, 0.15)), edge)
        head.line([(side * 0.95, top), (side * 0.55, top + 0.08)], 0.1, lighter(petal, 0.4))


def _thorns(canvas: Canvas, green: Colour, sway: float) -> None:
    for number, y in enumerate((1.3, 1.7, 2.1)):
        x = sway * (y / 2.8) ** 2
        side = 1 if number % 2 else -1
        canvas.polygon([(x, y - 0.08), (x + side * 0.2, y - 0.1), (x, y + 0.1)], darker(green, 0.3))


def _toothed_leaf(leaf: Canvas, green: Colour) -> None:
    """A leaf upwards from (0, 0)."""
    along = np.linspace(0, 1, 9)
    half = 0.42 * np.sin(np.pi * along**0.8) + np.where(np.arange(9) % 2, 0.05, -0.03)
    rim = [(x, -1.5 * y) for x, y in zip(half, along, strict=True)]
    leaf.polygon([*rim, *[(-x, y) for x, y in reversed(rim)]], green, darker(green, 0.4))
    leaf.line([(0, 0), (0, -1.4)], 0.05, darker(green, 0.35))


def tulip(canvas: Canvas, random: np.random.Generator) -> None:
    """A tulip: a cup of six pointed petals, long blades of leaves, a smooth stem."""
    petal = petal_colour(random)
    green = leaf_green(random)
    sway = random.uniform(-0.25, 0.25)
    _stem(canvas, green, sway)
    for side in (-1, 1):
        if random.random() < 0.8:
            _blade(canvas.placed(sway, 2.9, 1.0, side * random.uniform(4, 25)), green, random.uniform(1.6, 2.6))
    if random.random() < 0.8:
        _tulip_from_the_side(canvas.placed(turn=random.uniform(-25, 25)), random, petal)
    else:
        _tulip_from_above(canvas.placed(turn=random.uniform(-180, 180)), random, petal)


def _tulip_from_the_side(head: Canvas, random: np.random.Generator, petal: Colour) -> None:
    edge = darker(petal, 0.45)
    wide, open_ = random.uniform(0.55, 0.78), random.uniform(0.0, 0.35)
    for side in (-0.5, 0.5):
        head.blob(
            [(side * 0.4, 0.6), (side * 1.5 * wide, -0.2), (side * (1 + open_), -1.0), (side * 0.2, -0.4)],
            darker(petal, 0.3),
            edge,
        )
    for side in (-1, 1):
        tip = side * (wide * 0.75 + open_)
        outer = [
            (side * 0.15, 0.85),
            (side * wide, 0.5),
            (side * (wide + open_ * 0.4 + 0.05), -0.2),
            (tip, -0.95),
        ]
        head.blob([*outer, (side * 0.25, -0.35), (0, 0.6)], mixed(petal, BLACK, random.uniform(0, 0.15)), edge)
    front = [
        (0, 0.9),
        (-wide * 0.6, 0.55),
        (-wide * 0.6, -0.1),
        (0, -0.85),
        (wide * 0.6, -0.1),
        (wide * 0.6, 0.55),
    ]
    shade = lighter(petal, random.uniform(0, 0.2))
    head.blob(front, shade, edge)
    for x in (-0.15, 0.0, 0.15):
        head.line([(x * 0.5, 0.7), (x, -0.4)], 0.035, mixed(shade, edge, 0.35))


def _tulip_from_above(head: Canvas, random: np.random.Generator, petal: Colour) -> None:
    head = head.placed(flatness=random.uniform(0.75, 1.0))
    for ring, size in ((0, 1.0), (1, 0.9)):
        for number in range(3):
            part = head.placed(size=size, turn=number * 120 + ring * 60)
            shade = mixed(petal, BLACK, random.uniform(0, 0.15))
            part.blob(
                [(0, 0.1), (-0.5, -0.4), (-0.35, -0.8), (0, -1.05), (0.35, -0.8), (0.5, -0.4)],
                shade,
                darker(shade, 0.45),
            )
            part.line([(0, -0.1), (0, -0.75)], 0.05, darker(shade, 0.25))
    head.ellipse(0, 0, 0.22, 0.22, mixed((235, 210, 70), BLACK, random.choice((0.0, 0.8))))
    for angle in np.linspace(0, 2 * np.pi, 6, endpoint=False):
        head.ellipse(0.28 * np.cos(angle), 0.28 * np.sin(angle), 0.07, 0.07, BLACK)


def _blade(leaf: Canvas, green: Colour, length: float) -> None:
    """A long leaf upwards from (0, 0)."""
    shade = mixed(green, (120, 150, 140), 0.25)
    leaf.blob(
        [(-0.12, 0), (-0.3, -0.45 * length), (0, -length), (0.22, -0.5 * length), (0.12, 0)],
        shade,
        darker(shade, 0.4),
    )
    leaf.line([(0, 0), (-0.03, -0.5 * length), (0, -0.9 * length)], 0.05, darker(shade, 0.25))


def _stem(canvas: Canvas, green: Colour, sway: float) -> None:
    canvas.line([(0, 0.3), (sway * 0.2, 1.4), (sway, 2.9)], 0.16, darker(green, 0.15))


def _rays(head: Canvas, count: int, width: float, shade: Colour, inner: float = 0.2) -> None:
    for number in range(count):
        part = head.placed(turn=number * 360 / count)
        part.ellipse(0, -(1 + inner) / 2, width, (1 - inner) / 2, shade, darker(shade, 0.3))


def _plain_stem(canvas: Canvas, random: np.random.Generator) -> Colour:
    green = leaf_green(random)
    _stem(canvas, green, random.uniform(-0.25, 0.25))
    for side in (-1, 1):
        if random.random() < 0.5:
            canvas.placed(0, 1.8, 0.6, side * 60).ellipse(0, -0.6, 0.2, 0.6, green, darker(green))
    return green


def daisy(canvas: Canvas, random: np.random.Generator) -> None:
    _plain_stem(canvas, random)
    head = canvas.placed(turn=random.uniform(0, 90), flatness=random.uniform(0.6, 1))
    _rays(head, 13, 0.14, lighter(petal_colour(random), 0.8))
    head.ellipse(0, 0, 0.3, 0.3, (235, 190, 50), (190, 140, 30))


def sunflower(canvas: Canvas, random: np.random.Generator) -> None:
    _plain_stem(canvas, random)
    head = canvas.placed(turn=random.uniform(0, 90), flatness=random.uniform(0.7, 1))
    _rays(head, 18, 0.16, colour(random.uniform(42, 52), 0.9, 0.95), 0.4)
    head.ellipse(0, 0, 0.55, 0.55, (95, 60, 30), (60, 40, 20))
    for angle in np.linspace(0, 2 * np.pi, 12, endpoint=False):
        head.ellipse(0.35 * np.cos(angle), 0.35 * np.sin(angle), 0.05, 0.05, (150, 105, 50))


def poppy(canvas: Canvas, random: np.random.Generator) -> None:
    _plain_stem(canvas, random)
    petal = petal_colour(random)
    head = canvas.placed(turn=random.uniform(0, 90), flatness=random.uniform(0.6, 1))
    for number in range(4):
        part = head.placed(turn=number * 90)
        part.blob(
            [(-0.6, -0.2), (-0.6, -0.9), (0, -1.0), (0.6, -0.9), (0.6, -0.2), (0, 0.1)],
            petal,
            darker(petal, 0.4),
        )
    head.ellipse(0, 0, 0.3, 0.3, BLACK)
    head.ellipse(0, 0, 0.14, 0.14, (130, 150, 80))


def pansy(canvas: Canvas, random: np.random.Generator) -> None:
    _plain_stem(canvas, random)
    petal, other = petal_colour(random), petal_colour(random)
    for x, y, shade in (
        (-0.4, -0.5, other),
        (0.4, -0.5, other),
        (-0.5, 0.1, petal),
        (0.5, 0.1, petal),
        (0, 0.5, petal),
    ):
        canvas.ellipse(x, y, 0.52, 0.5, shade, darker(shade))
        canvas.ellipse(x * 0.5, y * 0.5, 0.22, 0.22, darker(other, 0.7))
    canvas.ellipse(0, 0, 0.12, 0.12, (240, 210, 60))


def bluebell(canvas: Canvas, random: np.random.Generator) -> None:
    green = leaf_green(random)
    bell = colour(random.uniform(220, 330), random.uniform(0.3, 0.7), random.uniform(0.6, 0.95))
    canvas.line([(0, 2.9), (0, 0), (0.4, -0.9)], 0.1, green)
    for number, y in enumerate((-0.7, -0.2, 0.3, 0.8)):
        side = 1 if number % 2 else -1
        part = canvas.placed(side * 0.15, y, 0.5, side * -25)
        part.blob(
            [(-0.25, 0), (0.25, 0), (0.35, 0.7), (0.6, 1.0), (0, 0.85), (-0.6, 1.0), (-0.35, 0.7)],
            bell,
            darker(bell),
        )


def crocus(canvas: Canvas, random: np.random.Generator) -> None:
    petal, green = petal_colour(random), leaf_green(random)
    _stem(canvas, lighter(green, 0.5), 0)
    for turn in (-40, -20, 15, 35):
        canvas.placed(0, 2.2, 1, turn).line([(0, 0), (0, -1.8)], 0.09, green)
    for turn in (-35, 35, -18, 18, 0):
        part = canvas.placed(0, 0.9, 1, turn)
        shade = mixed(petal, BLACK, random.uniform(0, 0.2))
        part.ellipse(0, -0.95, 0.24, 0.9, shade, darker(shade, 0.4))
    canvas.line([(0, 0.2), (0, -0.9)], 0.1, (240, 150, 30))


def carnation(canvas: Canvas, random: np.random.Generator) -> None:
    petal = petal_colour(random)
    green = _plain_stem(canvas, random)
    canvas.blob([(-0.25, 0.5), (0.25, 0.5), (0.15, 1.1), (-0.15, 1.1)], green, darker(green))
    for size in (1.0, 0.8, 0.6, 0.4):
        angles = np.linspace(0, 2 * np.pi, 36, endpoint=False) + random.uniform(0, 1)
        radii = size * (1 - 0.14 * (np.arange(36) % 2) + random.uniform(-0.06, 0.06, 36))
        shade = mixed(petal, BLACK, random.uniform(0, 0.2))
        canvas.polygon(
            np.column_stack([radii * np.cos(angles), 0.8 * radii * np.sin(angles)]), shade, darker(shade, 0.4)
        )


def camellia(canvas: Canvas, random: np.random.Generator) -> None:
    petal = petal_colour(random)
    _plain_stem(canvas, random)
    head = canvas.placed(turn=random.uniform(0, 90), flatness=random.uniform(0.7, 1))
    for radius, count in ((1.0, 9), (0.78, 8), (0.56, 7), (0.34, 6)):
        start = random.uniform(0, 60)
        for number in range(count):
            shade = mixed(petal, BLACK, random.uniform(0, 0.12))
            part = head.placed(size=radius, turn=start + number * 360 / count)
            part.ellipse(0, -0.6, 0.36, 0.42, shade, darker(shade, 0.4))
    head.ellipse(0, 0, 0.12, 0.12, (235, 200, 80))


def lotus(canvas: Canvas, random: np.random.Generator) -> None:
    petal = petal_colour(random)
    green = leaf_green(random)
    canvas.ellipse(0, 0.75, 1.5, 0.3, green, darker(green))
    for turns in ((-75, 75, -50, 50), (-60, 60, -30, 30, 0), (-42, 42, -18, 18)):
        for turn in turns:
            shade = mixed(petal, BLACK, random.uniform(0, 0.2))
            leaf = [(0, 0), (-0.26, -0.6), (0, -1.25), (0.26, -0.6)]
            canvas.placed(0, 0.6, 1, turn).blob(leaf, shade, darker(shade, 0.4))


def lily(canvas: Canvas, random: np.random.Generator) -> None:
    _plain_stem(canvas, random)
    petal = petal_colour(random)
    head = canvas.placed(turn=random.uniform(0, 60), flatness=random.uniform(0.6, 1))
    for number in range(6):
        part = head.placed(turn=number * 60)
        part.polygon([(0, 0.05), (-0.25, -0.5), (0, -1.15), (0.25, -0.5)], petal, darker(petal, 0.4))
        part.line([(0, 0), (0, -0.9)], 0.05, lighter(petal, 0.6))
        part.placed(turn=30).line([(0, 0), (0, -0.5)], 0.05, (170, 90, 30))


def dandelion(canvas: Canvas, random: np.random.Generator) -> None:
    green = leaf_green(random)
    _stem(canvas, green, random.uniform(-0.3, 0.3))
    for turn in range(0, 360, 15):
        canvas.placed(turn=turn).line([(0, 0), (0, -0.8)], 0.025, (225, 225, 220))
        canvas.placed(turn=turn).ellipse(0, -0.85, 0.14, 0.1, WHITE)
    canvas.ellipse(0, 0, 0.15, 0.15, darker(green))


def lavender(canvas: Canvas, random: np.random.Generator) -> None:
    green = leaf_green(random)
    petal = colour(random.uniform(250, 300), random.uniform(0.3, 0.6), random.uniform(0.5, 0.85))
    for turn in (-14, 0, 14):
        stalk = canvas.placed(0, 2.6, 1, turn + random.uniform(-4, 4))
        stalk.line([(0, 0), (0, -3.2)], 0.06, green)
        for y in np.arange(-3.5, -2.0, 0.22):
            for side in (-1, 1):
                stalk.ellipse(side * 0.12, y, 0.15, 0.13, mixed(petal, WHITE, random.uniform(0, 0.3)), darker(petal))


def cactus(canvas: Canvas, random: np.random.Generator) -> None:
    green = leaf_green(random)
    for points in (
        [(0, 2), (0, -0.8)],
        [(0, 0.8), (0.6, 0.7), (0.65, -0.1)],
        [(0, 1.2), (-0.6, 1.1), (-0.6, 0.3)],
    ):
        canvas.line(points, 0.5, darker(green, 0.3))
        canvas.line(points, 0.42, green)
    for y in np.linspace(-0.8, 1.8, 10):
        for side in (-1, 0, 1):
            canvas.line([(side * 0.15, y), (side * 0.25, y - 0.08)], 0.03, lighter(green, 0.7))


def tree(canvas: Canvas, random: np.random.Generator) -> None:
    canvas.polygon([(-0.15, 0.2), (0.15, 0.2), (0.25, 2.2), (-0.25, 2.2)], (100, 70, 45), (70, 50, 30))
    green = leaf_green(random)
    for _ in range(9):
        x, y = random.uniform(-0.7, 0.7), random.uniform(-0.8, 0.4)
        canvas.ellipse(x, y, 0.45, 0.4, mixed(green, BLACK, random.uniform(0, 0.3)), darker(green))


def pine(canvas: Canvas, random: np.random.Generator) -> None:
    green = darker(leaf_green(random), 0.2)
    canvas.polygon([(-0.12, 1), (0.12, 1), (0.12, 2.2), (-0.12, 2.2)], (100, 70, 45))
    for top, wide in ((0.5, 1.0), (-0.2, 0.75), (-0.9, 0.5)):
        canvas.polygon([(0, top - 0.4), (wide, top + 0.8), (-wide, top + 0.8)], green, darker(green))


def mushroom(canvas: Canvas, random: np.random.Generator) -> None:
    cap = colour(random.uniform(0, 50), random.uniform(0.3, 0.9), random.uniform(0.5, 0.9))
    canvas.blob([(-0.3, 0), (0.3, 0), (0.35, 1.3), (-0.35, 1.3)], lighter(cap, 0.85), darker(cap))
    canvas.blob([(-1.0, 0.2), (-0.7, -0.6), (0, -0.9), (0.7, -0.6), (1.0, 0.2), (0, 0.3)], cap, darker(cap))
    for x, y in ((-0.5, -0.2), (0.1, -0.55), (0.5, -0.1), (0, 0.0)):
        canvas.ellipse(x, y, 0.14, 0.11, WHITE)


def fern(canvas: Canvas, random: np.random.Generator) -> None:
    green = leaf_green(random)
    bend = random.uniform(-0.6, 0.6)
    for share in np.linspace(0, 1, 15):
        x, y = bend * share**2, 1.8 - 2.8 * share
        for side in (-1, 1):
            canvas.placed(x, y, 1 - 0.8 * share, side * 65).ellipse(0, -0.5, 0.12, 0.5, green, darker(green))
    canvas.line([(0, 1.8), (bend * 0.25, 0.4), (bend, -1)], 0.05, darker(green))


PLANTS: dict[str, Draw] = {
    draw.__name__: draw
    for draw in (
        daisy, sunflower, poppy, pansy, bluebell, crocus, carnation, camellia, lotus, lily, dandelion,
        lavender, cactus, tree, pine, mushroom, fern,
    )
}  # fmt: skip
