"""Training that was interrupted, lengthened or branched off ends as if it had run at once."""

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tiny_study
from test_reference import values

from stages import train
from stages.common.params import Repeat, Schedule
from stages.training import clean as clean_epochs
from stages.training import epochs as training
from stages.training import transfer_phase
from stages.training.transfer_phase import TransferPhase

TRANSFER = 1
Trained = tuple[list[np.ndarray], list[dict]]
"""The weights and the history of a schedule."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose transfer phase is trained to epoch TRANSFER."""
    folder = tmp_path_factory.mktemp("resume")
    tiny_study.train_head(tiny_study.small_inputs(folder, tiny_study.params()), TRANSFER, folder / "transfer")
    return folder


def run(folder: Path, fine_epochs: int, work: Path, **changes) -> Trained:
    """The schedule (TRANSFER, fine_epochs)."""
    study = tiny_study.small_inputs(folder, tiny_study.params(**changes))
    schedule = Schedule(dataset="tiny", transfer=TRANSFER, fine=fine_epochs)
    run, trained = tiny_study.trained(study, schedule, folder / "transfer", work)
    return train.whole_model(study, trained.network, trained.last).get_weights(), run.rows


@pytest.fixture(scope="module")
def at_once(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], tuple[Trained, Path]]:
    """`run` of as many fine epochs, by itself and without interruption, and the folder of its checkpoint."""

    @cache
    def ran(fine_epochs: int) -> tuple[Trained, Path]:
        work = tmp_path_factory.mktemp("at_once") / "one"
        return run(folder, fine_epochs, work), work

    return ran


def assert_same(one: Trained, other: Trained) -> None:
    np.testing.assert_array_equal(values(one[1]), values(other[1]))
    for left, right in zip(one[0], other[0], strict=True):
        np.testing.assert_array_equal(left, right)


def record_epochs(monkeypatch: pytest.MonkeyPatch, stop_at: int | None = None) -> list[int]:
    """The epochs trained from here on, added as they come; at the first turn of `stop_at` training is interrupted."""
    trained_epochs = []
    train = training._train

    def recording(steps, batches, epoch):
        trained_epochs.append(epoch)
        if epoch == stop_at and trained_epochs.count(epoch) == 1:
            raise KeyboardInterrupt
        return train(steps, batches, epoch)

    monkeypatch.setattr(training, "_train", recording)
    return trained_epochs


def test_an_interrupted_fine_phase_goes_on_from_its_last_epoch(folder, at_once, tmp_path, monkeypatch):
    whole, _ = at_once(3)
    trained_epochs = record_epochs(monkeypatch, stop_at=3)
    with pytest.raises(KeyboardInterrupt):
        run(folder, 3, tmp_path / "work/one")
    assert_same(run(folder, 3, tmp_path / "work/one"), whole)
    assert trained_epochs == [2, 3, 3, 4]


def test_a_longer_schedule_goes_on_from_a_shorter_one(folder, at_once, tmp_path):
    shutil.copytree(at_once(1)[1], tmp_path / "work/one")
    assert_same(run(folder, 2, tmp_path / "work/one"), at_once(2)[0])


def test_a_schedule_goes_on_from_what_another_variant_has_trained(folder, at_once, tmp_path, monkeypatch):
    shutil.copytree(at_once(1)[1], tmp_path / "work/short")
    shutil.copytree(at_once(3)[1], tmp_path / "work/long")
    whole, _ = at_once(2)
    trained_epochs = record_epochs(monkeypatch)
    assert_same(run(folder, 2, tmp_path / "work/one"), whole)
    assert trained_epochs == [TRANSFER + 2]
    assert_same(run(folder, 2, tmp_path / "work/another"), whole)
    assert trained_epochs == [TRANSFER + 2]


def test_a_shorter_schedule_and_other_params_start_afresh(folder, at_once, tmp_path):
    shutil.copytree(at_once(2)[1], tmp_path / "work/one")
    assert_same(run(folder, 1, tmp_path / "work/one"), at_once(1)[0])
    faster = {"fine": {"learning_rate": 1e-3}}
    assert_same(run(folder, 2, tmp_path / "work/one", **faster), run(folder, 2, tmp_path / "faster/one", **faster))


def test_the_training_pictures_are_measured_after_the_first_fine_epochs_and_the_last(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(clean_epochs, "EPOCHS", 1)

    def clean(trained: Trained) -> pd.Series:
        return pd.DataFrame(trained[1]).set_index("epoch")["train_clean_loss"].dropna()

    short, long = (run(folder, fine, tmp_path / f"alone_{fine}/one") for fine in (2, 3))
    assert [*clean(short).index] == [1, 2, 3]
    assert [*clean(long).index] == [1, 2, 4]
    run(folder, 2, tmp_path / "resumed/short")
    resumed = run(folder, 3, tmp_path / "resumed/long")  # from an epoch that the shorter one has measured
    pd.testing.assert_series_equal(clean(resumed), clean(long))
    record_epochs(monkeypatch, stop_at=4)
    with pytest.raises(KeyboardInterrupt):
        run(folder, 3, tmp_path / "stopped/long")
    ended = run(folder, 2, tmp_path / "stopped/short")  # the longer one stopped here, without having measured
    pd.testing.assert_series_equal(clean(ended), clean(short))


def test_a_damaged_checkpoint_is_passed_over(folder, at_once, tmp_path):
    whole, kept = at_once(1)
    shutil.copytree(kept, tmp_path / "work/one")
    (checkpoint,) = (tmp_path / "work/one").iterdir()
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    assert_same(run(folder, 1, tmp_path / "work/one"), whole)


def test_each_fold_trains_and_validates_by_itself(folder, tmp_path):
    study = tiny_study.small_inputs(folder, tiny_study.params(clean_training=False))
    table = pd.read_csv(study.table)
    for fold in (1, 2):
        repeat = Repeat(number=fold, seed=fold, fold=fold, draw=fold)
        schedule = Schedule(dataset="tiny", transfer=0, fine=1)
        run, _ = tiny_study.trained(study, schedule, tmp_path / "transfer", tmp_path / "work/one", repeat)
        held_out = table[table["fold"] == fold]
        assert run.validation.images.tolist() == held_out["path"].tolist()
        assert run.validation.labels.tolist() == held_out["label"].tolist()
        assert run.pictures == {"training": len(table) - len(held_out), "validation": len(held_out)}
        right = (run.validation.logits[-1, :, 0] > 0) == (held_out["label"] == 1)
        assert run.rows[-1]["val_accuracy"] == right.mean()
    assert len(list((tmp_path / "work/one").glob("*.npz"))) == 2  # no fold goes on from another's checkpoint


def test_a_transfer_phase_extends_itself_beyond_what_is_held(folder, tmp_path):
    study = tiny_study.small_inputs(folder, tiny_study.params())
    data = tiny_study.data(study)
    at_once = TransferPhase()
    at_once.extend(3, data, study.params, tmp_path / "at_once.npz")
    extended = transfer_phase.read(transfer_phase.path_in(folder / "transfer", study.params.transfer, 1))
    extended.extend(3, data, study.params, tmp_path / "extended.npz")
    assert len(at_once.rows) == len(extended.rows) == 3
    np.testing.assert_array_equal(values(at_once.rows), values(extended.rows))
    for one, other in zip(at_once.states[3], extended.states[3], strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_interrupted_transfer_phase_goes_on_from_its_last_epoch(folder, tmp_path, monkeypatch):
    study = tiny_study.small_inputs(folder, tiny_study.params())
    data = tiny_study.data(study)
    checkpoint = transfer_phase.checkpoint_path(tmp_path, tiny_study.fingerprint(study), data, study.params)
    TransferPhase().extend(2, data, study.params, checkpoint)
    trained_epochs = record_epochs(monkeypatch)
    resumed = TransferPhase()
    resumed.extend(3, data, study.params, checkpoint)
    assert trained_epochs == [3]
    at_once = TransferPhase()
    at_once.extend(3, data, study.params, tmp_path / "at_once.npz")
    np.testing.assert_array_equal(values(at_once.rows), values(resumed.rows))
    for one, other in zip(at_once.states[3], resumed.states[3], strict=True):
        np.testing.assert_array_equal(one, other)
