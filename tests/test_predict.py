"""`python -m stages.predict` on a model whose answers follow from the colour of a picture."""

import csv
import io
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from stages import predict
from stages.common.command import ThawError
from stages.network.keras_quietly import keras

SIZE = 32  # pixels
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
SURE = 5.0  # the logit of a picture all of one colour; the other classes' is 0


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A model of three classes, each logit a channel's mean, with what stands beside it."""
    monkeypatch.setattr(predict, "NOT_NEEDED", ())  # other tests of this process need them
    layers = keras.layers
    pixels = keras.Input((SIZE, SIZE, 3))
    logits = layers.Dense(3, kernel_initializer=keras.initializers.Identity(SURE / 255), use_bias=False)
    path = tmp_path / "model/colour.keras"
    path.parent.mkdir()
    keras.Model(pixels, logits(layers.GlobalAveragePooling2D()(pixels))).save(path)
    told = {"classes": list(COLOURS), "image_size": SIZE}
    (path.parent / "classes.json").write_text(json.dumps(told))
    return path


@pytest.fixture
def pictures(tmp_path):
    """A folder with a picture of each colour, one of them a folder further down, and one that is cut off."""
    folder = tmp_path / "pictures"
    (folder / "deep").mkdir(parents=True)
    for name, colour in COLOURS.items():
        Image.new("RGB", (40, 20), colour).save(folder / ("deep" if name == "blue" else ".") / f"{name}.png")
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(folder / "cut.png")
    (folder / "cut.png").write_bytes((folder / "cut.png").read_bytes()[:2000])
    return folder


def predictions(capsys, *arguments):
    """The rows that are printed, the lines on stderr and the exit code."""
    code = 0
    try:
        predict.main([str(argument) for argument in arguments])
    except SystemExit as ended:
        code = ended.code
    printed = capsys.readouterr()
    return list(csv.DictReader(io.StringIO(printed.out))), printed.err.splitlines(), code


def test_each_picture_of_a_folder_gets_its_class_and_the_runners_up_and_a_broken_one_a_line(model, pictures, capsys):
    rows, errors, code = predictions(capsys, "--model", model, pictures)
    assert {row["file"]: row["class"] for row in rows} == {
        str(pictures / "red.png"): "red",
        str(pictures / "green.png"): "green",
        str(pictures / "deep/blue.png"): "blue",
    }
    sure = math.exp(SURE) / (math.exp(SURE) + 2)
    for row in rows:
        assert list(row) == [
            "file",
            "class",
            "probability",
            "second",
            "second_probability",
            "third",
            "third_probability",
        ]
        assert {row["class"], row["second"], row["third"]} == set(COLOURS)
        shown = [float(row[key]) for key in ("probability", "second_probability", "third_probability")]
        assert shown == pytest.approx([sure, (1 - sure) / 2, (1 - sure) / 2], abs=1e-4)  # of four decimals
    assert len(errors) == 1
    assert errors[0].startswith(f"error: {pictures / 'cut.png'}: ")
    assert code == 1


def test_files_and_patterns_are_predicted_in_their_order_and_all_well_is_exit_code_0(model, pictures, capsys):
    rows, errors, code = predictions(capsys, "--model", model, pictures / "green.png", pictures / "**/[br]*.png")
    assert [row["class"] for row in rows] == ["green", "blue", "red"]
    assert (errors, code) == ([], 0)


def test_a_folder_without_pictures_and_a_file_that_is_not_there_are_told(model, pictures, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    rows, errors, code = predictions(capsys, "--model", model, tmp_path / "empty", pictures / "red.png", "nowhere.png")
    assert [row["class"] for row in rows] == ["red"]
    assert errors == [f"error: {tmp_path / 'empty'}: no pictures in this folder", "error: nowhere.png: no such file"]
    assert code == 1


def test_a_damaged_model_is_named(model, pictures):
    model.write_bytes(b"no model")
    with pytest.raises(ThawError) as error:
        predict.main(["--model", str(model), str(pictures / "red.png")])
    assert str(error.value).startswith(f"{model}: cannot be loaded (")
    assert str(error.value).endswith("); train it again: `dvc repro`")


@pytest.mark.parametrize(
    ("answers", "cause"),
    [
        (None, "answer.json: names no model for 'fruit' yet; run `dvc repro`, or name one: --model"),
        ({"animals": {"variant": "animals-0-3"}}, "answer.json: names no model for 'fruit' yet; run `dvc repro`"),
        ({"fruit": {"variant": "fruit-0-3"}}, "fruit-0-3/model.keras: no such file; run `dvc repro`, or name another"),
    ],
    ids=["no answer", "another data set's", "no model"],
)
def test_without_a_recommended_model_the_next_step_is_told(tmp_path, monkeypatch, answers, cause):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(predict.params, "load", lambda: SimpleNamespace(schedule=SimpleNamespace(dataset="fruit")))
    if answers is not None:
        predict.ANSWER.parent.mkdir(parents=True)
        predict.ANSWER.write_text(json.dumps(answers))
    with pytest.raises(ThawError) as error:
        predict.main(["red.png"])
    assert cause in str(error.value)
