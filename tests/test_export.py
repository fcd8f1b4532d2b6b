"""The recommended model for where there is no Keras: its formats give Keras's numbers, its card says what it is."""

import json
from itertools import product
from pathlib import Path

import finished_run
import numpy as np
import pytest
import yaml
from conftest import SMALL_MANIFEST
from PIL import Image

from stages import export
from stages.common import params
from stages.common.command import ThawError
from stages.network.keras_quietly import keras, tf
from stages.trained import exported

SIZE = 96  # pixels, as SMALL_MANIFEST has it
# Sums in another order: some steps of float32, whose probabilities have a step of 6e-8.
ROUNDING = 1e-5
# 8 bits of a weight's range have steps of 1/254: logits of a few units move by some hundredths, probabilities by less.
QUANTISING = 0.03
BALANCE = keras.initializers.Constant(2.7)  # of two classes, so that neither is sure


def small_model(units: int) -> keras.Model:
    """Pixels to logits that differ from picture to picture."""
    normal = keras.initializers.RandomNormal
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3), name="pixels"),
            keras.layers.Rescaling(1 / 127.5, -1),
            # More weights than the 1,024 from which on they are quantised.
            keras.layers.Conv2D(32, 8, strides=8, kernel_initializer=normal(stddev=0.1, seed=1), activation="relu6"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(units, kernel_initializer=normal(stddev=1, seed=2), bias_initializer=BALANCE),
        ]
    )


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    random = np.random.default_rng(1)
    return (random.integers(0, 256, (5, SIZE, SIZE, 3)) * random.uniform(0, 1, (5, 1, 1, 3))).astype(np.float32)


@pytest.mark.parametrize("units", [1, 3], ids=["two classes", "three classes"])
def test_every_format_gives_the_probabilities_of_keras(pixels, units, tmp_path):
    model = small_model(units)
    logits = model.predict(pixels, verbose=0).astype(float)
    if units == 1:
        expected = np.hstack([1 / (1 + np.exp(logits)), 1 / (1 + np.exp(-logits))])
    else:
        expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.ptp(expected, axis=0).max() > 10 * QUANTISING  # what is allowed below does not hide another model
    formats = exported.formats(quantised=True)
    assert list(formats) == ["model.tflite", "model.quantised.tflite", "model.onnx"]  # `make test` brings ONNX's
    for name, write in formats.items():
        predict = write(exported.with_probabilities(model), tmp_path / name)
        difference = np.abs(predict(pixels) - expected).max()
        assert ROUNDING < difference < QUANTISING if name == exported.QUANTISED else difference < ROUNDING
    assert "model.quantised.tflite" not in exported.formats(quantised=False)


def test_a_difference_is_the_largest_of_all_classes_and_pictures():
    one = {0: [[0.5, 0.5], [0.2, 0.8]], 1: [[1.0, 0.0]]}
    other = {0: [[0.5, 0.5], [0.3, 0.7]], 1: [[0.6, 0.4]]}
    found = exported.largest_difference(
        lambda batch: np.array(one[batch]), lambda batch: np.array(other[batch]), [0, 1]
    )
    assert found == pytest.approx(0.4)


CLASSES = {"animals": ["cats", "dogs"], "flowers": ["roses", "tulips"]}


@pytest.mark.parametrize(
    ("transfer", "fine", "words"),
    [
        (6, 0, "the head alone for 6 epochs, adam at 0.001; no fine-tuning"),
        (0, 6, "the head and layer 100 and those above for 6 epochs, rmsprop at 1e-5"),
        (1, 5, "the head alone for 1 epoch, adam at 0.001; then the head and layer 100 and those above for 5 epochs, "),
    ],
)
def test_a_phase_without_epochs_is_not_described(transfer, fine, words):
    own = params.load(Path(__file__).parent.parent / "params.yaml")
    own = own.model_copy(update={"transfer": own.transfer.model_copy(update={"learning_rate": 1e-3})})
    assert export.phases(transfer, fine, own).startswith(words)


@pytest.mark.parametrize(
    ("from_layer", "words"), [(0.65, "the upper 35% of the layers"), ("block_12", "the layers from block_12 up")]
)
def test_a_cut_by_share_or_by_name_is_described(from_layer, words):
    own = params.load(Path(__file__).parent.parent / "params.yaml")
    own = own.model_copy(update={"fine": own.fine.model_copy(update={"from_layer": from_layer})})
    assert export.phases(0, 1, own).startswith(f"the head and {words} for 1 epoch, ")


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """A finished run with its pictures and models; params that ask for nothing quantised."""
    source = tmp_path / "small.yaml"
    source.write_text(SMALL_MANIFEST)
    finished_run.write(tmp_path, source)
    for dataset, number in product(CLASSES, range(len(finished_run.IMAGES))):
        path = tmp_path / f"images/{dataset}/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (SIZE, SIZE, 3), np.uint8)).save(path)
    for name in ("animals-2-1", "animals-0-3", "flowers-1-1"):
        (tmp_path / "models" / name).mkdir(parents=True)
        small_model(1).save(tmp_path / "models" / name / "model.keras")
        told = {"classes": CLASSES[name.partition("-")[0]], "image_size": SIZE}
        (tmp_path / "models" / name / "classes.json").write_text(json.dumps(told))
    return tmp_path, source


def run(finished, monkeypatch):
    finished_run.call(export.main, monkeypatch, finished_run.export_options(*finished))


def test_the_recommended_model_is_exported_with_its_labels_and_its_differences(finished, monkeypatch):
    folder, _ = finished
    run(finished, monkeypatch)
    out = folder / "exported"
    assert {path.name for path in out.iterdir()} == {*CLASSES, "card.md"}
    assert (out / "animals/labels.txt").read_text() == "cats\ndogs\n"
    told = json.loads((out / "animals/export.json").read_text())
    # Of one repeat nothing is shown to be good enough; 0-3 ends with the lowest validation loss, 0.35.
    assert (told["variant"], told["pictures"]) == ("animals-0-3", len(finished_run.IMAGES))
    assert list(told["largest_difference"]) == ["model.onnx", "model.tflite"]
    assert max(told["largest_difference"].values()) < ROUNDING
    interpreter = tf.lite.Interpreter(str(out / "animals/model.tflite"))
    (given,), (gives,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (list(given["shape"]), given["dtype"]) == ([1, SIZE, SIZE, 3], np.float32)
    assert (list(gives["shape"]), gives["dtype"]) == ([1, 2], np.float32)


def test_the_card_says_what_the_model_is_and_leaves_the_licence_to_be_filled_in(finished, monkeypatch):
    folder, source = finished
    run(finished, monkeypatch)
    card = (folder / "exported/card.md").read_text()
    for words in (
        "# Model card: small things",
        "## cats and dogs",
        "| cats | 2 | 1 |",  # training and validation, as the manifest has them
        "8 pictures trained the model and 4 validated it. The parts are as shipped, `animals/train` and",
        "| animals-0-3: the head and layer ",
        " and those above for 3 epochs, rmsprop at 1e-5; batches",
        "0 + 3 has the lowest validation loss of 3 schedules. Each ran once, so this is not evidence that it is",
        "with the 95% interval",
        "| 0.350 (",
        "keras 3.1.2, python 3.11.0",
        f"**to be filled in**, as `datasets.animals.licence` in `{source.as_posix()}`",
        "animals/model.tflite` | ",
    ):
        assert words in card
    assert "leave_out" not in card
    manifest = yaml.safe_load(source.read_text())
    manifest["datasets"]["animals"]["licence"] = "CC BY 4.0, the zoo"
    manifest["datasets"]["animals"]["split"]["group"] = r"\d+"
    manifest["datasets"]["animals"]["leave_out"] = {"animals/train/cats/9.png": "the same picture as 8.png"}
    source.write_text(yaml.safe_dump(manifest, sort_keys=False))
    run(finished, monkeypatch)
    card = (folder / "exported/card.md").read_text()
    assert "Licence of the pictures: CC BY 4.0, the zoo\n" in card
    assert f"second copies: `leave_out` in `{source.as_posix()}` says which and why.\n" in card
    assert "stay together" not in card  # a group does not change parts as shipped


def test_the_card_names_the_keys_of_its_schedule(finished, monkeypatch):
    folder, _ = finished
    path = folder / "metrics/animals-0-3.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"own_keys": {"decay": "cosine"}}))
    run(finished, monkeypatch)
    card = (folder / "exported/card.md").read_text()
    assert "rmsprop at 1e-5; its own keys: decay cosine; batches of" in card


def test_a_model_that_is_missing_is_told_before_anything_is_written(finished, monkeypatch):
    folder, _ = finished
    (folder / "models/animals-0-3/model.keras").unlink()
    with pytest.raises(ThawError, match=r"models/animals-0-3/model\.keras: no such model; "):
        run(finished, monkeypatch)
    assert not (folder / "exported").exists()


def test_a_format_with_other_numbers_is_refused_and_leaves_nothing(finished, monkeypatch):
    folder, _ = finished
    monkeypatch.setattr(exported, "formats", lambda quantised: {"model.tflite": lambda model, path: halves})
    with pytest.raises(ThawError, match=r"^model\.tflite of .*model\.keras: its probabilities differ from Keras's by"):
        run(finished, monkeypatch)
    assert not (folder / "exported").exists()
    assert not (folder / "exported/card.md").exists()


def halves(pixels: np.ndarray) -> np.ndarray:
    return np.full((len(pixels), 2), 0.5)
