"""A model written for where there is no Keras: TensorFlow Lite, and ONNX where its packages are installed.

What is written takes pixels, float32 (n, size, size, 3) in [0, 255], and gives the probability of each class.
"""

import importlib.util
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from stages.network import xnnpack
from stages.network.keras_quietly import keras, messages_held_back, tf
from stages.trained.keras_file import Predict

TFLITE, QUANTISED, ONNX = "model.tflite", "model.quantised.tflite", "model.onnx"

Write = Callable[[keras.Model, Path], Predict]
"""Writes a model that gives probabilities, and returns what was written, ready to run."""


def with_probabilities(model: keras.Model) -> keras.Model:
    """`model` with the probability of each class, float32 (n, classes), in place of the logits."""
    pixels = keras.Input(model.input_shape[1:], name="pixels")
    logits = model(pixels, training=False)
    if logits.shape[-1] == 1:  # the second class's, against 0
        logits = keras.ops.concatenate([keras.ops.zeros_like(logits), logits], axis=-1)
    return keras.Model(pixels, keras.ops.softmax(logits), name="classifier")


def formats(quantised: bool) -> dict[str, Write]:
    """What is written, by the name of the file."""
    written = {TFLITE: _write_tflite}
    if quantised:
        written[QUANTISED] = _write_quantised
    if importlib.util.find_spec("tf2onnx") and importlib.util.find_spec("onnxruntime"):
        written[ONNX] = _write_onnx
    return written


def largest_difference(one: Predict, other: Predict, batches: Iterable[np.ndarray]) -> float:
    """The largest difference between the two's probabilities, over all classes and all pictures of `batches`."""
    return max(float(np.abs(one(batch) - other(batch)).max()) for batch in batches)


def _write_tflite(model: keras.Model, path: Path) -> Predict:
    return _converted(model, path, [])


def _write_quantised(model: keras.Model, path: Path) -> Predict:
    """Weights in 8 bits, a fourth of the size; activations stay float32, so that no pictures are needed for it."""
    return _converted(model, path, [tf.lite.Optimize.DEFAULT])


def _converted(model: keras.Model, path: Path, optimizations: list) -> Predict:
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    with warnings.catch_warnings(), messages_held_back():
        warnings.simplefilter("ignore")  # tf.lite is announced to move to a package of its own
        signature = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name="pixels")
        function = tf.function(lambda pixels: model(pixels, training=False)).get_concrete_function(signature)
        # With constants for weights: by way of a saved model it takes ten times as long.
        constant = convert_variables_to_constants_v2(function)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([constant])
        converter.optimizations = optimizations
        path.write_bytes(converter.convert())
    network = xnnpack.network(path.read_bytes(), threads=1)  # takes one picture at a time
    return lambda pixels: np.concatenate([network(pixels[place : place + 1])[0] for place in range(len(pixels))])


def _write_onnx(model: keras.Model, path: Path) -> Predict:
    import onnxruntime

    with warnings.catch_warnings(), messages_held_back():
        warnings.simplefilter("ignore")  # of tf2onnx, about NumPy
        model.export(path, format="onnx", verbose=False, input_signature=model.inputs)
    session = onnxruntime.InferenceSession(path)
    (given,) = session.get_inputs()
    return lambda pixels: session.run(None, {given.name: pixels})[0]
