"""What `train` writes of every repeat, against numbers worked out by hand."""

import zipfile

import numpy as np
import pytest

from stages.common.command import ThawError
from stages.results import repeats
from stages.results.repeats import Validation

ROW = {"phase": "fine", "accuracy": 0.5, "loss": 1.0, "val_accuracy": 0.25, "val_loss": 2.0}
RUNS = {
    1: [{"epoch": 1, **ROW, "seconds": 1.23456, "frozen_seconds": 0.5}],
    2: [{"epoch": 1, **ROW, "loss": 2.0, "seconds": 2.0, "frozen_seconds": 0.5}],
}
LOGITS = np.float32([[[0.1], [-2]], [[3], [4]]])  # two epochs of two images


def validation(logits=LOGITS, labels=(1, 0), images=("a/1.png", "b/ü.png")):
    return Validation(np.asarray(logits), np.array(labels), np.array(images))


def test_epochs_are_written_without_what_differs_from_run_to_run(tmp_path):
    repeats.write_epochs(RUNS, tmp_path)
    epochs = repeats.read_epochs(tmp_path)
    assert (tmp_path / "epochs.csv").read_text().splitlines() == [
        "repeat,epoch,phase,accuracy,loss,val_accuracy,val_loss",
        "1,1,fine,0.5,1.0,0.25,2.0",
        "2,1,fine,0.5,2.0,0.25,2.0",
    ]
    assert repeats.mean_history(epochs).to_dict("records") == [{"epoch": 1, **ROW, "loss": 1.5}]
    assert repeats.read_epochs(tmp_path).equals(epochs)


def test_repeats_that_switch_at_other_epochs_have_the_phase_of_most():
    runs = {
        number: [{"epoch": epoch, **ROW, "phase": phase} for epoch, phase in enumerate(phases, start=1)]
        for number, phases in enumerate((["transfer", "fine"], ["fine", "fine"], ["fine", "fine"]), start=1)
    }
    epochs = repeats._by_repeat(runs)
    assert list(repeats.mean_history(epochs)["phase"]) == ["fine", "fine"]


def test_seconds_are_written_by_themselves(tmp_path):
    repeats.write_seconds(RUNS, tmp_path / "d-0-1.csv")
    assert (tmp_path / "d-0-1.csv").read_text().splitlines() == [
        "repeat,epoch,phase,seconds,frozen_seconds",
        "1,1,fine,1.235,0.5",
        "2,1,fine,2.0,0.5",
    ]


def test_logits_come_back_in_half_precision(tmp_path):
    repeats.write_logits({2: validation(), 10: validation(images=("c", "d"))}, tmp_path)
    found = repeats.read_logits(tmp_path)
    assert list(found) == [2, 10]
    assert found[2].logits.dtype == np.float16
    assert found[2].logits == pytest.approx(LOGITS, rel=1e-3)  # half precision has eleven bits
    assert (list(found[10].images), list(found[2].images)) == (["c", "d"], ["a/1.png", "b/ü.png"])
    assert list(found[2].labels) == [1, 0]


def test_the_same_logits_are_the_same_bytes_whenever_they_are_written(tmp_path):
    repeats.write_logits({1: validation()}, tmp_path)
    with zipfile.ZipFile(tmp_path / "logits.npz") as archive:
        dates = {(member.date_time, member.compress_type) for member in archive.infolist()}
    assert dates == {((1980, 1, 1, 0, 0, 0), zipfile.ZIP_STORED)}


@pytest.mark.parametrize(
    ("written", "cause"),
    [
        ({}, "holds no repeat"),
        ({1: validation(logits=[[0.1, 0.2]])}, "logits_1 is no array of epochs, images and units"),
        ({1: validation(labels=[1])}, "labels_1 or images_1 is not of its 2 images"),
        ({1: validation(labels=[1, 2])}, "labels_1 names no class of 2, or images_1 an image twice"),
        ({1: validation(images=["a", "a"])}, "labels_1 names no class of 2, or images_1 an image twice"),
        ({1: validation(logits=LOGITS * np.nan)}, "logits_1 holds a number that is not finite"),
    ],
)
def test_logits_that_cannot_be_are_refused(tmp_path, written, cause):
    repeats.write_logits(written, tmp_path)
    with pytest.raises(ThawError) as caught:
        repeats.read_logits(tmp_path)
    assert str(caught.value) == f"{tmp_path / 'logits.npz'}: {cause}; run the stage that writes it again"


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "logits.npz").write_bytes(content)
    with pytest.raises(ThawError, match=r"logits\.npz: no readable logits \("):
        repeats.read_logits(tmp_path)


def test_nothing_is_unpickled(tmp_path):
    np.savez(tmp_path / "logits.npz", logits_1=np.array([print], dtype=object))
    with pytest.raises(ThawError, match="no readable logits"):
        repeats.read_logits(tmp_path)


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
    repeats.write_logits({7: validation([[logits]], [label], ["a.jpg"])}, tmp_path)
    (row,) = repeats.final_predictions(tmp_path).to_dict("records")
    assert (row["repeat"], row["image"], row["label"], row["predicted"]) == (7, "a.jpg", label, predicted)
    assert (row["probability"], row["loss"]) == pytest.approx((probability, loss), rel=1e-3)  # half precision


def test_a_temperature_divides_the_logits():
    hot = validation([[[4.0], [-2.0]]], [1, 1])
    expected = [np.log1p(np.exp(-2.0)), np.log1p(np.exp(1.0))]
    assert hot.losses(2.0)[0] == pytest.approx(expected)
    assert hot.correct().tolist() == [[True, False]]
