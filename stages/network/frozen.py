"""The frozen part of the network, run over pictures as fast as the machine can."""

import os
from collections.abc import Callable

import numpy as np

from stages.common.params import Features
from stages.network import backbones, xnnpack
from stages.network.keras_quietly import keras

FrozenPart = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Maps pixels, float32 (n, size, size, 3) in [0, 255], to activations at the cut and pooled output, float32."""


def build(
    backbone: keras.Model, cut: keras.Layer, preprocess: backbones.Preprocessing, features: Features
) -> FrozenPart:
    """Build the frozen part in the engine that `params.yaml` names; it takes at most `features.batch_size` pictures."""
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
    weights = [keras.ops.convert_to_numpy(variable) for variable in model.variables]
    network = xnnpack.network(xnnpack.converted(model, weights, model.input_shape[0]), _usable_cores())

    def run(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        activations, pooled = network(pixels)
        return activations, pooled

    return run


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux: what taskset, a container or a scheduler leaves us
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
