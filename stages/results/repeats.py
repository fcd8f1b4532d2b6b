"""What `train` leaves of every repeat of a variant: the epochs, the predictions and the seconds of each seed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.common.command import ThawError
from stages.results import records

EPOCHS_FILE = "histories.csv"
PREDICTIONS_FILE = "predictions.csv"
SECONDS_FILE = "seconds.csv"
_SECONDS = ("seconds", "frozen_seconds")
_PREDICTIONS_COLUMNS = ("seed", "image", "label", "predicted", "probability", "loss")
_SECONDS_COLUMNS = ("seed", "epoch", "phase", *_SECONDS)

Rows = Sequence[Mapping[str, Any]]


def write_epochs(runs: Mapping[int, Rows], folder: Path) -> pd.DataFrame:
    """Write the epochs of all seeds, `seed` and then the columns of a history, without their seconds; returns them."""
    table = _by_seed(runs).drop(columns=list(_SECONDS)).round(records.DECIMALS)
    records.write_table(table, folder / EPOCHS_FILE)
    return table


def write_seconds(runs: Mapping[int, Rows], folder: Path) -> None:
    """Write the measured seconds of all seeds' epochs: they differ from run to run, the rest does not."""
    table = _by_seed(runs)[list(_SECONDS_COLUMNS)]
    records.write_table(table.round(dict.fromkeys(_SECONDS, 3)), folder / SECONDS_FILE)


def write_predictions(logits: Mapping[int, np.ndarray], images: list[str], labels: np.ndarray, folder: Path) -> None:
    """Write for each seed and image the class predicted, its probability and the cross-entropy of the true class.

    `logits` are float (n, 1) for two classes or (n, classes), row i of `images` and `labels` (int (n,)).
    """
    tables = [
        pd.DataFrame({"seed": seed, "image": images, "label": labels, **_predicted(of_seed.astype(float), labels)})
        for seed, of_seed in logits.items()
    ]
    records.write_table(pd.concat(tables).round(records.DECIMALS), folder / PREDICTIONS_FILE)


def mean_history(epochs: pd.DataFrame) -> pd.DataFrame:
    """The means over the seeds, one row an epoch."""
    return epochs.drop(columns="seed").groupby(["epoch", "phase"], as_index=False, sort=False).mean()


def _by_seed(runs: Mapping[int, Rows]) -> pd.DataFrame:
    tables = [pd.DataFrame(list(rows)) for rows in runs.values()]
    for seed, table in zip(runs, tables, strict=True):
        table.insert(0, "seed", seed)
    return pd.concat(tables, ignore_index=True)


def _predicted(logits: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    if logits.shape[1] == 1:  # one logit is that of class 1 against class 0
        logits = np.hstack([np.zeros_like(logits), logits])
    log_probabilities = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    return {
        "predicted": logits.argmax(axis=1),
        "probability": np.exp(log_probabilities.max(axis=1)),
        "loss": -log_probabilities[np.arange(len(labels)), labels],
    }


def read_epochs(folder: Path) -> pd.DataFrame:
    """The epochs of all seeds: `seed`, then the columns of a history; raises ThawError naming the file.

    All seeds have the same epochs and phases.
    """
    path = folder / EPOCHS_FILE
    table = records.read_table(path, ("seed", *records.HISTORY_COLUMNS))
    _check_repeats(table, ["epoch", "phase"], path)
    for _, history in table.groupby("seed"):
        records.check_history(history.drop(columns="seed").reset_index(drop=True), path)
    return table


def read_predictions(folder: Path) -> pd.DataFrame:
    """The predictions of all seeds for the same validation images, in one order; raises ThawError."""
    path = folder / PREDICTIONS_FILE
    table = records.read_table(path, _PREDICTIONS_COLUMNS).sort_values(["seed", "image"], ignore_index=True)
    _check_repeats(table, ["image", "label"], path)
    return table


def read_seconds(folder: Path) -> pd.DataFrame:
    """The measured seconds of all seeds' epochs; raises ThawError."""
    path = folder / SECONDS_FILE
    table = records.read_table(path, _SECONDS_COLUMNS)
    _check_repeats(table, ["epoch", "phase"], path)
    return table


def _check_repeats(table: pd.DataFrame, columns: list[str], path: Path) -> None:
    """Raise ThawError where the table is empty, or `columns` differ from seed to seed."""
    parts = [part[columns].reset_index(drop=True) for _, part in table.groupby("seed")]
    if not parts:
        raise ThawError(f"{path}: holds no seed; run the stage that writes it again")
    if not all(part.equals(parts[0]) for part in parts):
        raise ThawError(f"{path}: {' and '.join(columns)} differ from seed to seed; run the stage that writes it again")
