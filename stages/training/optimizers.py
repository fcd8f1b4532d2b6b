"""Optimizers as params.yaml names them, with the fine phase's warm-up and its rates by layer."""

from collections.abc import Mapping

from stages.network.keras_quietly import keras


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """The rate rises linearly over the first `steps` steps to `rate`, and stays there."""

    def __init__(self, rate: float, steps: int) -> None:
        self.rate = rate
        self.steps = steps

    def __call__(self, step: keras.KerasTensor) -> keras.KerasTensor:
        share = (keras.ops.cast(step, "float32") + 1) / self.steps
        return self.rate * keras.ops.minimum(share, 1.0)

    def get_config(self) -> dict[str, float | int]:
        return {"rate": self.rate, "steps": self.steps}


def fresh(name: str, learning_rate: float, warm_up_steps: int = 0) -> keras.optimizers.Optimizer:
    """A new optimizer: `adam`, `rmsprop` or `sgd`, its other settings Keras's defaults."""
    rate = WarmUp(learning_rate, warm_up_steps) if warm_up_steps else learning_rate
    return keras.optimizers.get({"class_name": name, "config": {"learning_rate": rate}})


def loss_scaled(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """`optimizer` behind a scale that keeps small gradients above float16's least value, and follows what overflows."""
    return keras.optimizers.LossScaleOptimizer(optimizer)


def scale_rates(optimizer: keras.optimizers.Optimizer, scales: Mapping[str, float]) -> None:
    """Let the built `optimizer` train each variable, by its path, at its rate times the scale; 1 where none is given.

    The rate is scaled, not the gradient: Adam and RMSprop divide a gradient's scale out again.
    """
    plain = optimizer.update_step
    in_order = [scales.get(variable.path, 1.0) for variable in optimizer._trainable_variables]

    # Keras has no rates by variable, and hands the backend's own variable to this, which only the index tells apart.
    def update_step(gradient: object, variable: object, learning_rate: object) -> None:
        plain(gradient, variable, learning_rate * in_order[optimizer._get_variable_index(variable)])

    optimizer.update_step = update_step
