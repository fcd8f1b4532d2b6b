"""Studies in memory, of curves written down for each repeat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stages.common.params import Margins, Statistics
from stages.results import repeats
from stages.results.repeats import Validation
from stages.study.evidence import Study
from stages.study.variants import Variant

MARGINS = Margins(loss=0.01, accuracy=0.005, epochs=1.0)
SETTINGS = Statistics(confidence=0.95, margin=MARGINS, resamples=2000, seed=1)
IMAGES = 8  # of a validation set
Curve = Sequence[float]
DEFAULTS = {"accuracy": 0.5, "loss": 1.0, "val_accuracy": 0.5, "val_loss": 1.0}


@dataclass(frozen=True)
class WithAccuracy(Validation):
    """A validation with its own accuracy; in one of two classes, accuracy would follow from the losses."""

    accuracy: np.ndarray  # (epochs, images)

    def correct(self) -> np.ndarray:
        return self.accuracy


def variant(name: str, *, own_keys: Mapping[str, object] | None = None, **curves: Sequence[Curve]) -> Variant:
    """The variant <dataset>-<transfer>-<fine>[-...]; each of `curves` is a column, with a curve for each repeat.

    Columns that are left out have the same value throughout; the clean training metrics are then missing.
    """
    dataset, transfer, fine, *_ = name.split("-")
    epochs, count = int(transfer) + int(fine), len(next(iter(curves.values())))
    rows = [
        {
            "repeat": repeat + 1,
            "epoch": epoch + 1,
            "phase": "transfer" if epoch < int(transfer) else "fine",
            **DEFAULTS,
            **{column: of_repeats[repeat][epoch] for column, of_repeats in curves.items()},
        }
        for repeat in range(count)
        for epoch in range(epochs)
    ]
    own_keys = own_keys or {}
    values = {
        "dataset": dataset,
        "transfer": int(transfer),
        "fine": int(fine),
        "own_keys": own_keys,
        "batch_norm": own_keys.get("batch_norm", "batch"),
        "seeds": [repeat + 11 for repeat in range(count)],
        "repeats": [{"repeat": repeat + 1, "seed": repeat + 11, "fold": None, "draw": 1} for repeat in range(count)],
        "images": {"training": 10, "validation": IMAGES},
        "multiply_adds": {"transfer": 1000, "fine": 3000},
    }
    runs = pd.DataFrame(rows)
    return Variant(name, values, repeats.mean_history(runs), runs)


def study(
    *members: Variant,
    image_noise: float = 0.0,
    folds: bool = False,
    margins: Margins | None = None,
    could_run: Mapping[str, int] | None = None,
) -> Study:
    """The study of `members`. The losses of images are their repeat's, but for the last member's.

    There one image in two is better and one worse by `image_noise`. With `folds` each repeat has images of its own.
    `could_run` is the manifest's number of folds by data set.
    """
    validations = {
        member.name: _validations(member, image_noise * (member is members[-1]), folds) for member in members
    }
    by_dataset = {member.dataset: margins or MARGINS for member in members}
    return Study(list(members), validations, SETTINGS, by_dataset, folds=could_run or {})


def seconds(*members: Variant) -> dict[str, pd.DataFrame]:
    """Measured seconds of each member: half a second for a transfer epoch, two for a fine one, one frozen."""
    return {
        member.name: member.runs[["repeat", "epoch", "phase"]].assign(
            seconds=member.runs["phase"].map({"transfer": 0.5, "fine": 2.0}), frozen_seconds=1.0
        )
        for member in members
    }


def logits(losses: np.ndarray) -> np.ndarray:
    """Logits of class 1 of two, whose cross-entropy is `losses` where 1 is the true class: (..., 1)."""
    return -np.log(np.expm1(losses))[..., None]


def _validations(member: Variant, noise: float, folds: bool) -> dict[int, Validation]:
    losses, accuracies = member.by_repeat("val_loss"), member.by_repeat("val_accuracy")
    either_way = noise * (-1.0) ** np.arange(IMAGES)
    return {
        repeat: WithAccuracy(
            logits(losses[repeat].to_numpy()[:, None] + either_way),
            np.ones(IMAGES, dtype=int),
            np.array([f"{repeat if folds else 0}/{image}.png" for image in range(IMAGES)]),
            np.repeat(accuracies[repeat].to_numpy()[:, None], IMAGES, axis=1),
        )
        for repeat in member.repeats
    }
