"""Schedules that thaw when the head stops gaining, and that take what the budget leaves."""

import numpy as np
import pytest
import tiny_study

from stages import train
from stages.common.params import Schedule
from stages.training import transfer_phase
from stages.training.switch import Thaw, choose_thaw

GAIN = 0.05


def rows(*losses: float) -> list[dict]:
    return [{"epoch": epoch, "loss": loss} for epoch, loss in enumerate(losses, start=1)]


@pytest.mark.parametrize(
    ("losses", "most", "expected"),
    [
        ((1.0, 0.9, 0.88, 0.5), 4, Thaw(3, 0.022222)),  # 0.02 of 0.9
        ((1.0, 1.2, 0.5), 3, Thaw(2, -0.2)),  # a loss that rises gains less than nothing
        ((1.0, 0.95, 0.9), 3, Thaw(3, None)),  # 0.05 and 0.0526: none is less
        ((1.0, 0.5, 0.25, 0.24), 3, Thaw(3, None)),  # the fourth is beyond
        ((1.0,), 1, Thaw(1, None)),
        ((1.0, 0.0, 0.0), 3, Thaw(3, 0.0)),  # nothing is left to gain
    ],
)
def test_the_head_thaws_after_the_first_epoch_that_gains_too_little(losses, most, expected):
    assert choose_thaw(rows(*losses), GAIN, most) == expected


@pytest.fixture
def study(tmp_path):
    """A study whose transfer phase, trained over the budget of 4 epochs, has hand-made losses."""
    study = tiny_study.small_inputs(tmp_path, tiny_study.params(clean_training=False, switch={"relative_gain": GAIN}))
    tiny_study.train_head(study, tiny_study.BUDGET, tmp_path / "transfer")
    path = transfer_phase.path_in(tmp_path / "transfer", study.params.transfer, 1)
    phase = transfer_phase.read(path)
    for row, loss in zip(phase.rows, (1.0, 0.9, 0.88, 0.5), strict=True):
        row["loss"] = loss
    phase.write(path)
    return study


def test_auto_and_rest_divide_the_budget_where_the_gain_ends_and_the_record_says_so(study, tmp_path):
    schedule = Schedule(dataset="tiny", transfer="auto", fine="rest")
    run, _ = tiny_study.trained(study, schedule, tmp_path / "transfer", tmp_path / "work/auto")
    assert [row["phase"] for row in run.rows] == ["transfer", "transfer", "transfer", "fine"]
    assert len(run.validation.logits) == tiny_study.BUDGET
    assert train._thaws(schedule, {1: run}) == {"switch": [{"repeat": 1, "epoch": 3, "gain": 0.022222}]}
    # The same run as one that was asked for these epochs.
    plain = Schedule(dataset="tiny", transfer=3, fine=1)
    asked, _ = tiny_study.trained(study, plain, tmp_path / "transfer", tmp_path / "other/plain")
    assert train._thaws(plain, {1: asked}) == {}
    np.testing.assert_array_equal(run.validation.logits, asked.validation.logits)


def test_auto_leaves_the_fine_epochs_asked_for_and_says_where_the_budget_decided(study, tmp_path):
    schedule = Schedule(dataset="tiny", transfer="auto", fine=2)
    run, _ = tiny_study.trained(study, schedule, tmp_path / "transfer", tmp_path / "work/auto")
    assert [row["phase"] for row in run.rows] == ["transfer", "transfer", "fine", "fine"]
    assert train._thaws(schedule, {1: run}) == {"switch": [{"repeat": 1, "epoch": 2, "gain": None}]}


def test_rest_of_a_budget_that_the_head_takes_whole_is_no_epoch(study, tmp_path):
    run, _ = tiny_study.trained(
        study, Schedule(dataset="tiny", transfer=4, fine="rest"), tmp_path / "transfer", tmp_path / "work/one"
    )
    assert [row["phase"] for row in run.rows] == ["transfer"] * 4
    assert not list(tmp_path.glob("work/**/*.npz"))
