"""Logits without a training step, and the loss and accuracy that follow from them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stages.network.keras_quietly import keras, tf
from stages.training.batches import Batches

Forward = Callable[[np.ndarray], np.ndarray]
"""A batch of inputs, float32, to its logits, float32 (n, 1) for two classes or (n, classes)."""


@dataclass(frozen=True)
class Measured:
    """Mean cross-entropy and share of right answers, and the logits that they follow from, float32 (n, units)."""

    loss: float
    accuracy: float
    logits: np.ndarray


def forward(model: keras.Model, shape: tuple[int, ...], training: bool = False) -> Forward:
    """`model` on inputs of `shape`, with the weights that it has whenever called; traced once.

    With `training` dropout is on, and batch normalisation does what the model's training does.
    """
    if keras.backend.backend() != "tensorflow":
        if not training:
            return model.predict_on_batch  # compiled, which a call of the model is not
        return lambda inputs: keras.ops.convert_to_numpy(model(inputs, training=True))
    signature = [tf.TensorSpec((None, *shape), tf.float32)]
    traced = tf.function(lambda inputs: model(inputs, training=training), input_signature=signature)
    return lambda inputs: traced(inputs).numpy()


def measure(run: Forward, batches: Batches) -> Measured:
    """Loss and accuracy over all pictures of `batches`."""
    logits, labels = (np.concatenate(each) for each in zip(*((run(x), y) for x, y in batches), strict=True))
    binary = logits.shape[1] == 1
    entropy = keras.losses.binary_crossentropy if binary else keras.losses.sparse_categorical_crossentropy
    losses = keras.ops.convert_to_numpy(entropy(labels, logits, from_logits=True))
    predicted = logits > 0 if binary else logits.argmax(axis=1)[:, np.newaxis]
    return Measured(float(losses.mean(dtype=np.float64)), float((predicted == labels).mean()), logits)
