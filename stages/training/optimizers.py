"""Optimizers as params.yaml names them, with the fine phase's warm-up and its rates by layer."""

import math
from collections.abc import Mapping

from stages.common.params import Decay
from stages.network.keras_quietly import keras


class RateSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate of a fine phase of `steps` steps: `rate` times a warm-up, times a decay.

    The warm-up rises linearly to 1 over the first `warm_up` steps. The decay `cosine` falls over all steps from 1 to 0,
    as half a cosine (Loshchilov and Hutter, 2017, without restarts); the decay `none` is 1.
    """

    def __init__(self, rate: float, warm_up: int, decay: Decay, steps: int) -> None:
        self.rate = rate
        self.warm_up = warm_up
        self.decay = decay
        self.steps = steps

    def __call__(self, step: keras.KerasTensor) -> keras.KerasTensor:
        step = keras.ops.cast(step, "float32")
        share = keras.ops.minimum((step + 1) / self.warm_up, 1.0) if self.warm_up else 1.0
        if self.decay == "cosine":
            share *= 0.5 * (1 + keras.ops.cos(math.pi * keras.ops.minimum(step / self.steps, 1.0)))
        return self.rate * share

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RateSchedule) and self.get_config() == other.get_config()

    def get_config(self) -> dict[str, float | int | str]:
        return {"rate": self.rate, "warm_up": self.warm_up, "decay": self.decay, "steps": self.steps}


def fresh(name: str, rate: float | RateSchedule) -> keras.optimizers.Optimizer:
    """A new optimizer, `adam`, `rmsprop` or `sgd`; its other settings are Keras's defaults."""
    return keras.optimizers.get({"class_name": name, "config": {"learning_rate": rate}})


def loss_scaled(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Wrap `optimizer` so that Keras scales the loss: small gradients then stay above float16's least value.

    Keras lowers the scale when a gradient overflows.
    """
    return keras.optimizers.LossScaleOptimizer(optimizer)


def scale_rates(optimizer: keras.optimizers.Optimizer, scales: Mapping[str, float]) -> None:
    """Make the built `optimizer` train each variable at its rate times the scale of the variable's path, by default 1.

    The rate is scaled, not the gradient: Adam and RMSprop divide a gradient's scale out again.
    """
    plain = optimizer.update_step
    in_order = [scales.get(variable.path, 1.0) for variable in optimizer._trainable_variables]

    # Keras has no rates by variable. It calls this with the backend's own variable, which only its index identifies.
    def update_step(gradient: object, variable: object, learning_rate: object) -> None:
        plain(gradient, variable, learning_rate * in_order[optimizer._get_variable_index(variable)])

    optimizer.update_step = update_step
