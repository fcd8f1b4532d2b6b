"""Multiply-adds, counted from the layers' shapes: a cost that no machine changes."""

import math

from stages.network.keras_quietly import keras

# A training step has three passes: one forward, and one backward each for inputs and for weights (He and Sun,
# "Convolutional Neural Networks at Constrained Time Cost", 2014, count likewise).
TRAINING = 3


def of_image(model: keras.Model) -> int:
    """Count one image's forward pass through convolutions and dense layers: all but a few hundredths of the whole."""
    return sum(map(_of_layer, model.layers))


def _of_layer(layer: keras.Layer) -> int:
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return math.prod(layer.output.shape[1:]) * math.prod(layer.kernel_size)
    if isinstance(layer, keras.layers.SeparableConv2D):
        *places, channels = layer.output.shape[1:]
        inner = layer.input.shape[-1] * layer.depth_multiplier
        return math.prod(places) * inner * (math.prod(layer.kernel_size) + channels)
    if isinstance(layer, keras.layers.Conv2D):
        inner = layer.input.shape[-1] // layer.groups
        return math.prod(layer.output.shape[1:]) * math.prod(layer.kernel_size) * inner
    if isinstance(layer, keras.layers.Dense):
        return math.prod(layer.output.shape[1:]) * layer.input.shape[-1]
    return 0


def of_epochs(backbone: keras.Model, cut: keras.Layer, head: keras.Model, images: int) -> dict[str, int]:
    """Count an epoch's training images by phase: the whole network forward, and backward what the phase trains.

    The fine phase counts all layers above `cut` as trained, even those below the first unfrozen layer. The first epochs
    of a gradual schedule cost less than this.
    """
    whole, frozen, logit = of_image(backbone), of_image(keras.Model(backbone.input, cut.output)), of_image(head)
    fine = frozen + TRAINING * (whole - frozen + logit)
    return {"transfer": images * (whole + TRAINING * logit), "fine": images * fine}
