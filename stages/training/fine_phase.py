"""The fine phase of one variant: the top of the backbone trained with the head, resumable at every epoch."""

import hashlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from stages.common.params import Fine, Params
from stages.network import backbones
from stages.network.keras_quietly import keras
from stages.training import checkpoints as state
from stages.training import optimizers
from stages.training.batch_normalization import fused
from stages.training.checkpoints import State
from stages.training.epochs import Data, FineTuned, Row, compile_model, epochs
from stages.training.folded_top import QuickEvaluation, folded

# What a change of would change the training.
MODULES = (
    *("backbone", "batch_normalization", "batches", "fine_phase", "folded_top", "optimizers", "randomness", "state"),
    *("training", "xnnpack"),
)

Groups = list[list[keras.Layer]]


def train(
    backbone: keras.Model, head: keras.Model, data: Data, params: Params, numbers: range, checkpoint: Path
) -> tuple[FineTuned, list[Row]]:
    """Train `backbone` from `fine.from_layer` up, and `head`, over the epochs `numbers`; both change in place.

    Returns the model that shares their layers, activations to logits, and the history's rows. After each epoch the
    state is written to `checkpoint`, in a folder beside other variants'. Training goes on from there, or from where
    another variant's run was that is the same so far.
    """
    model = fine_tuned(backbone, head, data, params)
    rows = _resumed(model, checkpoint, numbers)
    begin = _unfreezing(backbone, data.classes, params.fine, numbers.start)
    for row, reached in epochs(model, "fine", "activations", data, numbers[len(rows) :], begin):
        rows.append(row)
        state.write(checkpoint, rows, reached)
    return model, rows


def fine_tuned(backbone: keras.Model, head: keras.Model, data: Data, params: Params) -> FineTuned:
    """The top of `backbone`, unfrozen, under `head`: compiled for the fine phase, sharing their layers."""
    fine = params.fine
    cut = backbones.cut_layer(backbone, fine.from_layer)
    backbones.unfreeze(backbone, fine.from_layer)
    top = backbones.top_part(backbone, cut)
    model = FineTuned(fused(top) if fine.engine == "fused" else top, head, fine.batch_norm)
    if fine.engine == "fused":
        model.quick = _quick(top, head, data.classes, params)  # in float32, and so before the layers compute otherwise
    backbones.compute_in(fine.precision, top)
    plain = optimizers.fresh(fine.optimizer, fine.learning_rate, fine.warm_up_epochs * data.steps)
    optimizer = optimizers.loss_scaled(plain) if fine.precision == "mixed_float16" else plain
    # Compiled and built after unfreezing: both collect the variables that are trainable then.
    compile_model(model, optimizer, data.classes)
    optimizer.build(model.trainable_variables)
    if fine.layer_decay < 1:
        optimizers.scale_rates(plain, _scales(groups(backbone, fine), fine.layer_decay))
    return model


def _quick(top: keras.Model, head: keras.Model, classes: int, params: Params) -> QuickEvaluation | None:
    twin = folded(top, params.features.batch_size, params.threads)
    if twin is None:
        return None
    alone = keras.Sequential([keras.Input(head.input_shape[1:]), head])
    compile_model(alone, keras.optimizers.SGD(), classes)  # an optimizer for form
    return QuickEvaluation(twin, alone)


def groups(backbone: keras.Model, fine: Fine) -> Groups:
    """The unfrozen layers in `fine.groups` runs from input to output, of about as many layers with weights each."""
    layers = backbone.layers[backbones.layer_index(backbone, fine.from_layer) :]
    weighted = [layer for layer in layers if layer.weights]
    borders = [round(len(weighted) * number / fine.groups) for number in range(fine.groups + 1)]
    return [weighted[start:end] for start, end in pairwise(borders)]


def _scales(groups: Groups, decay: float) -> dict[str, float]:
    """By each variable's path, its share of the head's rate (Howard and Ruder, 2018, section 3.2)."""
    return {
        variable.path: decay**distance
        for distance, group in enumerate(reversed(groups), start=1)
        for layer in group
        for variable in layer.trainable_variables
    }


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
            # The optimizer was built with all groups' variables and stays; what was traced for others must not.
            compile_model(model, model.optimizer, classes)

    return begin if fine.unfreezing == "gradual" else lambda model, epoch: None


def _resumed(model: keras.Model, checkpoint: Path, numbers: range) -> list[Row]:
    same_run = checkpoint.parent.parent.glob(f"*/{checkpoint.name}")
    stored = state.longest(same_run, len(numbers))
    if stored is None:
        return []
    rows, arrays = stored
    state.restore(model, arrays)
    return rows


def checkpoint_path(folder: Path, features: str, transfer_epochs: int, head: State, data: Data, params: Params) -> Path:
    """Where a run's checkpoint lies: named after all that decides its fine epochs, but for their number."""
    made_of = {
        "features": features,
        "transfer_epochs": transfer_epochs,
        "head": [hashlib.sha256(array.tobytes()).hexdigest() for array in head],
        "seed": data.seed,
        "params": params.model_dump(include={"clean_training", "batch_size", "threads", "head", "fine"}),
        "backend": keras.backend.backend(),
    }
    return state.checkpoint(folder, MODULES, made_of)
