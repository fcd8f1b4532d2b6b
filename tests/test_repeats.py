"""What `train` writes of every seed, against numbers worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from stages.results import repeats

ROW = {"phase": "fine", "accuracy": 0.5, "loss": 1.0, "val_accuracy": 0.25, "val_loss": 2.0}
RUNS = {
    4: [{"epoch": 1, **ROW, "seconds": 1.23456, "frozen_seconds": 0.5}],
    2: [{"epoch": 1, **ROW, "loss": 2.0, "seconds": 2.0, "frozen_seconds": 0.5}],
}


def test_epochs_are_written_without_what_differs_from_run_to_run(tmp_path):
    epochs = repeats.write_epochs(RUNS, tmp_path)
    assert (tmp_path / "histories.csv").read_text().splitlines() == [
        "seed,epoch,phase,accuracy,loss,val_accuracy,val_loss",
        "4,1,fine,0.5,1.0,0.25,2.0",
        "2,1,fine,0.5,2.0,0.25,2.0",
    ]
    assert repeats.mean_history(epochs).to_dict("records") == [{"epoch": 1, **ROW, "loss": 1.5}]


def test_seconds_are_written_by_themselves(tmp_path):
    repeats.write_seconds(RUNS, tmp_path)
    assert (tmp_path / "seconds.csv").read_text().splitlines() == [
        "seed,epoch,phase,seconds,frozen_seconds",
        "4,1,fine,1.235,0.5",
        "2,1,fine,2.0,0.5",
    ]


@pytest.mark.parametrize(
    ("logits", "label", "predicted", "probability", "loss"),
    [
        ([0.0], 0, 0, 0.5, 0.693147),  # log 2
        ([np.log(3)], 1, 1, 0.75, 0.287682),  # log of 4 / 3
        ([np.log(3)], 0, 1, 0.75, 1.386294),  # log 4
        ([800.0], 0, 1, 1.0, 800.0),  # no overflow
        ([0.0, np.log(2), 0.0], 1, 1, 0.5, 0.693147),
        ([0.0, np.log(2), 0.0], 2, 1, 0.5, 1.386294),
    ],
)
def test_predictions_tell_class_probability_and_cross_entropy(tmp_path, logits, label, predicted, probability, loss):
    repeats.write_predictions({7: np.float32([logits])}, ["a.jpg"], np.array([label]), tmp_path)
    (row,) = pd.read_csv(tmp_path / "predictions.csv").to_dict("records")
    assert (row["seed"], row["image"], row["label"], row["predicted"]) == (7, "a.jpg", label, predicted)
    assert (row["probability"], row["loss"]) == pytest.approx((probability, loss), rel=1e-5)
