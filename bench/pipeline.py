"""The pipeline's way, epoch by epoch, through the functions of its stages.

A process of its own, so that its memory is its own. For each line read, `features`, `transfer`, `fine` or `look`, it
does the next epoch of that work and writes its seconds; the first line it writes is the seconds of decoding all
pictures, which is done once for a data set. `look` is what `clean_training` adds to an epoch of the fine phase.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import numpy as np

from stages.common import params as params_file
from stages.network import backbones, inputs
from stages.network.inputs import Inputs
from stages.pictures import parts as pictures
from stages.training import checkpoints, fine_phase, models, transfer_phase
from stages.training.data import ACTIVATIONS, POOLED, Data
from stages.training.epochs import Epoch, train_epochs
from stages.training.steps import Steps

MANY = 1000  # epochs; more than a benchmark takes


def main() -> None:
    arguments = _arguments()
    study = inputs.read(arguments, arguments.dataset, params_file.load())
    models.use_threads(study.params.threads)
    cut = backbones.cut_layer(study.frozen_backbone, study.params.fine.from_layer)
    store = study.store(study.fingerprint(cut))
    (repeat,) = study.params.repeats_of(arguments.dataset)
    data = Data(store, study.parts, study.params, repeat, MANY)
    paths = [path for part in study.parts.values() for path in part.paths]
    answer(seconds_of(lambda: list(pictures.decode_all(paths, study.manifest.backbone.image_size))))
    store.clean("validation")
    clean = data.clean("training", ACTIVATIONS)
    head = transfer_phase.compiled_head(data, study.params)
    steps = Steps(fine_phase.compiled_top(study.backbone(), head, data, study.params, MANY))
    works = {
        "features": (store.augmented("training", epoch) for epoch in count(1)),
        "transfer": transfer(study, data),
        "fine": fine(steps, data, arguments.store / f"checkpoint-{os.getpid()}.npz"),
        "look": (steps.measure(clean) for _ in count()),
    }
    for line in sys.stdin:
        work = works[line.strip()]
        answer(seconds_of(lambda work=work: next(work)))


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def transfer(study: Inputs, data: Data) -> Iterator[Epoch]:
    """Epochs of the transfer phase, the head kept after each."""
    head = transfer_phase.compiled_head(data, study.params)
    yield from train_epochs(Steps(head), "transfer", POOLED, data, range(1, MANY))


def fine(steps: Steps, data: Data, checkpoint: Path) -> Iterator[None]:
    """Epochs of the fine phase, a checkpoint after each."""
    rows, logits = [], []
    for epoch in train_epochs(steps, "fine", ACTIVATIONS, data, range(1, MANY)):
        rows.append(epoch.row)
        logits.append(epoch.logits)
        checkpoints.write(checkpoint, rows, [np.stack(logits), *epoch.state])
        yield


def answer(seconds: float) -> None:
    print(seconds, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    inputs.add_arguments(parser)
    parser.add_argument("--dataset", required=True, help="its name in the manifest")
    return parser.parse_args()


if __name__ == "__main__":
    main()
