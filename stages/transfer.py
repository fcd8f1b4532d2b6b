"""Stage `transfer`: the head trained on the frozen backbone, once for all variants of a data set with the same head.

Reads the stored activations; writes for each head and repeat its weights, optimizer and history after every epoch, and
what the epochs took.
"""

import argparse
from pathlib import Path

from stages.common import params, tables
from stages.common.command import run
from stages.common.params import Params
from stages.network import inputs
from stages.results import repeats
from stages.training import models, transfer_phase
from stages.training.data import Data
from stages.training.transfer_phase import TransferPhase


def main() -> None:
    arguments = _arguments()
    read = inputs.read(arguments, arguments.dataset, params.load())
    models.use_threads(read.params.threads)
    fingerprint = tables.read_json(arguments.features)["fingerprint"]
    store = read.store(fingerprint)
    seconds = {}
    for settings in heads(read.params, arguments.dataset):
        for repeat in settings.repeats_of(arguments.dataset):
            data = Data(store, read.parts, settings, repeat, arguments.epochs)
            phase = TransferPhase()
            checkpoint = transfer_phase.checkpoint_path(arguments.work, fingerprint, data, settings)
            phase.extend(arguments.epochs, data, settings, checkpoint)
            kept = transfer_phase.path_in(arguments.out, settings.transfer, repeat.number)
            phase.without_seconds().write(kept)
            seconds.setdefault(repeat.number, phase.rows)
    repeats.write_seconds(seconds, arguments.seconds)


def heads(settings: Params, dataset: str) -> list[Params]:
    """The params of each distinct head that a variant of `dataset` trains: the plain one, and those of their own."""
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
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
