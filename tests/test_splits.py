"""Which pictures validate: the share drawn of each class, and folds that divide no group."""

from collections import Counter

import numpy as np
import pytest

from stages.common.command import ThawError
from stages.common.manifest import AsShipped, Drawn
from stages.pictures import splits

LABELS = {f"cats/{number:02}.jpg": 0 for number in range(11)} | {f"dogs/{number:02}.jpg": 1 for number in range(7)}
# Series of photographs of one animal each: three of every cat, two of every dog.
SERIES = {f"cats/{animal}_{number}.jpg": 0 for animal in range(8) for number in range(3)}
SERIES |= {f"dogs/{animal}_{number}.jpg": 1 for animal in range(8) for number in range(2)}
GROUP = r"(\w+/\d+)_"


def shipped(folds: int | None, group: str | None = None, seed: int = 1) -> AsShipped:
    return AsShipped(training="train", validation="validation", folds=folds, group=group, seed=seed)


def drawn(share: float, group: str | None = None, seed: int = 1) -> Drawn:
    return Drawn(folder="all", validation_share=share, seed=seed, group=group)


@pytest.mark.parametrize("folds", [2, 3, 5])
def test_each_fold_has_as_many_of_each_class_as_the_others_within_one_picture(folds):
    found = splits.folds(LABELS, shipped(folds))
    assert found.keys() == LABELS.keys()
    assert set(found.values()) == set(range(1, folds + 1))
    for label in (0, 1):
        counts = Counter(found[path] for path in LABELS if LABELS[path] == label)
        assert max(counts.values()) - min(counts[fold] for fold in range(1, folds + 1)) <= 1
    sizes = Counter(found.values())
    assert max(sizes.values()) - min(sizes.values()) <= 1


def test_the_same_paths_have_the_same_folds_in_whatever_order_they_come():
    backwards = dict(reversed(LABELS.items()))
    assert splits.folds(backwards, shipped(3)) == splits.folds(LABELS, shipped(3))
    assert splits.folds(LABELS, shipped(3, seed=2)) != splits.folds(LABELS, shipped(3))
    grouped = splits.folds(dict(reversed(SERIES.items())), shipped(4, GROUP))
    assert grouped == splits.folds(SERIES, shipped(4, GROUP))


def test_without_folds_all_have_fold_0():
    assert set(splits.folds(LABELS, shipped(None)).values()) == {0}


def groups_of(parts: dict[str, object]) -> dict[str, set[object]]:
    found: dict[str, set[object]] = {}
    for path, part in parts.items():
        found.setdefault(path.split("_")[0], set()).add(part)
    return found


def test_no_group_is_divided_between_folds_and_each_has_its_share_of_both_classes():
    found = splits.folds(SERIES, shipped(4, GROUP))
    assert all(len(folds) == 1 for folds in groups_of(found).values())
    for fold in range(1, 5):  # 8 groups of a class in 4 folds
        assert Counter(SERIES[path] for path in found if found[path] == fold) == {0: 2 * 3, 1: 2 * 2}


def test_no_group_is_divided_between_training_and_validation():
    found = splits.drawn(SERIES, drawn(0.25, GROUP))
    assert all(len(parts) == 1 for parts in groups_of(found).values())
    assert Counter(found.values()) == {"validation": 10, "training": 30}


@pytest.mark.parametrize(
    ("expression", "group"),
    [(r"\d+", "12"), (r"/(\d+)_", "12"), (r"cats/\d", "cats/1"), ("none", "cats/12_7.jpg")],
)
def test_a_group_is_what_the_expression_matches_or_the_picture_itself(expression, group):
    assert splits.group_of("cats/12_7.jpg", expression) == group


@pytest.mark.parametrize(
    ("labels", "split"),
    [
        (SERIES, shipped(17, GROUP)),  # of 16 groups
        (SERIES, shipped(2, "cats|dogs")),  # each class one group: a fold without it has none to train on
        ({"a.jpg": 0, "b.jpg": 0, "c.jpg": 1}, shipped(2)),  # one picture of a class
        ({"a.jpg": 0, "b.jpg": 0, "c.jpg": 1, "d.jpg": 1}, shipped(5)),
    ],
)
def test_folds_that_leave_one_empty_or_a_class_untrained_are_refused(labels, split, told):
    with pytest.raises(ThawError) as error:
        splits.folds(labels, split)
    assert str(error.value).startswith("split.folds: ")
    told("manifest", str(error.value), f"folds: {split.folds}, group: {split.group}, {len(labels)} images")


@pytest.mark.parametrize("share", [0.7, 0.9])
def test_a_share_too_large_for_whole_groups_is_refused(share, told):
    with pytest.raises(ThawError) as error:
        splits.drawn(SERIES, drawn(share, GROUP))
    assert str(error.value).startswith("split.validation_share: ")
    told("manifest", str(error.value), f"validation_share: {share} of whole groups")


def test_the_draw_of_a_share_is_that_of_recorded_results():
    found = splits.drawn(LABELS, drawn(0.4))
    # As Thaw drew it first: of each class, in the order of its paths, the first of a permutation by seed and label.
    cats, dogs = (np.random.default_rng([1, label]).permutation(count) for label, count in ((0, 11), (1, 7)))
    expected = {f"cats/{number:02}.jpg" for number in cats[:4]} | {f"dogs/{number:02}.jpg" for number in dogs[:3]}
    assert {path for path, part in found.items() if part == "validation"} == expected
    cats, dogs = ("04", "05", "07", "10"), ("01", "04", "06")
    assert expected == {f"cats/{number}.jpg" for number in cats} | {f"dogs/{number}.jpg" for number in dogs}
