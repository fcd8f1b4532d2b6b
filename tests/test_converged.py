"""The converged head, against the same penalised cross-entropy brought to its least value by SciPy."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.model_selection import StratifiedKFold

from stages.common.command import ThawError
from stages.common.params import Repeat
from stages.training.converged import PARTS_OF_TRAINING, STRENGTHS, converged_logits

RANDOM = np.random.default_rng(3)
TRAINING, VALIDATION, CHANNELS = 40, 9, 3


@dataclass
class Features:
    """Features and labels of a repeat, by part."""

    features: dict[str, np.ndarray]
    given: dict[str, np.ndarray]
    class_weights: dict[int, float] | None = None
    repeat: Repeat = field(default_factory=lambda: Repeat(number=1, seed=5, fold=None, draw=1))

    @property
    def classes(self) -> int:
        return int(self.given["training"].max()) + 1

    def pooled(self, part: str) -> np.ndarray:
        return self.features[part]

    def labels(self, part: str) -> np.ndarray:
        return self.given[part]


def made_up(classes: int) -> Features:
    """Classes that overlap, so that the penalty matters; channels of very different scales."""
    labels = {"training": np.arange(TRAINING) % classes, "validation": np.arange(VALIDATION) % classes}
    scales = np.array([1.0, 100.0, 0.01])
    features = {
        part: ((RANDOM.normal(size=(len(each), CHANNELS)) + 0.7 * each[:, np.newaxis]) * scales).astype(np.float32)
        for part, each in labels.items()
    }
    return Features(features, labels)


def standardised(features: Features) -> dict[str, np.ndarray]:
    training = features.features["training"].astype(float)
    return {part: (each - training.mean(axis=0)) / training.std(axis=0) for part, each in features.features.items()}


def fitted(inputs: np.ndarray, labels: np.ndarray, strength: float) -> np.ndarray:
    """Weights and bias, which bears no penalty: the least of half their square sum and `strength` times the losses."""
    signs = 2 * labels - 1

    def objective(weights: np.ndarray) -> float:
        margins = signs * (inputs @ weights[:-1] + weights[-1])
        return weights[:-1] @ weights[:-1] / 2 + strength * np.logaddexp(0, -margins).sum()

    return minimize(objective, np.zeros(CHANNELS + 1), tol=1e-12).x


def logits(inputs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return inputs @ weights[:-1] + weights[-1]


def test_the_head_is_the_least_of_the_penalised_loss_at_the_strength_that_parts_of_training_choose():
    features = made_up(2)
    inputs, labels = standardised(features), features.given["training"]
    parts = StratifiedKFold(PARTS_OF_TRAINING, shuffle=True, random_state=5)
    losses = {strength: [] for strength in STRENGTHS}
    for rows, held_out in parts.split(inputs["training"], labels):
        for strength, found in losses.items():
            weights = fitted(inputs["training"][rows], labels[rows], strength)
            signs = 2 * labels[held_out] - 1
            found.append(np.logaddexp(0, -signs * logits(inputs["training"][held_out], weights)).mean())
    best = min(losses, key=lambda strength: np.mean(losses[strength]))
    assert STRENGTHS[0] < best < STRENGTHS[-1]  # the grid is wide enough for this choice to be one
    expected = logits(inputs["validation"], fitted(inputs["training"], labels, best))
    found = converged_logits(features, threads=1)
    assert found.shape == (VALIDATION, 1)
    # Solvers stop at gradients of 1e-4, of losses summed over 40 pictures.
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("classes", [2, 3])
def test_no_validation_picture_has_a_say_in_the_others(classes):
    features = made_up(classes)
    before = converged_logits(features, threads=1)
    assert before.shape == (VALIDATION, 1 if classes == 2 else classes)
    changed = features.features["validation"].copy()
    changed[0] = 50 * changed[0] + 7
    others = dict(features.features, validation=changed)
    labels = dict(features.given, validation=features.given["validation"][::-1])
    after = converged_logits(Features(others, labels), threads=1)
    np.testing.assert_array_equal(after[1:], before[1:])
    assert (after[0] != before[0]).any()


@pytest.mark.parametrize("fewest", [2, 3, 4])
def test_a_class_of_fewer_pictures_than_parts_has_one_in_each_of_fewer_parts(fewest, recwarn):
    features = made_up(2)
    features.given["training"] = (np.arange(TRAINING) < fewest).astype(int)
    assert np.isfinite(converged_logits(features, threads=1)).all()
    assert not recwarn.list


@pytest.mark.parametrize("fewest", [0, 1])
def test_a_class_that_none_can_be_held_out_of_is_refused(fewest, told):
    features = made_up(3)
    features.given["training"] = np.where(np.arange(TRAINING) < fewest, 1, 2 * (np.arange(TRAINING) % 2))
    with pytest.raises(ThawError) as error:
        converged_logits(features, threads=1)
    assert str(error.value) == (
        f"repeat 1: a class has {fewest} training images, and the converged head needs 2 of each to hold one out; "
        "give it more"
    )
    told("manifest", str(error.value), f"{fewest} training images of a class")
