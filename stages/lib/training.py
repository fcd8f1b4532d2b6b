"""Training: the head on pooled output, the top of the backbone with the head, epoch by epoch.

Each epoch is one `fit` of one epoch and one `evaluate`. Between them nothing is recompiled: Keras keeps the
compiled functions and the optimizer's state as long as `compile` is not called again.
"""

import math
import time
from collections.abc import Iterator

import numpy as np
from tqdm import tqdm

from stages.lib.batches import batches
from stages.lib.command import ThawError
from stages.lib.feature_store import FeatureStore
from stages.lib.keras_quietly import keras, tf
from stages.lib.params import Params
from stages.lib.pictures import Part
from stages.lib.randomness import Stream, generator, order

Row = dict[str, float | int | str]


def use_threads(count: int) -> None:
    """Let TensorFlow compute on `count` threads; to be called before it computes anything."""
    tf.config.threading.set_intra_op_parallelism_threads(count)
    tf.config.threading.set_inter_op_parallelism_threads(count)


def build_head(channels: int, dropout: float, seed: int) -> keras.Model:
    """Pooled output, float32 (n, channels), to one logit (n, 1); the first weights follow from `seed`."""
    head_seed = int(generator(seed, Stream.HEAD).integers(2**31))
    return keras.Sequential(
        [
            keras.Input((channels,), name="pooled"),
            keras.layers.Dropout(dropout, name="dropout"),
            keras.layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(head_seed), name="logit"),
        ],
        name="head",
    )


class FineTuned(keras.Model):
    """Activations at the cut to the logit: the top of the backbone, then the head.

    With `batch_norm="batch"` unfrozen batch normalisation follows `fit`'s training=True and normalises by
    the batch; with "moving" the top is always called with training=False, the form that Keras 3's `fit`
    would override in a functional model (keras-team/keras issue 20285), and only the head sees training.
    """

    def __init__(self, top: keras.Model, head: keras.Model, batch_norm: str) -> None:
        super().__init__(name="fine_tuned")
        self.top = top
        self.head = head
        self.uses_batch_statistics = batch_norm == "batch"

    def call(self, activations: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        pooled = self.top(activations, training=training if self.uses_batch_statistics else False)
        return self.head(pooled, training=training)


def compile_model(model: keras.Model, optimizer: str, learning_rate: float) -> None:
    """Compile with a fresh `optimizer`, binary cross-entropy from logits and accuracy."""
    model.compile(
        optimizer=keras.optimizers.get({"class_name": optimizer, "config": {"learning_rate": learning_rate}}),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)],
        jit_compile=False,  # XLA trains depthwise convolutions several times slower on a CPU
    )


def run_epoch(model: keras.Model, training: tf.data.Dataset, validation: tf.data.Dataset, seed: int, epoch: int) -> Row:
    """Train `epoch` and evaluate; returns accuracy, loss, val_accuracy and val_loss (floats).

    Raises ThawError where a value is not finite.
    """
    reset_dropout(model, seed, epoch)
    fitted = model.fit(training, shuffle=False, verbose=0).history
    validated = model.evaluate(validation, verbose=0, return_dict=True)
    row = {name: fitted[name][-1] for name in ("accuracy", "loss")} | {
        f"val_{name}": validated[name] for name in ("accuracy", "loss")
    }
    for name, value in row.items():
        if not math.isfinite(value):
            raise ThawError(f"epoch {epoch}: {name} is {value}; lower the learning rate of this phase in params.yaml")
    return row


def reset_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    """Start the dropout layers' random state anew for `epoch`: masks then depend on nothing before it."""
    random = generator(seed, Stream.DROPOUT, epoch)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Dropout):
            layer.seed_generator.state.assign(random.integers(2**31, size=2))


class Data:
    """A data set as the phases read it: features and labels, in each epoch's order."""

    def __init__(self, store: FeatureStore, parts: dict[str, Part], params: Params) -> None:
        self._store = store
        self._parts = parts
        self._params = params

    def training(self, epoch: int, field: str) -> tf.data.Dataset:
        """Epoch `epoch`'s training batches of `field`: `activations` or `pooled`."""
        rows = order(len(self._parts["training"]), self._params.seed, epoch)
        return self._batches("training", getattr(self._store.training(epoch), field), rows)

    def validation(self, field: str) -> tf.data.Dataset:
        rows = np.arange(len(self._parts["validation"]))
        return self._batches("validation", getattr(self._store.validation(), field), rows)

    @property
    def channels(self) -> int:
        """The width of the pooled output."""
        return self._store.validation().pooled.shape[1]

    def _batches(self, part: str, inputs: np.ndarray, rows: np.ndarray) -> tf.data.Dataset:
        return batches(inputs, self._parts[part].labels, self._params.batch_size, rows)


def epochs(model: keras.Model, phase: str, field: str, data: Data, numbers: range, seed: int) -> Iterator[Row]:
    """Train the epochs `numbers` of `phase` on `field`; yields a history row after each."""
    validation = data.validation(field)
    with tqdm(numbers, desc=phase, unit=" epoch", disable=None) as progress:
        for epoch in progress:
            started = time.perf_counter()
            row = run_epoch(model, data.training(epoch, field), validation, seed, epoch)
            progress.set_postfix(val_loss=f"{row['val_loss']:.3f}", val_accuracy=f"{row['val_accuracy']:.3f}")
            yield {"epoch": epoch, "phase": phase, **row, "seconds": time.perf_counter() - started}
