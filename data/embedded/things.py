"""Things to tell apart in pre-training: fruit, furniture of everyday, plain shapes."""

from collections.abc import Callable

import numpy as np

from data.embedded.canvas import BLACK, WHITE, Canvas, Colour, colour, darker, lighter

Draw = Callable[[Canvas, np.random.Generator], None]

GLASS: Colour = (165.0, 200.0, 220.0)


def any_colour(random: np.random.Generator) -> Colour:
    return colour(random.uniform(0, 360), random.uniform(0.1, 0.95), random.uniform(0.25, 0.97))


def house(canvas: Canvas, random: np.random.Generator) -> None:
    wall, roof = any_colour(random), any_colour(random)
    canvas.polygon([(-0.7, -0.1), (0.7, -0.1), (0.7, 0.9), (-0.7, 0.9)], wall, darker(wall))
    canvas.polygon([(-0.9, -0.1), (0, -0.9), (0.9, -0.1)], roof, darker(roof))
    canvas.polygon([(-0.15, 0.35), (0.2, 0.35), (0.2, 0.9), (-0.15, 0.9)], darker(roof))
    for x in (-0.5, 0.35):
        canvas.polygon([(x, 0.1), (x + 0.25, 0.1), (x + 0.25, 0.4), (x, 0.4)], GLASS, darker(wall))


def car(canvas: Canvas, random: np.random.Generator) -> None:
    paint = any_colour(random)
    canvas.blob([(-0.6, -0.05), (-0.35, -0.5), (0.3, -0.5), (0.6, -0.05)], paint, darker(paint))
    canvas.polygon([(-0.45, -0.05), (-0.28, -0.38), (-0.02, -0.38), (-0.02, -0.05)], GLASS)
    canvas.polygon([(0.45, -0.05), (0.25, -0.38), (0.05, -0.38), (0.05, -0.05)], GLASS)
    canvas.blob([(-0.95, 0.0), (0.8, -0.1), (1.0, 0.2), (0.95, 0.4), (-0.95, 0.4)], paint, darker(paint))
    for x in (-0.5, 0.55):
        canvas.ellipse(x, 0.4, 0.24, 0.24, BLACK)
        canvas.ellipse(x, 0.4, 0.11, 0.11, (180, 180, 185))


def cup(canvas: Canvas, random: np.random.Generator) -> None:
    glaze = any_colour(random)
    canvas.line([(0.5, -0.3), (0.95, -0.2), (0.9, 0.3), (0.4, 0.45)], 0.13, darker(glaze))
    canvas.polygon([(-0.6, -0.5), (0.6, -0.5), (0.45, 0.7), (-0.45, 0.7)], glaze, darker(glaze))
    canvas.ellipse(0, -0.5, 0.6, 0.16, darker(glaze, 0.6), lighter(glaze))


def boat(canvas: Canvas, random: np.random.Generator) -> None:
    hull, sail = any_colour(random), lighter(any_colour(random), 0.5)
    canvas.line([(0, -0.95), (0, 0.4)], 0.06, (110, 80, 50))
    canvas.polygon([(0.06, -0.9), (0.8, 0.2), (0.06, 0.2)], sail, darker(sail))
    canvas.polygon([(-0.06, -0.7), (-0.6, 0.2), (-0.06, 0.2)], sail, darker(sail))
    canvas.polygon([(-0.9, 0.35), (0.95, 0.35), (0.6, 0.8), (-0.6, 0.8)], hull, darker(hull))


def umbrella(canvas: Canvas, random: np.random.Generator) -> None:
    cloth = any_colour(random)
    canvas.line([(0, -0.8), (0, 0.75), (0.15, 0.9), (0.3, 0.75)], 0.07, BLACK)
    canvas.blob(
        [(-0.95, 0.1), (-0.6, -0.6), (0, -0.85), (0.6, -0.6), (0.95, 0.1), (0.5, 0.0), (0, 0.1), (-0.5, 0.0)],
        cloth,
        darker(cloth),
    )
    for x in (-0.4, 0.0, 0.4):
        canvas.line([(0, -0.82), (x * 1.15, -0.3), (x * 1.2, 0.03)], 0.03, darker(cloth))


def ball(canvas: Canvas, random: np.random.Generator) -> None:
    skin, other = any_colour(random), any_colour(random)
    canvas.ellipse(0, 0, 0.85, 0.85, skin, darker(skin))
    for turn in (0, 60, 120):
        canvas.placed(turn=turn).ellipse(0, 0, 0.2, 0.84, other, darker(other))


def clock(canvas: Canvas, random: np.random.Generator) -> None:
    rim = any_colour(random)
    canvas.ellipse(0, 0, 0.9, 0.9, rim, darker(rim))
    canvas.ellipse(0, 0, 0.74, 0.74, WHITE)
    for turn in range(0, 360, 30):
        canvas.placed(turn=turn).line([(0, -0.7), (0, -0.56)], 0.06, BLACK)
    for length, width in ((0.4, 0.09), (0.6, 0.06)):
        canvas.placed(turn=random.uniform(0, 360)).line([(0, 0.05), (0, -length)], width, BLACK)


def key(canvas: Canvas, random: np.random.Generator) -> None:
    metal = colour(random.uniform(30, 55), random.uniform(0.05, 0.6), random.uniform(0.4, 0.85))
    canvas.line([(0, -0.2), (0, 0.9)], 0.16, metal)
    for y in (0.55, 0.8):
        canvas.polygon([(0, y), (0.4, y), (0.4, y + 0.13), (0, y + 0.13)], metal)
    canvas.ellipse(0, -0.5, 0.42, 0.42, metal, darker(metal))
    canvas.ellipse(0, -0.5, 0.2, 0.2, darker(metal, 0.7))


def book(canvas: Canvas, random: np.random.Generator) -> None:
    cover = any_colour(random)
    canvas.polygon(
        [(-0.95, -0.45), (0, -0.3), (0.95, -0.45), (0.95, 0.6), (0, 0.75), (-0.95, 0.6)], cover, darker(cover)
    )
    for side in (-1, 1):
        canvas.polygon([(0, -0.3), (side * 0.88, -0.5), (side * 0.88, 0.5), (0, 0.68)], WHITE, (150, 150, 150))
        for y in (-0.25, -0.05, 0.15, 0.35):
            canvas.line([(side * 0.12, y + 0.08), (side * 0.75, y - 0.05)], 0.04, (120, 120, 125))


def bottle(canvas: Canvas, random: np.random.Generator) -> None:
    glass, label = any_colour(random), any_colour(random)
    canvas.blob(
        [
            (-0.14, -0.95),
            (0.14, -0.95),
            (0.15, -0.4),
            (0.38, -0.1),
            (0.38, 0.9),
            (-0.38, 0.9),
            (-0.38, -0.1),
            (-0.15, -0.4),
        ],
        glass,
        darker(glass),
    )
    canvas.polygon([(-0.38, 0.15), (0.38, 0.15), (0.38, 0.6), (-0.38, 0.6)], label)
    canvas.line([(-0.24, 0), (-0.24, 0.8)], 0.06, lighter(glass, 0.7))


def kite(canvas: Canvas, random: np.random.Generator) -> None:
    cloth, other = any_colour(random), any_colour(random)
    canvas.line([(0, 0.5), (0.2, 0.7), (-0.1, 0.85), (0.2, 1.1)], 0.04, BLACK)
    canvas.polygon([(0, -0.95), (0.6, -0.25), (0, 0.55), (-0.6, -0.25)], cloth, darker(cloth))
    canvas.polygon([(0, -0.95), (0.6, -0.25), (0, -0.25)], other)
    canvas.polygon([(0, 0.55), (-0.6, -0.25), (0, -0.25)], other)


def apple(canvas: Canvas, random: np.random.Generator) -> None:
    skin = colour(random.uniform(-10, 110), random.uniform(0.6, 0.9), random.uniform(0.5, 0.9))
    canvas.blob(
        [
            (0, -0.4),
            (0.5, -0.6),
            (0.85, -0.1),
            (0.5, 0.75),
            (0, 0.65),
            (-0.5, 0.75),
            (-0.85, -0.1),
            (-0.5, -0.6),
        ],
        skin,
        darker(skin),
    )
    canvas.line([(0, -0.4), (0.08, -0.85)], 0.08, (90, 60, 40))
    canvas.ellipse(0.3, -0.75, 0.28, 0.12, (90, 150, 60), turn=-25)
    canvas.ellipse(-0.4, -0.15, 0.12, 0.22, lighter(skin, 0.6))


def cherry(canvas: Canvas, random: np.random.Generator) -> None:
    skin = colour(random.uniform(-15, 10), random.uniform(0.6, 0.95), random.uniform(0.4, 0.85))
    for x, y in ((-0.4, 0.45), (0.45, 0.3)):
        canvas.line([(x, y - 0.2), (x * 0.5, -0.4), (0.15, -0.9)], 0.06, (90, 130, 50))
        canvas.ellipse(x, y, 0.4, 0.4, skin, darker(skin))
        canvas.ellipse(x - 0.12, y - 0.12, 0.09, 0.09, WHITE)


def banana(canvas: Canvas, random: np.random.Generator) -> None:
    skin = colour(random.uniform(48, 75), random.uniform(0.6, 0.9), random.uniform(0.7, 0.95))
    canvas.blob(
        [
            (-0.9, -0.5),
            (-0.5, 0.35),
            (0.2, 0.6),
            (0.9, 0.3),
            (0.95, 0.15),
            (0.3, 0.2),
            (-0.35, -0.05),
            (-0.75, -0.6),
        ],
        skin,
        darker(skin),
    )
    canvas.line([(-0.75, -0.4), (-0.3, 0.2), (0.4, 0.4), (0.85, 0.25)], 0.04, darker(skin, 0.2))
    canvas.ellipse(-0.83, -0.6, 0.1, 0.1, (90, 70, 40))


def star(canvas: Canvas, random: np.random.Generator) -> None:
    paint = any_colour(random)
    angles = np.linspace(0, 2 * np.pi, 10, endpoint=False)
    radii = np.where(np.arange(10) % 2, random.uniform(0.35, 0.5), 0.95)
    canvas.polygon(np.column_stack([radii * np.sin(angles), -radii * np.cos(angles)]), paint, darker(paint))


def heart(canvas: Canvas, random: np.random.Generator) -> None:
    paint = any_colour(random)
    canvas.blob(
        [
            (0, -0.35),
            (0.4, -0.75),
            (0.85, -0.4),
            (0.6, 0.25),
            (0, 0.9),
            (-0.6, 0.25),
            (-0.85, -0.4),
            (-0.4, -0.75),
        ],
        paint,
        darker(paint),
    )


THINGS: dict[str, Draw] = {
    draw.__name__: draw
    for draw in (
        house, car, cup, boat, umbrella, ball, clock, key, book, bottle, kite, apple, cherry, banana, star, heart,
    )
}  # fmt: skip
