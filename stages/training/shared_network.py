"""The network that all repeats of a variant train, one after another.

Keras takes seconds to build a backbone and to trace its training step. On a small data set that is longer than several
epochs.
"""

from dataclasses import dataclass

from stages.common.params import Params
from stages.network.keras_quietly import keras
from stages.training import checkpoints
from stages.training.checkpoints import State
from stages.training.data import Data
from stages.training.fine_phase import compiled_top, learning_rate
from stages.training.steps import Steps


@dataclass(frozen=True)
class Weights:
    """The weights of a backbone and of the head on its pooled output."""

    backbone: State
    head: State


class SharedNetwork:
    """A backbone and a head. Each repeat starts from the pre-trained weights and from its own head's."""

    def __init__(self, backbone: keras.Model, head: keras.Model) -> None:
        self.backbone = backbone
        self.head = head
        self._pretrained = backbone.get_weights()
        self._steps: Steps | None = None
        self._fresh: State = []
        self._rate: object = None

    @property
    def weights(self) -> Weights:
        """A copy of the weights as they are now."""
        return Weights(self.backbone.get_weights(), self.head.get_weights())

    def under(self, head: keras.Model) -> Weights:
        """The pre-trained backbone's weights with those of `head`."""
        return Weights(self._pretrained, head.get_weights())

    def set_weights(self, weights: Weights) -> None:
        """Set the weights of both, also in the compiled top, which shares their layers."""
        self.backbone.set_weights(weights.backbone)
        self.head.set_weights(weights.head)

    def fresh_top(self, weights: Weights, data: Data, params: Params, epoch_count: int) -> Steps:
        """The compiled top with `weights` and a fresh optimizer, for a fine phase of `epoch_count` epochs.

        It is compiled again only if the learning rate differs from the last repeat's. A rate with a warm-up or a decay
        depends on the number of steps, which may differ between folds.
        """
        rate = learning_rate(params.fine, data.steps, epoch_count)
        if self._steps is None or rate != self._rate:
            self._steps = Steps(compiled_top(self.backbone, self.head, data, params, epoch_count))
            self._rate = rate
            self._fresh = checkpoints.capture(self._steps.model)
        checkpoints.restore(self._steps.model, self._fresh)
        self.set_weights(weights)
        return self._steps
