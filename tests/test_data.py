"""Which pictures a repeat trains and validates on, and what it reads of them: on one split, and on folds."""

from pathlib import Path

import numpy as np
import pytest
import tiny_study

from stages.common.params import Repeat
from stages.network.feature_store import Entry
from stages.pictures.augmentation import pass_of_epoch
from stages.pictures.parts import Part
from stages.training.data import ACTIVATIONS, POOLED, Data

CLEAN = 0  # what stands in an activation for the pass, where there is none
BUDGET = 5
FOLDS = 3
PARTS = {
    "training": Part(
        [Path(f"training/{n}") for n in range(7)], np.array([0, 0, 0, 0, 1, 1, 1]), np.array([1, 2, 3, 1, 2, 3, 1])
    ),
    "validation": Part([Path(f"validation/{n}") for n in range(4)], np.array([0, 0, 1, 1]), np.array([2, 3, 2, 3])),
}
ALL = [path for part in PARTS.values() for path in part.paths]
LABEL = {path: label for part in PARTS.values() for path, label in zip(part.paths, part.labels, strict=True)}
FOLD = {path: fold for part in PARTS.values() for path, fold in zip(part.paths, part.folds, strict=True)}


class Telltale:
    """A store whose activations say what they are of: the part, its picture and the pass."""

    def __init__(self, *there: str) -> None:
        self.there = there or tuple(PARTS)

    def augmented(self, part: str, stored_pass: int) -> Entry:
        assert part in self.there, f"{part} is read"
        pictures = np.arange(len(PARTS[part]))
        rows = np.stack([np.full_like(pictures, list(PARTS).index(part)), pictures, 0 * pictures + stored_pass], axis=1)
        return Entry(rows[:, np.newaxis].astype(np.float16), rows.astype(np.float32))

    def clean(self, part: str) -> Entry:
        return self.augmented(part, CLEAN)

    def seconds(self, part: str, stored_pass: int) -> float:
        return {"training": 70.0, "validation": 4.0}[part] * stored_pass


def on_split(seed: int = 1, draw: int = 1) -> Repeat:
    return Repeat(number=1, seed=seed, fold=None, draw=draw)


def on_fold(fold: int) -> Repeat:
    return Repeat(number=fold, seed=fold, fold=fold, draw=fold)


def data_of(repeat: Repeat, *there: str) -> Data:
    return Data(Telltale(*there), PARTS, tiny_study.params(batch_size=2), repeat, BUDGET)


def read(batches) -> list[tuple[Path, int, int]]:
    """The picture, the pass and the label of each row that is read."""
    found = []
    for inputs, labels in batches:
        for (part, picture, stored_pass), (label,) in zip(inputs.reshape(-1, 3).astype(int), labels, strict=True):
            found.append((PARTS[list(PARTS)[part]].paths[picture], int(stored_pass), int(label)))
    return found


@pytest.mark.parametrize("features_of", [ACTIVATIONS, POOLED])
def test_on_the_split_training_and_validation_are_its_parts(features_of):
    data = data_of(on_split())
    for part in PARTS:
        assert data.paths(part) == PARTS[part].paths
        assert data.labels(part).tolist() == PARTS[part].labels.tolist()
        expected = [(path, CLEAN, LABEL[path]) for path in PARTS[part].paths]
        assert read(data.clean(part, features_of)) == expected
    assert (data.classes, data.channels, data.steps) == (2, 3, 4)


def test_on_the_split_nobody_reads_augmented_validation_pictures():
    augmented = read(data_of(on_split(), "training").training(3, ACTIVATIONS))
    assert sorted(augmented) == [(path, 3, LABEL[path]) for path in PARTS["training"].paths]


@pytest.mark.parametrize("fold", range(1, FOLDS + 1))
def test_a_fold_validates_its_pictures_and_trains_on_all_others(fold):
    data = data_of(on_fold(fold))
    assert data.paths("validation") == [path for path in ALL if FOLD[path] == fold]
    assert data.paths("training") == [path for path in ALL if FOLD[path] != fold]
    assert data.labels("validation").tolist() == [LABEL[path] for path in data.paths("validation")]


def test_over_all_folds_every_picture_validates_once():
    held_out = [path for fold in range(1, FOLDS + 1) for path in data_of(on_fold(fold)).paths("validation")]
    assert sorted(held_out) == sorted(ALL)


@pytest.mark.parametrize("fold", range(1, FOLDS + 1))
@pytest.mark.parametrize("epoch", [1, 4, BUDGET + 1])
def test_a_fold_reads_of_each_picture_what_the_store_has_of_it_and_none_of_its_own(fold, epoch):
    stored_pass = pass_of_epoch(epoch, fold, BUDGET)
    found = read(data_of(on_fold(fold)).training(epoch, ACTIVATIONS))
    assert sorted(found) == [(path, stored_pass, LABEL[path]) for path in sorted(ALL) if FOLD[path] != fold]
    assert [path for path, _, _ in found] != data_of(on_fold(fold)).paths("training")  # in another order
    clean = read(data_of(on_fold(fold)).clean("validation", POOLED))
    assert clean == [(path, CLEAN, LABEL[path]) for path in ALL if FOLD[path] == fold]


def test_pictures_chosen_within_training_never_include_validation():
    # Of the split's validation part not even a row is there to be read.
    inner = data_of(on_split(seed=4), "training").within_training()
    training, held_out = inner.paths("training"), inner.paths("validation")
    assert len(held_out) == len(PARTS["training"]) // 4
    assert sorted(training + held_out) == sorted(PARTS["training"].paths)
    assert sorted(path for path, _, _ in read(inner.training(2, POOLED))) == sorted(training)
    assert [path for path, _, _ in read(inner.evaluations(POOLED)["val_"])] == held_out


@pytest.mark.parametrize("fold", range(1, FOLDS + 1))
def test_within_a_fold_s_training_pictures_none_is_of_the_fold(fold):
    whole = data_of(on_fold(fold))
    inner = whole.within_training()
    assert sorted(inner.paths("training") + inner.paths("validation")) == sorted(whole.paths("training"))
    assert whole.paths("validation") == [path for path in ALL if FOLD[path] == fold]  # the whole stays as it was


def test_a_repeat_takes_its_share_of_what_computing_the_passes_took():
    assert data_of(on_split()).frozen_seconds(3) == 70 * 3
    # Fold 1 has 3 of the 7 training pictures and none of the 4 of validation.
    stored_pass = pass_of_epoch(3, 1, BUDGET)
    assert data_of(on_fold(1)).frozen_seconds(3) == pytest.approx((70 * 4 / 7 + 4) * stored_pass)


def test_the_budget_decides_a_training_only_where_the_passes_are_drawn_from_it():
    def identity(draw: int, budget: int) -> dict:
        return Data(Telltale(), PARTS, tiny_study.params(), on_split(draw=draw), budget).identity

    assert identity(draw=1, budget=5) == identity(draw=1, budget=6)
    assert identity(draw=2, budget=5) != identity(draw=2, budget=6)
    assert identity(draw=2, budget=5) != identity(draw=3, budget=5)
