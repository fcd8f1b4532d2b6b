"""The two networks that are trained: the head on pooled output, and the top of the backbone under the head."""

import json
import re
from pathlib import Path
from zipfile import ZipFile, ZipInfo

from stages.network.keras_quietly import keras, tf
from stages.pictures.randomness import Stream, generator


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
    """

    def __init__(self, top: keras.Model, head: keras.Model, batch_norm: str) -> None:
        super().__init__(name="fine_tuned")
        self.top = top
        self.head = head
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


def save(model: keras.Model, path: Path) -> None:
    """Write `model` to `path`, a .keras file whose bytes follow from the model.

    Keras alone adds the time of saving, and numbers shared objects by their addresses in memory.
    """
    model.save(path)
    with ZipFile(path) as saved:
        content = {name: saved.read(name) for name in saved.namelist()}
    metadata = json.loads(content["metadata.json"])
    content["metadata.json"] = json.dumps(metadata | {"date_saved": ""}).encode()
    numbers: dict[bytes, int] = {}
    content["config.json"] = re.sub(
        rb'("shared_object_id": )(\d+)',
        lambda found: b"%b%d" % (found[1], numbers.setdefault(found[2], len(numbers) + 1)),
        content["config.json"],
    )
    with ZipFile(path, "w") as written:
        for name, data in content.items():
            written.writestr(ZipInfo(name), data)  # without a time of its own: 1980


def reset_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    """Start the dropout layers' random state anew for `epoch`: masks then depend on nothing before it."""
    random = generator(seed, Stream.DROPOUT, epoch)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Dropout) and layer.rate:  # without a rate it has no random state
            layer.seed_generator.state.assign(random.integers(2**31, size=2))
