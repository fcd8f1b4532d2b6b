"""Train the head alone at several rates, on training pictures only, to choose the rate of the tuned arm.

Reads the stored activations. Holds out a quarter of each repeat's training pictures, trains on the others, and writes a
table of each rate's loss and accuracy on the quarter after every epoch. No validation picture is read.
"""

import argparse
from itertools import product
from pathlib import Path

from stages.common.command import run
from stages.common.params import Params, Repeat
from stages.network import inputs
from stages.network.inputs import Inputs
from stages.training import measurement, transfer_phase
from stages.training.data import POOLED, Data
from stages.training.epochs import train_epochs
from stages.training.steps import Steps

COLUMNS = ("dataset", "repeat", "optimizer", "rate", "epoch", "loss", "accuracy")


def main() -> None:
    measurement.write(_arguments(), COLUMNS, _rows)


def _rows(loaded: Inputs, dataset: str, fingerprint: str, repeat: Repeat) -> list[tuple]:
    rows = []
    for settings in _heads(loaded.params):
        budget = loaded.params.budget[dataset]
        data = Data(loaded.store(fingerprint), loaded.parts, settings, repeat, budget).within_training()
        head = transfer_phase.compiled_head(data, settings)
        for epoch in train_epochs(Steps(head), "transfer", POOLED, data, range(1, settings.sweep.epochs + 1)):
            optimizer, rate = settings.transfer.optimizer, settings.transfer.learning_rate
            loss, accuracy = epoch.row["val_loss"], epoch.row["val_accuracy"]
            rows.append((dataset, repeat.number, optimizer, rate, epoch.row["epoch"], loss, accuracy))
    return rows


def _heads(settings: Params) -> list[Params]:
    sweep = settings.sweep
    heads = [
        settings.transfer.model_copy(update={"optimizer": optimizer, "learning_rate": rate})
        for optimizer, rate in product(sweep.optimizers, sweep.rates)
    ]
    # Each epoch is measured on the quarter alone, not on the clean training pictures too.
    return [settings.model_copy(update={"transfer": head, "clean_training": False}) for head in heads]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    inputs.add_arguments(parser)
    parser.add_argument("--dataset", required=True, help="its name in the manifest")
    parser.add_argument("--features", type=Path, required=True, help="json of the activations' fingerprint")
    parser.add_argument("--out", type=Path, required=True, help="csv of one row an epoch, written")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
