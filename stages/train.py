"""Stage `train`: one variant of the study, from its branch of the transfer phase to its last fine epoch, for each seed.

Reads the stored activations and the transfer phase; writes the variant's csv and json, each seed's history, seconds and
predictions, and the whole model of the first.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.common import files, params
from stages.common import sections as validation
from stages.common.command import run
from stages.common.params import STYLE, Schedule
from stages.network import backbones, inputs, multiply_adds
from stages.network.inputs import Inputs
from stages.network.keras_quietly import keras
from stages.results import records, repeats
from stages.training import epochs as training
from stages.training import fine_phase, transfer_phase
from stages.training.epochs import Data, Row


def main() -> None:
    settings = params.load()  # before the command line, which repeats some of it
    arguments = _arguments()
    schedule = params.schedule(**{name: getattr(arguments, name) for name in Schedule.model_fields})
    study = inputs.read(arguments, settings.styled(schedule))
    training.use_threads(study.params.threads)
    fingerprint = records.read_json(arguments.features)["fingerprint"]
    runs = {
        seed: trained(study, schedule, fingerprint, seed, arguments.transfer_phase, arguments.work)
        for seed in study.params.seeds
    }
    _write(arguments, study, schedule, runs)


@dataclass(frozen=True)
class Run:
    """A schedule as it ran with one seed: networks, a row an epoch, and the validation images' logits at the end."""

    backbone: keras.Model
    head: keras.Model
    rows: list[Row]
    logits: np.ndarray


def trained(study: Inputs, schedule: Schedule, fingerprint: str, seed: int, transfer: Path, work: Path) -> Run:
    """Run `schedule` with `seed`, on from the folder `transfer` of its transfer phase; checkpoints go to `work`."""
    data = Data(study.store(fingerprint), study.parts, study.params, seed)
    phase = transfer_phase.read(transfer, seed)
    longer = transfer_phase.checkpoint_path(work, fingerprint, data, study.params)
    phase.extend(schedule.transfer, data, study.params, longer)
    head = phase.head_after(schedule.transfer, data, study.params)
    backbone = study.backbone()
    rows = phase.rows[: schedule.transfer]
    model, field = head, "pooled"
    if schedule.fine:
        state = phase.states[schedule.transfer]
        checkpoint = fine_phase.checkpoint_path(work, fingerprint, schedule.transfer, state, data, study.params)
        numbers = range(schedule.transfer + 1, schedule.epochs + 1)
        model, fine_rows = fine_phase.train(backbone, head, data, study.params, numbers, checkpoint)
        rows, field = rows + fine_rows, "activations"
    logits = training.logits(model, data.clean("validation", field))
    backbones.compute_in("float32", backbone)  # as whoever reads the saved model expects
    return Run(backbone, head, rows, logits)


def _write(arguments: argparse.Namespace, study: Inputs, schedule: Schedule, runs: dict[int, Run]) -> None:
    first = next(iter(runs.values()))
    model = backbones.whole_model(first.backbone, first.head, study.preprocessing())
    with files.written_whole(arguments.model / "model.keras") as beside:
        model.save(beside)
    validation = study.parts["validation"]
    images = [path.relative_to(arguments.images).as_posix() for path in validation.paths]
    repeats.write_predictions(
        {seed: run.logits for seed, run in runs.items()}, images, validation.labels, arguments.model
    )
    rows = {seed: run.rows for seed, run in runs.items()}
    repeats.write_seconds(rows, arguments.model)
    epochs = repeats.write_epochs(rows, arguments.model)
    records.write_history(repeats.mean_history(epochs).to_dict("records"), arguments.history)
    records.write_json(_record(arguments, study, schedule, first), arguments.metrics)


def _record(arguments: argparse.Namespace, study: Inputs, schedule: Schedule, run: Run) -> dict[str, object]:
    fine = study.params.fine
    images = {part: len(pictures) for part, pictures in study.parts.items()}
    cut = backbones.cut_layer(run.backbone, fine.from_layer)
    return records.variant_record(
        records.read_history(arguments.history),
        **schedule.model_dump(include={"dataset", "transfer", "fine"}),
        seeds=study.params.seeds,
        source=arguments.source.as_posix(),
        style=fine.model_dump(include=set(STYLE)),
        images=images,
        multiply_adds=multiply_adds.of_epochs(run.backbone, cut, run.head, images["training"]),
        versions=records.versions(),
        machine=records.machine(),
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    inputs.add_arguments(parser)
    # dvc.yaml writes a variant's keys out as options of the same names.
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--transfer", type=validation.value, required=True, help="epochs of transfer learning")
    parser.add_argument("--fine", type=validation.value, required=True, help="epochs of fine-tuning")
    parser.add_argument("--batch_norm", help="in place of fine.batch_norm of params.yaml, and so on:")
    parser.add_argument("--unfreezing")
    parser.add_argument("--layer_decay", type=validation.value)
    parser.add_argument("--warm_up_epochs", type=validation.value)
    parser.add_argument("--features", type=Path, required=True, help="json of the activations' fingerprint")
    parser.add_argument("--transfer-phase", type=Path, required=True, help="folder of the head's states")
    parser.add_argument("--work", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--model", type=Path, required=True, help="folder of the trained model and each seed's results")
    parser.add_argument("--history", type=Path, required=True, help="csv of the epochs, means over the seeds")
    parser.add_argument("--metrics", type=Path, required=True, help="json of the results")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
