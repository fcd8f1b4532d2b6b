"""Stage `train`: one variant of the study, from its branch of the transfer phase to its last fine epoch.

Reads the stored activations and the transfer phase; writes the variant's csv, its json and the whole model.
"""

import argparse
from pathlib import Path

import pandas as pd

from stages.lib import backbone as backbones
from stages.lib import files, fine_phase, inputs, params, records, training, transfer_phase
from stages.lib.command import run
from stages.lib.inputs import Inputs
from stages.lib.keras_quietly import keras
from stages.lib.params import Schedule
from stages.lib.training import Data, Row


def main() -> None:
    settings = params.load()  # before the command line, which repeats some of it
    arguments = _arguments()
    study = inputs.read(arguments, settings)
    training.use_threads(study.params.threads)
    schedule = Schedule(dataset=arguments.dataset, transfer=arguments.transfer, fine=arguments.fine)
    fingerprint = records.read_json(arguments.features)["fingerprint"]
    model, rows = trained(study, schedule, fingerprint, arguments.transfer_phase, arguments.work)
    _write(arguments, study, model, rows)


def trained(
    study: Inputs, schedule: Schedule, fingerprint: str, transfer: Path, work: Path
) -> tuple[keras.Model, list[Row]]:
    """The whole model, pixels to logit, after `schedule`, and its history, one row an epoch."""
    data = Data(study.store(fingerprint), study.parts, study.params)
    phase = transfer_phase.read(transfer)
    phase.extend(schedule.transfer, data.channels, data, study.params)
    head = phase.head_after(schedule.transfer, data.channels, study.params)
    backbone = study.backbone()
    rows = phase.rows[: schedule.transfer]
    if schedule.fine:
        state = phase.states[schedule.transfer]
        checkpoint = fine_phase.checkpoint_path(work, fingerprint, schedule.transfer, state, study.params)
        numbers = range(schedule.transfer + 1, schedule.epochs + 1)
        rows = rows + fine_phase.train(backbone, head, data, study.params, numbers, checkpoint)
    return backbones.whole_model(backbone, head), rows


def _write(arguments: argparse.Namespace, study: Inputs, model: keras.Model, rows: list[Row]) -> None:
    seconds = pd.DataFrame(rows, columns=["epoch", "phase", "seconds"])
    records.write_table(seconds.round(3), arguments.model / "seconds.csv")
    with files.written_whole(arguments.model / "model.keras") as beside:
        model.save(beside)
    # Seconds differ from run to run; the history is the same whenever the run is.
    records.write_history([_without_seconds(row) for row in rows], arguments.history)
    record = records.variant_record(
        records.read_history(arguments.history),
        dataset=arguments.dataset,
        transfer=arguments.transfer,
        fine=arguments.fine,
        seed=study.params.seed,
        source=arguments.source.as_posix(),
        batch_norm=study.params.fine.batch_norm,
        versions=records.versions(),
        machine=records.machine(),
    )
    records.write_json(record, arguments.metrics)


def _without_seconds(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "seconds"}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    inputs.add_arguments(parser)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--transfer", type=int, required=True, help="epochs of transfer learning")
    parser.add_argument("--fine", type=int, required=True, help="epochs of fine-tuning")
    parser.add_argument("--features", type=Path, required=True, help="json of the activations' fingerprint")
    parser.add_argument("--transfer-phase", type=Path, required=True, help="folder of the head's states")
    parser.add_argument("--work", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--model", type=Path, required=True, help="folder of the trained model")
    parser.add_argument("--history", type=Path, required=True, help="csv of the epochs")
    parser.add_argument("--metrics", type=Path, required=True, help="json of the results")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
