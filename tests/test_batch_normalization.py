"""Fused batch normalisation against the formula, worked out with NumPy, and against Keras's own layer."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.training.batch_normalization import FusedBatchNormalization, fused

SHAPE = (6, 5, 5, 3)
# Sums of 150 float32 values in another order: some units of the last of 24 bits.
CLOSE = {"rtol": 1e-5, "atol": 1e-6}


@pytest.fixture
def inputs() -> np.ndarray:
    return np.random.default_rng(0).normal(2, 3, SHAPE).astype(np.float32)


@pytest.fixture
def layer() -> keras.layers.BatchNormalization:
    """A layer whose four weights all differ from what they start as."""
    layer = keras.layers.BatchNormalization(epsilon=1e-3, momentum=0.9)
    layer.build((None, *SHAPE[1:]))
    layer.set_weights([np.float32(values) for values in ([1, 2, 3], [0.5, 0, -1], [1, 2, 3], [4, 9, 16])])
    return layer


def test_training_normalises_by_the_batch_and_moves_the_statistics(layer, inputs):
    gamma, beta, moving_mean, moving_variance = layer.get_weights()
    mean, variance = inputs.mean((0, 1, 2)), inputs.var((0, 1, 2))  # over n, as Keras keeps it
    outputs = FusedBatchNormalization(layer)(inputs, training=True)
    np.testing.assert_allclose(outputs, (inputs - mean) / np.sqrt(variance + 1e-3) * gamma + beta, **CLOSE)
    np.testing.assert_allclose(layer.moving_mean, 0.9 * moving_mean + 0.1 * mean, **CLOSE)
    np.testing.assert_allclose(layer.moving_variance, 0.9 * moving_variance + 0.1 * variance, **CLOSE)


@pytest.mark.parametrize(("trainable", "training"), [(True, False), (False, True), (False, False)])
def test_a_frozen_layer_and_validation_use_the_moving_statistics(layer, inputs, trainable, training):
    layer.trainable = trainable
    gamma, beta, mean, variance = layer.get_weights()
    outputs = FusedBatchNormalization(layer)(inputs, training=training)
    np.testing.assert_allclose(outputs, (inputs - mean) / np.sqrt(variance + 1e-3) * gamma + beta, **CLOSE)
    np.testing.assert_array_equal(layer.moving_mean, mean)


@pytest.mark.parametrize("training", [True, False])
def test_gradients_are_those_of_keras_s_layer(layer, inputs, training):
    weights = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)  # so that no gradient is zero

    def gradients(normalise: keras.Layer) -> list[tf.Tensor]:
        given = tf.constant(inputs)
        with tf.GradientTape() as tape:
            tape.watch(given)
            total = tf.reduce_sum(normalise(given, training=training) * weights)
        return tape.gradient(total, [given, layer.gamma.value, layer.beta.value])

    for ours, theirs in zip(gradients(FusedBatchNormalization(layer)), gradients(layer), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)  # sums of products up to 10, cancelling


def test_the_fused_model_shares_layers_and_weights():
    pictures = keras.Input((8, 8, 3))
    normalised = keras.layers.BatchNormalization(name="norm")(keras.layers.Conv2D(4, 3, name="conv")(pictures))
    model = keras.Model(pictures, keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(normalised)))
    same = fused(model)
    assert same.get_layer("conv") is model.get_layer("conv")
    assert same.get_layer("norm_fused").normalisation is model.get_layer("norm")
    assert {id(weight) for weight in same.weights} == {id(weight) for weight in model.weights}
    pixels = np.random.default_rng(2).normal(size=(2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(same(pixels), model(pixels), **CLOSE)
