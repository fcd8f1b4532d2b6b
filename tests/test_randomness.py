"""Random numbers as pure functions of seed, purpose and epoch."""

import itertools

import numpy as np
import pytest

from stages.pictures import randomness
from stages.pictures.randomness import Stream


def test_the_streams_keep_their_numbers():
    expected = {"HEAD": 0, "ORDER": 1, "AUGMENTATION": 2, "DROPOUT": 3, "VALIDATION_AUGMENTATION": 4, "PASSES": 5}
    assert {stream.name: stream.value for stream in Stream} == expected


def test_a_generator_is_a_pure_function_of_its_arguments():
    first = randomness.generator(7, Stream.ORDER, 3)
    first.random(100)  # what one generator has given away is nothing to the next
    again = randomness.generator(7, Stream.ORDER, 3).random(5)
    np.testing.assert_array_equal(again, np.random.default_rng([7, 1, 3]).random(5))


def test_seed_purpose_and_epoch_each_give_other_numbers():
    arguments = itertools.product((0, 1, 2), Stream, (0, 1, 2))
    draws = [tuple(randomness.generator(*each).integers(2**62, size=2)) for each in arguments]
    assert len(set(draws)) == len(draws) == 3 * 6 * 3


@pytest.mark.parametrize("count", [0, 1, 2, 257])
def test_the_order_is_a_permutation(count):
    order = randomness.order(count, seed=5, epoch=2)
    assert order.dtype == np.int64
    np.testing.assert_array_equal(np.sort(order), np.arange(count))


def test_the_order_depends_on_seed_and_epoch_alone():
    order = randomness.order(100, seed=1, epoch=1)
    np.testing.assert_array_equal(order, randomness.order(100, seed=1, epoch=1))
    assert not np.array_equal(order, randomness.order(100, seed=1, epoch=2))
    assert not np.array_equal(order, randomness.order(100, seed=2, epoch=1))
    assert not np.array_equal(order, np.arange(100))


def test_the_order_stays_what_recorded_results_were_made_with():
    assert list(randomness.order(8, seed=1, epoch=1)) == [1, 5, 3, 4, 2, 7, 6, 0]
