"""Stage `train`: one variant of the study, from its branch of the transfer phase to its last fine epoch, each repeat.

Reads the stored activations and the transfer phase. Writes the variant's csv and json; for each repeat its epochs,
validation logits and seconds; for the first repeat two models, after the last epoch and after the best, with the class
names.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from stages.common import files, params, tables
from stages.common.command import run
from stages.common.params import AUTO, REST, Params, Repeat, Schedule
from stages.network import backbones, inputs, multiply_adds
from stages.network.inputs import Inputs
from stages.network.keras_quietly import keras
from stages.results import environment, history, metrics, repeats
from stages.results.repeats import Validation
from stages.training import classes_file, fine_phase, model_file, models, transfer_phase
from stages.training.data import Data
from stages.training.epochs import Row
from stages.training.shared_network import SharedNetwork, Weights
from stages.training.switch import Thaw, choose_thaw
from stages.training.transfer_phase import TransferPhase


def main() -> None:
    arguments = _arguments()
    settings = params.load()
    schedule = settings.named(arguments.variant)
    loaded = inputs.read(arguments, schedule.dataset, settings.of(schedule))
    models.use_threads(loaded.params.threads)
    fingerprint = tables.read_json(arguments.features)["fingerprint"]
    runs, network, to_save = {}, None, None
    with files.put_back_on_failure(arguments.history):  # it is in git, and written while training runs
        for repeat in loaded.params.repeats_of(schedule.dataset):
            show = partial(_show, arguments.history, runs, repeat.number)
            runs[repeat.number], trained = train_schedule(
                loaded, schedule, fingerprint, repeat, arguments, show, network
            )
            network = trained.network
            to_save = to_save or trained  # the first repeat's; the others' would only fill memory
        _write(arguments, loaded, schedule, runs, to_save)


def _show(path: Path, runs: dict[int, "Run"], running: int, rows: list[Row]) -> None:
    """Write the history so far, of the repeats that have run and of the one that is running, for those who watch."""
    repeats.write_history({number: each.rows for number, each in runs.items()} | {running: rows}, path)


@dataclass(frozen=True)
class Trained:
    """What a repeat trained: the weights after its last epoch, and after the one with the lowest validation loss.

    `network` takes either; the next repeat trains the same network.
    """

    network: SharedNetwork
    last: Weights
    best: Weights


@dataclass(frozen=True)
class Run:
    """A schedule as one repeat ran it: a row and validation's logits for each epoch, and when it thawed."""

    rows: list[Row]
    validation: Validation
    pictures: dict[str, int]
    thaw: Thaw


def train_schedule(
    loaded: Inputs,
    schedule: Schedule,
    fingerprint: str,
    repeat: Repeat,
    folders: argparse.Namespace,
    show: Callable[[list[Row]], None] = lambda rows: None,
    network: SharedNetwork | None = None,
) -> tuple[Run, Trained]:
    """Train `schedule` in one repeat, on from its transfer phase.

    `folders.transfer_phase` has what the stage `transfer` wrote; checkpoints go to `folders.transfer_work` and
    `folders.work`. `show` is called with the rows so far after each fine epoch. `network` is the one that another
    repeat of the same variant trained.
    """
    settings, budget = loaded.params, loaded.params.budget[schedule.dataset]
    data = Data(loaded.store(fingerprint), loaded.parts, settings, repeat, budget)
    most = _most_transfer_epochs(schedule, budget)
    phase = _transfer_phase(settings, data, fingerprint, most, folders)
    is_auto = schedule.transfer == AUTO
    thaw = choose_thaw(phase.rows, settings.switch.relative_gain, most) if is_auto else Thaw(most, None)
    fine_epochs = budget - thaw.epoch if schedule.fine == REST else schedule.fine
    head = phase.head_after(thaw.epoch, data, settings)
    network = network or SharedNetwork(loaded.backbone(), head)
    rows, logits = phase.rows[: thaw.epoch], phase.logits[: thaw.epoch]
    last = network.under(head)
    best = network.under(phase.head_after(_best_epoch(rows), data, settings))
    if fine_epochs:
        numbers = range(thaw.epoch + 1, thaw.epoch + fine_epochs + 1)
        state = phase.states[thaw.epoch]
        checkpoint = fine_phase.checkpoint_path(folders.work, fingerprint, numbers, state, data, settings)
        before = rows
        steps = network.fresh_top(last, data, settings, fine_epochs)
        fine = fine_phase.train(
            steps, network.backbone, data, settings, numbers, checkpoint, lambda fine_rows: show([*before, *fine_rows])
        )
        rows, logits, last = rows + fine.rows, logits + fine.logits, network.weights
        if _best_epoch(rows) > thaw.epoch:
            fine.set_best()
            best = network.weights
    labels, paths = data.labels("validation"), data.paths("validation")
    validation = Validation.of(np.stack(logits), labels, paths, folders.images)
    pictures = {part: len(data.labels(part)) for part in ("training", "validation")}
    return Run(rows, validation, pictures, thaw), Trained(network, last, best)


def _best_epoch(rows: list[Row]) -> int:
    """The first epoch with the lowest validation loss; 0 if there is no epoch."""
    return min(rows, key=lambda row: row["val_loss"])["epoch"] if rows else 0


def _most_transfer_epochs(schedule: Schedule, budget: int) -> int:
    if schedule.transfer != AUTO:
        return schedule.transfer
    return budget if schedule.fine == REST else budget - schedule.fine


def _transfer_phase(
    settings: Params, data: Data, fingerprint: str, epoch_count: int, folders: argparse.Namespace
) -> TransferPhase:
    """Take the phase with this head from the stage `transfer`, if that trained it, and train it on as far as needed."""
    stored = transfer_phase.path_in(folders.transfer_phase, settings.transfer, data.repeat.number)
    phase = transfer_phase.read(stored) if stored.exists() else TransferPhase()
    checkpoint = transfer_phase.checkpoint_path(folders.transfer_work, fingerprint, data, settings)
    phase.extend(epoch_count, data, settings, checkpoint)
    return phase


def _write(
    arguments: argparse.Namespace, loaded: Inputs, schedule: Schedule, runs: dict[int, Run], to_save: Trained
) -> None:
    for name, weights in (("model.keras", to_save.last), ("best.keras", to_save.best)):
        with files.written_whole(arguments.model / name) as beside:
            model_file.save(whole_model(loaded, to_save.network, weights), beside)
    tables.write_json(classes_file.content(loaded.manifest, schedule.dataset), arguments.model / classes_file.NAME)
    rows = {number: each.rows for number, each in runs.items()}
    repeats.write_logits({number: each.validation for number, each in runs.items()}, arguments.results)
    repeats.write_seconds(rows, arguments.seconds)
    repeats.write_epochs(rows, arguments.results)
    repeats.write_history(rows, arguments.history)
    tables.write_json(_metrics(arguments, loaded, schedule, runs, to_save.network), arguments.metrics)


def whole_model(loaded: Inputs, network: SharedNetwork, weights: Weights) -> keras.Model:
    """Join backbone and head, with `weights`, into a model from pixels to logits.

    It computes in float32, whatever precision the network was trained in.
    """
    network.set_weights(weights)
    backbones.compute_in("float32", network.backbone)
    return backbones.whole_model(network.backbone, network.head, loaded.preprocessing())


def _metrics(
    arguments: argparse.Namespace, loaded: Inputs, schedule: Schedule, runs: dict[int, Run], network: SharedNetwork
) -> dict[str, object]:
    fine, first = loaded.params.fine, next(iter(runs.values()))
    cut = backbones.cut_layer(network.backbone, fine.from_layer)
    table = history.read(arguments.history)
    epoch_counts = {phase: int((table["phase"] == phase).sum()) for phase in history.PHASES}
    return metrics.of_variant(
        table,
        run={
            "dataset": schedule.dataset,
            **epoch_counts,
            "source": arguments.source.as_posix(),
            "repeats": [
                {"repeat": each.number, "seed": each.seed, "fold": each.fold, "draw": each.draw}
                for each in loaded.params.repeats_of(schedule.dataset)
            ],
            "batch_norm": fine.batch_norm,
            "own_keys": schedule.own_keys,
            **_thaws(schedule, runs),
        },
        asked={"transfer": schedule.transfer, "fine": schedule.fine},
        images=first.pictures,
        multiply_adds=multiply_adds.of_epochs(network.backbone, cut, network.head, first.pictures["training"]),
        versions=environment.versions(),
        machine=environment.machine(),
    )


def _thaws(schedule: Schedule, runs: dict[int, Run]) -> dict[str, object]:
    """For `transfer: auto`, the epoch after which each repeat thawed, and its gain, None if the budget decided."""
    if schedule.transfer != AUTO:
        return {}
    return {"switch": [{"repeat": number, **vars(each.thaw)} for number, each in runs.items()]}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", required=True, help="its name in params.yaml, or `trial`")
    inputs.add_arguments(parser)
    parser.add_argument("--features", type=Path, required=True, help="json of the activations' fingerprint")
    parser.add_argument("--transfer-phase", type=Path, required=True, help="folder of the head's states")
    parser.add_argument("--transfer-work", type=Path, required=True, help="folder of the transfer phase's checkpoints")
    parser.add_argument("--work", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--model", type=Path, required=True, help="folder of the trained model")
    parser.add_argument("--results", type=Path, required=True, help="folder of each repeat's epochs and logits")
    parser.add_argument("--seconds", type=Path, required=True, help="csv of each repeat's measured seconds")
    parser.add_argument("--history", type=Path, required=True, help="csv of the epochs, means over the repeats")
    parser.add_argument("--metrics", type=Path, required=True, help="json of the results")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
