"""The words of a contrast with a margin, what would settle one, and families whose intervals hold all at once."""

import numpy as np
import pytest
from made_up_study import SETTINGS
from scipy import stats

from stages.study import simultaneous, two_way
from stages.study.equivalence import Contrast
from stages.study.two_way import Estimate, Noise, Sample


def contrast(value, error, *, margin=0.01, degrees=20.0, repeats=5, **options):
    return Contrast(Estimate(value, error, degrees), margin, 0.95, repeats, **options)


@pytest.mark.parametrize(
    ("value", "error", "word", "remark"),
    [
        (-0.05, 0.01, "better", ""),
        (0.05, 0.01, "worse", ""),
        (0.001, 0.002, "no difference beyond the margin", ""),
        (0.008, 0.002, "worse", ""),  # beyond the noise, and perhaps by more than the margin
        (0.004, 0.001, "worse", "worse by less than the margin of 0.01"),
        (-0.004, 0.001, "better", "better by less than the margin of 0.01"),
        (0.001, 0.02, "cannot tell", ""),  # not significant, and not equal either
        (0.0, 0.0, "no difference beyond the margin", ""),
        (0.02, None, "cannot tell", ""),
    ],
)
def test_a_contrast_in_words(value, error, word, remark):
    found = contrast(value, error)
    assert (found.word, found.remark) == (word, remark)


def test_where_more_is_better_the_words_turn_round():
    assert contrast(0.05, 0.01, lower_is_better=False).word == "better"
    assert contrast(-0.05, 0.01, lower_is_better=False).word == "worse"


def test_one_repeat_says_nothing_of_schedules():
    found = contrast(0.05, 0.001, repeats=1)
    assert (found.word, found.is_not_worse) == ("cannot tell", False)
    assert found.settle == "more repeats; one repeat is too few to estimate how many"


@pytest.mark.parametrize(("value", "expected"), [(0.006, True), (0.0067, False), (-0.05, True)])
def test_not_worse_is_one_sided(value, expected):
    # Student's t of 20 degrees of freedom: 1.725 at 95 %, one-sided; 0.0066 + 1.725 * 0.002 is the margin.
    assert contrast(value, 0.002).is_not_worse == expected
    assert contrast(-value, 0.002, lower_is_better=False).is_not_worse == expected


def test_equivalence_is_two_one_sided_tests():
    # The same by scipy: both t-tests against the margin on the same values.
    values = np.random.default_rng(0).normal(0.002, 0.01, 30)
    sample = Sample(list(values[:, None]), crossed=False)
    p_value = max(
        stats.ttest_1samp(values, 0.005, alternative="less").pvalue,
        stats.ttest_1samp(values, -0.005, alternative="greater").pvalue,
    )
    for confidence, expected in ((1 - p_value - 1e-6, True), (1 - p_value + 1e-6, False)):
        assert Contrast(sample.estimate(), 0.005, confidence, 30).is_equivalent == expected


def test_intervals_and_p_values_of_a_family_are_adjusted_alike():
    alone, one_of_four = contrast(0.05, 0.02), contrast(0.05, 0.02, factor=4.0)
    assert one_of_four.p_value == pytest.approx(4 * alone.p_value)
    assert one_of_four.interval == pytest.approx(alone.estimate.interval(1 - 0.05 / 4))
    for value in np.linspace(0.02, 0.08, 25):
        found = contrast(value, 0.02, factor=4.0)
        assert (found.p_value <= 0.05) == (found.interval[0] > 0)


def noise(repeat=0.0, picture=0.0, both=0.0, crossed=True):
    return Noise(repeat, picture, both, repeats=5, pictures=300, crossed=crossed)


def open_contrast(value, parts, margin=0.001):
    error, degrees = parts.scaled(1, 1)
    return Contrast(Estimate(value, error, degrees, parts), margin, 0.95, 5)


def test_noise_of_pictures_is_settled_by_pictures():
    # 1.5 times its error, where 2.8 times are wanted: 1.96 + 0.84.
    found = open_contrast(0.015, noise(picture=0.01**2))
    assert found.settle.startswith("about ")
    pictures = int(found.settle.split()[1].replace(",", ""))
    assert pictures == pytest.approx(300 * (2.8 / 1.5) ** 2, rel=0.05)
    assert "repeats" not in found.settle


def test_noise_of_repeats_is_settled_by_repeats():
    found = open_contrast(0.02, noise(repeat=0.01**2))
    # Student's t of 10 repeats: 2.26 + 0.88 errors of 0.01 * root(5 / 10) are 0.022; of 12, 2.20 + 0.88, 0.0199.
    assert found.settle == "about 12 repeats instead of 5"


def test_an_equal_pair_is_settled_by_its_margin():
    # No difference: 1.645 + 0.84 errors must fit into the margin of 0.015; they are 0.0249 with 300 pictures.
    found = open_contrast(0.0, noise(picture=0.01**2), margin=0.015)
    assert int(found.settle.split()[1]) == pytest.approx(300 * (0.0249 / 0.015) ** 2, rel=0.05)


def test_noise_of_both_is_settled_by_more_of_both():
    # With infinitely many of either the other's noise remains: 2.8 errors of 0.01 are more than 0.02.
    found = open_contrast(0.02, noise(repeat=0.01**2, picture=0.01**2))
    numbers = [int(word.replace(",", "")) for word in found.settle.split() if word[0].isdigit()]
    pictures, repeats, *now = numbers
    assert now == [300, 5]
    assert pictures == pytest.approx(repeats * 60, rel=0.05)  # of either, two digits are given
    assert repeats == pytest.approx(5 * 2 * (2.9 / 2) ** 2, abs=1)  # 2.04 + 0.86 of Student's t with some 25 degrees


def test_what_no_feasible_number_settles_is_said():
    found = open_contrast(0.001, noise(repeat=0.1**2, picture=0.1**2), margin=0.0001)
    assert found.settle == "nothing feasible: even 100 times as many pictures and repeats would be too few"


def test_pictures_of_folds_are_those_of_each():
    found = open_contrast(0.02, noise(both=0.01**2, crossed=False))
    assert "validation pictures a repeat instead of 300, or about 12 repeats instead of 5" in found.settle


def test_what_has_no_pictures_is_settled_by_repeats():
    found = Contrast(two_way.over_repeats([0.1, 0.2, 0.0]), 0.001, 0.95, 3)
    # Student's t of 11 repeats: 2.23 + 0.88 errors of 0.1 / root(11) are 0.094; of 10, 2.26 + 0.88, 0.0995, no more
    # than 0.1; of 9, 2.31 + 0.89, 0.107.
    assert found.settle == "about 10 repeats instead of 3"


def test_what_has_no_noise_to_divide_is_settled_by_an_unknown_number_of_repeats():
    assert contrast(0.02, 0.03).settle == "more repeats; how many cannot be estimated"


def test_a_verdict_that_stands_needs_nothing():
    assert contrast(0.05, 0.01).settle == ""


def family(random, schedules=4, repeats=5, pictures=100):
    """The differences of schedules, all alike, from the first."""
    values = [random.normal(size=(repeats, pictures)) + random.normal(size=pictures) for _ in range(schedules)]
    return [Sample(list(each - values[0]), crossed=True) for each in values[1:]]


def test_a_family_errs_together_at_its_level():
    random, runs = np.random.default_rng(2), 400
    wrong = 0
    for _ in range(runs):
        samples = family(random)
        factor = simultaneous.factor(samples, SETTINGS)
        assert 1 < factor <= len(samples)
        wrong += any(sample.estimate().p_value * factor <= 0.05 for sample in samples)
    assert wrong / runs == pytest.approx(0.05, abs=0.033)  # three standard errors


def test_correlated_differences_cost_less_than_bonferroni_and_equal_ones_nothing():
    random = np.random.default_rng(2)
    first = family(random)[0]
    alike = Sample([part + 1e-6 * random.normal(size=part.shape) for part in first.values], crossed=True)
    assert simultaneous.factor([first, alike], SETTINGS) == pytest.approx(1, abs=0.15)  # 2000 draws
    assert simultaneous.factor([first], SETTINGS) == 1
    assert simultaneous.factor([], SETTINGS) == 1


def test_differences_without_noise_count_by_bonferroni():
    still = [Sample([np.full(4, value)] * 3, crossed=True) for value in (0.1, 0.2, 0.3)]
    assert simultaneous.factor(still, SETTINGS) == 3
