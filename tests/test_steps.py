"""Training batch by batch, against Keras's `fit` on the same batches."""

import numpy as np
import pytest

from stages.network.keras_quietly import keras
from stages.training import models, optimizers
from stages.training.batches import Batches, Joined
from stages.training.steps import Steps

IMAGES, CHANNELS, BATCH = 53, 6, 8  # the last batch is short
RANDOM = np.random.default_rng(3)
POOLED = RANDOM.normal(size=(IMAGES, CHANNELS)).astype(np.float32)
EPOCHS = 3


def compiled(classes: int) -> keras.Model:
    head = models.build_head(CHANNELS, classes, dropout=0.5, seed=1)
    models.compile_model(head, optimizers.fresh("adam", 0.1), classes)
    models.reset_dropout(head, seed=1, epoch=1)
    return head


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("classes", [2, 3])
def test_means_and_weights_are_those_of_fit_bit_for_bit(classes, weighted):
    labels = RANDOM.integers(0, classes, IMAGES)
    class_weights = np.arange(1, classes + 1, dtype=np.float32) / 2 if weighted else None
    batches = Batches(Joined([POOLED], np.array([0, IMAGES])), labels, BATCH, np.arange(IMAGES), class_weights)
    head, plain = compiled(classes), compiled(classes)
    steps = Steps(head)
    means = [steps.train(batches) for _ in range(EPOCHS)]
    history = plain.fit(
        POOLED,
        labels[:, np.newaxis].astype(np.float32),
        sample_weight=None if class_weights is None else class_weights[labels],
        batch_size=BATCH,
        epochs=EPOCHS,
        shuffle=False,
        verbose=0,
    ).history
    assert means == [dict(zip(history, values, strict=True)) for values in zip(*history.values(), strict=True)]
    for ours, keras_s in zip(head.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, keras_s)


def test_the_step_is_traced_once(monkeypatch):
    head = compiled(2)
    traced, train_step = [], head.train_step
    monkeypatch.setattr(head, "train_step", lambda batch: traced.append(batch) or train_step(batch))
    batches = Batches(Joined([POOLED], np.array([0, IMAGES])), np.arange(IMAGES) % 2, BATCH, np.arange(IMAGES))
    steps = Steps(head)
    for _ in range(EPOCHS):
        steps.train(batches)
    assert len(traced) == 1
