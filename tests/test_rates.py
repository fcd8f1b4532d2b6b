"""Rates and optimizers of head and fine phase, against steps of plain Keras optimizers and worked out by hand."""

from math import cos, pi
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_study

from stages.common.params import Schedule
from stages.training import fine_phase, models, transfer_phase

CHANNELS = 3
STEPS = 5  # of an epoch
EPOCHS = 2
DATA = SimpleNamespace(channels=CHANNELS, classes=2, steps=STEPS, repeat=tiny_study.ON_SPLIT)
RANDOM = np.random.default_rng(0)
POOLED = RANDOM.normal(size=(8, CHANNELS)).astype(np.float32)
ACTIVATIONS = RANDOM.normal(size=(8, 4, 4, 2)).astype(np.float32)
LABELS = RANDOM.integers(0, 2, size=(8, 1)).astype(np.float32)


def params(**own: object) -> object:
    """Of a schedule with keys of its own, on a network of two layers and a head without dropout."""
    base = tiny_study.params(head={"dropout": 0.0}, fine={"from_layer": "low", "engine": "keras", "groups": 1})
    return base.of(Schedule(dataset="tiny", transfer=1, fine=1, **own))


def test_a_step_of_the_head_is_its_own_rate_down_the_gradient():
    head = transfer_phase.compiled_head(DATA, params(head_optimizer="sgd", head_rate=0.3))
    kernel, bias = head.get_weights()
    # Of cross-entropy: the mean over the batch of (probability - label) times the input.
    wrong = 1 / (1 + np.exp(-(POOLED @ kernel + bias))) - LABELS
    head.train_on_batch(POOLED, LABELS)
    moved = head.get_weights()
    np.testing.assert_allclose(moved[0], kernel - 0.3 * (POOLED.T @ wrong) / len(LABELS), rtol=1e-5)
    np.testing.assert_allclose(moved[1], bias - 0.3 * wrong.mean(axis=0), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_the_head_s_optimizer_is_the_one_named(name):
    head = transfer_phase.compiled_head(DATA, params(head_optimizer=name, head_rate=0.02))
    assert type(head.optimizer).__name__.lower() == name
    assert float(head.optimizer.learning_rate) == pytest.approx(0.02)


def network() -> tuple[keras.Model, keras.Model]:
    """A backbone of a frozen convolution and a trained one, and a head, always with the same weights."""
    pictures = outputs = keras.Input((4, 4, 2))
    for seed, name in enumerate(("frozen", "low")):
        outputs = keras.layers.Conv2D(CHANNELS, 1, name=name, kernel_initializer=keras.initializers.HeNormal(seed))(
            outputs
        )
    return keras.Model(pictures, outputs), models.build_head(CHANNELS, 2, 0.0, seed=1)


def compiled_top(**own: object) -> tuple[keras.Model, keras.Model, keras.Model]:
    backbone, head = network()
    return backbone, head, fine_phase.compiled_top(backbone, head, DATA, params(**own), EPOCHS)


def gradients(variables: list) -> list:
    """Of the whole network's cross-entropy, for variables in the order of its top layer and its head."""
    backbone, head = network()
    with tf.GradientTape() as tape:
        frozen = backbone.get_layer("frozen")(ACTIVATIONS)
        logits = head(tf.reduce_mean(backbone.get_layer("low")(frozen), axis=(1, 2)))
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(LABELS, logits))
    own = [*backbone.get_layer("low").trainable_variables, *head.trainable_variables]
    assert [variable.shape for variable in own] == [variable.shape for variable in variables]
    return tape.gradient(loss, [variable.value for variable in own])


@pytest.mark.parametrize("name", ["sgd", "adam", "rmsprop"])
@pytest.mark.parametrize(("own", "head_rate"), [({}, 0.01), ({"fine_head_rate": 0.2}, 0.2)])
def test_a_fine_step_is_that_of_a_plain_optimizer_for_each_rate(name, own, head_rate):
    backbone, head, model = compiled_top(fine_optimizer=name, fine_rate=0.01, **own)
    low = backbone.get_layer("low")
    trained = [*low.trainable_variables, *head.trainable_variables]
    expected = [keras.Variable(variable.value) for variable in trained]
    found = gradients(trained)
    for rate, variables, given in ((0.01, expected[:2], found[:2]), (head_rate, expected[2:], found[2:])):
        plain = keras.optimizers.get({"class_name": name, "config": {"learning_rate": rate}})
        plain.apply(given, variables)
    frozen = backbone.get_layer("frozen")
    before = frozen.get_weights()
    model.train_on_batch(frozen(ACTIVATIONS), LABELS)
    for variable, other in zip(trained, expected, strict=True):
        np.testing.assert_allclose(variable, other, rtol=1e-4, atol=1e-6)  # float32 sums in another order
    for weight, same in zip(frozen.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, same)


def rates(**own: object) -> list[float]:
    """The rate of each step of the phase."""
    optimizer = compiled_top(fine_optimizer="sgd", fine_rate=0.4, **own)[2].optimizer
    found = []
    for _ in range(EPOCHS * STEPS):
        found.append(float(optimizer.learning_rate))
        optimizer.iterations.assign_add(1)
    return found


def test_without_decay_the_rate_stays():
    assert rates() == pytest.approx([0.4] * 10)


def test_the_cosine_starts_at_the_rate_halves_it_in_the_middle_and_ends_near_zero():
    found = rates(decay="cosine")
    assert (found[0], found[5]) == pytest.approx((0.4, 0.2))
    assert found[-1] == pytest.approx(0.4 * 0.5 * (1 + cos(pi * 9 / 10)))  # the step after it would be 0
    assert sorted(found, reverse=True) == found


def test_the_warm_up_rises_into_the_cosine():
    found = rates(decay="cosine", warm_up_epochs=1)
    risen = [(step + 1) / STEPS for step in range(STEPS)] + [1.0] * STEPS
    assert found == pytest.approx([share * rate for share, rate in zip(risen, rates(decay="cosine"), strict=True)])


def test_the_cosine_scales_the_head_s_own_rate_too():
    backbone, head, model = compiled_top(fine_optimizer="sgd", fine_rate=0.1, fine_head_rate=0.4, decay="cosine")
    model.optimizer.iterations.assign(5)  # the middle: half of each rate
    kernel = head.get_weights()[0]
    gradient = gradients([*backbone.get_layer("low").trainable_variables, *head.trainable_variables])[2]
    model.train_on_batch(backbone.get_layer("frozen")(ACTIVATIONS), LABELS)
    np.testing.assert_allclose(head.get_weights()[0], kernel - 0.2 * gradient.numpy(), rtol=1e-4, atol=1e-6)


def test_each_head_has_a_file_of_its_own(tmp_path):
    heads = [params(), params(head_rate=1.2345678e-3), params(head_rate=1.2345679e-3), params(head_optimizer="sgd")]
    paths = [transfer_phase.path_in(tmp_path, each.transfer, 2) for each in heads]
    assert paths[0] == tmp_path / "adam-0.0001" / "repeat-2.npz"
    assert len(set(paths)) == 4


@pytest.mark.parametrize(("decay", "shared"), [("none", True), ("cosine", False)])
def test_a_longer_run_resumes_from_a_shorter_one_unless_its_rate_depends_on_the_epochs_to_come(tmp_path, decay, shared):
    data = SimpleNamespace(identity={"number": 1})

    def name(epochs: int) -> str:
        numbers = range(4, 4 + epochs)
        return fine_phase.checkpoint_path(tmp_path, "features", numbers, [np.zeros(1)], data, params(decay=decay)).name

    assert (name(3) == name(5)) is shared
    assert name(3) == name(3)
