"""The mean over repeats and pictures: by hand, its size and power simulated, and beside a bootstrap of both."""

import numpy as np
import pytest
from scipy import stats

from stages.study import two_way
from stages.study.two_way import Estimate, Sample

TRIALS = 1000  # a share of 5 % is then known to within 1.4 points

T_975_OF_2 = 4.302653  # Student's t with 2 degrees of freedom, from a table
SPREADS = {  # of one value's parts: repeat, picture, and the rest; those of the loss between two schedules, scaled
    "pictures matter": (0.0, 1.0, 0.5),
    "both matter": (0.08, 1.0, 0.5),
    "repeats matter": (0.2, 1.0, 1.0),
    "repeats alone matter": (1.0, 0.0, 1.0),
    "the rest matters": (0.03, 0.3, 1.0),
}
PICTURES = 288
RUNS = 1500  # simulated: a share of 5 % is then known to 0.6 % (one standard error)


def test_repeats_alone_have_student_s_interval():
    estimate = two_way.over_repeats([1.0, 2.0, 3.0])
    half = T_975_OF_2 / 3**0.5  # the standard deviation is 1
    assert (estimate.value, *estimate.interval(0.95)) == pytest.approx((2, 2 - half, 2 + half))
    t = 2 * 3**0.5
    assert estimate.p_value == pytest.approx(1 - t / (t**2 + 2) ** 0.5)  # its closed form for 2 degrees of freedom


def test_one_repeat_has_no_interval_and_shows_nothing():
    estimate = two_way.over_repeats([5.0])
    assert (estimate, estimate.interval(0.95), estimate.p_value) == (Estimate(5.0), (None, None), 1.0)


@pytest.mark.parametrize(("value", "p_value"), [(3.0, 0.0), (0.0, 1.0)])
def test_repeats_that_agree_have_an_interval_of_no_width(value, p_value):
    estimate = two_way.over_repeats([value, value + 1e-12])
    assert (*estimate.interval(0.95), estimate.p_value) == pytest.approx((value, value, p_value))


def test_crossed_mean_squares_by_hand():
    # Repeat means 2 and 4, picture means 1, 3 and 5; the rest is -1, 0, 1 and 1, 0, -1 by repeat.
    values = np.array([[-1.0, 2, 5], [3, 4, 5]])
    estimate = Sample(list(values), crossed=True).estimate()
    assert estimate.value == 3
    assert estimate.error == pytest.approx(((6 + 8 - 2) / 6) ** 0.5)
    # With 6 three times: (18 + 8 - 2)^2 over 18^2 / 1 + 8^2 / 2 + 2^2 / 2.
    assert estimate.degrees == pytest.approx(24**2 / (324 + 32 + 2))
    noise = estimate.noise
    assert (noise.repeat, noise.picture, noise.both) == pytest.approx((4 / 6, 1, 2 / 6))
    assert noise.scaled(1, 1)[0] == pytest.approx(estimate.error)
    assert noise.scaled(2, 3)[0] == pytest.approx((4 / 12 + 1 / 3 + 2 / 36) ** 0.5)


def test_nested_repeats_are_compared_by_their_means():
    values = [np.array([0.0, 2]), np.array([1.0, 3]), np.array([5.0, 7])]
    estimate = Sample(values, crossed=False).estimate()
    assert estimate.p_value == pytest.approx(stats.ttest_1samp([1, 2, 6], 0).pvalue)
    assert estimate.interval(0.9) == pytest.approx(tuple(stats.ttest_1samp([1, 2, 6], 0).confidence_interval(0.9)))
    # A picture's variance is 2 within every repeat of two, and the means' is 7: 1 of it is the pictures'.
    assert (estimate.noise.both, estimate.noise.repeat) == pytest.approx((1 / 3, 6 / 3))


def test_folds_whose_means_are_equal_by_chance_have_the_error_of_their_pictures():
    estimate = Sample([np.array([0.0, 2]), np.array([2.0, 0])], crossed=False).estimate()
    # A picture's variance is 2, that of a fold's mean 1, and that of the mean of both 1/2.
    assert (estimate.value, estimate.error, estimate.degrees) == pytest.approx((1, 0.5**0.5, 1))


def test_a_single_repeat_knows_the_noise_of_its_pictures():
    estimate = Sample([np.array([1.0, 2, 3])], crossed=True).estimate()
    assert (estimate.value, estimate.error, estimate.degrees) == (2, pytest.approx(3**-0.5), 2)


def test_no_variance_where_mean_squares_cancel_is_that_of_the_pictures():
    # Repeat means agree and picture means nearly do: MS_repeat + MS_picture - MS_error is below 0.
    values = np.array([[1.0, -1, 1.1, -1], [-1, 1, -1, 1.1]])
    estimate = Sample(list(values), crossed=True).estimate()
    assert estimate.degrees == 1
    assert estimate.error == pytest.approx((values.mean(axis=0).var(ddof=1) / 4) ** 0.5)


def test_an_interval_that_reaches_the_impossible_gives_way_to_the_repeats_own_range():
    assert two_way.possible((0.9, 1.1), [0.98, 1.0], 0, 1) == (0.98, 1.0)
    assert two_way.possible((0.9, 0.95), [0.91, 0.94], 0, 1) == (0.9, 0.95)
    assert two_way.possible((None, None), [0.9], 0, 1) == (None, None)


def test_pseudo_values_of_a_mean_are_those_of_its_groups():
    values = np.arange(20.0)
    pseudo = two_way.pseudo_values(lambda places: values[places].mean(), np.arange(20))
    groups = [values[group::10].mean() for group in range(10)]
    assert pseudo == pytest.approx(groups)


def test_pseudo_values_leave_out_whole_units():
    left_out = []
    two_way.pseudo_values(lambda places: left_out.append(set(range(12)) - set(places)) or 0.0, np.arange(12) // 4)
    assert left_out == [{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9, 10, 11}, set()]  # then all of them


def test_of_a_single_unit_nothing_is_left_out():
    values = np.arange(5.0)
    assert two_way.pseudo_values(lambda places: values[places].mean(), np.zeros(5, int)).tolist() == [2]


def test_a_unit_s_value_has_the_weight_of_its_pictures():
    # The mean is 2. The first unit's three pictures are 3 below it in sum, the second's one 3 above; 2 / 4 of that.
    assert two_way.of_units(np.array([1.0, 1.0, 1.0, 5.0]), np.array([0, 0, 0, 1])) == pytest.approx([0.5, 3.5])
    alone = np.array([0.1, 0.7, 0.4])
    assert two_way.of_units(alone, np.arange(3)) is alone


@pytest.mark.parametrize(("as_units", "least", "largest"), [(True, 0.03, 0.07), (False, 0.15, 1)])
def test_pictures_of_groups_take_the_group_as_the_unit(as_units, least, largest):
    # 40 groups of 1 to 6 pictures that share most of their difference, which is 0 on average; three repeats.
    random = np.random.default_rng(3)
    rejected = 0
    for _ in range(TRIALS):
        units = np.repeat(np.arange(40), random.integers(1, 7, 40))
        shared = random.normal(size=40)[units] + 0.5 * random.normal(size=len(units))
        values = [shared + random.normal(0, 0.1) + 0.5 * random.normal(size=len(units)) for _ in range(3)]
        sample = Sample([two_way.of_units(each, units) for each in values] if as_units else values, crossed=True)
        rejected += sample.estimate().p_value < 0.05
    assert least <= rejected / TRIALS <= largest


def test_pseudo_values_are_centred_on_the_functional():
    values = np.random.default_rng(0).normal(size=50)
    pseudo = two_way.pseudo_values(lambda places: np.median(values[places]), np.arange(50))
    assert pseudo.mean() == pytest.approx(np.median(values))


def test_pseudo_values_give_the_error_of_a_rough_functional():
    # The first epoch at a target: the error of one network's, against that of networks on pictures drawn anew.
    random = np.random.default_rng(1)
    falling = np.linspace(1, 0, 41)[:, None]

    def first_epoch(losses):
        return float((losses.mean(axis=1) <= 0.5).argmax())

    drawn = [falling + random.normal(0, 1, PICTURES) for _ in range(300)]
    spread = np.std([first_epoch(losses) for losses in drawn])
    told = [
        Sample(
            [two_way.pseudo_values(lambda places, one=losses: first_epoch(one[:, places]), np.arange(PICTURES))],
            crossed=True,
        ).estimate()
        for losses in drawn[:60]
    ]
    typical = np.mean([estimate.error**2 for estimate in told]) ** 0.5
    assert typical == pytest.approx(spread, rel=0.25)  # whole epochs are coarse, and each error rests on ten groups


def drawn(random, spread, repeats, crossed, value=0.0):
    """A sample of effects of repeats, heavy-tailed ones of pictures, and the rest, (repeats, pictures)."""
    of_repeat, of_picture, rest = spread
    pictures = random.standard_t(4, (1 if crossed else repeats, PICTURES)) / 2**0.5
    values = of_picture * pictures + rest * random.normal(size=(repeats, PICTURES))
    return Sample(list(value + of_repeat * random.normal(size=(repeats, 1)) + values), crossed)


@pytest.mark.parametrize("crossed", [True, False], ids=["seeds on one split", "folds"])
@pytest.mark.parametrize("repeats", [3, 5, 10])
@pytest.mark.parametrize("spread", SPREADS.values(), ids=SPREADS)
def test_the_test_keeps_its_size(spread, repeats, crossed):
    random = np.random.default_rng(repeats)
    found = [drawn(random, spread, repeats, crossed).estimate().p_value <= 0.05 for _ in range(RUNS)]
    assert 0.03 <= np.mean(found) <= 0.07


@pytest.mark.parametrize("repeats", [3, 5, 10])
def test_folds_have_the_power_of_student_s_t(repeats):
    random, spread = np.random.default_rng(0), SPREADS["both matter"]
    error = ((spread[0] ** 2 + (spread[1] ** 2 + spread[2] ** 2) / PICTURES) / repeats) ** 0.5
    found = [drawn(random, spread, repeats, False, 3 * error).estimate().p_value <= 0.05 for _ in range(500)]
    degrees = repeats - 1
    reach = stats.t.ppf(0.975, degrees)
    expected = stats.nct.sf(reach, degrees, 3) + stats.nct.cdf(-reach, degrees, 3)  # 0.35, 0.65 and 0.78
    assert np.mean(found) == pytest.approx(expected, abs=0.07)  # three standard errors of 500 runs


def test_more_pictures_give_seeds_on_one_split_more_power():
    random, spread = np.random.default_rng(0), SPREADS["both matter"]
    found = [drawn(random, spread, 5, True, 0.25).estimate().p_value <= 0.05 for _ in range(500)]
    # The error is the root of 0.08^2 / 5 + 1 / 288 + 0.25 / 1440: 0.25 is 3.5 times it, 90 % or so of power.
    assert 0.8 <= np.mean(found) <= 0.98


@pytest.mark.parametrize("crossed", [True, False], ids=["seeds on one split", "folds"])
def test_a_bootstrap_of_repeats_and_pictures_agrees(crossed):
    # Owen's pigeonhole bootstrap (2007) draws repeats and pictures alike. Its variance is too large by a part of the
    # rest, and too small by 1 / repeats in that of repeats: with ten and these spreads both are below a tenth.
    random = np.random.default_rng(3)
    sample = drawn(random, SPREADS["both matter"], 10, crossed)
    values = np.array(sample.values)
    means = []
    for _ in range(2000):
        chosen = values[random.integers(0, 10, 10)]
        if crossed:
            means.append(chosen[:, random.integers(0, PICTURES, PICTURES)].mean())
        else:
            means.append(chosen.mean())
    assert np.std(means) == pytest.approx(sample.estimate().error, rel=0.15)


def test_flipping_the_signs_of_folds_agrees():
    # With ten folds all 1024 flips can be had; Student's t of means of 288 pictures is as good as normal.
    sample = drawn(np.random.default_rng(5), SPREADS["both matter"], 10, False, 0.12)
    means = np.array([part.mean() for part in sample.values])
    flips = np.array(np.meshgrid(*[[-1, 1]] * 10)).reshape(10, -1)
    p_value = np.mean(np.abs(means @ flips) >= abs(means.sum()) - 1e-12)
    assert sample.estimate().p_value == pytest.approx(p_value, abs=0.03)
