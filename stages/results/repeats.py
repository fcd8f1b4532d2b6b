"""What `train` leaves of every repeat of a variant: its epochs, its validation logits and its seconds.

results/<variant>/epochs.csv    repeat, then the columns of a history; one row a repeat and epoch
results/<variant>/logits.npz    for each repeat r: logits_r, float16 (epochs, images, units); labels_r, int
                                (images,); images_r, str (images,). One unit is the logit of class 1 of two
plots/seconds/<variant>.csv     repeat, epoch, phase, seconds, frozen_seconds: measured, so that it differs from
                                run to run, and all else does not
"""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.common import tables
from stages.common.command import ThawError
from stages.common.files import written_whole
from stages.results import history

EPOCHS_FILE = "epochs.csv"
LOGITS_FILE = "logits.npz"
_SECONDS = ("seconds", "frozen_seconds")
_SECONDS_COLUMNS = ("repeat", "epoch", "phase", *_SECONDS)

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Validation:
    """A repeat's validation images: `logits` (epochs, images, units), `labels` int (images,), `images` their paths."""

    logits: np.ndarray
    labels: np.ndarray
    images: np.ndarray

    @classmethod
    def of(cls, logits: np.ndarray, labels: np.ndarray, paths: Sequence[Path], folder: Path) -> "Validation":
        """Make one whose `images` are the `paths` below `folder`."""
        return cls(logits, labels, np.array([path.relative_to(folder).as_posix() for path in paths]))

    def log_probabilities(self, temperature: np.ndarray | float = 1.0) -> np.ndarray:
        """Float64 (epochs, images, classes) of logits divided by `temperature`, a number or (epochs, 1, 1)."""
        logits = self.logits.astype(float)
        if logits.shape[-1] == 1:  # one logit is that of class 1 against class 0
            logits = np.concatenate([np.zeros_like(logits), logits], axis=-1)
        logits = logits / temperature
        return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)

    def losses(self, temperature: np.ndarray | float = 1.0) -> np.ndarray:
        """The cross-entropy of the true class, (epochs, images)."""
        return -self.log_probabilities(temperature)[:, np.arange(len(self.labels)), self.labels]

    def correct(self) -> np.ndarray:
        """Whether the true class is predicted, bool (epochs, images)."""
        return self.log_probabilities().argmax(axis=-1) == self.labels


def write_epochs(runs: Mapping[int, Rows], folder: Path) -> None:
    """Write the epochs of all repeats, `runs` by their number, without their seconds."""
    tables.write_table(_epochs(runs), folder / EPOCHS_FILE)


def write_history(runs: Mapping[int, Rows], path: Path) -> None:
    """Write a history: for each epoch, the mean over the repeats that have reached the epoch.

    `runs` has the rows of each repeat by its number.
    """
    history.write(mean_history(_epochs(runs)).to_dict("records"), path)


def write_seconds(runs: Mapping[int, Rows], path: Path) -> None:
    """Write the measured seconds of all repeats' epochs."""
    table = _by_repeat(runs).reindex(columns=list(_SECONDS_COLUMNS))  # a schedule without a fine phase has none
    tables.write_table(table.round(dict.fromkeys(_SECONDS, 3)), path)


def write_logits(validations: Mapping[int, Validation], folder: Path) -> None:
    """Write the validation logits of all repeats by their number: the same bytes for the same numbers.

    NumPy dates the members of its archive 1980, and leaves them as they are: compressed, they would differ with the
    version of zlib.
    """
    arrays = {}
    for number, validation in validations.items():
        arrays[f"logits_{number}"] = validation.logits.astype(np.float16)
        arrays[f"labels_{number}"] = validation.labels.astype(np.int64)
        arrays[f"images_{number}"] = np.asarray(validation.images, dtype=str)
    with written_whole(folder / LOGITS_FILE) as beside:
        np.savez(beside, **arrays)


def mean_history(epochs: pd.DataFrame) -> pd.DataFrame:
    """The means over the repeats, one row an epoch; where their phases differ, the phase that most repeats have."""
    by_epoch = epochs.drop(columns="repeat").assign(fine=epochs["phase"] == "fine").groupby("epoch", sort=False)
    means = by_epoch.mean(numeric_only=True)
    means.insert(0, "phase", np.where(means.pop("fine") > 0.5, "fine", "transfer"))
    return means.reset_index()


def read_epochs(folder: Path) -> pd.DataFrame:
    """The epochs of all repeats: `repeat`, then the columns of a history; raises ThawError naming the file.

    All repeats have the same epochs.
    """
    path = folder / EPOCHS_FILE
    table = tables.read_table(path, ("repeat", *history.COLUMNS))
    _check_epochs(table, path)
    for _, ran in table.groupby("repeat"):
        history.check(ran.drop(columns="repeat").reset_index(drop=True), path)
    return table


def read_seconds(path: Path) -> pd.DataFrame:
    """The measured seconds of all repeats' epochs; raises ThawError."""
    table = tables.read_table(path, _SECONDS_COLUMNS)
    _check_epochs(table, path)
    return table


def read_logits(folder: Path) -> dict[int, Validation]:
    """The validation logits of all repeats by their number; raises ThawError naming the file."""
    path = folder / LOGITS_FILE
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        numbers = [int(name.removeprefix("logits_")) for name in arrays if name.startswith("logits_")]
        found = {
            number: Validation(arrays[f"logits_{number}"], arrays[f"labels_{number}"], arrays[f"images_{number}"])
            for number in sorted(numbers)
        }
    except FileNotFoundError:
        raise ThawError(f"{path}: no such file; run the stage that writes it (dvc repro)") from None
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise _wrong(path, f"no readable logits ({error})") from None
    _check_logits(found, path)
    return found


def final_predictions(folder: Path) -> pd.DataFrame:
    """What each repeat predicts after its last epoch, one row a repeat and image; raises ThawError.

    Columns: repeat, image, label, predicted (a class), probability (of it), loss (the true class's cross-entropy).
    """
    return pd.concat([_final(number, each) for number, each in read_logits(folder).items()], ignore_index=True)


def _final(number: int, validation: Validation) -> pd.DataFrame:
    last = Validation(validation.logits[-1:], validation.labels, validation.images)
    log_probabilities = last.log_probabilities()[0]
    return pd.DataFrame(
        {
            "repeat": number,
            "image": validation.images,
            "label": validation.labels,
            "predicted": log_probabilities.argmax(axis=1),
            "probability": np.exp(log_probabilities.max(axis=1)),
            "loss": last.losses()[0],
        }
    )


def _epochs(runs: Mapping[int, Rows]) -> pd.DataFrame:
    return _by_repeat(runs).drop(columns=list(_SECONDS), errors="ignore").round(tables.DECIMALS)


def _by_repeat(runs: Mapping[int, Rows]) -> pd.DataFrame:
    parts = [pd.DataFrame(list(rows)) for rows in runs.values()]
    for number, part in zip(runs, parts, strict=True):
        part.insert(0, "repeat", number)
    return pd.concat(parts, ignore_index=True)


def _check_epochs(table: pd.DataFrame, path: Path) -> None:
    parts = [list(part["epoch"]) for _, part in table.groupby("repeat")]
    if not parts:
        raise _wrong(path, "holds no repeat")
    if any(part != parts[0] for part in parts):
        raise _wrong(path, "epochs differ from repeat to repeat")


def _check_logits(found: Mapping[int, Validation], path: Path) -> None:
    if not found:
        raise _wrong(path, "holds no repeat")
    for number, validation in found.items():
        logits, labels, images = validation.logits, validation.labels, validation.images
        if logits.ndim != 3 or not logits.size or logits.dtype.kind != "f":
            raise _wrong(path, f"logits_{number} is no array of epochs, images and units")
        _, count, units = logits.shape
        classes = max(units, 2)
        if labels.shape != (count,) or images.shape != (count,) or labels.dtype.kind != "i":
            raise _wrong(path, f"labels_{number} or images_{number} is not of its {count} images")
        if not 0 <= labels.min() <= labels.max() < classes or len(set(images)) < count:
            raise _wrong(path, f"labels_{number} names no class of {classes}, or images_{number} an image twice")
        if not np.isfinite(logits).all():
            raise _wrong(path, f"logits_{number} holds a number that is not finite")


def _wrong(path: Path, cause: str) -> ThawError:
    return ThawError(f"{path}: {cause}; run the stage that writes it again")
