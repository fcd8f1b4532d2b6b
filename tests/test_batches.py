"""Batches: which rows, in which order, of which type."""

import numpy as np

from stages.training.batches import Batches, Joined

# Rows 0 to 4 in two arrays, one after the other.
ROWS = np.arange(10, dtype=np.float16).reshape(5, 2)
INPUTS = Joined([ROWS[:2], ROWS[2:]], np.array([0, 2, 5]))
LABELS = np.array([0, 1, 0, 1, 1])


def test_batches_follow_the_rows_and_the_last_one_is_short():
    read = list(Batches(INPUTS, LABELS, 2, np.array([4, 0, 3, 1, 2])))
    assert [inputs.tolist() for inputs, _ in read] == [[[8, 9], [0, 1]], [[6, 7], [2, 3]], [[4, 5]]]
    assert [labels.tolist() for _, labels in read] == [[[1], [0]], [[1], [1]], [[0]]]
    assert {array.dtype for pair in read for array in pair} == {np.dtype("float32")}


def test_a_picture_has_the_weight_of_its_class():
    batches = Batches(INPUTS, LABELS, 2, np.arange(5), class_weights=np.array([0.5, 2], np.float32))
    weights = [weights for *_, weights in batches]
    assert [each.tolist() for each in weights] == [[0.5, 2], [0.5, 2], [2]]
    assert {each.dtype for each in weights} == {np.dtype("float32")}


def test_rows_are_read_in_their_order_from_whichever_array_has_them():
    read = INPUTS[np.array([3, 1, 0, 3])]
    assert read.tolist() == [[6, 7], [2, 3], [0, 1], [6, 7]]
    assert read.dtype == np.float32


def test_an_array_that_nobody_reads_need_not_be_there():
    assert Joined([None, ROWS[2:]], np.array([0, 2, 5]))[np.array([4, 2])].tolist() == [[8, 9], [4, 5]]
