"""Which pictures validate: a share of each class, or folds, by seeded draws that keep groups together."""

import re
import warnings
from collections.abc import Mapping
from itertools import count, product

import numpy as np

from stages.common.command import ThawError
from stages.common.manifest import Drawn, Folded

FOLDS = 1  # sets the folds' draws apart from those of the validation share, which have the seed and label alone


def drawn(labels: Mapping[str, int], split: Drawn) -> dict[str, str]:
    """By path, `training` or `validation`: the same share of each class, drawn; `labels` are the classes by path.

    Raises ThawError where whole groups cannot be divided so.
    """
    if split.group:
        key = f"split.validation_share: {split.validation_share}"
        folds = _grouped(labels, split, round(1 / split.validation_share), key)
        return {path: "validation" if fold == 1 else "training" for path, fold in folds.items()}
    parts = {}
    for label, paths in _by_class(labels).items():
        order = np.random.default_rng([split.seed, label]).permutation(len(paths))
        validation = set(order[: split.validation_images(len(paths))])
        parts |= {path: "validation" if index in validation else "training" for index, path in enumerate(paths)}
    return parts


def folds(labels: Mapping[str, int], split: Folded) -> dict[str, int]:
    """By path, its fold from 1: as many of each class in each as can be; 0 where there are no folds.

    Raises ThawError where a fold is left empty, or a class without pictures to train on.
    """
    if split.folds is None:
        return dict.fromkeys(labels, 0)
    key = f"split.folds: {split.folds}"
    if split.group:
        return _grouped(labels, split, split.folds, key)
    assigned, turn = {}, count()
    for label, paths in _by_class(labels).items():
        order = np.random.default_rng([split.seed, label, FOLDS]).permutation(len(paths))
        # One turn through all classes, so that what is left over of each does not always go to the first fold.
        assigned |= {paths[index]: next(turn) % split.folds + 1 for index in order}
    _check(assigned, labels, split.folds, key)
    return assigned


def empty(labels: Mapping[str, int], parts: Mapping[str, str]) -> list[tuple[int, str]]:
    """Each label and part, of those that there are, that have no picture in common."""
    filled = {(labels[path], part) for path, part in parts.items()}
    return sorted(set(product(set(labels.values()), set(parts.values()))) - filled)


def _by_class(labels: Mapping[str, int]) -> dict[int, list[str]]:
    by_class: dict[int, list[str]] = {label: [] for label in sorted(set(labels.values()))}
    for path in sorted(labels):
        by_class[labels[path]].append(path)
    return by_class


def _check(assigned: Mapping[str, int], labels: Mapping[str, int], number: int, key: str) -> None:
    """Raise ThawError naming `key` where a fold is empty, or the others hold no picture of some class."""
    for fold in range(1, number + 1):
        if fold not in assigned.values():
            raise ThawError(
                f"{key}: leaves fold {fold} of {len(labels)} images empty; ask for fewer folds or a larger share"
            )
        trained = {labels[path] for path, other in assigned.items() if other != fold}
        if missing := sorted(set(labels.values()) - trained):
            raise ThawError(
                f"{key}: all images of class {missing[0]} are in one part, which leaves none to train on; divide it "
                "otherwise, or into smaller groups"
            )


def _grouped(labels: Mapping[str, int], split: Folded, number: int, key: str) -> dict[str, int]:
    """Folds by scikit-learn's greedy draw, of whole groups and of about the same share of each class."""
    if number < 2:
        raise ThawError(f"{key}: whole groups are drawn for a share of 2 in 3 at most; lower it")
    from sklearn.model_selection import StratifiedGroupKFold  # takes a second, which few need

    paths = sorted(labels)
    groups = [group_of(path, split.group or "") for path in paths]
    folds = StratifiedGroupKFold(number, shuffle=True, random_state=split.seed)
    classes = [labels[path] for path in paths]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a class that not every fold can have
            held_out = [rows for _, rows in folds.split(paths, classes, groups)]
    except ValueError as error:
        raise ThawError(
            f"{key}: the groups cannot be divided so ({error}); ask for fewer folds or a larger share"
        ) from None
    assigned = {paths[row]: fold for fold, rows in enumerate(held_out, start=1) for row in rows}
    _check(assigned, labels, number, key)
    return assigned


def group_of(path: str, expression: str) -> str:
    """What `expression` matches in `path`, its first group where it has one; the path itself where nothing matches."""
    found = re.search(expression, path)
    return path if found is None else found.group(1 if found.re.groups else 0)
