"""What a compiled model computes batch by batch: training steps and forward passes."""

import math
from collections.abc import Callable

from stages.network.keras_quietly import keras, tf
from stages.training.batches import Batches
from stages.training.evaluation import ForwardPass, Measured, build_forward_pass, measure

Means = dict[str, float]
"""Loss and accuracy as Keras reports them: means over the steps of an epoch, while the network changes."""


class Steps:
    """A compiled model with its training step and its forward pass, each traced once.

    Tracing takes as long as several epochs of a small data set. Repeats that train one network in turn share this
    object.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self._forward_pass: ForwardPass | None = None
        self._step: Callable[..., dict[str, tf.Tensor]]
        self._traced_for: list[object] = []

    def train(self, batches: Batches) -> Means:
        """Train on all `batches` in turn; raises FloatingPointError, which names the batch, if a loss is not finite."""
        if keras.backend.backend() != "tensorflow":
            history = self.model.fit(iter(batches), steps_per_epoch=len(batches), shuffle=False, verbose=0).history
            return {name: _finite(values[-1], "loss") for name, values in history.items()}
        self._trace(batches)
        self.model.reset_metrics()
        for number, batch in enumerate(batches, start=1):
            means = self._step(*batch)
            _finite(float(means["loss"]), f"batch {number}: loss")
        return {name: float(value) for name, value in means.items()}

    def measure(self, batches: Batches) -> Measured:
        """Loss, accuracy and logits of the network as it is, without a training step."""
        self._forward_pass = self._forward_pass or build_forward_pass(self.model, batches.inputs.shape)
        return measure(self._forward_pass, batches)

    def _trace(self, batches: Batches) -> None:
        """Make the traced step, if there is none for the variables that are trainable now and their optimizer.

        It is Keras's own step with batches of any size, as `fit` traces it, and gives the same bits. `fit` reads
        batches through tf.data, which takes a tenth of an epoch of the drawings.
        """
        trained = [self.model.optimizer, *self.model.trainable_variables]
        if [*map(id, trained)] != [*map(id, self._traced_for)]:
            self._traced_for = trained
            self._step = tf.function(lambda *batch: self.model.train_step(batch), input_signature=batches.signature)


def _finite(value: float, name: str) -> float:
    if not math.isfinite(value):
        raise FloatingPointError(f"{name} is {value}")
    return value
