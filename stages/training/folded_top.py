"""The top's forward pass for evaluation: batch normalisation folded into convolutions, run by XNNPACK's kernels.

The network is converted once, with marks in place of its weights; the weights of now are written over the marks before
an evaluation, which takes hundredths of a second where a conversion takes one or two.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from stages.network import xnnpack
from stages.network.keras_quietly import keras
from stages.training.batches import Batches

Convolution = keras.layers.Conv2D | keras.layers.DepthwiseConv2D
Normalisation = keras.layers.BatchNormalization
Pair = tuple[Convolution, Normalisation | None]


@dataclass
class FoldedTop:
    """What a functional model computes outside training, as of the last `refresh`; made by `folded`.

    pairs: its convolutions and their batch normalisation; places: where in `content`, the model in TensorFlow Lite's
    format, the kernel and the bias of each lie.
    """

    pairs: list[Pair]
    places: list[int]
    content: bytearray
    batch_size: int
    threads: int

    def refresh(self) -> None:
        """Take over the weights of now."""
        weights = [weight for pair in self.pairs for weight in _folded(*pair)]
        for place, weight in zip(self.places, weights, strict=True):
            self.content[place : place + weight.nbytes] = weight.tobytes()
        self._network = xnnpack.network(bytes(self.content), self.threads)

    def __call__(self, activations: np.ndarray) -> np.ndarray:
        """Activations at the cut, float32 (n, height, width, channels), to pooled output, float32 (n, channels)."""
        missing = -len(activations) % self.batch_size
        padded = np.pad(activations, [(0, missing)] + [(0, 0)] * (activations.ndim - 1))
        batches = np.split(padded, len(padded) // self.batch_size)
        return np.concatenate([self._network(batch)[0] for batch in batches])[: len(activations)]


class QuickEvaluation:
    """What evaluates and predicts by the compiled `head` on the outputs of `top`, with the weights of now in both."""

    def __init__(self, top: FoldedTop, head: keras.Model) -> None:
        self._top = top
        self._head = head

    def evaluate(self, batches: Batches) -> dict[str, float]:
        """Loss and metrics over `batches` of activations, by name: means over the images."""
        pooled, labels = self._pooled(batches)
        # All at once: what a call of Keras costs beside the arithmetic is more than the head's own.
        measured = self._head.test_on_batch(pooled, labels, return_dict=True)
        return {name: float(value) for name, value in measured.items()}

    def predict(self, batches: Batches) -> np.ndarray:
        """The head's outputs for all `batches` of activations, float32 (n, units)."""
        pooled, _ = self._pooled(batches)
        return keras.ops.convert_to_numpy(self._head(pooled))

    def _pooled(self, batches: Batches) -> tuple[np.ndarray, np.ndarray]:
        self._top.refresh()
        pooled, labels = zip(*((self._top(read), labels) for read, labels in batches), strict=True)
        return np.concatenate(pooled), np.concatenate(labels)


def folded(top: keras.Model, batch_size: int, threads: int) -> FoldedTop | None:
    """The functional model `top`, from activations to pooled output, folded; None where that cannot be.

    It cannot where weights are in other layers than 2-D convolutions and the batch normalisation that follows them, or
    where the converter works constants into the weights.
    """
    pairs = _pairs(top)
    if pairs is None:
        return None
    twin = keras.models.clone_model(top, clone_function=_with_bias, call_function=_without_normalisation)
    random = np.random.default_rng(0)
    marks = {variable.path: random.random(variable.shape, np.float32) for variable in twin.variables}
    content = xnnpack.converted(twin, list(marks.values()), batch_size)
    places = [
        content.find(_as_converted(convolution, marks[weight.path]).tobytes())
        for convolution, _ in pairs
        for weight in (twin.get_layer(convolution.name).kernel, twin.get_layer(convolution.name).bias)
    ]
    if -1 in places:
        return None
    return FoldedTop(pairs, places, bytearray(content), batch_size, threads)


def _pairs(top: keras.Model) -> list[Pair] | None:
    """Each convolution with the batch normalisation that alone reads it, if one does; None if they lack a weight."""
    readers = defaultdict(list)
    for layer in top.layers:
        for read in keras.tree.flatten(layer.input):
            readers[id(read)].append(layer)
    convolutions = [layer for layer in top.layers if isinstance(layer, Convolution)]
    pairs = [(layer, _normalisation(layer, readers[id(layer.output)])) for layer in convolutions]
    covered = {id(layer) for pair in pairs for layer in pair}
    return pairs if all(id(layer) in covered for layer in top.layers if layer.weights) else None


def _normalisation(convolution: Convolution, readers: list[keras.Layer]) -> Normalisation | None:
    linear = convolution.activation is keras.activations.linear
    return readers[0] if linear and len(readers) == 1 and isinstance(readers[0], Normalisation) else None


def _with_bias(layer: keras.Layer) -> keras.Layer:
    # Other layers have no weights, and are used again.
    return layer.from_config(layer.get_config() | {"use_bias": True}) if isinstance(layer, Convolution) else layer


def _without_normalisation(layer: keras.Layer, *arguments: object, **options: object) -> keras.KerasTensor:
    return arguments[0] if isinstance(layer, Normalisation) else layer(*arguments, **options)


def _folded(convolution: Convolution, normalisation: Normalisation | None) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias, float32 and laid out as TensorFlow Lite's, of the two layers in one."""
    kernel, bias = _values(convolution.kernel), _values(convolution.bias, np.zeros(convolution.output.shape[-1]))
    if normalisation is not None:
        gain = _values(normalisation.gamma, 1) / np.sqrt(_values(normalisation.moving_variance) + normalisation.epsilon)
        bias = _values(normalisation.beta, 0) + (bias - _values(normalisation.moving_mean)) * gain
        # A depthwise kernel has its output channels in the last two axes.
        depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)
        kernel = kernel * (gain.reshape(kernel.shape[2:]) if depthwise else gain)
    return _as_converted(convolution, kernel.astype(np.float32)), bias.astype(np.float32)


def _values(variable: keras.Variable | None, default: float | np.ndarray = 0) -> np.ndarray:
    return np.float64(default if variable is None else keras.ops.convert_to_numpy(variable))


def _as_converted(convolution: Convolution, weight: np.ndarray) -> np.ndarray:
    """A bias, or a kernel in the order of axes that TensorFlow Lite keeps it in."""
    if weight.ndim == 1:
        return weight
    if isinstance(convolution, keras.layers.DepthwiseConv2D):
        return weight.reshape(1, *weight.shape[:2], -1)
    return np.ascontiguousarray(weight.transpose(3, 0, 1, 2))
