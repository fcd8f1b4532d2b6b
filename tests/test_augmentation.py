"""Flips and rotations: drawn by seed and pass, and applied as numpy and Keras would."""

import numpy as np
import pytest

from stages.common.params import Augment
from stages.pictures import augmentation
from stages.pictures.augmentation import Augmentation

ALL = slice(None)


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, size=(3, 9, 9, 3), dtype=np.uint8)


def turned(pictures: np.ndarray, degrees: float, flip: bool = False) -> np.ndarray:
    """All `pictures` turned by `degrees`, mirrored first where `flip` says so."""
    count = len(pictures)
    return augmentation.applied(pictures, Augmentation(np.full(count, flip), np.full(count, float(degrees))), ALL)


def test_a_draw_is_a_pure_function_of_seed_and_pass():
    augment = Augment(flip=True, rotation=0.2, seed=1)
    one = augmentation.draw(50, stored_pass=4, augment=augment)
    same = augmentation.draw(50, stored_pass=4, augment=augment)
    np.testing.assert_array_equal(one.flips, same.flips)
    np.testing.assert_array_equal(one.degrees, same.degrees)
    for seed, stored_pass in [(1, 5), (2, 4)]:
        other = augmentation.draw(50, stored_pass, augment.model_copy(update={"seed": seed}))
        assert not np.array_equal(one.flips, other.flips)
        assert not np.isin(one.degrees, other.degrees).any()


def test_half_the_pictures_are_mirrored_and_all_turned_within_the_limit():
    drawn = augmentation.draw(10_000, stored_pass=1, augment=Augment(flip=True, rotation=0.2, seed=1))
    assert drawn.flips.dtype == bool
    # 10,000 fair coins: a standard deviation of 50; uniform on ±72 degrees: one of 72 / sqrt(3) / 100 = 0.42.
    assert abs(drawn.flips.sum() - 5000) < 5 * 50
    assert abs(drawn.degrees.mean()) < 5 * 0.42
    assert -72 <= drawn.degrees.min() < -71.5
    assert 71.5 < drawn.degrees.max() <= 72


def test_without_flip_none_is_mirrored_and_without_rotation_none_is_turned():
    drawn = augmentation.draw(200, stored_pass=1, augment=Augment(flip=False, rotation=0.0, seed=1))
    assert not drawn.flips.any()
    assert not drawn.degrees.any()


def test_flips_do_not_depend_on_the_rotation_drawn():
    some, other = (augmentation.draw(200, 1, Augment(flip=True, rotation=limit, seed=1)) for limit in (0.0, 0.5))
    np.testing.assert_array_equal(some.flips, other.flips)


def test_neither_flip_nor_turn_leaves_the_pixels_as_they_are(noise):
    result = turned(noise, 0)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, noise)


def test_a_flip_mirrors_left_and_right(noise):
    np.testing.assert_array_equal(turned(noise, 0, flip=True), noise[:, :, ::-1])


@pytest.mark.parametrize(("degrees", "quarters"), [(90, 1), (180, 2), (270, 3), (-90, -1), (360, 0)])
@pytest.mark.parametrize("size", [8, 9])
def test_quarter_turns_are_numpy_s_counterclockwise(noise, size, degrees, quarters):
    pictures = noise[:, :size, :size]
    expected = np.rot90(pictures, quarters, axes=(1, 2))
    # The cosine of 90 degrees is 6e-17 in floating point, so a neighbour may weigh a trace.
    np.testing.assert_allclose(turned(pictures, degrees), expected, atol=1e-9)


def test_a_picture_is_mirrored_before_it_is_turned(noise):
    expected = np.rot90(noise[:, :, ::-1], axes=(1, 2))
    np.testing.assert_allclose(turned(noise, 90, flip=True), expected, atol=1e-9)


def test_each_picture_has_its_own_flip_and_turn(noise):
    each = Augmentation(np.array([False, True, True]), np.array([90.0, 0.0, 180.0]))
    expected = [np.rot90(noise[0]), noise[1, :, ::-1], np.rot90(noise[2, :, ::-1], 2)]
    np.testing.assert_allclose(augmentation.applied(noise, each, ALL), expected, atol=1e-9)


def test_rows_choose_pictures_and_their_augmentation_alike(noise):
    each = Augmentation(np.array([False, True, True]), np.array([90.0, 0.0, 180.0]))
    whole = augmentation.applied(noise, each, ALL)
    parts = [augmentation.applied(noise, each, rows) for rows in (slice(0, 2), slice(2, 4))]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("degrees", [-72, -33.3, 10, 45, 71])
def test_a_turn_is_keras_s_random_rotation(degrees):
    from stages.network.keras_quietly import keras

    pictures = waves(size=40)
    layer = keras.layers.RandomRotation((degrees / 360, degrees / 360))
    expected = keras.ops.convert_to_numpy(layer(pictures.astype(np.float32), training=True))
    # Coordinates in float32 are good to some 1e-5 pixel here, and neighbouring pixels differ by 45 at most.
    np.testing.assert_allclose(turned(pictures, degrees), expected, atol=0.005)


def waves(size: int) -> np.ndarray:
    """Pictures without any symmetry, steep up to the border: uint8 (2, size, size, 3)."""
    rows, columns = np.mgrid[:size, :size] / size
    channels = [127 + 120 * np.sin(7 * rows + 3 * number * columns + number) for number in range(6)]
    return np.stack(channels).reshape(2, 3, size, size).transpose(0, 2, 3, 1).astype(np.uint8)


def test_the_first_repeat_reads_the_passes_in_their_order():
    assert [augmentation.pass_of_epoch(epoch, 1, budget=4) for epoch in range(1, 8)] == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("order", [2, 3, 10])
def test_another_repeat_reads_the_budget_s_passes_once_each_in_another_order(order):
    read = [augmentation.pass_of_epoch(epoch, order, budget=20) for epoch in range(1, 24)]
    assert sorted(read[:20]) == list(range(1, 21))
    assert read[:20] != list(range(1, 21))
    assert read[20:] == [21, 22, 23]  # beyond the budget each epoch has its own
    assert read == [augmentation.pass_of_epoch(epoch, order, budget=20) for epoch in range(1, 24)]


def test_repeats_differ_in_their_order_of_the_passes():
    orders = [tuple(augmentation.pass_of_epoch(epoch, order, 20) for epoch in range(1, 21)) for order in range(1, 6)]
    assert len(set(orders)) == 5


def test_the_order_of_passes_stays_what_recorded_results_were_made_with():
    expected = np.random.default_rng([2, 5, 0]).permutation(6) + 1  # the stream PASSES
    assert [augmentation.pass_of_epoch(epoch, 2, budget=6) for epoch in range(1, 7)] == expected.tolist()


def test_the_pictures_of_the_two_parts_are_augmented_apart():
    augment = Augment(flip=True, rotation=0.2, seed=1)
    training, validation = (augmentation.draw(50, 4, augment, part) for part in ("training", "validation"))
    assert not np.isin(training.degrees, validation.degrees).any()
    np.testing.assert_array_equal(training.degrees, augmentation.draw(50, 4, augment).degrees)
