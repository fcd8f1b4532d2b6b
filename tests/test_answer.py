"""The answer's numbers against some worked out by hand, its sentences, and its maps against plain NumPy."""

from dataclasses import replace

import finished_run
import made_up_study
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from stages import answer
from stages.drawing import answer_figure, drawing
from stages.study import brief, calibration, confusion, mistakes, recommendation, two_way

LABELS, PREDICTED = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 0])
SPENT = pd.DataFrame(
    {"epochs": [3, 3], "multiply_adds": [5000, 9000], "seconds": [1.5, 20]}, index=["fruit-2-1", "fruit-0-3"]
)


# Confusion.


def test_confusion_and_scores_of_every_class():
    told = confusion.as_json(confusion.matrix(LABELS, PREDICTED, 3), ["ripe", "unripe", "rotten"])
    assert told["matrix"] == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]
    assert told["balanced_accuracy"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert told["most_confused"] == (2, 0)  # all of class 2, a third of class 0
    ripe, unripe, rotten = told["classes"]
    assert ripe == {"name": "ripe", "pictures": 3, **dict.fromkeys(("precision", "recall", "f1"), pytest.approx(2 / 3))}
    assert unripe == {"name": "unripe", "pictures": 2, "precision": pytest.approx(2 / 3), "recall": 1, "f1": 0.8}
    assert rotten == {"name": "rotten", "pictures": 1, "precision": None, "recall": 0, "f1": 0}


def test_nothing_is_confused_where_nothing_is_wrong():
    assert confusion.most_confused(np.diag([3, 0, 2])) is None


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["кошка", "$5 and $6"], ["кошка", "$5 and $6"]),
        (["写真", "dogs"], ["class 1", "class 2"]),  # which the font of all figures has no letters for
    ],
)
def test_the_figure_names_classes_of_any_script(tmp_path, recwarn, names, shown):
    figure = answer_figure.confusion(confusion.as_json(np.array([[3, 1], [0, 2]]), names), "title", "source")
    drawing.save(figure, tmp_path / "confusion.png")
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == shown
    assert [text.get_text() for text in axes.texts] == ["3", "1", "0", "2"]
    assert list(recwarn) == []


# Calibration.


def test_the_calibration_error_is_the_weighted_mean_of_the_bins_gaps():
    confidence = np.array([0.95, 0.95, 0.95, 0.95, 0.63, 0.63])
    correct = np.array([1.0, 1, 1, 0, 1, 0])
    assert calibration.error(confidence, correct) == pytest.approx((4 * (0.95 - 0.75) + 2 * (0.63 - 0.5)) / 6)
    low, high = calibration.bins(confidence, correct).to_dict("records")
    assert low == pytest.approx({"low": 9 / 15, "high": 10 / 15, "pictures": 2, "confidence": 0.63, "accuracy": 0.5})
    assert high == pytest.approx({"low": 14 / 15, "high": 1, "pictures": 4, "confidence": 0.95, "accuracy": 0.75})
    assert calibration.overconfidence([low, high]) == pytest.approx(confidence.mean() - correct.mean())


def test_chance_alone_makes_an_error_of_few_pictures():
    # One picture of probability 0.75 is right, 0.25 off, three times in four; else it is 0.75 off.
    mean, most = calibration.by_chance([np.array([0.75])], 0.95, seed=1)
    assert mean == pytest.approx(0.375, abs=4 * 0.2165 / calibration.DRAWS**0.5)  # four standard errors
    assert most == 0.75
    assert calibration.by_chance([np.ones(5), np.ones(3)], 0.95, seed=1) == (0, 0)


def test_wilson_s_interval_knows_the_ends():
    assert two_way.wilson(0.9, 10, 0.95) == pytest.approx((0.5958, 0.9821), abs=5e-5)  # Newcombe's example of it
    low, high = two_way.wilson(1.0, 40, 0.95)
    assert (round(low, 3), high) == (0.912, 1)


# Mistakes.

PREDICTIONS = pd.DataFrame(
    [
        (1, "a", 0, 1, 0.9, 2.0),
        (2, "a", 0, 0, 0.6, 0.5),
        (3, "a", 0, 1, 0.7, 1.1),
        (1, "b", 1, 1, 0.8, 0.2),
        (2, "b", 1, 1, 0.8, 0.2),
        (3, "b", 1, 1, 0.8, 0.2),
        (1, "c", 1, 1, 0.9, 0.1),
        (2, "c", 1, 0, 0.9, 4.0),
        (3, "c", 1, 2, 0.7, 1.9),
    ],
    columns=["repeat", "image", "label", "predicted", "probability", "loss"],
)


def test_mistakes_are_the_pictures_that_any_repeat_gets_wrong_the_worst_first():
    found = mistakes.of_predictions(PREDICTIONS)
    assert found.to_dict("records") == [
        {
            "image": "c",
            "label": 1,
            "predicted": 0,
            "votes": 1,
            "repeats": 3,
            "probability": pytest.approx(0.9),
            "loss": pytest.approx(2.0),
        },
        {
            "image": "a",
            "label": 0,
            "predicted": 1,
            "votes": 2,
            "repeats": 3,
            "probability": pytest.approx(0.8),
            "loss": pytest.approx(1.2),
        },
    ]


def test_only_what_the_saved_network_validates_has_a_map():
    folds = PREDICTIONS[PREDICTIONS["image"].isin(["a", "c"])].query("(image == 'a') == (repeat == 1)")
    found = answer.with_maps(mistakes.of_predictions(folds), folds)
    assert list(zip(found["image"], found["map"], strict=True)) == [("c", -1), ("a", 0)]
    many = pd.DataFrame({"repeat": 1, "image": [f"{n:03}" for n in range(60)], "label": 0, "predicted": 1})
    many = many.assign(probability=0.9, loss=2.0)
    assert list(answer.with_maps(mistakes.of_predictions(many), many)["map"]) == [*range(mistakes.SHOWN), *[-1] * 12]


def test_a_repeat_without_mistakes_has_none():
    assert mistakes.of_predictions(PREDICTIONS[PREDICTIONS["image"] == "b"]).empty


# The sentences.


def sentences(losses_of_late, losses_of_early, could_run=None):
    """Of two schedules whose losses after the last epoch are these, a repeat each; `could_run`: folds by data set."""
    late = made_up_study.variant("fruit-2-1", val_loss=[[1, 1, loss] for loss in losses_of_late])
    early = made_up_study.variant("fruit-0-3", val_loss=[[1, 1, loss] for loss in losses_of_early])
    study = made_up_study.study(late, early, could_run=could_run)
    return brief.sentences(study, recommendation.choices(study)["fruit"], SPENT)


def test_one_repeat_says_that_the_noise_of_training_is_unknown():
    which, reached, sure = sentences([0.5], [0.4])
    assert which == (
        "0 + 3 has the lowest validation loss of 2 schedules. Each ran once, so this is not evidence that it is the "
        "best. To find out which is better, set seeds: [1, 2, 3] and repeats: null in params.yaml, and run dvc repro "
        "again."
    )
    assert reached.startswith("0 + 3 (fine-tuning from the first epoch): validation loss 0.400")
    assert (
        ". It takes 3 epochs, about 20 seconds on the machine of this run and 9,000 multiply-adds. The loss" in reached
    )
    assert sure == "The intervals cover the sampling of validation pictures, not the variation between training runs."


def test_one_repeat_of_pictures_in_folds_asks_for_the_folds():
    which, _, _ = sentences([0.5], [0.4], could_run={"fruit": 5})
    assert which.endswith("set seeds: null and, under repeats, fruit: 5 in params.yaml, and run dvc repro again.")


def test_the_cheapest_that_is_good_enough_is_chosen():
    which, reached, sure = sentences([0.401, 0.402, 0.403], [0.400, 0.401, 0.402])
    assert which.startswith("Choose 2 + 1. It is shown to be at most 0.01 worse in loss than every other, and takes")
    assert "of the multiply-adds of 0 + 3, which has the lowest validation loss, 0.401" in which
    assert reached.startswith("2 + 1 (2 epochs of the head alone, then 1 of fine-tuning): validation loss 0.402")
    assert sure.startswith(
        "The 95% intervals cover the sampling of validation pictures and the variation between the 3"
    )


def test_one_that_beats_all_others_is_said_to():
    which, _, sure = sentences([0.8, 0.81, 0.82], [0.4, 0.41, 0.42])
    assert which == (
        "Choose 0 + 3. It has the lowest validation loss of 2 schedules. No cheaper one is shown to be at most 0.01 "
        "worse in loss than every other."
    )
    assert sure.endswith("repeats. Every other schedule is shown to be worse than at least one other.")


def test_the_cheapest_of_all_has_none_cheaper():
    which, _, sure = sentences([0.4, 0.3, 0.5], [0.8, 0.3, 0.6])
    assert which == "Choose 2 + 1. It has the lowest validation loss of 2 schedules, and none is cheaper."
    assert sure.endswith("repeats. Other schedules that may be the best: 0 + 3.")


def test_a_schedule_alone_is_compared_with_none():
    alone = made_up_study.study(made_up_study.variant("fruit-2-1", val_loss=[[1, 1, 0.5]]))
    which, reached, _ = brief.sentences(alone, recommendation.choices(alone)["fruit"], SPENT)
    assert which == "2 + 1 is the only schedule. Add others to the variants in params.yaml to compare them."
    assert "about 1.5 seconds on" in reached


def test_a_head_of_its_own_is_described():
    head = made_up_study.variant("fruit-0-3", own_keys={"head_rate": 0.001}, val_loss=[[1, 1, 0.4]])
    of_head = made_up_study.study(made_up_study.variant("fruit-2-1", val_loss=[[1, 1, 0.5]]), head)
    which, reached, _ = brief.sentences(of_head, recommendation.choices(of_head)["fruit"], SPENT)
    assert which.startswith("0 + 3 (head learning rate 0.001) has the lowest validation loss of 2 schedules.")
    assert reached.startswith(
        "0 + 3 (fine-tuning from the first epoch; head learning rate 0.001): validation loss 0.400"
    )


@pytest.mark.parametrize(
    ("losses", "head", "expected"),
    [
        ([0.6, 0.3, 0.35], None, ""),
        ([0.6, 0.3, 0.35], 0.5, ""),
        ([0.6, 0.5, 0.4], None, " The loss was lowest after the last epoch, so more epochs may lower it."),
        (
            [0.6, 0.3, 0.35],
            0.32,
            " A converged head, with nothing thawed, reaches loss 0.320 and accuracy 0.750: try longer schedules or a "
            "higher head_rate in params.yaml.",
        ),
    ],
)
def test_what_speaks_for_more_epochs_is_said(losses, head, expected):
    study = made_up_study.study(made_up_study.variant("fruit-0-3", val_loss=[losses]))
    if head:
        of_head = made_up_study.study(made_up_study.variant("fruit-1-0", val_loss=[[head]], val_accuracy=[[0.75]]))
        study = replace(study, converged={"fruit": of_head.validations["fruit-1-0"]})
    _, reached, _ = brief.sentences(study, recommendation.choices(study)["fruit"], SPENT)
    assert reached.partition(" multiply-adds.")[2] == expected


# The test part.


def test_the_test_part_has_intervals_over_pictures_or_their_groups():
    told = answer.of_test(finished_run.held_out(), ["cats", "dogs"], made_up_study.SETTINGS, np.arange(4))
    assert told["images"] == 4
    assert told["accuracy"]["value"] == 0.75
    assert (told["accuracy"]["low"], told["accuracy"]["high"]) == two_way.wilson(0.75, 4, 0.95)
    assert told["loss"]["value"] == pytest.approx((3 * 0.2 + 1.5) / 4, abs=1e-6)
    assert told["confusion"]["matrix"] == [[0, 0], [1, 3]]
    in_pairs = answer.of_test(finished_run.held_out(), ["cats", "dogs"], made_up_study.SETTINGS, np.array([0, 0, 1, 1]))
    assert (in_pairs["accuracy"]["low"], in_pairs["accuracy"]["high"]) == two_way.wilson(0.75, 2, 0.95)
    assert in_pairs["loss"]["value"] == pytest.approx(told["loss"]["value"])
    assert in_pairs["loss"]["high"] > told["loss"]["high"]


# Maps, by Keras, which takes seconds to import.


def network(classes):
    """A network of one convolution under the study's own head, whole as `train` saves it."""
    from stages.network import backbones
    from stages.network.keras_quietly import keras
    from stages.training.models import build_head

    pixels = keras.Input((6, 6, 3))
    convolved = keras.layers.Conv2D(4, 3, activation="relu", bias_initializer="random_normal", name="last")(pixels)
    head = build_head(4, classes, 0.2, seed=1)
    head.get_layer("logit").bias.assign(np.linspace(-0.5, 0.5, 1 if classes == 2 else classes))
    return backbones.whole_model(keras.Model(pixels, convolved), head, lambda pixels: pixels / 255)


def convolved(picture, kernel, bias):
    """The activations (4, 4, 4) of a picture (6, 6, 3), a position at a time."""
    rows = [[(picture[y : y + 3, x : x + 3, :, None] * kernel).sum((0, 1, 2)) for x in range(4)] for y in range(4)]
    return np.maximum(np.array(rows) + bias, 0)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_map_is_the_last_activations_by_the_head_s_weights(tmp_path, classes):
    from stages.network.keras_quietly import keras
    from stages.trained import classifier

    model = network(classes)
    model.save(tmp_path / "model.keras")
    pictures = np.random.default_rng(2).integers(0, 256, (3, 6, 6, 3), np.uint8)
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(picture).save(path)
    asked = [0, 1, classes - 1]

    loaded = keras.saving.load_model(tmp_path / "model.keras")
    maps, logits = classifier.activation_maps(loaded, paths, asked), classifier.logits(loaded, paths)

    backbone = next(layer for layer in model.layers if hasattr(layer, "layers") and layer.name != "head")
    kernel, bias = (np.array(each, float) for each in backbone.get_layer("last").get_weights())
    weights, offset = (np.array(each, float) for each in model.get_layer("head").get_layer("logit").get_weights())
    for picture, label, found, logit in zip(pictures, asked, maps, logits, strict=True):
        unit, sign = (0, 1 if label else -1) if classes == 2 else (label, 1)
        expected = sign * convolved(picture / 255, kernel, bias) @ weights[:, unit]
        assert found == pytest.approx(expected, abs=1e-5)  # float32 of numbers around 1
        assert found.mean() + sign * offset[unit] == pytest.approx(sign * logit[unit], abs=1e-5)
