"""A data set as one repeat of a run reads it: which pictures train, which validate, in what order, in which pass."""

import math
from collections.abc import Callable
from copy import copy
from itertools import pairwise
from operator import attrgetter

import numpy as np

from stages.common import tables
from stages.common.params import Params, Repeat
from stages.network.feature_store import Entry, FeatureStore
from stages.pictures.augmentation import FIRST_ORDER, pass_of_epoch
from stages.pictures.parts import PARTS, Part
from stages.pictures.randomness import order
from stages.training.batches import Batches, Joined

FeaturesOf = Callable[[Entry], np.ndarray]
"""Takes from an entry of the store what a phase reads: the fine phase ACTIVATIONS, the transfer phase POOLED."""
ACTIVATIONS: FeaturesOf = attrgetter("activations")
POOLED: FeaturesOf = attrgetter("pooled")


class Data:
    """Features and labels of one repeat.

    All pictures of both parts share one numbering: first the split's training part, then its validation part. On one
    split a repeat trains and validates on just these parts. On a fold it validates on the fold's pictures, from either
    part, and trains on all others; the store has the features of both parts, so that a fold needs none of its own.
    """

    def __init__(
        self, store: FeatureStore, parts: dict[str, Part], params: Params, repeat: Repeat, budget: int
    ) -> None:
        self.repeat = repeat
        self._store = store
        self._params = params
        self._budget = budget
        self._starts = np.cumsum([0, *(len(parts[part]) for part in PARTS)])
        self._bounds = [(part, *ends) for part, ends in zip(PARTS, pairwise(self._starts), strict=True)]
        self._labels = np.concatenate([parts[part].labels for part in PARTS])
        self._paths = [path for part in PARTS for path in parts[part].paths]
        self._rows = _rows(parts, repeat)

    def within_training(self) -> "Data":
        """The same repeat without its validation pictures: a quarter of its training pictures validates instead.

        A choice made on these has not seen the pictures that are reported. The repeat's seed decides the quarter.
        """
        rows = self._rows["training"]
        held_out = order(len(rows), self.repeat.seed, 0) < len(rows) // 4
        inner = copy(self)
        inner._rows = {"training": rows[~held_out], "validation": rows[held_out]}
        return inner

    def training(self, epoch: int, features_of: FeaturesOf) -> Batches:
        """The training batches of the epoch; what the store lacks is computed."""
        rows = self._rows["training"]
        rows = rows[order(len(rows), self.repeat.seed, epoch)]
        pass_number = self._pass_number(epoch)
        return self._batches(
            lambda part: features_of(self._store.augmented(part, pass_number)), rows, self.class_weights
        )

    def clean(self, part: str, features_of: FeaturesOf) -> Batches:
        """Batches of all pictures of `part`, training or validation, not augmented."""
        return self._batches(lambda each: features_of(self._store.clean(each)), self._rows[part])

    def evaluations(self, features_of: FeaturesOf) -> dict[str, Batches]:
        """The batches that are measured after each epoch, by the prefix of its columns in the history."""
        parts = {"val_": "validation"} | ({tables.CLEAN: "training"} if self._params.clean_training else {})
        return {prefix: self.clean(part, features_of) for prefix, part in parts.items()}

    def frozen_seconds(self, epoch: int) -> float:
        """Seconds that the epoch's frozen activations took to compute: the repeat's share of their pass."""
        return sum(
            self._store.seconds(part, self._pass_number(epoch)) * used / (end - start)
            for part, start, end in self._bounds
            if (used := self._count_within(self._rows["training"], start, end))
        )

    def labels(self, part: str) -> np.ndarray:
        """The labels of a part's pictures, int64 (n,)."""
        return self._labels[self._rows[part]]

    def pooled(self, part: str) -> np.ndarray:
        """The pooled output of a part's pictures, not augmented, float32 (n, channels)."""
        return np.concatenate([inputs for inputs, _ in self.clean(part, POOLED)])

    def paths(self, part: str) -> list:
        """The files of a part's pictures, in the order of `labels`."""
        return [self._paths[row] for row in self._rows[part]]

    @property
    def steps(self) -> int:
        """Training batches of an epoch."""
        return math.ceil(len(self._rows["training"]) / self._params.batch_size)

    @property
    def channels(self) -> int:
        """The width of the pooled output."""
        return self._store.clean("validation").pooled.shape[1]

    @property
    def classes(self) -> int:
        return int(self._labels.max()) + 1  # each class has pictures: `split` counted them

    @property
    def identity(self) -> dict[str, int | None]:
        """The values of this repeat that decide a training, for the names of checkpoints.

        The budget matters only if the repeat reads the passes in an order drawn over it.
        """
        return {**self.repeat._asdict(), "budget": self._budget if self.repeat.draw != FIRST_ORDER else None}

    @property
    def class_weights(self) -> np.ndarray | None:
        """The weight of each class's pictures in the training loss, float64 (classes,); None if all weigh the same.

        `balanced`: n / (classes * n of the class), so that every class weighs the same and the mean is 1 (King and
        Zeng, 2001). Keras multiplies each picture's loss by it and divides by the number of pictures.
        """
        if self._params.class_weight == "none":
            return None
        counts = np.bincount(self.labels("training"), minlength=self.classes)
        return counts.sum() / (len(counts) * counts)

    def _pass_number(self, epoch: int) -> int:
        return pass_of_epoch(epoch, self.repeat.draw, self._budget)

    def _batches(
        self, inputs: Callable[[str], np.ndarray], rows: np.ndarray, class_weights: np.ndarray | None = None
    ) -> Batches:
        used = [inputs(part) if self._count_within(rows, start, end) else None for part, start, end in self._bounds]
        return Batches(Joined(used, self._starts), self._labels, self._params.batch_size, rows, class_weights)

    @staticmethod
    def _count_within(rows: np.ndarray, start: int, end: int) -> int:
        return int(((rows >= start) & (rows < end)).sum())


def _rows(parts: dict[str, Part], repeat: Repeat) -> dict[str, np.ndarray]:
    """The numbers of the repeat's pictures in each part, int64, in ascending order."""
    count = sum(len(parts[part]) for part in PARTS)
    if repeat.fold is None:
        first, second = np.split(np.arange(count), [len(parts["training"])])
        return {"training": first, "validation": second}
    held_out = np.concatenate([parts[part].folds for part in PARTS]) == repeat.fold
    return {"training": np.flatnonzero(~held_out), "validation": np.flatnonzero(held_out)}
