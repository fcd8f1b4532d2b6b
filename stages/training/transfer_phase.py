"""The transfer phase, shared by every variant of a data set: the head after each epoch."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stages.common.command import ThawError
from stages.common.params import Params
from stages.network.keras_quietly import keras
from stages.training import checkpoints as state
from stages.training import optimizers
from stages.training.checkpoints import State
from stages.training.epochs import Data, Row, build_head, compile_model, epochs

# What a change of would change the training.
MODULES = ("batches", "optimizers", "randomness", "state", "training", "transfer_phase")


@dataclass
class TransferPhase:
    """states[e] is the head and its optimizer after epoch e, states[0] the fresh head; rows[e - 1] its history."""

    states: list[State] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    def extend(self, last_epoch: int, data: Data, params: Params, checkpoint: Path) -> None:
        """Train on from the last state to `last_epoch`, if that is not reached yet.

        After each epoch the phase is written to `checkpoint`, and training goes on from there if that has got further.
        """
        if len(self.rows) < last_epoch:
            self._go_on_from(checkpoint)
        head = compiled_head(data, params)
        if not self.states:
            self.states.append(state.captured(head))
        state.restore(head, self.states[-1])
        remaining = range(len(self.rows) + 1, last_epoch + 1)
        for row, reached in epochs(head, "transfer", "pooled", data, remaining):
            self.rows.append(row)
            self.states.append(reached)
            self._write(checkpoint)

    def head_after(self, epoch: int, data: Data, params: Params) -> keras.Model:
        """The head as it was after `epoch` epochs of this phase."""
        head = compiled_head(data, params)
        state.restore(head, self.states[epoch])
        return head

    def write(self, folder: Path, seed: int) -> None:
        self._write(_file(folder, seed))

    def _write(self, path: Path) -> None:
        stacked = [np.stack(arrays) for arrays in zip(*self.states, strict=True)]
        state.write(path, self.rows, stacked)

    def _go_on_from(self, checkpoint: Path) -> None:
        stored = _read(checkpoint)
        if stored and len(stored.rows) > len(self.rows):
            self.states, self.rows = stored.states, stored.rows


def compiled_head(data: Data, params: Params) -> keras.Model:
    """A fresh head, compiled for the transfer phase."""
    head = build_head(data.channels, data.classes, params.head.dropout, data.seed)
    optimizer = optimizers.fresh(params.transfer.optimizer, params.transfer.learning_rate)
    compile_model(head, optimizer, data.classes)
    return head


def read(folder: Path, seed: int) -> TransferPhase:
    """The phase that the `transfer` stage wrote for `seed`; raises ThawError where it cannot be read."""
    path = _file(folder, seed)
    stored = _read(path)
    if stored is None:
        raise ThawError(f"{path}: missing or damaged; run `dvc repro transfer`")
    return stored


def _read(path: Path) -> TransferPhase | None:
    stored = state.read(path)
    if stored is None:
        return None
    rows, stacked = stored
    return TransferPhase([list(arrays) for arrays in zip(*stacked, strict=True)], rows)


def checkpoint_path(folder: Path, features: str, data: Data, params: Params) -> Path:
    """Where a seed's checkpoint lies: named after all that decides the phase's epochs, but for their number."""
    decisive = params.model_dump(include={"clean_training", "batch_size", "threads", "head", "transfer"})
    return state.checkpoint(folder, MODULES, {"features": features, "seed": data.seed, "params": decisive})


def _file(folder: Path, seed: int) -> Path:
    return folder / f"seed-{seed}.npz"
