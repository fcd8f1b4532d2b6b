"""Batches: which rows, in which order, of which type."""

import numpy as np

from stages.lib.batches import batches

INPUTS = np.arange(10, dtype=np.float16).reshape(5, 2)
LABELS = np.array([0, 1, 0, 1, 1])


def test_batches_follow_the_rows_and_the_last_one_is_short():
    read = list(batches(INPUTS, LABELS, 2, np.array([4, 0, 3, 1, 2])).as_numpy_iterator())
    assert [inputs.tolist() for inputs, _ in read] == [[[8, 9], [0, 1]], [[6, 7], [2, 3]], [[4, 5]]]
    assert [labels.tolist() for _, labels in read] == [[[1], [0]], [[1], [1]], [[0]]]
    assert {array.dtype for pair in read for array in pair} == {np.dtype("float32")}


def test_batches_know_their_number_and_can_be_read_again():
    dataset = batches(INPUTS, LABELS, 2, np.arange(5))
    assert dataset.cardinality() == 3
    first, second = (np.concatenate([inputs for inputs, _ in dataset.as_numpy_iterator()]) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_autotuning_is_off():
    assert batches(INPUTS, LABELS, 2, np.arange(5)).options().autotune.enabled is False
