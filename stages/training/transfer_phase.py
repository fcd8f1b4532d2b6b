"""The transfer phase, shared by every variant of a data set with the same head: the head after each epoch."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stages.common.command import ThawError
from stages.common.params import Params, Transfer
from stages.network.keras_quietly import keras
from stages.training import checkpoints, optimizers
from stages.training.checkpoints import State
from stages.training.data import POOLED, Data
from stages.training.epochs import Row, train_epochs
from stages.training.models import build_head, compile_model
from stages.training.steps import Steps

SECONDS = ("seconds", "frozen_seconds")


@dataclass
class TransferPhase:
    """states[e] is the head and its optimizer after epoch e, states[0] the fresh head.

    rows[e - 1] is epoch e's row of the history, logits[e - 1] validation's logits after it.
    """

    states: list[State] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    logits: list[np.ndarray] = field(default_factory=list)

    def extend(self, last_epoch: int, data: Data, params: Params, checkpoint: Path) -> None:
        """Train on from the last state to `last_epoch`, if that is not reached yet.

        After each epoch the phase is written to `checkpoint`. Training resumes from there if it holds more epochs.
        """
        if len(self.rows) < last_epoch:
            self._resume(checkpoint)
        head = compiled_head(data, params)
        if not self.states:
            self.states.append(checkpoints.capture(head))
        checkpoints.restore(head, self.states[-1])
        remaining = range(len(self.rows) + 1, last_epoch + 1)
        for epoch in train_epochs(Steps(head), "transfer", POOLED, data, remaining):
            self.rows.append(epoch.row)
            self.states.append(epoch.state)
            self.logits.append(epoch.logits)
            self.write(checkpoint)

    def head_after(self, epoch: int, data: Data, params: Params) -> keras.Model:
        """The head as it was after `epoch` epochs of this phase."""
        head = compiled_head(data, params)
        checkpoints.restore(head, self.states[epoch])
        return head

    def without_seconds(self) -> "TransferPhase":
        """Return the phase without measured seconds, so that its file has the same bytes whenever it is made."""
        rows = [{key: value for key, value in row.items() if key not in SECONDS} for row in self.rows]
        return TransferPhase(self.states, rows, self.logits)

    def write(self, path: Path) -> None:
        """Write the phase to the `.npz` file `path`, whole."""
        stacked = [np.stack(arrays) for arrays in zip(*self.states, strict=True)]
        checkpoints.write(path, self.rows, [np.array(self.logits), *stacked])

    def _resume(self, checkpoint: Path) -> None:
        stored = _read(checkpoint)
        if stored and len(stored.rows) > len(self.rows):
            self.states, self.rows, self.logits = stored.states, stored.rows, stored.logits


def compiled_head(data: Data, params: Params) -> keras.Model:
    """A fresh head, compiled for the transfer phase."""
    head = build_head(data.channels, data.classes, params.head.dropout, data.repeat.seed)
    optimizer = optimizers.fresh(params.transfer.optimizer, params.transfer.learning_rate)
    compile_model(head, optimizer, data.classes)
    return head


def path_in(folder: Path, transfer: Transfer, repeat: int) -> Path:
    """The file below `folder` in which the stage `transfer` keeps the phase of this head and repeat."""
    return folder / f"{transfer.optimizer}-{transfer.learning_rate}" / f"repeat-{repeat}.npz"


def read(path: Path) -> TransferPhase:
    """The phase that the stage `transfer` wrote; raises ThawError if it cannot be read."""
    stored = _read(path)
    if stored is None:
        raise ThawError(f"{path}: missing or damaged; run `dvc repro transfer`")
    return stored


def _read(path: Path) -> TransferPhase | None:
    stored = checkpoints.read(path)
    if stored is None:
        return None
    rows, (logits, *stacked) = stored
    return TransferPhase([list(arrays) for arrays in zip(*stacked, strict=True)], rows, list(logits))


def checkpoint_path(folder: Path, fingerprint: str, data: Data, params: Params) -> Path:
    """The path of a repeat's checkpoint, named after all that decides the phase's epochs except their number.

    `fingerprint` identifies the stored activations.
    """
    decisive = params.model_dump(
        include={"clean_training", "class_weight", "batch_size", "threads", "head", "transfer"}
    )
    return checkpoints.path_of(folder, {"features": fingerprint, "repeat": data.identity, "params": decisive})
