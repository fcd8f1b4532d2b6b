"""Train the head alone at several rates, on training pictures only, to choose the rate of the tuned arm.

Reads the stored activations; writes a table of each rate's loss and accuracy after every epoch, on a quarter of each
repeat's training pictures that the others are not trained on. No validation picture is read.
"""

import argparse
from itertools import product
from pathlib import Path

import pandas as pd

from stages.common import params, tables
from stages.common.command import run
from stages.common.params import Params, Repeat
from stages.network import inputs
from stages.network.inputs import Inputs
from stages.training import models, transfer_phase
from stages.training.data import POOLED, Data
from stages.training.epochs import epochs

COLUMNS = ("dataset", "repeat", "optimizer", "rate", "epoch", "loss", "accuracy")


def main() -> None:
    arguments = _arguments()
    read = inputs.read(arguments, arguments.dataset, params.load())
    models.use_threads(read.params.threads)
    fingerprint = tables.read_json(arguments.features)["fingerprint"]
    rows = [
        row
        for repeat in read.params.repeats_of(arguments.dataset)
        for row in _rows(read, arguments.dataset, fingerprint, repeat)
    ]
    tables.write_table(pd.DataFrame(rows, columns=list(COLUMNS)).round(tables.DECIMALS), arguments.out)


def _rows(read: Inputs, dataset: str, fingerprint: str, repeat: Repeat) -> list[tuple]:
    rows = []
    for settings in _heads(read.params):
        budget = read.params.budget[dataset]
        data = Data(read.store(fingerprint), read.parts, settings, repeat, budget).within_training()
        head = transfer_phase.compiled_head(data, settings)
        for epoch in epochs(head, "transfer", POOLED, data, range(1, settings.sweep.epochs + 1)):
            optimizer, rate = settings.transfer.optimizer, settings.transfer.learning_rate
            found = epoch.row["val_loss"], epoch.row["val_accuracy"]
            rows.append((dataset, repeat.number, optimizer, rate, epoch.row["epoch"], *found))
    return rows


def _heads(settings: Params) -> list[Params]:
    sweep = settings.sweep
    heads = [
        settings.transfer.model_copy(update={"optimizer": optimizer, "learning_rate": rate})
        for optimizer, rate in product(sweep.optimizers, sweep.rates)
    ]
    # Measured once an epoch, and not on the clean training pictures.
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
