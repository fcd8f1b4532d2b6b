"""Measure what batch statistics alone do to training figures where fine-tuning starts.

Reads the stored activations and the transfer phase. For each switch of the grid it takes the network as it is when it
is thawed, and the batches of the first fine epoch with their dropout, and goes through them without a training step:
once normalised by moving statistics, as a frozen network is, and once by the batch, as Keras's fit has it. Nothing
else differs. Writes one row a repeat, switch and form.
"""

import argparse
from pathlib import Path

import pandas as pd

from stages.common import params, tables
from stages.common.command import run
from stages.common.params import AUTO, Params, Repeat
from stages.network import inputs
from stages.network.inputs import Inputs
from stages.training import fine_phase, models, transfer_phase
from stages.training.data import ACTIVATIONS, Data
from stages.training.evaluation import forward, measure

COLUMNS = ("dataset", "repeat", "transfer", "batch_norm", "loss", "accuracy")
FORMS = ("moving", "batch")


def main() -> None:
    arguments = _arguments()
    read = inputs.read(arguments, arguments.dataset, params.load())
    models.use_threads(read.params.threads)
    fingerprint = tables.read_json(arguments.features)["fingerprint"]
    rows = [
        row
        for repeat in read.params.repeats_of(arguments.dataset)
        for row in rows_of(read, arguments.dataset, fingerprint, repeat, arguments.transfer_phase)
    ]
    tables.write_table(pd.DataFrame(rows, columns=list(COLUMNS)).round(tables.DECIMALS), arguments.out)


def rows_of(read: Inputs, dataset: str, fingerprint: str, repeat: Repeat, phases: Path) -> list[tuple]:
    """The rows of one repeat, as COLUMNS has them; `phases` is the folder of the stage `transfer`."""
    data = Data(read.store(fingerprint), read.parts, read.params, repeat, read.params.budget[dataset])
    phase = transfer_phase.read(transfer_phase.path_in(phases, read.params.transfer, repeat.number))
    rows = []
    for switch in switches(read.params, dataset):
        batches = data.training(switch + 1, ACTIVATIONS)
        for form in FORMS:
            # A backbone of its own: by the batch, each pass changes the moving statistics.
            head = phase.head_after(switch, data, read.params)
            fine = read.params.fine.model_copy(update={"batch_norm": form})
            settings = read.params.model_copy(update={"fine": fine})
            model = fine_phase.fine_tuned(read.backbone(), head, data, settings, epochs=1)
            models.reset_dropout(model, repeat.seed, switch + 1)
            measured = measure(forward(model, batches.inputs.shape, training=True), batches)
            rows.append((dataset, repeat.number, switch, form, measured.loss, measured.accuracy))
    return rows


def switches(settings: Params, dataset: str) -> list[int]:
    """After how many transfer epochs the schedules of `dataset` with both phases and the default head thaw, rising."""
    return sorted(
        {
            schedule.transfer
            for schedule in settings.variants.values()
            if schedule.dataset == dataset and not schedule.own_keys and schedule.transfer not in (0, AUTO)
        }
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    inputs.add_arguments(parser)
    parser.add_argument("--dataset", required=True, help="its name in the manifest")
    parser.add_argument("--features", type=Path, required=True, help="json of the activations' fingerprint")
    parser.add_argument("--transfer-phase", type=Path, required=True, help="folder of the head's states")
    parser.add_argument("--out", type=Path, required=True, help="csv of one row a repeat, switch and form, written")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
