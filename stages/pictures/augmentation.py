"""Random flip and rotation of training pictures, the same for every variant of the study."""

from dataclasses import dataclass

import cv2
import numpy as np

from stages.common.params import Augment
from stages.pictures.randomness import Stream, generator

FIRST_ORDER = 1  # of the passes: 1, 2, 3, ...


@dataclass(frozen=True)
class Augmentation:
    """What happens to each picture in one epoch: mirrored or not (bool), and the turn in degrees (float64)."""

    flips: np.ndarray
    degrees: np.ndarray


def draw(count: int, stored_pass: int, augment: Augment, part: str = "training") -> Augmentation:
    """Draw the augmentation of `count` pictures of a part in one pass (from 1) over them, row i for picture i."""
    stream = Stream.AUGMENTATION if part == "training" else Stream.VALIDATION_AUGMENTATION
    random = generator(augment.seed, stream, stored_pass)
    flips = random.random(count) < 0.5 if augment.flip else np.zeros(count, bool)
    full_turn = 360.0
    return Augmentation(flips, full_turn * random.uniform(-augment.rotation, augment.rotation, count))


def pass_of_epoch(epoch: int, order: int, budget: int) -> int:
    """Which augmented pass `epoch` (from 1) reads, in a repeat that reads the `budget` passes in its own `order`.

    FIRST_ORDER is 1, 2, 3, ...; any other is a permutation drawn for it. So each repeat sees in each epoch another
    augmentation than the others, from the same stored passes. Epochs beyond the budget read passes of their own.
    """
    if order == FIRST_ORDER or epoch > budget:
        return epoch
    return int(generator(order, Stream.PASSES).permutation(budget)[epoch - 1]) + 1


def applied(pictures: np.ndarray, augmentation: Augmentation, rows: slice | np.ndarray) -> np.ndarray:
    """Pictures `rows` flipped and turned: uint8 (n, size, size, 3) to float32 of the same shape and range."""
    chosen = zip(pictures[rows], augmentation.flips[rows], augmentation.degrees[rows], strict=True)
    return np.stack([_turned(picture, flip, degrees) for picture, flip, degrees in chosen])


def _turned(picture: np.ndarray, flip: bool, degrees: float) -> np.ndarray:
    # Turned in float32, because uint8 would round the interpolated values.
    upright = (picture[:, ::-1] if flip else picture).astype(np.float32)
    if degrees == 0:
        return upright
    size = picture.shape[0]
    centre = ((size - 1) / 2, (size - 1) / 2)
    matrix = cv2.getRotationMatrix2D(centre, degrees, 1.0)
    # Bilinear, and corners filled by reflection about the edge: the defaults of Keras's RandomRotation.
    return cv2.warpAffine(upright, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
