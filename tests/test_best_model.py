"""The network after the epoch with the lowest validation loss, kept beside the last."""

import numpy as np
import pytest
import tiny_study
from tiny_study import BUDGET

from stages import train
from stages.common.params import Schedule
from stages.pictures.parts import decoded


@pytest.fixture
def study(tmp_path):
    """Fine-tuned at a rate at which it soon gets worse."""
    return tiny_study.small_inputs(tmp_path, tiny_study.params(fine={"learning_rate": 0.03}))


def losses(read, trained, weights) -> float:
    """Validation's mean cross-entropy, from pixels, by hand."""
    part = read.parts["validation"]
    pixels = np.stack([decoded(path, tiny_study.IMAGE_SIZE) for path in part.paths]).astype(np.float32)
    logits = train.whole_model(read, trained.network, weights).predict(pixels, verbose=0)[:, 0].astype(np.float64)
    signs = np.where(part.labels == 1, 1, -1)
    return float(np.log1p(np.exp(-signs * logits)).mean())


@pytest.mark.parametrize(("transfer", "fine"), [(1, BUDGET - 1), (BUDGET, 0)])
def test_the_best_epoch_is_kept_and_the_last_stays_what_it_is(study, tmp_path, transfer, fine):
    tiny_study.train_head(study, BUDGET, tmp_path / "transfer")
    schedule = Schedule(dataset="tiny", transfer=transfer, fine=fine)
    run, trained = tiny_study.trained(study, schedule, tmp_path / "transfer", tmp_path / "work")
    rows = [row["val_loss"] for row in run.rows]
    if fine:
        assert min(rows) < rows[-1]  # or there would be nothing to tell apart
    # Activations are kept in float16, of 11 bits, and computed by other kernels.
    assert losses(study, trained, trained.last) == pytest.approx(rows[-1], rel=2e-2)
    assert losses(study, trained, trained.best) == pytest.approx(min(rows), rel=2e-2)


def test_a_resumed_run_knows_its_best_epoch(study, tmp_path):
    tiny_study.train_head(study, BUDGET, tmp_path / "transfer")
    schedule = Schedule(dataset="tiny", transfer=1, fine=BUDGET - 1)
    (whole, first), (resumed, second) = (
        tiny_study.trained(study, schedule, tmp_path / "transfer", tmp_path / "work") for _ in range(2)
    )
    assert resumed.rows == whole.rows
    for ours, theirs in ((second.best.backbone, first.best.backbone), (second.best.head, first.best.head)):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)
