"""Stage `transfer`: the head trained on the frozen backbone, once for all variants of a data set with the same head.

Reads the stored activations. Writes for each head and repeat the weights, the optimizer and the history after every
epoch; the seconds of the epochs; and the converged head's logits of the validation pictures.
"""

import argparse
from pathlib import Path

import numpy as np

from stages.common import params, tables
from stages.common.command import run
from stages.common.params import Params
from stages.network import inputs
from stages.network.feature_store import FeatureStore
from stages.network.inputs import Inputs
from stages.results import repeats
from stages.results.repeats import Validation
from stages.training import models, transfer_phase
from stages.training.converged import converged_logits
from stages.training.data import Data
from stages.training.transfer_phase import TransferPhase


def main() -> None:
    arguments = _arguments()
    loaded = inputs.read(arguments, arguments.dataset, params.load())
    models.use_threads(loaded.params.threads)
    fingerprint = tables.read_json(arguments.features)["fingerprint"]
    store = loaded.store(fingerprint)
    seconds = {}
    for settings in heads(loaded.params, arguments.dataset):
        for repeat in settings.repeats_of(arguments.dataset):
            data = Data(store, loaded.parts, settings, repeat, arguments.epochs)
            phase = TransferPhase()
            checkpoint = transfer_phase.checkpoint_path(arguments.work, fingerprint, data, settings)
            phase.extend(arguments.epochs, data, settings, checkpoint)
            kept = transfer_phase.path_in(arguments.out, settings.transfer, repeat.number)
            phase.without_seconds().write(kept)
            seconds.setdefault(repeat.number, phase.rows)
    repeats.write_seconds(seconds, arguments.seconds)
    repeats.write_logits(_train_converged(loaded, arguments, store), arguments.converged)


def _train_converged(loaded: Inputs, arguments: argparse.Namespace, store: FeatureStore) -> dict[int, Validation]:
    """Train each repeat's converged head, and return its logits of the validation pictures as those of one epoch."""
    found = {}
    for repeat in loaded.params.repeats_of(arguments.dataset):
        data = Data(store, loaded.parts, loaded.params, repeat, arguments.epochs)
        logits = converged_logits(data, loaded.params.threads)
        labels, paths = data.labels("validation"), data.paths("validation")
        found[repeat.number] = Validation.of(logits[np.newaxis], labels, paths, arguments.images)
    return found


def heads(settings: Params, dataset: str) -> list[Params]:
    """The params of each distinct head that a variant of `dataset` trains; the plain head comes first."""
    own = [settings.of(schedule) for schedule in settings.variants.values() if schedule.dataset == dataset]
    return list({each.transfer.model_dump_json(): each for each in [settings, *own]}.values())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    inputs.add_arguments(parser)
    parser.add_argument("--dataset", required=True, help="its name in the manifest")
    parser.add_argument("--features", type=Path, required=True, help="json of the activations' fingerprint")
    parser.add_argument("--epochs", type=int, required=True, help="how many epochs to train")
    parser.add_argument("--work", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--out", type=Path, required=True, help="folder of the heads' states")
    parser.add_argument("--seconds", type=Path, required=True, help="csv of the plain head's measured seconds")
    parser.add_argument("--converged", type=Path, required=True, help="folder of the converged head's logits")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
