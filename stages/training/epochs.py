"""One epoch after another. In order: what each reads, how it trains, how it is measured and what it leaves.

1. The pictures' order follows from the seed and the epoch, and so does the pass of augmentation that is read
   (`Data.training`). What of the pass is not stored yet is computed then.
2. Dropout starts anew (`reset_dropout`). So nothing in an epoch depends on how the ones before it were run: a
   training that resumes or branches off here gives the same as one that ran through.
3. The network trains on each batch (`Steps.train`). The optimizer keeps its state from epoch to epoch.
4. The network as it is now is measured on validation, and after some epochs on the training pictures too, without
   augmentation, dropout and batch statistics (`Steps.measure`).
5. The caller takes row, state and validation logits, and writes them down before the next epoch starts.
"""

import math
import time
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from stages.common import tables
from stages.common.command import ThawError
from stages.network.keras_quietly import keras
from stages.training import checkpoints
from stages.training.batches import Batches
from stages.training.checkpoints import State
from stages.training.data import Data, FeaturesOf
from stages.training.models import reset_dropout
from stages.training.steps import Steps

Row = dict[str, float | int | str]


@dataclass(frozen=True)
class Epoch:
    """What an epoch leaves: its row of the history, the state after it, and validation's logits, float16 (n, units)."""

    row: Row
    state: State
    logits: np.ndarray


def train_epochs(
    steps: Steps,
    phase: str,
    features_of: FeaturesOf,
    data: Data,
    numbers: range,
    before_epoch: Callable[[keras.Model, int], None] = lambda model, epoch: None,
    clean_epochs: Container[int] | None = None,
) -> Iterator[Epoch]:
    """Train the epochs `numbers` of `phase` on what `features_of` takes from the store, and yield what each leaves.

    `before_epoch` is called before each epoch with the model and its number. The training pictures are measured again
    after `clean_epochs`, by default after each. Raises ThawError if a value is not finite.
    """
    evaluations = data.evaluations(features_of)
    title = f"{phase}, repeat {data.repeat.number}"
    # None: shown where there is a terminal.
    with tqdm(numbers, desc=title, unit=" epoch", disable=None if numbers else True) as progress:
        for epoch in progress:
            before_epoch(steps.model, epoch)
            batches = data.training(epoch, features_of)
            started = time.perf_counter()
            reset_dropout(steps.model, data.repeat.seed, epoch)
            row = _train(steps, batches, epoch)
            due = clean_epochs is None or epoch in clean_epochs
            measured = {
                prefix: steps.measure(each) for prefix, each in evaluations.items() if due or prefix != tables.CLEAN
            }
            for prefix, each in measured.items():
                row |= {f"{prefix}accuracy": each.accuracy, f"{prefix}loss": each.loss}
            _check_finite(row, epoch)
            progress.set_postfix(val_loss=f"{row['val_loss']:.3f}", val_accuracy=f"{row['val_accuracy']:.3f}")
            seconds = {"seconds": time.perf_counter() - started, "frozen_seconds": data.frozen_seconds(epoch)}
            logits = measured["val_"].logits.astype(np.float16)
            yield Epoch({"epoch": epoch, "phase": phase, **row, **seconds}, checkpoints.capture(steps.model), logits)


def _train(steps: Steps, batches: Batches, epoch: int) -> Row:
    try:
        means = steps.train(batches)
    except FloatingPointError as error:
        rate = float(steps.model.optimizer.learning_rate)
        raise ThawError(
            f"epoch {epoch}, {error} at learning rate {rate:g}; lower this phase's learning_rate in params.yaml"
        ) from None
    return {"accuracy": means["accuracy"], "loss": means["loss"]}


def _check_finite(row: Row, epoch: int) -> None:
    for name, value in row.items():
        if not math.isfinite(value):
            raise ThawError(f"epoch {epoch}: {name} is {value}; lower this phase's learning_rate in params.yaml")
