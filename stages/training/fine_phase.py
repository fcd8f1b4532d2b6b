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
from stages.training import checkpoints, clean, optimizers
from stages.training.batch_normalization import fused
from stages.training.checkpoints import State
from stages.training.data import ACTIVATIONS, Data
from stages.training.epochs import Epoch, Row, train_epochs
from stages.training.models import FineTuned, compile_model
from stages.training.optimizers import RateSchedule
from stages.training.steps import Steps

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

    def add(self, epoch: Epoch) -> None:
        """Add what `epoch` left."""
        if all(epoch.row["val_loss"] < row["val_loss"] for row in self.rows):
            self.best = epoch.state[: len(self.model.weights)]
        self.rows.append(epoch.row)
        self.logits.append(epoch.logits)

    def set_best(self) -> None:
        """Give the network the weights of `best`."""
        for variable, value in zip(self.model.weights, self.best, strict=True):
            variable.assign(value)


def train(
    steps: Steps,
    backbone: keras.Model,
    data: Data,
    params: Params,
    numbers: range,
    checkpoint: Path,
    show: Callable[[list[Row]], None] = lambda rows: None,
) -> FinePhase:
    """Train the fresh compiled top of `backbone` under the head over the epochs `numbers`, in place.

    After each epoch the state is written to `checkpoint`, and `show` is called with the rows so far. Training resumes
    from `checkpoint`, or from a file of the same name that another variant wrote to its own folder, beside this one's.
    """
    phase = FinePhase(steps.model)
    clean_epochs = clean.epochs(numbers)
    _resume(phase, checkpoint, numbers, params.clean_training)
    before_epoch = _before_each_epoch(backbone, data.classes, params.fine, numbers.start)
    remaining = numbers[len(phase.rows) :]
    for epoch in train_epochs(steps, "fine", ACTIVATIONS, data, remaining, before_epoch, clean_epochs):
        phase.add(epoch)
        checkpoints.write(checkpoint, phase.rows, [np.stack(phase.logits), *phase.best, *epoch.state])
        show(phase.rows)
    # The last epoch of a shorter schedule, from which this one resumed, is none of its `clean_epochs`.
    phase.rows = [row if row["epoch"] in clean_epochs else clean.without(row) for row in phase.rows]
    return phase


def compiled_top(backbone: keras.Model, head: keras.Model, data: Data, params: Params, epoch_count: int) -> FineTuned:
    """The unfrozen top of `backbone` with `head` on it, compiled for `epoch_count` epochs; it shares their layers."""
    fine = params.fine
    cut = backbones.cut_layer(backbone, fine.from_layer)
    backbones.unfreeze(backbone, fine.from_layer)
    top = backbones.top_part(backbone, cut)
    model = FineTuned(fused(top) if fine.engine == "fused" else top, head, fine.batch_norm)
    backbones.compute_in(fine.precision, top)
    plain = optimizers.fresh(fine.optimizer, learning_rate(fine, data.steps, epoch_count))
    optimizer = optimizers.loss_scaled(plain) if fine.precision == "mixed_float16" else plain
    compile_model(model, optimizer, data.classes)  # after unfreezing
    if scales := _scales(backbone, head, fine):
        optimizers.scale_rates(plain, scales)
    return model


def learning_rate(fine: Fine, steps: int, epoch_count: int) -> float | RateSchedule:
    """The learning rate of a phase of `epoch_count` epochs of `steps` steps each; a plain number if it is constant."""
    if fine.decay == "none" and not fine.warm_up_epochs:
        return fine.learning_rate
    return RateSchedule(fine.learning_rate, fine.warm_up_epochs * steps, fine.decay, epoch_count * steps)


def groups(backbone: keras.Model, fine: Fine) -> Groups:
    """The unfrozen layers that have weights, from input to output, in `fine.groups` groups of about equal size."""
    layers = backbone.layers[backbones.layer_index(backbone, fine.from_layer) :]
    weighted = [layer for layer in layers if layer.weights]
    borders = [round(len(weighted) * number / fine.groups) for number in range(fine.groups + 1)]
    return [weighted[start:end] for start, end in pairwise(borders)]


def _scales(backbone: keras.Model, head: keras.Model, fine: Fine) -> dict[str, float]:
    """A mapping from a variable's path to its factor on the learning rate; empty if all train at the same rate.

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


def _before_each_epoch(
    backbone: keras.Model, classes: int, fine: Fine, first: int
) -> Callable[[keras.Model, int], None]:
    """Return the function to call before each epoch.

    With `unfreezing: gradual` only the top group is unfrozen at the epoch `first`, and the function unfreezes the next
    group every `fine.epochs_a_group` epochs; otherwise it does nothing.
    """
    parts = groups(backbone, fine)

    def set_trainable(model: keras.Model, epoch: int) -> None:
        joined = min(1 + (epoch - first) // fine.epochs_a_group, len(parts))
        frozen = [layer for group in parts[: len(parts) - joined] for layer in group]
        changed = [layer for group in parts for layer in group if layer.trainable == (layer in frozen)]
        for layer in changed:
            layer.trainable = layer not in frozen
        if changed:
            # Keras trains the layers that were trainable when it compiled the model. The optimizer, built with all
            # groups' variables, is kept.
            compile_model(model, model.optimizer, classes)

    return set_trainable if fine.unfreezing == "gradual" else lambda model, epoch: None


def _resume(phase: FinePhase, checkpoint: Path, numbers: range, clean_training: bool) -> None:
    def fits(rows: list[Row]) -> bool:
        # A longer schedule that stopped here has not measured the training pictures after this schedule's last epoch.
        ends_measured = not clean_training or clean.without(rows[-1]) != rows[-1]
        return len(rows) < len(numbers) or (len(rows) == len(numbers) and ends_measured)

    paths = checkpoint.parent.parent.glob(f"*/{checkpoint.name}")  # this variant's and others'
    stored = checkpoints.longest(paths, fits)
    if stored:
        phase.rows, (logits, *arrays) = stored
        phase.logits = list(logits)
        weights = len(phase.model.weights)
        phase.best = arrays[:weights]
        checkpoints.restore(phase.model, arrays[weights:])


def checkpoint_path(
    folder: Path, fingerprint: str, numbers: range, head_state: State, data: Data, params: Params
) -> Path:
    """The path of a run's checkpoint, named after all that decides its fine epochs.

    `fingerprint` identifies the stored activations. The number of epochs is in the name only if the rate decays, and
    so depends on it; otherwise a longer run resumes from a shorter one.
    """
    made_of = {
        "features": fingerprint,
        "first_epoch": numbers.start,
        "epochs_of_decay": len(numbers) if params.fine.decay != "none" else None,
        "head": [hashlib.sha256(array.tobytes()).hexdigest() for array in head_state],
        "repeat": data.identity,
        "params": params.model_dump(
            include={"clean_training", "class_weight", "batch_size", "threads", "head", "fine"}
        ),
    }
    return checkpoints.path_of(folder, made_of)
