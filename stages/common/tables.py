"""Tables as csv and objects as json: written whole, and read with one line about what is wrong."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from stages.common.command import ThawError, one_line
from stages.common.files import written_whole

CLEAN = "train_clean_"  # begins the columns of a history that measure the training pictures again
DECIMALS = 6  # finer than the noise of any result, coarse enough for short files


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
        raise wrong(path, f"no readable csv ({one_line(error)})") from None
    if list(table.columns[: len(columns)]) != list(columns):
        found = ",".join(table.columns)
        raise wrong(path, f"columns are {found}, expected {','.join(columns)} first")
    return table


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write `content` to the json file `path`, whole: sorted keys, indent 2; raises ThawError on NaN."""
    try:
        text = json.dumps(content, sort_keys=True, indent=2, allow_nan=False)
    except ValueError as error:
        raise wrong(path, f"a number is not finite ({error})") from None
    write_text(text + "\n", path)


def read_json(path: Path) -> dict[str, Any]:
    """Read the json object of the file `path`; raises ThawError naming it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _missing(path) from None
    except (ValueError, OSError) as error:
        raise wrong(path, f"no readable json ({one_line(error)})") from None
    if not isinstance(content, dict):
        raise wrong(path, "holds no json object")
    return content


def write_text(text: str, path: Path) -> None:
    """Write `text` to the file `path` in UTF-8, whole."""
    with written_whole(path) as beside:
        beside.write_text(text, encoding="utf-8", newline="\n")


def _missing(path: Path) -> ThawError:
    return ThawError(f"{path}: no such file; run the stage that writes it (dvc repro)")


def wrong(path: Path, cause: str) -> ThawError:
    """The error to raise if the file `path` is not what a stage writes."""
    return ThawError(f"{path}: {cause}; run the stage that writes it again")
