"""The folded top against Keras's own forward pass, before and after training."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tiny_study

from stages.common.params import Params
from stages.network import backbones
from stages.training import epochs as training
from stages.training import fine_phase
from stages.training.batches import Batches
from stages.training.folded_top import folded

SIZE = 64
# Sums of some thousands of float32 products in another order; outputs are near 1.
CLOSE = {"rtol": 1e-4, "atol": 1e-4}


def top_of(name: str, share: float, **arguments: object) -> keras.Model:
    """The upper part of a network of random weights, moving statistics included."""
    keras.utils.set_random_seed(0)
    backbone = getattr(keras.applications, name)(
        input_shape=(SIZE, SIZE, 3), include_top=False, weights=None, **arguments
    )
    random = np.random.default_rng(0)
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    cut = backbones.cut_layer(backbone, int(share * len(backbone.layers)))
    return backbones.top_part(backbone, cut)


def activations(top: keras.Model, count: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(count, *top.input_shape[1:])).astype(np.float32)


# ResNet's convolutions have biases, and half of EfficientNet's no batch normalisation.
@pytest.mark.parametrize(("name", "share"), [("MobileNetV2", 0.65), ("ResNet50", 0.9), ("EfficientNetB0", 0.9)])
def test_the_folded_top_computes_what_the_top_does(name, share):
    top = top_of(name, share)
    quick = folded(top, batch_size=4, threads=1)
    quick.refresh()
    for count in (4, 6, 1):  # whole batches and parts of one
        given = activations(top, count)
        np.testing.assert_allclose(quick(given), top(given, training=False), **CLOSE)


def test_a_refresh_takes_over_the_weights_of_now():
    top = top_of("MobileNetV2", 0.9)
    quick = folded(top, batch_size=4, threads=1)
    given = activations(top, 4)
    quick.refresh()
    before = quick(given)
    random = np.random.default_rng(2)
    top.set_weights([weight * random.uniform(0.9, 1.1, weight.shape) for weight in top.get_weights()])
    np.testing.assert_array_equal(quick(given), before)
    quick.refresh()
    now = top(given, training=False)
    assert np.abs(now - before).max() > 0.01
    np.testing.assert_allclose(quick(given), now, **CLOSE)


# This cut leaves batch normalisation without its convolution; and the converter works a constant of MobileNetV3's
# activations into the kernels that follow.
@pytest.mark.parametrize(("name", "share"), [("MobileNet", 0.8), ("MobileNetV3Small", 0.8)])
def test_what_cannot_be_folded_is_left_to_keras(name, share):
    assert folded(top_of(name, share), batch_size=4, threads=1) is None


@pytest.mark.parametrize("batch_norm", ["batch", "moving"])
def test_evaluation_and_prediction_give_what_keras_s_give_on_the_same_weights(batch_norm):
    model = fine_tuned(tiny_study.params(fine={"batch_norm": batch_norm}))
    given = activations(model.top, 11)  # in batches of 4, 4 and 3
    labels = np.random.default_rng(3).integers(0, 2, len(given))
    data = Batches(given, labels, 4, np.arange(len(given)))
    for _ in range(2):
        model.fit(data.dataset, shuffle=False, verbose=0)
        expected = model.evaluate(data.dataset, verbose=0, return_dict=True)
        assert training.evaluated(model, data) == pytest.approx(expected, rel=1e-4)
        np.testing.assert_allclose(training.logits(model, data), model.predict(data.dataset, verbose=0), **CLOSE)


def test_keras_s_engine_evaluates_by_keras():
    assert fine_tuned(tiny_study.params(fine={"engine": "keras"})).quick is None


def fine_tuned(params: Params) -> training.FineTuned:
    """A small network of seeded weights, compiled for the fine phase."""
    keras.utils.set_random_seed(0)
    backbone = keras.applications.MobileNetV2(input_shape=(SIZE, SIZE, 3), alpha=0.35, include_top=False, weights=None)
    head = training.build_head(1280, classes=2, dropout=0.2, seed=0)
    return fine_phase.fine_tuned(backbone, head, SimpleNamespace(classes=2, steps=3), params)
