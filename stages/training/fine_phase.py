"""The fine phase of one variant: the top of the backbone trained with the head, resumable at every epoch."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from stages.common.params import Fine, Params
from stages.network import backbones
from stages.network.keras_quietly import keras
from stages.training import checkpoints, optimizers
from stages.training.batch_normalization import fused
from stages.training.checkpoints import State
from stages.training.data import ACTIVATIONS, Data
from stages.training.epochs import Epoch, Row, epochs
from stages.training.models import FineTuned, compile_model
from stages.training.optimizers import RateSchedule

Groups = list[list[keras.Layer]]


@dataclass
class FinePhase:
    """The network as it is now, a row for each epoch that it ran, and validation's logits after each.

    `best` are the network's weights after the epoch with the lowest validation loss, the first of equal ones.
    """

    model: FineTuned
    rows: list[Row] = field(default_factory=list)
    logits: list[np.ndarray] = field(default_factory=list)
    best: State = field(default_factory=list)

    def take(self, epoch: Epoch) -> None:
        """Add what `epoch` left."""
        if all(epoch.row["val_loss"] < row["val_loss"] for row in self.rows):
            self.best = epoch.state[: len(self.model.weights)]
        self.rows.append(epoch.row)
        self.logits.append(epoch.logits)


def train(
    backbone: keras.Model,
    head: keras.Model,
    data: Data,
    params: Params,
    numbers: range,
    checkpoint: Path,
    show: Callable[[list[Row]], None] = lambda rows: None,
) -> FinePhase:
    """Train `backbone` from `fine.from_layer` up, and `head`, over the epochs `numbers`; both change in place.

    After each epoch the state is written to `checkpoint`, in a folder beside other variants'. Training resumes from
    there, or from another variant's checkpoint of the same run. `show` is called with the rows so far.
    """
    phase = FinePhase(fine_tuned(backbone, head, data, params, len(numbers)))
    _resume(phase, checkpoint, numbers)
    begin = _unfreezing(backbone, data.classes, params.fine, numbers.start)
    for epoch in epochs(phase.model, "fine", ACTIVATIONS, data, numbers[len(phase.rows) :], begin):
        phase.take(epoch)
        checkpoints.write(checkpoint, phase.rows, [np.stack(phase.logits), *phase.best, *epoch.state])
        show(phase.rows)
    return phase


def fine_tuned(backbone: keras.Model, head: keras.Model, data: Data, params: Params, epochs: int) -> FineTuned:
    """The top of `backbone`, unfrozen, under `head`: compiled for a fine phase of `epochs`, sharing their layers."""
    fine = params.fine
    cut = backbones.cut_layer(backbone, fine.from_layer)
    backbones.unfreeze(backbone, fine.from_layer)
    top = backbones.top_part(backbone, cut)
    model = FineTuned(fused(top) if fine.engine == "fused" else top, head, fine.batch_norm)
    backbones.compute_in(fine.precision, top)
    plain = optimizers.fresh(fine.optimizer, _rate(fine, data.steps, epochs))
    optimizer = optimizers.loss_scaled(plain) if fine.precision == "mixed_float16" else plain
    # Compiled and built after unfreezing: both collect the variables that are trainable then.
    compile_model(model, optimizer, data.classes)
    optimizer.build(model.trainable_variables)
    if scales := _scales(backbone, head, fine):
        optimizers.scale_rates(plain, scales)
    return model


def _rate(fine: Fine, steps: int, epochs: int) -> float | RateSchedule:
    """The learning rate of a phase of `epochs` epochs of `steps` steps each; a plain number where it never changes."""
    if fine.decay == "none" and not fine.warm_up_epochs:
        return fine.learning_rate
    return RateSchedule(fine.learning_rate, fine.warm_up_epochs * steps, fine.decay, epochs * steps)


def groups(backbone: keras.Model, fine: Fine) -> Groups:
    """The unfrozen layers in `fine.groups` runs from input to output; layers with weights are shared out evenly."""
    layers = backbone.layers[backbones.layer_index(backbone, fine.from_layer) :]
    weighted = [layer for layer in layers if layer.weights]
    borders = [round(len(weighted) * number / fine.groups) for number in range(fine.groups + 1)]
    return [weighted[start:end] for start, end in pairwise(borders)]


def _scales(backbone: keras.Model, head: keras.Model, fine: Fine) -> dict[str, float]:
    """Maps a variable's path to its factor on the learning rate; empty if all train at the same rate.

    `layer_decay` lowers the factor from group to group, from the head down (Howard and Ruder, 2018, section 3.2).
    """
    scales = {}
    if fine.layer_decay < 1:
        scales |= {
            variable.path: fine.layer_decay**distance
            for distance, group in enumerate(reversed(groups(backbone, fine)), start=1)
            for layer in group
            for variable in layer.trainable_variables
        }
    if fine.head_learning_rate is not None:
        scales |= {variable.path: fine.head_learning_rate / fine.learning_rate for variable in head.trainable_variables}
    return scales


def _unfreezing(backbone: keras.Model, classes: int, fine: Fine, first: int) -> Callable[[keras.Model, int], None]:
    """What to do before each epoch so that the groups join from the top, one every `fine.epochs_a_group` epochs."""
    parts = groups(backbone, fine)

    def begin(model: keras.Model, epoch: int) -> None:
        joined = min(1 + (epoch - first) // fine.epochs_a_group, len(parts))
        frozen = [layer for group in parts[: len(parts) - joined] for layer in group]
        changed = [layer for group in parts for layer in group if layer.trainable == (layer in frozen)]
        for layer in changed:
            layer.trainable = layer not in frozen
        if changed:
            # The optimizer, built with all groups' variables, is kept. The traced step is that of the old trainable
            # layers, so that it must be compiled again.
            compile_model(model, model.optimizer, classes)

    return begin if fine.unfreezing == "gradual" else lambda model, epoch: None


def _resume(phase: FinePhase, checkpoint: Path, numbers: range) -> None:
    same_run = checkpoint.parent.parent.glob(f"*/{checkpoint.name}")
    stored = checkpoints.longest(same_run, len(numbers))
    if stored:
        phase.rows, (logits, *arrays) = stored
        phase.logits = list(logits)
        weights = len(phase.model.weights)
        phase.best = arrays[:weights]
        checkpoints.restore(phase.model, arrays[weights:])


def checkpoint_path(folder: Path, features: str, numbers: range, head: State, data: Data, params: Params) -> Path:
    """Where a run's checkpoint lies: named after all that decides its fine epochs.

    The number of epochs is in the name only if the rate depends on it; otherwise a longer run resumes from a shorter.
    """
    made_of = {
        "features": features,
        "first_epoch": numbers.start,
        "decays_over": len(numbers) if params.fine.decay != "none" else None,
        "head": [hashlib.sha256(array.tobytes()).hexdigest() for array in head],
        "repeat": data.identity,
        "params": params.model_dump(
            include={"clean_training", "class_weight", "batch_size", "threads", "head", "fine"}
        ),
    }
    return checkpoints.path_of(folder, made_of)
