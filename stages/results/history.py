"""A history: one row an epoch, `transfer` epochs and then `fine` ones, every number finite.

Columns that begin with `tables.CLEAN` have NaN for epochs after which the training pictures were not measured again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.common import tables

COLUMNS = ("epoch", "phase", "accuracy", "loss", "val_accuracy", "val_loss")
PHASES = ("transfer", "fine")
MEASURES = ("accuracy", "loss")


def write(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write one row an epoch to the csv `path`: COLUMNS first, further columns as the rows have them.

    Raises ThawError where the rows are no valid history; nothing is written then.
    """
    table = pd.DataFrame(list(rows))
    further = [column for column in table.columns if column not in COLUMNS]
    table = table.reindex(columns=[*COLUMNS, *further]).round(tables.DECIMALS)
    check(table, path)
    tables.write_table(table, path)


def read(path: Path) -> pd.DataFrame:
    """Read a variant's csv: `epoch` int64, `phase` str, every other column float64.

    Raises ThawError naming the file where it is missing or no valid history.
    """
    table = tables.read_table(path, COLUMNS)
    check(table, path)
    return table.astype(dict.fromkeys(_number_columns(table), float))


def check(table: pd.DataFrame, path: Path) -> None:
    """Raise ThawError naming the file `path` where `table` is no valid history."""
    if list(table["epoch"]) != list(range(1, len(table) + 1)) or table.empty:
        raise tables.wrong(path, f"epochs are not 1 to {max(len(table), 1)}, one a row")
    phases = list(table["phase"])
    transfer = phases.count("transfer")
    if phases != ["transfer"] * transfer + ["fine"] * (len(phases) - transfer):
        raise tables.wrong(path, "phases are not `transfer` epochs and then `fine` epochs")
    for column in _number_columns(table):
        _check_numbers(table[column].dropna() if column.startswith(tables.CLEAN) else table[column], path)


def _check_numbers(values: pd.Series, path: Path) -> None:
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float)
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if wrong.size:
        epoch = values.index[wrong[0]] + 1
        raise tables.wrong(path, f"{values.name} of epoch {epoch} is {values.iloc[wrong[0]]}, no finite number")


def _number_columns(table: pd.DataFrame) -> list[str]:
    return [column for column in table.columns if column not in ("epoch", "phase")]
