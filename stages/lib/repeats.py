"""What `train` leaves of every repeat of a variant: the epochs, the predictions and the seconds of each seed."""

from pathlib import Path

import pandas as pd

from stages.lib import records
from stages.lib.command import ThawError

EPOCHS_FILE = "histories.csv"
PREDICTIONS_FILE = "predictions.csv"
SECONDS_FILE = "seconds.csv"
_PREDICTIONS_COLUMNS = ("seed", "image", "label", "predicted", "probability", "loss")
_SECONDS_COLUMNS = ("seed", "epoch", "phase", "seconds", "frozen_seconds")


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
