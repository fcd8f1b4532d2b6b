"""The files of the transfer phase: the same bytes for the same phase, one for each distinct head."""

import pytest
import tiny_study

from stages import head_rates, transfer
from stages.common.command import ThawError
from stages.common.params import Schedule
from stages.training import transfer_phase
from stages.training.transfer_phase import TransferPhase

EPOCHS = 2


def test_a_phase_trained_twice_is_kept_as_the_same_bytes(tmp_path):
    study = tiny_study.small_inputs(tmp_path, tiny_study.params(clean_training=False))
    phases = []
    for name in ("once", "again"):
        phase = TransferPhase()
        phase.extend(EPOCHS, tiny_study.data(study), study.params, tmp_path / name / "checkpoint.npz")
        phase.without_seconds().write(tmp_path / f"{name}.npz")
        phases.append(phase)
    assert (tmp_path / "once.npz").read_bytes() == (tmp_path / "again.npz").read_bytes()
    kept = transfer_phase.read(tmp_path / "once.npz")
    assert [row["loss"] for row in kept.rows] == [row["loss"] for row in phases[0].rows]
    assert not {"seconds", "frozen_seconds"} & kept.rows[0].keys()
    assert {"seconds", "frozen_seconds"} < phases[0].rows[0].keys()  # the phase itself keeps what it measured


@pytest.mark.parametrize("content", [None, b"", b"PK"])
def test_a_phase_that_is_missing_or_damaged_names_the_stage_to_run(tmp_path, content, fault):
    path = tmp_path / "repeat-1.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ThawError) as error:
        transfer_phase.read(path)
    assert str(error.value) == f"{path}: missing or damaged; run `dvc repro transfer`"
    kind = "gone" if content is None else f"cut to {len(content)} bytes"
    fault("damage on disk", f"a transfer state {kind}", 1, "error: …: missing or damaged; run `dvc repro transfer`")


def test_each_distinct_head_of_a_data_set_s_variants_is_trained_once_the_plain_one_first():
    schedules = {
        "tiny-1-1": Schedule(dataset="tiny", transfer=1, fine=1),
        "tiny-1-1-fast": Schedule(dataset="tiny", transfer=1, fine=1, head_rate=0.01),
        "tiny-2-1-fast": Schedule(dataset="tiny", transfer=2, fine=1, head_rate=0.01, decay="cosine"),
        "tiny-1-1-sgd": Schedule(dataset="tiny", transfer=1, fine=1, head_optimizer="sgd"),
        "other-1-1-slow": Schedule(dataset="other", transfer=1, fine=1, head_rate=1e-6),
    }
    params = tiny_study.params().model_copy(update={"variants": schedules})
    heads = [each.transfer for each in transfer.heads(params, "tiny")]
    expected = [("adam", 1e-4), ("adam", 0.01), ("sgd", 1e-4)]
    assert [(head.optimizer, head.learning_rate) for head in heads] == expected


def test_the_sweep_measures_each_rate_after_each_epoch_on_a_quarter_of_the_training_pictures(tmp_path):
    sweep = {"optimizers": ["adam", "sgd"], "rates": [0.01, 0.1], "epochs": 2}
    study = tiny_study.small_inputs(tmp_path, tiny_study.params(sweep=sweep))
    rows = head_rates._rows(study, "tiny", tiny_study.fingerprint(study), tiny_study.ON_SPLIT)
    tried = [(optimizer, rate, epoch) for optimizer in ("adam", "sgd") for rate in (0.01, 0.1) for epoch in (1, 2)]
    assert [row[:5] for row in rows] == [("tiny", 1, *each) for each in tried]
    for *_, loss, accuracy in rows:
        assert loss > 0
        assert accuracy * 10 == pytest.approx(round(accuracy * 10))  # a quarter of 40; validation has 14
