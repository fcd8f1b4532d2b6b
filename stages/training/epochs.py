"""Training: the head on pooled output, the top of the backbone with the head, epoch by epoch.

Each epoch is one `fit` of one epoch and `evaluate` after it. Between them nothing is recompiled: Keras keeps the
compiled functions and the optimizer's state as long as `compile` is not called again.
"""

import math
import time
from collections.abc import Callable, Iterator

import numpy as np
from tqdm import tqdm

from stages.common.command import ThawError
from stages.common.params import Params
from stages.network.feature_store import FeatureStore
from stages.network.keras_quietly import keras, tf
from stages.pictures.parts import Part
from stages.pictures.randomness import Stream, generator, order
from stages.training import checkpoints as state
from stages.training.batches import Batches
from stages.training.checkpoints import State
from stages.training.folded_top import QuickEvaluation

Row = dict[str, float | int | str]
MEASURES = ("accuracy", "loss")


def use_threads(count: int) -> None:
    """Let TensorFlow compute on `count` threads; to be called before it computes anything."""
    tf.config.threading.set_intra_op_parallelism_threads(count)
    tf.config.threading.set_inter_op_parallelism_threads(count)


def build_head(channels: int, classes: int, dropout: float, seed: int) -> keras.Model:
    """Pooled output, float32 (n, channels), to logits; the first weights follow from `seed`.

    Two classes have one logit (n, 1), positive for class 1, as in the paper; more have one each (n, classes).
    """
    head_seed = int(generator(seed, Stream.HEAD).integers(2**31))
    units = 1 if classes == 2 else classes
    return keras.Sequential(
        [
            keras.Input((channels,), name="pooled"),
            keras.layers.Dropout(dropout, name="dropout"),
            keras.layers.Dense(units, kernel_initializer=keras.initializers.GlorotUniform(head_seed), name="logit"),
        ],
        name="head",
    )


class FineTuned(keras.Model):
    """Activations at the cut to the logits: the top of the backbone, then the head.

    With `batch_norm="batch"` unfrozen batch normalisation follows `fit`'s training=True and normalises by
    the batch; with "moving" the top is always called with training=False, the form that Keras 3's `fit`
    would override in a functional model (keras-team/keras issue 20285), and only the head sees training.
    `evaluated` and `logits` go through `quick` where that is given.
    """

    def __init__(self, top: keras.Model, head: keras.Model, batch_norm: str) -> None:
        super().__init__(name="fine_tuned")
        self.top = top
        self.head = head
        self.quick: QuickEvaluation | None = None
        self.uses_batch_statistics = batch_norm == "batch"

    def call(self, activations: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        pooled = self.top(activations, training=training if self.uses_batch_statistics else False)
        return self.head(pooled, training=training)


def compile_model(model: keras.Model, optimizer: keras.optimizers.Optimizer, classes: int) -> None:
    """Compile with cross-entropy from logits, binary for two classes, and accuracy."""
    binary = classes == 2
    accuracy = (
        keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)
        if binary
        else keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    )
    loss = keras.losses.BinaryCrossentropy if binary else keras.losses.SparseCategoricalCrossentropy
    # XLA under TensorFlow trains depthwise convolutions several times slower on a CPU; JAX computes by nothing else.
    by_xla = keras.backend.backend() == "jax"
    model.compile(optimizer=optimizer, loss=loss(from_logits=True), metrics=[accuracy], jit_compile=by_xla)


class Data:
    """A data set as one run reads it: features and labels, in the order that its seed draws for each epoch."""

    def __init__(self, store: FeatureStore, parts: dict[str, Part], params: Params, seed: int) -> None:
        self.seed = seed
        self._store = store
        self._parts = parts
        self._params = params

    def training(self, epoch: int, field: str) -> Batches:
        """Epoch `epoch`'s training batches of `field`: `activations` or `pooled`."""
        rows = order(len(self._parts["training"]), self.seed, epoch)
        return self._batches("training", getattr(self._store.training(epoch), field), rows)

    def clean(self, part: str, field: str) -> Batches:
        """Batches of all images of `part`, training or validation, not augmented."""
        rows = np.arange(len(self._parts[part]))
        return self._batches(part, getattr(self._store.clean(part), field), rows)

    def evaluations(self, field: str) -> dict[str, Batches]:
        """What is measured after each epoch, by the prefix of its columns in the history."""
        parts = {"val_": "validation"} | ({"train_clean_": "training"} if self._params.clean_training else {})
        return {prefix: self.clean(part, field) for prefix, part in parts.items()}

    def frozen_seconds(self, epoch: int) -> float:
        """What computing the epoch's frozen activations took, whenever that was."""
        return self._store.seconds(epoch)

    @property
    def steps(self) -> int:
        """Training batches of an epoch."""
        return math.ceil(len(self._parts["training"]) / self._params.batch_size)

    @property
    def channels(self) -> int:
        """The width of the pooled output."""
        return self._store.clean("validation").pooled.shape[1]

    @property
    def classes(self) -> int:
        return int(self._parts["training"].labels.max()) + 1  # each class has images: `split` counted them

    def _batches(self, part: str, inputs: np.ndarray, rows: np.ndarray) -> Batches:
        return Batches(inputs, self._parts[part].labels, self._params.batch_size, rows)


def epochs(
    model: keras.Model,
    phase: str,
    field: str,
    data: Data,
    numbers: range,
    begin: Callable[[keras.Model, int], None] = lambda model, epoch: None,
) -> Iterator[tuple[Row, State]]:
    """Train the epochs `numbers` of `phase` on `field`; yields a history row and the model's state after each.

    `begin` is called with the model and the epoch before each.
    """
    evaluations = data.evaluations(field)
    title = f"{phase}, seed {data.seed}"
    now = state.captured(model)
    # None: shown where there is a terminal.
    with tqdm(numbers, desc=title, unit=" epoch", disable=None if numbers else True) as progress:
        for epoch in progress:
            begin(model, epoch)
            batches = data.training(epoch, field)  # activations that are not there yet are computed here
            started = time.perf_counter()
            row = run_epoch(model, now, batches, evaluations, data.seed, epoch)
            progress.set_postfix(val_loss=f"{row['val_loss']:.3f}", val_accuracy=f"{row['val_accuracy']:.3f}")
            seconds = {"seconds": time.perf_counter() - started, "frozen_seconds": data.frozen_seconds(epoch)}
            now = state.captured(model)
            yield {"epoch": epoch, "phase": phase, **row, **seconds}, now


def run_epoch(
    model: keras.Model, now: State, training: Batches, evaluations: dict[str, Batches], seed: int, epoch: int
) -> Row:
    """Train `epoch` and evaluate; returns accuracy and loss (floats), then those of each evaluation by its prefix.

    `now` is the model's state. Raises ThawError where a value is not finite.
    """
    reset_dropout(model, seed, epoch)
    fitted = model.fit(training.dataset, shuffle=False, verbose=0).history
    row = {name: fitted[name][-1] for name in MEASURES}
    if not math.isfinite(row["loss"]):
        batch = _first_wrong_batch(model, now, training, seed, epoch)
        raise ThawError(
            f"epoch {epoch}, batch {batch}: loss is {row['loss']}; lower this phase's learning_rate "
            f"({float(model.optimizer.learning_rate):g} now) in params.yaml"
        )
    for prefix, batches in evaluations.items():
        measured = evaluated(model, batches)
        row |= {f"{prefix}{name}": measured[name] for name in MEASURES}
    for name, value in row.items():
        if not math.isfinite(value):
            raise ThawError(f"epoch {epoch}: {name} is {value}; lower this phase's learning_rate in params.yaml")
    return row


def _first_wrong_batch(model: keras.Model, started: State, training: Batches, seed: int, epoch: int) -> int:
    """Train the epoch again from its start; returns the first batch (from 1) after which the loss is not finite."""
    state.restore(model, started)
    model.reset_metrics()
    reset_dropout(model, seed, epoch)
    losses = (model.train_on_batch(inputs, labels, return_dict=True)["loss"] for inputs, labels in training)
    return next(batch for batch, loss in enumerate(losses, start=1) if not math.isfinite(loss))


def evaluated(model: keras.Model, batches: Batches) -> dict[str, float]:
    """Loss and metrics by name: means over the images of `batches`."""
    quick = _quick_of(model)
    return quick.evaluate(batches) if quick else model.evaluate(batches.dataset, verbose=0, return_dict=True)


def logits(model: keras.Model, batches: Batches) -> np.ndarray:
    """The model's logits of all images, float32 (n, 1) or (n, classes)."""
    quick = _quick_of(model)
    return quick.predict(batches) if quick else model.predict(batches.dataset, verbose=0)


def _quick_of(model: keras.Model) -> QuickEvaluation | None:
    return model.quick if isinstance(model, FineTuned) else None  # the head alone has none


def reset_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    """Start the dropout layers' random state anew for `epoch`: masks then depend on nothing before it."""
    random = generator(seed, Stream.DROPOUT, epoch)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Dropout) and layer.rate:  # without a rate it has no random state
            layer.seed_generator.state.assign(random.integers(2**31, size=2))
