"""A backbone of few layers, of the kinds that MobileNetV2 is made of: Keras builds, traces and saves it in a moment.

For tests of what is around a training. It has few layers but many weights, so that its files are about as large as
those of the embedded network.
"""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from stages.network.keras_quietly import keras

IMAGE_SIZE = 64
BLOCKS = {16: 4, 128: 2, 1280: 2}  # channels and stride of each, at the end as many channels as MobileNetV2 has
FROM_LAYER = 10
"""The first unfrozen layer of its 20: `fine.from_layer`."""

SEED = 0
BACKBONE = {"file": "small.keras", "scale": 1 / 127.5, "offset": -1.0, "image_size": IMAGE_SIZE}
"""The manifest's section for it."""

_folder = TemporaryDirectory()  # until the process ends


@cache
def path() -> Path:
    """Where it lies, made when first asked for."""
    keras.utils.set_random_seed(SEED)
    layers = keras.layers
    pixels = outputs = layers.Input((IMAGE_SIZE, IMAGE_SIZE, 3))
    for channels, stride in BLOCKS.items():
        outputs = layers.Conv2D(channels, 1, strides=stride, use_bias=False)(outputs)
        outputs = first = layers.ReLU(6.0)(layers.BatchNormalization()(outputs))
        outputs = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(outputs)
        outputs = layers.Add()([first, layers.BatchNormalization()(outputs)])
    file = Path(_folder.name) / BACKBONE["file"]
    keras.Model(pixels, outputs).save(file)
    return file
