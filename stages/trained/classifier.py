"""A loaded classifier, pixels to logits: what it says of pictures, and by which parts of them."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from stages.network.keras_quietly import keras
from stages.pictures import parts

AT_ONCE = 32  # pictures in a batch


def logits(model: keras.Model, paths: Sequence[Path]) -> np.ndarray:
    """Float32 (pictures, units) of the picture files."""
    return np.concatenate([keras.ops.convert_to_numpy(model(pixels, training=False)) for pixels in _read(model, paths)])


def activation_maps(model: keras.Model, paths: Sequence[Path], classes: Sequence[int]) -> np.ndarray:
    """Where in each picture `model` sees its class of `classes`, float32 (pictures, height, width), as `maps_of`."""
    pool = next(layer for layer in model.layers if isinstance(layer, keras.layers.GlobalAveragePooling2D))
    last = keras.Model(model.input, pool.input)
    weights = keras.ops.convert_to_numpy(model.get_layer("head").get_layer("logit").kernel)
    activations = [keras.ops.convert_to_numpy(last(pixels, training=False)) for pixels in _read(model, paths)]
    return maps_of(np.concatenate(activations), weights, classes)


def maps_of(activations: np.ndarray, weights: np.ndarray, classes: Sequence[int]) -> np.ndarray:
    """Class activation maps (Zhou et al., 2016): the last activations, weighted as the head weights their means.

    `activations` (pictures, height, width, channels), `weights` of the head (channels, units), the class of each
    picture. The mean of a map and the head's bias make the class's logit, so that a map tells all of it. One unit is
    the logit of class 1 of two, and the same with the other sign that of class 0.
    """
    if weights.shape[1] == 1:
        weights = np.concatenate([-weights, weights], axis=1)
    return np.einsum("nhwc,nc->nhw", activations, weights.T[list(classes)])


def _read(model: keras.Model, paths: Sequence[Path]) -> Iterator[np.ndarray]:
    size = model.input_shape[1]
    decoded = parts.decode_all(list(paths), size)
    while pictures := list(islice(decoded, AT_ONCE)):
        yield np.stack(pictures).astype(np.float32)
