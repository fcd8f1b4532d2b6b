"""Runs the frozen part of the network over pictures, as fast as the machine can."""

import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from stages.lib import backbone as backbones
from stages.lib.keras_quietly import keras, messages_held_back, tf
from stages.lib.params import Features

FrozenPart = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Pixels, float32 (n, size, size, 3) in [0, 255], to activations at the cut and pooled output, float32."""


def build(
    backbone: keras.Model, cut: keras.Layer, preprocess: backbones.Preprocessing, features: Features
) -> FrozenPart:
    """The frozen part in the engine that `params.yaml` names; n is at most `features.batch_size`."""
    model = backbones.frozen_part(backbone, cut, preprocess, features.batch_size)
    engine = _xnnpack(model) if features.engine == "xnnpack" else _keras(model)
    return lambda pixels: _padded(engine, pixels, features.batch_size)


def _padded(engine: FrozenPart, pixels: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    count = len(pixels)
    missing = [(0, batch_size - count)] + [(0, 0)] * (pixels.ndim - 1)
    activations, pooled = engine(np.pad(pixels, missing) if count < batch_size else pixels)
    return activations[:count], pooled[:count]


def _keras(model: keras.Model) -> FrozenPart:
    def run(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        activations, pooled = model.predict_on_batch(pixels)
        return activations, pooled

    return run


def _xnnpack(model: keras.Model) -> FrozenPart:
    """XNNPACK's float32 kernels, by way of TensorFlow Lite: batch normalisation folded, no oneDNN layout changes."""
    converted = _converted(model)
    with warnings.catch_warnings(), messages_held_back():
        warnings.simplefilter("ignore")  # tf.lite is announced to move to a package of its own
        interpreter = tf.lite.Interpreter(model_content=converted, num_threads=_usable_cores())
        runner = interpreter.get_signature_runner("serving_default")
        (pixels_name,) = runner.get_input_details()
        runner(**{pixels_name: np.zeros(model.input_shape, np.float32)})  # the first call announces the kernels
    # The signature's outputs sort by name into the model's order: output_0, output_1.
    activations_name, pooled_name = sorted(runner.get_output_details())

    def run(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        outputs = runner(**{pixels_name: pixels})
        return outputs[activations_name], outputs[pooled_name]

    return run


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux: what taskset, a container or a scheduler leaves us
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _converted(model: keras.Model) -> bytes:
    with tempfile.TemporaryDirectory() as folder, messages_held_back():
        saved = str(Path(folder) / "frozen")
        model.export(saved, verbose=False)
        return tf.lite.TFLiteConverter.from_saved_model(saved).convert()
