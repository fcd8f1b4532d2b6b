"""The transfer phase, shared by every variant of a data set: the head after each epoch."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stages.lib import optimizers, state
from stages.lib.command import ThawError
from stages.lib.keras_quietly import keras
from stages.lib.params import Params
from stages.lib.state import State
from stages.lib.training import Data, Row, build_head, compile_model, epochs


@dataclass
class TransferPhase:
    """states[e] is the head and its optimizer after epoch e, states[0] the fresh head; rows[e - 1] its history."""

    states: list[State] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    def extend(self, last_epoch: int, data: Data, params: Params) -> None:
        """Train on from the last state to `last_epoch`, if that is not reached yet."""
        head = compiled_head(data, params)
        if not self.states:
            self.states.append(state.captured(head))
        state.restore(head, self.states[-1])
        remaining = range(len(self.rows) + 1, last_epoch + 1)
        for row in epochs(head, "transfer", "pooled", data, remaining):
            self.rows.append(row)
            self.states.append(state.captured(head))

    def head_after(self, epoch: int, data: Data, params: Params) -> keras.Model:
        """The head as it was after `epoch` epochs of this phase."""
        head = compiled_head(data, params)
        state.restore(head, self.states[epoch])
        return head

    def write(self, folder: Path, seed: int) -> None:
        stacked = [np.stack(arrays) for arrays in zip(*self.states, strict=True)]
        state.write(_file(folder, seed), self.rows, stacked)


def compiled_head(data: Data, params: Params) -> keras.Model:
    """A fresh head, compiled for the transfer phase."""
    head = build_head(data.channels, data.classes, params.head.dropout, data.seed)
    optimizer = optimizers.fresh(params.transfer.optimizer, params.transfer.learning_rate)
    compile_model(head, optimizer, data.classes)
    return head


def read(folder: Path, seed: int) -> TransferPhase:
    """The phase that the `transfer` stage wrote for `seed`; raises ThawError where it cannot be read."""
    path = _file(folder, seed)
    stored = state.read(path)
    if stored is None:
        raise ThawError(f"{path}: missing or damaged; run `dvc repro transfer`")
    rows, stacked = stored
    return TransferPhase([list(arrays) for arrays in zip(*stacked, strict=True)], rows)


def _file(folder: Path, seed: int) -> Path:
    return folder / f"seed-{seed}.npz"
