"""Studies in memory, of curves written down for each seed."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from stages.common.params import Statistics
from stages.results import repeats
from stages.study.evidence import Study
from stages.study.variants import Variant

SETTINGS = Statistics(confidence=0.95, resamples=2000, seed=1)
IMAGES = 8  # of a validation set
Curve = Sequence[float]
DEFAULTS = {"accuracy": 0.5, "loss": 1.0, "val_accuracy": 0.5, "val_loss": 1.0}


def variant(name: str, **curves: Sequence[Curve]) -> Variant:
    """The variant <dataset>-<transfer>-<fine>[-<style>]; each of `curves` is a column, with a curve for each seed.

    Columns that are left out have the same value throughout; the clean training figures are then missing.
    """
    dataset, transfer, fine, *style = name.split("-")
    epochs, seeds = int(transfer) + int(fine), len(next(iter(curves.values())))
    rows = [
        {
            "seed": seed + 1,
            "epoch": epoch + 1,
            "phase": "transfer" if epoch < int(transfer) else "fine",
            **DEFAULTS,
            **{column: of_seeds[seed][epoch] for column, of_seeds in curves.items()},
        }
        for seed in range(seeds)
        for epoch in range(epochs)
    ]
    record = {
        "dataset": dataset,
        "transfer": int(transfer),
        "fine": int(fine),
        "batch_norm": "moving" if "moving" in style else "batch",
        "images": {"training": 10, "validation": IMAGES},
        "multiply_adds": {"transfer": 1000, "fine": 3000},
    }
    runs = pd.DataFrame(rows)
    return Variant(name, record, repeats.mean_history(runs), runs)


def study(*members: Variant, image_noise: float = 0.0) -> Study:
    """The study of `members`. The loss of an image is its seed's last, but for the last member's.

    There one image in two is better and one worse by `image_noise`.
    """
    predictions = {member.name: _predictions(member, image_noise * (member is members[-1])) for member in members}
    return Study(list(members), predictions, {member.name: _seconds(member) for member in members}, SETTINGS)


def _predictions(member: Variant, noise: float) -> pd.DataFrame:
    last = member.by_seed("val_loss").iloc[-1]
    losses = {(seed, image): loss + noise * (-1) ** image for seed, loss in last.items() for image in range(IMAGES)}
    seeds, images = np.array(list(losses)).T
    return pd.DataFrame({"seed": seeds, "image": images, "label": 1, "predicted": 1, "loss": list(losses.values())})


def _seconds(member: Variant) -> pd.DataFrame:
    epochs = member.runs[["seed", "epoch", "phase"]]
    return epochs.assign(seconds=epochs["phase"].map({"transfer": 0.5, "fine": 2.0}), frozen_seconds=1.0)
