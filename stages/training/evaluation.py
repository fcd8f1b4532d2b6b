"""Logits without a training step, and the loss and accuracy that follow from them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stages.network.keras_quietly import keras, tf
from stages.training.batches import Batches

ForwardPass = Callable[[np.ndarray], np.ndarray]
"""Maps a batch of inputs, float32, to its logits, float32 (n, 1) for two classes or (n, classes)."""


@dataclass(frozen=True)
class Measured:
    """The mean cross-entropy, the share of right answers, and the logits that both follow from, float32 (n, units)."""

    loss: float
    accuracy: float
    logits: np.ndarray


def build_forward_pass(model: keras.Model, shape: tuple[int, ...], training: bool = False) -> ForwardPass:
    """Return `model`'s forward pass on inputs of `shape`. It is traced once, and each call uses the current weights.

    With `training`, dropout is on and batch normalisation works as it does when the model trains.
    """
    if keras.backend.backend() != "tensorflow":
        if not training:
            return model.predict_on_batch  # compiled, which a call of the model is not
        return lambda inputs: keras.ops.convert_to_numpy(model(inputs, training=True))
    signature = [tf.TensorSpec((None, *shape), tf.float32)]
    traced = tf.function(lambda inputs: model(inputs, training=training), input_signature=signature)
    return lambda inputs: traced(inputs).numpy()


def measure(forward_pass: ForwardPass, batches: Batches) -> Measured:
    """Measure loss and accuracy over all pictures of `batches`."""
    logits, labels = (np.concatenate(each) for each in zip(*((forward_pass(x), y) for x, y in batches), strict=True))
    binary = logits.shape[1] == 1
    entropy = keras.losses.binary_crossentropy if binary else keras.losses.sparse_categorical_crossentropy
    losses = keras.ops.convert_to_numpy(entropy(labels, logits, from_logits=True))
    predicted = logits > 0 if binary else logits.argmax(axis=1)[:, np.newaxis]
    return Measured(float(losses.mean(dtype=np.float64)), float((predicted == labels).mean()), logits)
