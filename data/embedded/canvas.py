"""A canvas to draw shapes on: coordinates of the thing drawn, drawn larger, scaled down to smooth the edges."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

Colour = tuple[float, float, float]
"""Red, green and blue from 0 to 255."""

Points = Sequence[tuple[float, float]] | np.ndarray

FRACTION_BITS = 4  # of the fixed-point coordinates that OpenCV draws with
CURVE_STEPS = 6  # straight pieces between two points of a smooth curve
OVAL = np.linspace(0, 2 * np.pi, 40, endpoint=False)


@dataclass(frozen=True)
class Canvas:
    """Pixels, uint8 (side, side, 3), and the map from the coordinates drawn in to them (2 by 3).

    A whole canvas reaches from -1 to 1 in both coordinates, y down.
    """

    pixels: np.ndarray
    matrix: np.ndarray

    @staticmethod
    def over(pixels: np.ndarray) -> "Canvas":
        """The canvas that covers `pixels`."""
        half = pixels.shape[0] / 2
        return Canvas(pixels, np.array([[half, 0, half], [0, half, half]]))

    @property
    def unit(self) -> float:
        """How many pixels one unit of length covers."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))

    def placed(
        self,
        x: float = 0,
        y: float = 0,
        size: float = 1,
        turn: float = 0,
        mirrored: bool = False,
        flatness: float = 1,
    ) -> "Canvas":
        """The same pixels seen from a thing at (x, y), `turn` degrees clockwise, its height times `flatness`."""
        cosine, sine = np.cos(np.radians(turn)), np.sin(np.radians(turn))
        scale = np.array([[-size if mirrored else size, 0], [0, size * flatness]])
        linear = self.matrix[:, :2] @ np.array([[cosine, -sine], [sine, cosine]]) @ scale
        origin = self.matrix @ np.array([x, y, 1])
        return Canvas(self.pixels, np.column_stack([linear, origin]))

    def polygon(self, points: Points, colour: Colour, edge: Colour | None = None) -> None:
        """Fill the polygon; `edge` is the colour of a thin outline."""
        corners = self._corners(points)
        cv2.fillPoly(self.pixels, [corners], colour, cv2.LINE_8, FRACTION_BITS)
        if edge is not None:
            cv2.polylines(self.pixels, [corners], True, edge, 2, cv2.LINE_8, FRACTION_BITS)

    def blob(self, points: Points, colour: Colour, edge: Colour | None = None) -> None:
        """Fill the smooth closed curve through `points`."""
        self.polygon(smooth(points, closed=True), colour, edge)

    def ellipse(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        colour: Colour,
        edge: Colour | None = None,
        turn: float = 0,
    ) -> None:
        """Fill the ellipse around (x, y) with half axes `width` and `height`."""
        cosine, sine = np.cos(np.radians(turn)), np.sin(np.radians(turn))
        along, across = width * np.cos(OVAL), height * np.sin(OVAL)
        points = np.column_stack([x + along * cosine - across * sine, y + along * sine + across * cosine])
        self.polygon(points, colour, edge)

    def line(self, points: Points, width: float, colour: Colour) -> None:
        """Draw the smooth curve through `points`, `width` wide."""
        corners = self._corners(smooth(points, closed=False))
        thickness = max(1, round(width * self.unit))
        cv2.polylines(self.pixels, [corners], False, colour, thickness, cv2.LINE_8, FRACTION_BITS)

    def _corners(self, points: Points) -> np.ndarray:
        there = np.asarray(points, float) @ self.matrix[:, :2].T + self.matrix[:, 2]
        return np.round(there * 2**FRACTION_BITS).astype(np.int32)


def smooth(points: Points, closed: bool) -> np.ndarray:
    """A Catmull-Rom curve through `points`: float64 (n, 2)."""
    corners = np.asarray(points, float)
    neighbours = (corners[-1:], corners[:2]) if closed else (corners[:1], corners[-1:])
    padded = np.vstack([neighbours[0], corners, neighbours[1]])
    before, start, end, after = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    t = (np.arange(CURVE_STEPS) / CURVE_STEPS)[None, :, None]
    before, start, end, after = (part[:, None, :] for part in (before, start, end, after))
    curve = start + 0.5 * t * (
        end - before + t * (2 * before - 5 * start + 4 * end - after + t * (3 * (start - end) + after - before))
    )
    curve = curve.reshape(-1, 2)
    return curve if closed else np.vstack([curve, corners[-1:]])


def colour(hue: float, saturation: float, value: float) -> Colour:
    """A colour from hue in degrees, saturation and value from 0 to 1."""
    sector = (hue % 360) / 60
    channels = [(5 + sector) % 6, (3 + sector) % 6, (1 + sector) % 6]
    parts = [255 * value * (1 - saturation * max(0.0, min(k, 4 - k, 1.0))) for k in channels]
    return (parts[0], parts[1], parts[2])


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """`share` of the second colour mixed into the first."""
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return (red, green, blue)


BLACK: Colour = (15.0, 12.0, 12.0)
WHITE: Colour = (248.0, 246.0, 240.0)


def darker(shade: Colour, share: float = 0.35) -> Colour:
    return mixed(shade, BLACK, share)


def lighter(shade: Colour, share: float = 0.4) -> Colour:
    return mixed(shade, WHITE, share)
