"""The two networks that are trained: the head on pooled output, and the top of the backbone under the head."""

from stages.network.keras_quietly import keras, tf
from stages.pictures.randomness import Stream, generator


def use_threads(count: int) -> None:
    """Make TensorFlow compute on `count` threads; call this before it computes anything."""
    tf.config.threading.set_intra_op_parallelism_threads(count)
    tf.config.threading.set_inter_op_parallelism_threads(count)


def build_head(channels: int, classes: int, dropout: float, seed: int) -> keras.Model:
    """Build the head, which maps pooled output, float32 (n, channels), to logits; `seed` decides its first weights.

    Two classes share one logit (n, 1), positive for class 1, as in the thesis; more classes have one each (n, classes).
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
    """Maps activations at the cut to logits: first the top of the backbone, then the head.

    With `batch_norm="batch"`, unfrozen batch normalisation follows `fit`'s training=True and normalises by the batch.
    With "moving" the top is always called with training=False, and only the head sees training. In a functional model,
    Keras 3's `fit` would override that False (keras-team/keras issue 20285).
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
    """Compile `model` with cross-entropy from logits (binary for two classes) and accuracy, and build `optimizer`.

    The model and a new optimizer take the variables that are trainable at this moment. An optimizer that is already
    built keeps its variables and their state.
    """
    binary = classes == 2
    accuracy = (
        keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)
        if binary
        else keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    )
    loss = keras.losses.BinaryCrossentropy if binary else keras.losses.SparseCategoricalCrossentropy
    # XLA under TensorFlow trains depthwise convolutions several times slower on a CPU; JAX always computes by XLA.
    by_xla = keras.backend.backend() == "jax"
    model.compile(optimizer=optimizer, loss=loss(from_logits=True), metrics=[accuracy], jit_compile=by_xla)
    if not optimizer.built:
        optimizer.build(model.trainable_variables)


def reset_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    """Set the dropout layers' random state for `epoch`, so that their masks depend on nothing before it."""
    random = generator(seed, Stream.DROPOUT, epoch)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Dropout) and layer.rate:  # without a rate it has no random state
            layer.seed_generator.state.assign(random.integers(2**31, size=2))
