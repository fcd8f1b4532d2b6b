"""What a watcher of plots/<variant>.csv sees while the variant trains, and what is left where it fails."""

from argparse import Namespace

import pytest
import tiny_study

from stages import train
from stages.common import files
from stages.common.params import Schedule
from stages.results import history, repeats

TRANSFER, FINE = 1, 2


def row(epoch: int, loss: float) -> dict[str, object]:
    shown = {"accuracy": 0.5, "loss": loss, "val_accuracy": 0.5, "val_loss": loss}
    return {"epoch": epoch, "phase": "fine", **shown, "seconds": 1.0, "frozen_seconds": 0.0}


def test_the_file_holds_every_epoch_so_far_and_changes_no_result(tmp_path):
    study = tiny_study.small_inputs(tmp_path, tiny_study.params())
    tiny_study.train_head(study, TRANSFER, tmp_path / "transfer")
    schedule, path, seen = Schedule(dataset="tiny", transfer=TRANSFER, fine=FINE), tmp_path / "run.csv", []

    def ran(work: str, show) -> list[dict]:
        folders = Namespace(
            transfer_phase=tmp_path / "transfer",
            transfer_work=tmp_path / "checkpoints",
            work=tmp_path / work,
            images=tmp_path / "images",
        )
        run, _ = train.train_schedule(
            study, schedule, tiny_study.fingerprint(study), tiny_study.ON_SPLIT, folders, show
        )
        return [{key: value for key, value in each.items() if "seconds" not in key} for each in run.rows]

    def show(rows: list[dict]) -> None:
        train._show(path, {}, 1, rows)
        seen.append(history.read(path)["epoch"].tolist())

    # Folders apart: in one, the second run would go on from the first one's checkpoint.
    assert ran("shown/one", show) == ran("alone/one", lambda rows: None)
    assert seen == [[1, 2], [1, 2, 3]]


def test_of_several_repeats_each_epoch_has_the_mean_of_those_that_have_got_there(tmp_path):
    path = tmp_path / "plots/run.csv"
    finished = [row(1, 0.8), row(2, 0.6), row(3, 0.4)]
    repeats.write_history({1: finished, 2: [row(1, 0.6)]}, path)
    assert history.read(path)["val_loss"].tolist() == pytest.approx([0.7, 0.6, 0.4])


@pytest.mark.parametrize("before", ["of the last run\n", None])
def test_a_training_that_ends_early_leaves_the_file_as_it_was(tmp_path, before):
    path = tmp_path / "run.csv"
    if before:
        path.write_text(before)
    with pytest.raises(KeyboardInterrupt), files.put_back_on_failure(path):
        path.write_text("half\n")
        raise KeyboardInterrupt
    assert (path.read_text() if path.exists() else None) == before
