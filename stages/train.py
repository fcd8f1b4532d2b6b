"""Stage `train`: one variant of the study, from its branch of the transfer phase to its last fine epoch, each repeat.

Reads the stored activations and the transfer phase; writes the variant's csv and json, of each repeat the epochs, the
validation logits and the seconds, and of the first the whole model, after the last epoch and after the best, with the
names of its classes.
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
from stages.training import fine_phase, labels, models, transfer_phase
from stages.training.data import Data
from stages.training.epochs import Row
from stages.training.fine_phase import FinePhase
from stages.training.switch import Thaw, thaw
from stages.training.transfer_phase import TransferPhase


def main() -> None:
    arguments = _arguments()
    settings = params.load()
    schedule = settings.named(arguments.variant)
    read = inputs.read(arguments, schedule.dataset, settings.of(schedule))
    models.use_threads(read.params.threads)
    fingerprint = tables.read_json(arguments.features)["fingerprint"]
    runs, saved = {}, None
    with files.put_back_on_failure(arguments.history):  # it is in git, and written while training runs
        for repeat in read.params.repeats_of(schedule.dataset):
            show = partial(_show, arguments.history, runs, repeat.number)
            runs[repeat.number], networks = trained(read, schedule, fingerprint, repeat, arguments, show)
            saved = saved or networks  # the first repeat's are saved; the others' would only fill memory
        _write(arguments, read, schedule, runs, saved)


def _show(path: Path, runs: dict[int, "Run"], running: int, rows: list[Row]) -> None:
    """Write the history so far, of the repeats that have run and of the one that runs, for whoever watches it."""
    repeats.write_history({number: each.rows for number, each in runs.items()} | {running: rows}, path)


Network = tuple[keras.Model, keras.Model]
"""The backbone, and the head on its pooled output."""


@dataclass(frozen=True)
class Networks:
    """What a repeat trained: the network after its last epoch, and one that gives it after its best.

    Calling `best` loads the weights of the epoch with the lowest validation loss, possibly into `last`: save `last`
    first.
    """

    last: Network
    best: Callable[[], Network]


@dataclass(frozen=True)
class Run:
    """A schedule as one repeat ran it: a row and validation's logits an epoch, and when it thawed."""

    rows: list[Row]
    validation: Validation
    pictures: dict[str, int]
    thaw: Thaw


def trained(
    read: Inputs,
    schedule: Schedule,
    fingerprint: str,
    repeat: Repeat,
    folders: argparse.Namespace,
    show: Callable[[list[Row]], None] = lambda rows: None,
) -> tuple[Run, Networks]:
    """Run `schedule` as `repeat` says, on from its transfer phase.

    show: called after each fine epoch, with the rows so far.
    folders: `transfer_phase` has what the stage `transfer` wrote; checkpoints go to `transfer_work` and `work`.
    """
    budget = read.params.budget[schedule.dataset]
    data = Data(read.store(fingerprint), read.parts, read.params, repeat, budget)
    most = _most_transfer_epochs(schedule, budget)
    phase = _transfer_phase(read.params, data, fingerprint, most, folders)
    thawed = thaw(phase.rows, read.params.switch.relative_gain, most) if schedule.transfer == AUTO else Thaw(most, None)
    fine = budget - thawed.epoch if schedule.fine == REST else schedule.fine
    head = phase.head_after(thawed.epoch, data, read.params)
    backbone = read.backbone()
    rows, logits = phase.rows[: thawed.epoch], phase.logits[: thawed.epoch]
    best = partial(_in_transfer, read, phase, data, _best_epoch(rows))
    if fine:
        numbers = range(thawed.epoch + 1, thawed.epoch + fine + 1)
        state = phase.states[thawed.epoch]
        checkpoint = fine_phase.checkpoint_path(folders.work, fingerprint, numbers, state, data, read.params)
        before = rows
        ran = fine_phase.train(
            backbone, head, data, read.params, numbers, checkpoint, lambda fine: show([*before, *fine])
        )
        rows, logits = rows + ran.rows, logits + ran.logits
        if _best_epoch(rows) > thawed.epoch:
            best = partial(_in_fine, ran, (backbone, head))
    shown = data.labels("validation"), data.paths("validation")
    validation = Validation.of(np.stack(logits), *shown, folders.images)
    pictures = {part: len(data.labels(part)) for part in ("training", "validation")}
    return Run(rows, validation, pictures, thawed), Networks((backbone, head), best)


def _best_epoch(rows: list[Row]) -> int:
    """The first epoch with the lowest validation loss; 0 before any."""
    return min(rows, key=lambda row: row["val_loss"])["epoch"] if rows else 0


def _in_transfer(read: Inputs, phase: TransferPhase, data: Data, epoch: int) -> Network:
    return read.backbone(), phase.head_after(epoch, data, read.params)


def _in_fine(ran: FinePhase, network: Network) -> Network:
    for variable, value in zip(ran.model.weights, ran.best, strict=True):
        variable.assign(value)
    return network


def _most_transfer_epochs(schedule: Schedule, budget: int) -> int:
    if schedule.transfer != AUTO:
        return schedule.transfer
    return budget if schedule.fine == REST else max(budget - schedule.fine, 1)


def _transfer_phase(
    settings: Params, data: Data, fingerprint: str, epochs: int, folders: argparse.Namespace
) -> TransferPhase:
    """The phase with this head, from the stage `transfer` where that trained it, trained on as far as needed."""
    stored = transfer_phase.path_in(folders.transfer_phase, settings.transfer, data.repeat.number)
    phase = transfer_phase.read(stored) if stored.exists() else TransferPhase()
    longer = transfer_phase.checkpoint_path(folders.transfer_work, fingerprint, data, settings)
    phase.extend(epochs, data, settings, longer)
    return phase


def _write(
    arguments: argparse.Namespace, read: Inputs, schedule: Schedule, runs: dict[int, Run], saved: Networks
) -> None:
    with files.written_whole(arguments.model / "model.keras") as beside:
        models.save(whole_model(read, saved.last), beside)
    with files.written_whole(arguments.model / "best.keras") as beside:
        models.save(whole_model(read, saved.best()), beside)
    tables.write_json(labels.of(read.manifest, schedule.dataset), arguments.model / labels.FILE)
    rows = {number: each.rows for number, each in runs.items()}
    repeats.write_logits({number: each.validation for number, each in runs.items()}, arguments.results)
    repeats.write_seconds(rows, arguments.seconds)
    repeats.write_epochs(rows, arguments.results)
    repeats.write_history(rows, arguments.history)
    tables.write_json(_metrics(arguments, read, schedule, runs, saved.last), arguments.metrics)


def whole_model(read: Inputs, network: Network) -> keras.Model:
    """Pixels to logits, computing in float32 whatever it was trained in, as whoever reads the saved model expects."""
    backbone, head = network
    backbones.compute_in("float32", backbone)
    return backbones.whole_model(backbone, head, read.preprocessing())


def _metrics(
    arguments: argparse.Namespace, read: Inputs, schedule: Schedule, runs: dict[int, Run], network: Network
) -> dict[str, object]:
    fine, first = read.params.fine, next(iter(runs.values()))
    backbone, head = network
    cut = backbones.cut_layer(backbone, fine.from_layer)
    ran = history.read(arguments.history)
    epochs = {phase: int((ran["phase"] == phase).sum()) for phase in history.PHASES}
    return metrics.of_variant(
        ran,
        run={
            "dataset": schedule.dataset,
            **epochs,
            "source": arguments.source.as_posix(),
            "repeats": [
                {"repeat": each.number, "seed": each.seed, "fold": each.fold, "draw": each.draw}
                for each in read.params.repeats_of(schedule.dataset)
            ],
            "batch_norm": fine.batch_norm,
            "differs": schedule.own_keys,
            **_thaws(schedule, runs),
        },
        asked={"transfer": schedule.transfer, "fine": schedule.fine},
        images=first.pictures,
        multiply_adds=multiply_adds.of_epochs(backbone, cut, head, first.pictures["training"]),
        versions=environment.versions(),
        machine=environment.machine(),
    )


def _thaws(schedule: Schedule, runs: dict[int, Run]) -> dict[str, object]:
    """For `transfer: auto`, after which epoch each repeat thawed and by what gain; null: the budget decided."""
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
