"""Styles of the fine phase: gradual unfreezing, rates by layer, warm-up; on a network of a few layers."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tiny_study

from stages.training import fine_phase, models, optimizers
from stages.training.batches import Batches, Joined
from stages.training.steps import Steps

RATE = 0.1
STEPS = 3  # of an epoch
EPOCHS = 4
DATA = SimpleNamespace(steps=STEPS, classes=2)
LAYERS = ["frozen", "low", "middle", "high"]


def backbone() -> keras.Model:
    """Four convolutions, each with weights; `frozen` lies below the first unfrozen layer."""
    pictures = outputs = keras.Input((4, 4, 2))
    for name in LAYERS:
        outputs = keras.layers.Conv2D(2, 1, name=name, kernel_initializer="ones")(outputs)
    return keras.Model(pictures, outputs)


def compiled_top(network: keras.Model, **style: object) -> models.FineTuned:
    """`network` compiled for a fine phase by plain gradient descent, whose steps are rate times gradient."""
    head = models.build_head(2, classes=2, dropout=0.0, seed=1)
    return fine_phase.compiled_top(network, head, DATA, params(**style), EPOCHS)


def params(**style: object) -> object:
    fine = {"from_layer": "low", "optimizer": "sgd", "learning_rate": RATE, "groups": 3, "epochs_a_group": 2}
    return tiny_study.params(fine=fine | {"engine": "keras"} | style)


def moved(network: keras.Model, steps: Steps) -> dict[str, float]:
    """How far one batch of training moves each layer's weights and the head's, by name."""
    layers = {name: network.get_layer(name) for name in LAYERS} | {"head": steps.model.head}
    before = {name: layer.get_weights() for name, layer in layers.items()}
    random = np.random.default_rng(0)
    activations = random.normal(size=(8, 4, 4, 2)).astype("float32")
    steps.train(Batches(Joined([activations], np.array([0, 8])), random.integers(0, 2, size=8), 8, np.arange(8)))
    return {
        name: sum(np.abs(new - old).sum() for new, old in zip(layer.get_weights(), before[name], strict=True))
        for name, layer in layers.items()
    }


@pytest.mark.parametrize(
    ("epoch", "trained"),
    [
        (11, ["high", "head"]),
        (12, ["high", "head"]),
        (13, ["middle", "high", "head"]),
        (15, ["low", "middle", "high", "head"]),
        (40, ["low", "middle", "high", "head"]),
    ],
)
def test_groups_join_from_the_top_whichever_epoch_a_run_goes_on_from(epoch, trained):
    network = backbone()
    steps = Steps(compiled_top(network, unfreezing="gradual"))
    before_epoch = fine_phase._before_each_epoch(network, DATA.classes, params(unfreezing="gradual").fine, first=11)
    before_epoch(steps.model, epoch)
    assert [name for name, distance in moved(network, steps).items() if distance > 0] == trained


def test_a_group_trains_from_the_epoch_in_which_it_joins():
    network = backbone()
    steps = Steps(compiled_top(network, unfreezing="gradual"))
    before_epoch = fine_phase._before_each_epoch(network, DATA.classes, params(unfreezing="gradual").fine, first=1)
    trained = []
    for epoch in (1, 3, 5):
        before_epoch(steps.model, epoch)
        trained.append([name for name, distance in moved(network, steps).items() if distance > 0])
    assert trained == [["high", "head"], ["middle", "high", "head"], ["low", "middle", "high", "head"]]


def test_the_optimizer_keeps_its_state_when_a_group_joins():
    network = backbone()
    model = compiled_top(network, unfreezing="gradual", optimizer="adam")
    before_epoch = fine_phase._before_each_epoch(network, DATA.classes, params(unfreezing="gradual").fine, first=1)
    before_epoch(model, 1)
    moved(network, Steps(model))
    optimizer, steps = model.optimizer, int(model.optimizer.iterations)
    states = [variable.numpy() for variable in optimizer.variables]
    before_epoch(model, 3)
    assert model.optimizer is optimizer
    assert int(optimizer.iterations) == steps == 1
    for variable, state in zip(optimizer.variables, states, strict=True):
        np.testing.assert_array_equal(variable, state)


def test_each_group_trains_at_its_share_of_the_rate_of_the_group_above():
    plain, scaled = backbone(), backbone()
    at_once = moved(plain, Steps(compiled_top(plain)))
    decayed = moved(scaled, Steps(compiled_top(scaled, layer_decay=0.5)))
    shares = {name: decayed[name] / at_once[name] for name in [*LAYERS[1:], "head"]}
    # The head at the whole rate, the group below it at half of it, and so on.
    # A weight near 1 moves by some thousandths, which float32 keeps to 4 digits.
    assert shares == pytest.approx({"low": 0.125, "middle": 0.25, "high": 0.5, "head": 1}, rel=1e-3)
    assert decayed["frozen"] == 0


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_scaled_rates_reach_optimizers_that_divide_by_the_gradient_s_size(name):
    variables = [keras.Variable([0.0], name=f"variable_{index}") for index in range(2)]
    optimizer = optimizers.fresh(name, RATE)
    optimizer.build(variables)
    optimizers.scale_rates(optimizer, {variables[1].path: 0.25})
    optimizer.apply([keras.ops.ones(1), keras.ops.ones(1)], variables)
    assert float(variables[1][0]) / float(variables[0][0]) == pytest.approx(0.25)


def test_the_rate_rises_linearly_over_the_warm_up_epochs():
    model = compiled_top(backbone(), warm_up_epochs=2)
    rates = []
    for _ in range(2 * STEPS + 2):
        rates.append(float(model.optimizer.learning_rate))
        model.optimizer.iterations.assign_add(1)
    assert rates == pytest.approx([RATE * share for share in (1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1, 1, 1)])


@pytest.mark.parametrize(("groups", "expected"), [(1, [3]), (2, [2, 1]), (3, [1, 1, 1]), (5, [1, 0, 1, 0, 1])])
def test_groups_hold_about_as_many_layers_each(groups, expected):
    parts = fine_phase.groups(backbone(), params(groups=groups).fine)
    assert sorted(map(len, parts)) == sorted(expected)
    assert [layer.name for part in parts for layer in part] == LAYERS[1:]
