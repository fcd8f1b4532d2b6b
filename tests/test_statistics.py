"""Intervals and tests against values worked out by hand or from tables."""

import math

import made_up_study
import numpy as np
import pytest

from stages.study import statistics
from stages.study.statistics import Estimate

T_975_OF_2 = 4.302653  # Student's t with 2 degrees of freedom, from a table
SETTINGS = made_up_study.SETTINGS


def test_three_seeds_have_student_s_interval():
    estimate = statistics.over_seeds([1.0, 2.0, 3.0], 0.95)
    half = T_975_OF_2 / math.sqrt(3)  # the standard deviation is 1
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((2, 2 - half, 2 + half))
    t = 2 * math.sqrt(3)
    assert estimate.p_value == pytest.approx(1 - t / math.sqrt(t**2 + 2))  # its closed form for 2 degrees of freedom


def test_one_seed_has_no_interval_and_shows_nothing():
    assert statistics.over_seeds([5.0], 0.95) == Estimate(5.0, None, None, 1.0)


@pytest.mark.parametrize(("value", "p_value"), [(3.0, 0.0), (0.0, 1.0)])
def test_seeds_that_agree_have_an_interval_of_no_width(value, p_value):
    assert statistics.over_seeds([value, value + 1e-9], 0.95) == Estimate(value, value, value, p_value)


def test_a_bootstrap_of_two_images_draws_the_four_pairs_alike():
    # The pairs (0, 0), (0, 1), (1, 0) and (1, 1) have means 0, 0.5, 0.5 and 1; a quarter of them does not exceed 0.
    estimate = statistics.over_images(np.array([0.0, 1.0]), SETTINGS)
    assert (estimate.value, estimate.low, estimate.high) == (0.5, 0.0, 1.0)
    assert estimate.p_value == pytest.approx(0.5, abs=0.06)


def test_images_that_all_differ_alike_have_the_least_p_value_of_their_draws():
    estimate = statistics.over_images(np.full(5, -0.25), SETTINGS)
    assert estimate == Estimate(-0.25, -0.25, -0.25, pytest.approx(2 / 2001))


def test_the_bootstrap_draws_the_same_every_time():
    differences = np.array([0.1, -0.3, 0.5, 0.2])
    assert statistics.over_images(differences, SETTINGS) == statistics.over_images(differences, SETTINGS)


def test_one_image_has_no_interval():
    assert statistics.over_images(np.array([0.5]), SETTINGS) == Estimate(0.5, None, None, 1.0)


def test_a_difference_that_seeds_disagree_about_is_noise_though_images_agree():
    losses = np.array([[0.1] * 4, [0.9] * 4])
    estimate = statistics.difference(losses, np.zeros((2, 4)), SETTINGS)
    half = 12.7062 * 0.4  # t with 1 degree of freedom, times the standard error
    assert (estimate.low, estimate.high) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-4)
    assert estimate.p_value == pytest.approx(1 - 2 / math.pi * math.atan(0.5 / 0.4))  # Cauchy's distribution


def test_a_difference_that_images_disagree_about_is_noise_though_seeds_agree():
    estimate = statistics.difference(np.array([[-1.0, 1.2]] * 3), np.zeros((3, 2)), SETTINGS)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0.1, -1.0, 1.2))
    assert not estimate.differs(0.95)


def test_with_one_seed_the_difference_has_the_noise_of_the_images_alone():
    losses = np.array([[0.2, 0.3, 0.25]])
    assert statistics.difference(losses, np.zeros((1, 3)), SETTINGS) == statistics.over_images(losses[0], SETTINGS)


@pytest.mark.parametrize(
    ("ahead", "behind", "p_value"),
    [
        (5, 0, 2 / 32),
        (1, 3, 10 / 16),  # (1 + 4) of 16 outcomes, on both sides
        (0, 0, 1),
        (2, 2, 1),
    ],
)
def test_mcnemar_s_test_counts_the_discordant_images(ahead, behind, p_value):
    correct = np.array([[True] * ahead + [False] * behind + [True, False]])
    others = np.array([[False] * ahead + [True] * behind + [True, False]])
    assert statistics.discordant(correct, others) == (ahead, behind, pytest.approx(p_value))


def test_of_several_seeds_the_one_ahead_is_right_more_often():
    correct = np.array([[True, False, True], [True, False, False], [False, True, False]])
    others = np.array([[True, False, True], [False, True, False], [False, True, False]])
    assert statistics.discordant(correct, others) == (1, 1, 1.0)  # 2 : 1, 1 : 2, 1 : 1


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [([], []), ([0.2], [0.2]), ([0.01, 0.02, 0.03], [0.03, 0.03, 0.03]), ([1.0, 0.01, 0.04], [1.0, 0.03, 0.06])],
)
def test_p_values_rise_with_the_number_of_tests(p_values, adjusted):
    assert statistics.adjusted_p_values(p_values) == pytest.approx(adjusted)
    estimates = statistics.adjusted([Estimate(1.0, 0.5, 1.5, p_value) for p_value in p_values])
    assert [(estimate.low, estimate.p_value) for estimate in estimates] == [(0.5, pytest.approx(p)) for p in adjusted]


@pytest.mark.parametrize(
    ("estimate", "above", "below"),
    [
        (Estimate(0.2, 0.1, 0.3, 0.01), True, False),
        (Estimate(-0.2, -0.3, -0.1, 0.01), False, True),
        (Estimate(0.2, -0.1, 0.5, 0.3), False, False),
        (Estimate(0.2, None, None), False, False),
    ],
)
def test_a_difference_counts_where_noise_does_not_explain_it(estimate, above, below):
    assert (estimate.lies_above(0.95), estimate.lies_below(0.95)) == (above, below)
    turned = estimate.reversed()
    assert (turned.lies_above(0.95), turned.lies_below(0.95)) == (below, above)
    assert turned.reversed() == estimate
