"""Stage `transfer`: the head trained on the frozen backbone, once for all variants of a data set.

Reads the stored activations; writes for each seed the head, its optimizer and the history of every epoch.
"""

import argparse
from pathlib import Path

from stages.common import params
from stages.common.command import run
from stages.network import inputs
from stages.results import records
from stages.training import epochs as training
from stages.training import transfer_phase
from stages.training.epochs import Data
from stages.training.transfer_phase import TransferPhase


def main() -> None:
    settings = params.load()  # before the command line, which repeats some of it
    arguments = _arguments()
    study = inputs.read(arguments, settings)
    training.use_threads(study.params.threads)
    fingerprint = records.read_json(arguments.features)["fingerprint"]
    store = study.store(fingerprint)
    for seed in study.params.seeds:
        data = Data(store, study.parts, study.params, seed)
        phase = TransferPhase()
        checkpoint = transfer_phase.checkpoint_path(arguments.work, fingerprint, data, study.params)
        phase.extend(arguments.epochs, data, study.params, checkpoint)
        phase.write(arguments.out, seed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    inputs.add_arguments(parser)
    parser.add_argument("--features", type=Path, required=True, help="json of the activations' fingerprint")
    parser.add_argument("--epochs", type=int, required=True, help="how many epochs to train")
    parser.add_argument("--work", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--out", type=Path, required=True, help="folder of the head's states")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
