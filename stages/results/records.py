"""The records of a run: a variant's epochs as csv, its results as json, its versions and its machine."""

import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.common.command import ThawError, one_line
from stages.common.files import written_whole

HISTORY_COLUMNS = ("epoch", "phase", "accuracy", "loss", "val_accuracy", "val_loss")
PHASES = ("transfer", "fine")
OVERALL_FIGURES = ("fine_share", "costs", "dip", "styles")  # drawn beside one for each data set and each variant
DECIMALS = 6  # finer than the noise of any result, coarse enough for short files

_RECORDED_PACKAGES = ("tensorflow", "keras", "numpy", "dvc")


def write_history(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write one row an epoch to the csv `path`: HISTORY_COLUMNS first, further columns as the rows have them.

    Raises ThawError where the rows are no valid history; nothing is written then.
    """
    table = pd.DataFrame(list(rows))
    further = [column for column in table.columns if column not in HISTORY_COLUMNS]
    table = table.reindex(columns=[*HISTORY_COLUMNS, *further]).round(DECIMALS)
    check_history(table, path)
    write_table(table, path)


def read_history(path: Path) -> pd.DataFrame:
    """Read a variant's csv: `epoch` int64, `phase` str, every other column float64.

    Raises ThawError naming the file where it is missing or no valid history.
    """
    table = read_table(path, HISTORY_COLUMNS)
    check_history(table, path)
    return table.astype(dict.fromkeys(_number_columns(table), float))


def check_history(table: pd.DataFrame, path: Path) -> None:
    """Raise ThawError naming the file `path` where `table` is no valid history."""
    if list(table["epoch"]) != list(range(1, len(table) + 1)) or table.empty:
        raise _wrong(path, f"epochs are not 1 to {max(len(table), 1)}, one a row")
    phases = list(table["phase"])
    transfer = phases.count("transfer")
    if phases != ["transfer"] * transfer + ["fine"] * (len(phases) - transfer):
        raise _wrong(path, "phases are not `transfer` epochs and then `fine` epochs")
    for column in _number_columns(table):
        _check_numbers(table[column], path)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write `table` without its index to the csv `path`, whole."""
    with written_whole(path) as beside:
        # DVC's plots leave `NaN` out and draw an empty cell as 0.
        table.to_csv(beside, index=False, lineterminator="\n", na_rep="NaN")


def read_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read the csv `path`, which starts with `columns`; raises ThawError naming the file."""
    try:
        table = pd.read_csv(path)
    except FileNotFoundError:
        raise _missing(path) from None
    except (ValueError, OSError) as error:  # pandas's parser errors are ValueErrors
        raise _wrong(path, f"no readable csv ({one_line(error)})") from None
    if list(table.columns[: len(columns)]) != list(columns):
        found = ",".join(table.columns)
        raise _wrong(path, f"columns are {found}, expected {','.join(columns)} first")
    return table


def variant_record(
    history: pd.DataFrame,
    *,
    dataset: str,
    transfer: int,
    fine: int,
    seeds: Sequence[int],
    source: str,
    style: Mapping[str, Any],
    images: Mapping[str, int],
    multiply_adds: Mapping[str, int],
    versions: Mapping[str, str],
    machine: Mapping[str, str | int],
) -> dict[str, Any]:
    """What metrics/<variant>.json holds: the settings, and final and best values of training and validation.

    `history` holds means over `seeds`; `images` are counted by part, `multiply_adds` of an epoch by phase; `style` is
    the fine phase's. Raises ThawError where the epochs run are not the epochs asked for.
    """
    asked = {"transfer": transfer, "fine": fine}
    ran = {phase: int((history["phase"] == phase).sum()) for phase in PHASES}
    if ran != asked:
        raise ThawError(
            f"{dataset}-{transfer}-{fine}: ran {ran['transfer']} transfer and {ran['fine']} fine epochs, "
            f"asked for {transfer} and {fine}; run the variant again"
        )
    return {
        "dataset": dataset,
        "transfer": transfer,
        "fine": fine,
        "seed": seeds[0],
        "seeds": list(seeds),
        "source": source,
        **style,
        "train": _results(history, ""),
        "val": _results(history, "val_"),
        "images": dict(images),
        "multiply_adds": dict(multiply_adds),
        "versions": dict(versions),
        "machine": dict(machine),
    }


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write `content` to the json file `path`, whole: sorted keys, indent 2; raises ThawError on NaN."""
    try:
        text = json.dumps(content, sort_keys=True, indent=2, allow_nan=False)
    except ValueError as error:
        raise _wrong(path, f"a number is not finite ({error})") from None
    write_text(text + "\n", path)


def read_json(path: Path) -> dict[str, Any]:
    """Read the json object of the file `path`; raises ThawError naming it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _missing(path) from None
    except (ValueError, OSError) as error:
        raise _wrong(path, f"no readable json ({one_line(error)})") from None
    if not isinstance(content, dict):
        raise _wrong(path, "holds no json object")
    return content


def write_text(text: str, path: Path) -> None:
    """Write `text` to the file `path` in UTF-8, whole."""
    with written_whole(path) as beside:
        beside.write_text(text, encoding="utf-8", newline="\n")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on, by name; imports none of them."""
    packages = {name: importlib.metadata.version(name) for name in _RECORDED_PACKAGES}
    return {"python": platform.python_version(), **packages}


def machine() -> dict[str, str | int]:
    """The processor's model, its number of cores and the operating system; no name of the host."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 1,
        "system": platform.system(),
        "architecture": platform.machine(),
    }


def _results(history: pd.DataFrame, prefix: str) -> dict[str, dict[str, float | int]]:
    accuracy, loss = history[f"{prefix}accuracy"], history[f"{prefix}loss"]
    final = {"accuracy": _rounded(accuracy.iloc[-1]), "loss": _rounded(loss.iloc[-1])}
    # The first of equal epochs: what a reader would have stopped at.
    best_accuracy, best_loss = accuracy.idxmax(), loss.idxmin()
    best = {
        "accuracy": _rounded(accuracy[best_accuracy]),
        "accuracy_epoch": int(history["epoch"][best_accuracy]),
        "loss": _rounded(loss[best_loss]),
        "loss_epoch": int(history["epoch"][best_loss]),
    }
    return {"final": final, "best": best}


def _rounded(value: float) -> float:
    return round(float(value), DECIMALS)


def _check_numbers(values: pd.Series, path: Path) -> None:
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float)
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if wrong.size:
        epoch = int(wrong[0]) + 1
        raise _wrong(path, f"{values.name} of epoch {epoch} is {values.iloc[wrong[0]]}, no finite number")


def _number_columns(table: pd.DataFrame) -> list[str]:
    return [column for column in table.columns if column not in ("epoch", "phase")]


def _missing(path: Path) -> ThawError:
    return ThawError(f"{path}: no such file; run the stage that writes it (dvc repro)")


def _wrong(path: Path, cause: str) -> ThawError:
    return ThawError(f"{path}: {cause}; run the stage that writes it again")


def _cpu_model() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
