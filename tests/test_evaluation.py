"""Evaluation by one traced forward pass, against Keras's `evaluate`."""

import numpy as np
import pytest

from stages.network.keras_quietly import keras
from stages.training import models, optimizers
from stages.training.batches import Batches, Joined
from stages.training.evaluation import build_forward_pass, measure

IMAGES, CHANNELS, BATCH = 53, 6, 8  # the last batch is short
RANDOM = np.random.default_rng(2)
POOLED = RANDOM.normal(size=(IMAGES, CHANNELS)).astype(np.float32)


def compiled(classes: int) -> keras.Model:
    head = models.build_head(CHANNELS, classes, dropout=0.5, seed=1)
    models.compile_model(head, optimizers.fresh("sgd", 0.5), classes)
    return head


@pytest.mark.parametrize(("classes", "units"), [(2, 1), (4, 4)])
def test_loss_and_accuracy_are_keras_s_as_the_weights_are_when_it_is_called(classes, units):
    head, labels = compiled(classes), RANDOM.integers(0, classes, IMAGES)
    read = Batches(Joined([POOLED], np.array([0, IMAGES])), labels, BATCH, np.arange(IMAGES))
    forward_pass = build_forward_pass(head, read.inputs.shape)
    found = []
    for _ in range(2):
        measured = measure(forward_pass, read)
        expected = head.evaluate(POOLED, labels[:, np.newaxis].astype("float32"), return_dict=True, verbose=0)
        # Keras sums batch by batch in float32.
        assert (measured.loss, measured.accuracy) == pytest.approx((expected["loss"], expected["accuracy"]), rel=1e-6)
        logits = head.predict(POOLED, verbose=0)
        assert measured.logits.shape == logits.shape == (IMAGES, units)
        np.testing.assert_allclose(measured.logits, logits, rtol=1e-5, atol=1e-6)  # batches of another size
        found.append(measured.loss)
        head.fit(iter(read), steps_per_epoch=len(read), shuffle=False, verbose=0)
    assert found[0] != found[1]


def test_a_logit_of_0_is_class_0_as_keras_has_it():
    head = compiled(2)
    head.set_weights([np.zeros((CHANNELS, 1)), np.zeros(1)])
    labels = np.array([0, 0, 1])
    read = Batches(Joined([POOLED[:3]], np.array([0, 3])), labels, BATCH, np.arange(3))
    expected = head.evaluate(POOLED[:3], labels[:, np.newaxis].astype("float32"), return_dict=True, verbose=0)
    measured = measure(build_forward_pass(head, read.inputs.shape), read)
    assert measured.accuracy == pytest.approx(expected["accuracy"]) == 2 / 3
    assert measured.loss == pytest.approx(np.log(2))
