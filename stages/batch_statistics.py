"""Measure what batch statistics alone do to training loss and accuracy where fine-tuning starts.

Reads the stored activations and the transfer phase. For each switch of the grid it takes the network as it is when it
is thawed, and runs it over the batches of the first fine epoch, with their dropout and without a training step: once it
normalises by moving statistics, as a frozen network does, and once by the batch, as in Keras's fit. Nothing else
differs. Writes one row for each repeat, switch and form.
"""

import argparse
from functools import partial
from pathlib import Path

from stages.common.command import run
from stages.common.params import AUTO, Params, Repeat
from stages.network import inputs
from stages.network.inputs import Inputs
from stages.training import fine_phase, measurement, models, transfer_phase
from stages.training.data import ACTIVATIONS, Data
from stages.training.evaluation import build_forward_pass, measure

COLUMNS = ("dataset", "repeat", "transfer", "batch_norm", "loss", "accuracy")
FORMS = ("moving", "batch")


def main() -> None:
    arguments = _arguments()
    measurement.write(arguments, COLUMNS, partial(rows_of, phases=arguments.transfer_phase))


def rows_of(loaded: Inputs, dataset: str, fingerprint: str, repeat: Repeat, phases: Path) -> list[tuple]:
    """The rows of one repeat, as COLUMNS has them; `phases` is the folder of the stage `transfer`."""
    data = Data(loaded.store(fingerprint), loaded.parts, loaded.params, repeat, loaded.params.budget[dataset])
    phase = transfer_phase.read(transfer_phase.path_in(phases, loaded.params.transfer, repeat.number))
    rows = []
    for switch in switches(loaded.params, dataset):
        batches = data.training(switch + 1, ACTIVATIONS)
        for form in FORMS:
            # Each form has a backbone of its own, because a pass by batch statistics changes the moving ones.
            head = phase.head_after(switch, data, loaded.params)
            fine = loaded.params.fine.model_copy(update={"batch_norm": form})
            settings = loaded.params.model_copy(update={"fine": fine})
            model = fine_phase.compiled_top(loaded.backbone(), head, data, settings, epoch_count=1)
            models.reset_dropout(model, repeat.seed, switch + 1)
            measured = measure(build_forward_pass(model, batches.inputs.shape, training=True), batches)
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
