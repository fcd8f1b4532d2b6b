"""The paper's claims: each verdict of each claim, on curves that a reader can check."""

import math
from dataclasses import replace
from pathlib import Path

import made_up_study
import numpy as np
import pytest
from made_up_study import study, variant

from stages.common.params import Margins
from stages.results.repeats import Validation
from stages.study import claim_checks, claims, comparisons, dip, halves, notes, paper, variants
from stages.study.evidence import Study

PAPER = paper.load(Path("data/paper.yaml"))
CLAIMS = ("sooner", "share", "dip", "running_mean", "batch_statistics", "gap", "harm", "advice")
MOVING = {"batch_norm": "moving"}


def alike(curve, repeats=3):
    """The same curve for all repeats."""
    return [curve] * repeats


def check(*members, **options):
    return claims.check(study(*members, **options), PAPER)


def verdict(claim, *members, **options):
    return check(*members, **options)[claim]["verdict"]


# The best end is 0.5; within 0.01 of it is the target.
SLOW = alike([0.9, 0.8, 0.7, 0.6, 0.5])


@pytest.mark.parametrize(
    ("early", "expected"),
    [
        (alike([0.9, 0.5, 0.5, 0.5, 0.5]), "holds"),  # 2 in place of 5 epochs
        ([[0.5] * 5, [0.9, 0.8, 0.7, 0.6, 0.5], [0.9, 0.8, 0.7, 0.6, 0.5]], "cannot tell"),  # 4, 0 and 0 fewer
        (alike([0.9, 0.8, 0.7, 0.6, 0.7]), "cannot tell"),  # never: 6 epochs at least, whole numbers known to a half
        (SLOW, "no difference beyond the margin"),  # as many epochs; the margin is one
    ],
)
def test_sooner(early, expected):
    late = variant("d-4-1", val_loss=SLOW)
    assert verdict("sooner", late, variant("d-0-5", val_loss=early)) == expected


def test_sooner_may_turn_out_later_or_equal_within_the_margin():
    late = variant("d-4-1", val_loss=alike([0.9, 0.5, 0.5, 0.5, 0.5], 10))
    early = variant("d-0-5", val_loss=alike([0.9, 0.8, 0.7, 0.6, 0.5], 10))
    assert verdict("sooner", late, early) == "does not"
    same = variant("d-0-5", val_loss=alike([0.9, 0.5, 0.5, 0.5, 0.5], 10))
    assert verdict("sooner", late, same) == "no difference beyond the margin"  # of one epoch


def test_sooner_tells_the_target_and_each_schedule_s_own_epochs():
    early = [[0.9, 0.5, 0.5, 0.5, 0.5], [0.9, 0.9, 0.5, 0.5, 0.5], [0.9, 0.5, 0.5, 0.5, 0.5]]
    told = check(variant("d-4-1", val_loss=SLOW), variant("d-0-5", val_loss=early))["sooner"]["datasets"]["d"]
    assert told["what"] == (
        "epochs to the target (a validation loss at most 0.01 above the final loss of 4 + 1, the lowest), "
        "0 + 5 minus 4 + 1"
    )
    assert told["value"] == pytest.approx(-8 / 3, abs=1e-6)
    assert [(detail["what"], detail["value"], detail["low"], detail["high"]) for detail in told["details"][:2]] == [
        ("epochs to the target, 4 + 1 (minimum to maximum over repeats)", 5, 5, 5),
        ("epochs to the target, 0 + 5 (minimum to maximum over repeats)", pytest.approx(7 / 3, abs=1e-6), 2, 3),
    ]
    adds = told["details"][2]
    assert adds["what"] == "multiply-adds to the target, 0 + 5 minus 4 + 1"
    assert adds["value"] == (2 + 3 + 2) / 3 * 3000 - (4 * 1000 + 3000)


def test_sooner_shows_no_number_for_epochs_that_were_not_enough():
    never, sometimes = alike([0.9, 0.8, 0.7, 0.6, 0.55]), [[0.9, 0.8, 0.7, 0.6, 0.5], [0.9] * 5, [0.9] * 5]
    grid = variant("d-4-1", val_loss=never), variant("d-2-3", val_loss=sometimes), variant("d-0-5", val_loss=SLOW)
    told = check(*grid)["sooner"]["datasets"]["d"]
    late, middle, early, *differences = told["details"]
    assert (late["what"], late["value"]) == ("epochs to the target, 4 + 1", None)
    assert (late["high"], late["note"]) == (None, "> 5")
    assert (middle["value"], middle["note"]) == (None, "1 of 3 repeats reach it")
    assert (early["value"], early["note"]) == (5, "")
    counted = [f"where {label} takes more than 5 epochs, it counts as 6" for label in ("4 + 1", "2 + 3")]
    assert told["note"] == counted[0]
    # 2 + 3 minus 4 + 1 is not there: two repeats reach the target in neither.
    assert {each["what"].partition(", ")[2]: each["note"] for each in differences} == {
        "0 + 5 minus 4 + 1": counted[0],
        "0 + 5 minus 2 + 3": counted[1],
    }


def test_sooner_is_open_where_neither_reaches_the_target():
    """Two lower bounds say nothing of a difference, and least of all that there is none."""
    never = [[0.9, 0.8, 0.7, 0.6, 0.5], [0.9] * 5, [0.9] * 5]
    grid = variant("d-4-1", val_loss=never), variant("d-2-3", val_loss=SLOW), variant("d-0-5", val_loss=never)
    told = check(*grid)["sooner"]["datasets"]["d"]
    assert (told["verdict"], told["value"], told["p_value"]) == ("cannot tell", None, None)
    assert told["note"] == (
        "there are repeats in which neither of the two reaches the target; a larger budget of epochs would tell"
    )
    assert [each["note"] for each in told["details"]] == ["1 of 3 repeats reach it", "", "1 of 3 repeats reach it"]


def test_no_interval_of_epochs_goes_beyond_the_schedule():
    early = [[0.5] * 5, [0.5] * 5, [0.9, 0.8, 0.7, 0.6, 0.5]]
    told = check(variant("d-4-1", val_loss=SLOW), variant("d-0-5", val_loss=early))["sooner"]["datasets"]["d"]
    assert (told["value"], told["low"], told["high"]) == pytest.approx((-8 / 3, -4, 0), abs=1e-6)


def test_a_converged_head_sets_the_target_where_there_is_one():
    grid = variant("d-4-1", val_loss=SLOW), variant("d-0-5", val_loss=alike([0.9, 0.75, 0.5, 0.5, 0.5]))
    made = study(*grid)
    head = {
        repeat: Validation(made_up_study.logits(np.full((1, made_up_study.IMAGES), 0.75)), each.labels, each.images)
        for repeat, each in made.validations["d-4-1"].items()
    }
    told = claims.check(Study(made.variants, made.validations, made.statistics, made.margins, {"d": head}), PAPER)
    told = told["sooner"]["datasets"]["d"]
    assert told["what"] == "epochs to the target (the validation loss of a converged head), 0 + 5 minus 4 + 1"
    assert told["value"] == 2 - 3


def test_a_schedule_in_between_may_speak_against_a_claim_that_the_extremes_support():
    late, early = variant("d-2-1", val_loss=alike([1, 1, 0.5])), variant("d-0-3", val_loss=alike([1, 1, 0.4]))
    share = check(late, variant("d-1-2", val_loss=alike([1, 1, 0.6])), early)["share"]
    assert share["verdict"] == "does not"
    slightly = variant("d-1-2", val_loss=alike([1, 1, 0.505]))
    assert verdict("share", late, slightly, early) == "holds"  # worse than 2-1, by less than the margin


@pytest.mark.parametrize(
    ("ends", "image_noise", "expected"),
    [
        ([0.3, 0.3, 0.3], 0, "holds"),
        ([0.3, 0.31, 0.29], 0, "holds"),
        ([0.5, 0.5, 0.5], 0, "does not"),
        ([0.3, 0.5, 0.39], 0, "cannot tell"),  # the repeats disagree
        ([0.3, 0.3, 0.3], 0.29, "cannot tell"),  # half the images lose what the other half gains
        ([0.4, 0.4, 0.4], 0, "no difference beyond the margin"),
        ([0.402, 0.403, 0.402], 0, "no difference beyond the margin"),  # worse, by less than the margin
        ([0.398, 0.397, 0.398], 0, "holds"),  # better, by less than the margin
    ],
)
def test_share(ends, image_noise, expected):
    smaller, larger = variant("d-1-1", val_loss=alike([1, 0.4])), variant("d-0-2", val_loss=[[1, end] for end in ends])
    assert verdict("share", smaller, larger, image_noise=image_noise) == expected


def test_a_difference_smaller_than_the_margin_is_said_to_be():
    grid = variant("d-1-1", val_loss=alike([1, 0.4])), variant("d-0-2", val_loss=alike([1, 0.398]))
    told = check(*grid)["share"]["datasets"]["d"]
    assert (told["verdict"], told["note"]) == ("holds", "better by less than the margin of 0.01")
    told = check(*grid, margins=Margins(loss=0.001, accuracy=0.005, epochs=1.0))["share"]["datasets"]["d"]
    assert (told["verdict"], told["note"], told["margin"]) == ("holds", "", 0.001)


def test_what_would_settle_an_open_claim_is_said():
    ends = [[1, 0.3], [1, 0.4], [1, 0.35]]
    told = check(variant("d-1-1", val_loss=alike([1, 0.4])), variant("d-0-2", val_loss=ends), image_noise=0.05)
    found = told["share"]["datasets"]["d"]
    assert found["verdict"] == "cannot tell"
    assert found["settle"].startswith("about ")
    assert found["settle"].endswith("instead of 8 and 3")


def test_folds_have_images_of_their_own():
    smaller = variant("d-1-1", val_loss=alike([1, 0.4]))
    larger = variant("d-0-2", val_loss=[[1, end] for end in (0.30, 0.32, 0.31)])
    told = check(smaller, larger, folds=True, image_noise=0.2)["share"]["datasets"]["d"]
    half = 4.302653 * 0.01 / 3**0.5  # Student's t of three means that lie 0.01 apart; images are within them
    assert (told["low"], told["high"]) == pytest.approx((-0.09 - half, -0.09 + half), abs=1e-6)
    assert told["verdict"] == "holds"


def test_repeats_on_the_same_fold_are_averaged():
    smaller = variant("d-1-1", val_loss=alike([1, 0.4], 6))
    larger = variant("d-0-2", val_loss=[[1, end] for end in (0.29, 0.31, 0.30, 0.34, 0.31, 0.31)])
    made = study(smaller, larger)
    for by_repeat in made.validations.values():
        for repeat, validation in by_repeat.items():
            validation.images[:] = [f"{(repeat - 1) // 2}/{image}" for image in range(made_up_study.IMAGES)]
    told = claims.check(made, PAPER)["share"]["datasets"]["d"]
    half = 4.302653 * 0.01 / 3**0.5  # Student's t of the folds' means: 0.30, 0.32 and 0.31
    assert (told["low"], told["high"]) == pytest.approx((-0.09 - half, -0.09 + half), abs=1e-6)


@pytest.mark.parametrize(
    ("loss", "accuracy", "val_loss", "val_accuracy", "expected"),
    [
        ([0.2, 0.2, 0.2], -0.1, -0.1, 0.1, "holds"),
        ([0.2, 0.2, 0.2], -0.1, 0.0, 0.0, "holds"),
        ([0.2, 0.2, 0.2], -0.1, 0.002, -0.002, "holds"),  # validation turns worse by less than the margin
        ([-0.1, -0.1, -0.1], -0.1, -0.1, 0.1, "does not"),  # training loss turns better
        ([0.001, 0.001, 0.001], -0.1, -0.1, 0.1, "does not"),  # training loss stays, within the margin
        ([0.2, 0.2, 0.2], 0.1, -0.1, 0.1, "does not"),  # training accuracy turns better
        ([0.2, 0.2, 0.2], -0.1, 0.1, 0.1, "does not"),  # validation loss turns worse
        ([0.2, 0.2, 0.2], -0.1, -0.1, -0.1, "does not"),  # validation accuracy turns worse
        ([0.2, -0.1, 0.6], -0.1, -0.1, 0.1, "cannot tell"),  # the repeats disagree
    ],
)
def test_dip(loss, accuracy, val_loss, val_accuracy, expected):
    steps = {"accuracy": [accuracy] * 3, "val_loss": [val_loss] * 3, "val_accuracy": [val_accuracy] * 3, "loss": loss}
    both = variant("d-1-1", **{column: [[0.5, 0.5 + step] for step in repeats] for column, repeats in steps.items()})
    assert verdict("dip", both, variant("d-0-2", loss=alike([1, 1]))) == expected


def test_a_dip_of_the_loss_alone_says_that_the_fall_of_the_accuracy_is_not_shown():
    curves = {"loss": [[0.5, 0.9]] * 3, "accuracy": [[0.5, 0.5], [0.5, 0.2], [0.5, 0.4]], "val_loss": [[0.5, 0.4]] * 3}
    told = check(variant("d-1-1", **curves), variant("d-0-2", loss=alike([1, 1])))["dip"]["datasets"]["d"]
    assert (told["verdict"], told["note"]) == ("cannot tell", "it is not shown that training accuracy falls")
    held = check(variant("d-1-1", **curves | {"accuracy": [[0.5, 0.4]] * 3}), variant("d-0-2", loss=alike([1, 1])))
    assert (held["dip"]["verdict"], held["dip"]["datasets"]["d"]["note"]) == ("holds", "")


def test_validation_that_may_have_turned_worse_is_not_called_spared():
    # Not worse beyond the noise, and not shown to be within the margin either.
    steps = {"loss": [[0.5, 0.9]] * 3, "accuracy": [[0.5, 0.4]] * 3, "val_loss": [[0.5, 0.5], [0.5, 0.6], [0.5, 0.52]]}
    told = check(variant("d-1-1", **steps), variant("d-0-2", loss=alike([1, 1])))["dip"]["datasets"]["d"]
    assert (told["verdict"], told["note"]) == (
        "cannot tell",
        "it is not shown that validation loss is not worse by the margin",
    )
    assert told["settle"]


def with_moving(total, batch, real):
    """A schedule whose training loss moves by `total`, of which these parts, and its style with moving statistics."""
    plain = variant(
        "d-1-1", loss=alike([0.5, 0.5 + total]), train_clean_loss=alike([0.4, 0.4 + real]), accuracy=alike([1, 1])
    )
    plain.runs["train_clean_accuracy"] = 1.0
    moving = variant("d-1-1-moving", own_keys=MOVING, loss=alike([0.5, 0.5 + total - batch]), accuracy=alike([1, 1]))
    return plain, variant("d-0-2", loss=alike([1, 1])), moving


@pytest.mark.parametrize(
    ("total", "batch", "real", "of_batch", "of_mean"),
    [
        (0.3, 0.35, -0.1, "holds", "holds"),  # the rest, 0.05, is the running mean's
        (0.3, 0.4, -0.1, "holds", "does not"),  # none is
        (0.3, 0.5, -0.1, "holds", "does not"),  # it makes the loss better
        (0.3, 0.005, 0.0, "does not", "holds"),  # a part within the margin explains nothing
    ],
)
def test_reasons_for_the_dip(total, batch, real, of_batch, of_mean):
    told = check(*with_moving(total, batch, real))
    assert (told["batch_statistics"]["verdict"], told["running_mean"]["verdict"]) == (of_batch, of_mean)


def test_parts_of_the_dip_are_unknown_without_moving_statistics():
    told = check(*with_moving(0.3, 0.4, -0.1)[:2])["running_mean"]["datasets"]["d"]
    assert (told["verdict"], told["value"]) == ("cannot tell", None)
    assert told["note"] == "no schedule with both phases also ran with moving statistics"


def test_the_parts_of_the_dip_add_up():
    plain, other, moving = with_moving(0.3, 0.2, -0.1)
    plain.runs["loss"] = [0.5, 0.9, 0.5, 0.7, 0.5, 0.8]
    parts = claims.parts_of_the_dip(study(plain, other, moving))["d"]["loss"]
    # Reported: 0.8 - 0.5. Batch statistics: 0.8 - 0.6. Real: 0.3 - 0.4. The rest: 0.3 - 0.2 + 0.1.
    assert {name: part["value"] for name, part in parts.items()} == {
        "total": 0.3,
        "batch_statistics": 0.2,
        "running_mean": 0.2,
        "real": -0.1,
    }
    assert (parts["total"]["low"], parts["total"]["high"]) == pytest.approx((0.3 - 0.248414, 0.3 + 0.248414))


def test_of_several_schedules_with_moving_statistics_the_first_is_taken_apart_and_shown():
    plain, at_once, moving = with_moving(0.3, 0.2, -0.1)
    later = [
        variant("d-2-1", loss=alike([0.5, 0.5, 0.9]), train_clean_loss=alike([0.4, 0.4, 0.4])),
        variant("d-2-1-moving", own_keys=MOVING, loss=alike([0.5, 0.5, 0.6])),
    ]
    made = study(plain, at_once, moving, *later)
    assert claims.parts_of_the_dip(made)["d"]["loss"]["batch_statistics"]["value"] == 0.2
    assert [each.name for each in dip.shown(made)["d"]] == ["d-1-1", "d-1-1-moving"]


def test_a_style_that_also_differs_otherwise_explains_no_dip():
    plain, at_once, moving = with_moving(0.3, 0.2, -0.1)
    decaying = variant("d-1-1-decaying", own_keys=MOVING | {"decay": "cosine"}, loss=alike([0.5, 0.1]))
    made = study(plain, at_once, decaying, moving)
    assert claims.parts_of_the_dip(made)["d"]["loss"]["batch_statistics"]["value"] == 0.2
    assert [each.name for each in dip.shown(made)["d"]] == ["d-1-1", "d-1-1-moving"]
    assert claims.parts_of_the_dip(study(plain, at_once, decaying)) == {}


def overfitted(clean, val_loss, name="d"):
    """A data set's extremes; the smaller share ends with a gap of 0.1."""
    smaller = variant(f"{name}-1-1", val_loss=alike([0.6, 0.5]), train_clean_loss=alike([0.5, 0.4]))
    larger = variant(f"{name}-0-2", val_loss=val_loss, train_clean_loss=alike([0.5, clean]))
    return smaller, larger


@pytest.mark.parametrize(
    ("clean", "val_loss", "gap", "harm"),
    [
        (0.1, alike([0.4, 0.5]), "holds", "holds"),  # a gap of 0.4, and a rise of 0.1
        (0.45, alike([0.4, 0.5]), "does not", "holds"),  # a gap of 0.05
        (0.4, alike([0.4, 0.5]), "does not", "holds"),  # as wide a gap
        (0.1, alike([0.5, 0.4]), "holds", "no difference beyond the margin"),  # best at its end
        (0.1, [[0.4, 0.5], [0.5, 0.4], [0.4, 0.6]], "holds", "cannot tell"),  # the repeats disagree about the rise
    ],
)
def test_a_gap_is_one_thing_and_its_harm_another(clean, val_loss, gap, harm):
    told = check(*overfitted(clean, val_loss))
    assert (told["gap"]["verdict"], told["harm"]["verdict"]) == (gap, harm)


def test_gap_and_harm_are_decided_on_the_data_set_with_the_lower_accuracy():
    easy = [variant(name, val_accuracy=alike([0.9, 0.9])) for name in ("easy-1-1", "easy-0-2")]
    told = check(*easy, *overfitted(0.1, alike([0.4, 0.5]), "hard"))
    assert (told["gap"]["verdict"], told["harm"]["verdict"]) == ("holds", "holds")
    assert told["gap"]["datasets"]["hard"]["value"] == 0.3
    assert (
        told["gap"]["datasets"]["easy"]["note"] == "no clean training metrics; set clean_training: true in params.yaml"
    )


def test_pictures_of_a_group_are_one_unit_of_a_sample():
    member = made_up_study.variant("d-0-1", val_loss=[[0.5], [0.6], [0.4]])
    made = made_up_study.study(member, image_noise=0.1)
    images = np.array([f"ripe/tree{place // 2}_{place % 2}.jpg" for place in range(made_up_study.IMAGES)])
    renamed = {repeat: replace(each, images=images) for repeat, each in made.validations[member.name].items()}
    grouped = replace(made, validations={member.name: renamed}, groups={"d": r"tree\d+"})
    assert [units.tolist() for units in grouped.units("d")] == [[0, 0, 1, 1, 2, 2, 3, 3]] * 3
    sample = grouped.at(member, "loss")
    # Of each group's two pictures one is better and one worse by the same.
    assert np.array(sample.values) == pytest.approx(np.array([[0.5] * 4, [0.6] * 4, [0.4] * 4]))
    assert sample.pictures == made_up_study.IMAGES
    assert len(grouped.sample("d", [np.arange(3.0)] * 3, places=[np.array([0, 1, 4])] * 3).values[0]) == 2


def test_too_much_confidence_is_told_from_worse_decisions():
    # Right three times in four throughout, and ever more sure of it: the loss rises, and scaled it stays.
    signs = np.array([1, 1, 1, 1, 1, 1, -1, -1] * 25)
    validation = Validation(
        (signs * np.array([[1.1], [6.0]]))[..., None], np.ones(200, dtype=int), np.arange(200).astype(str)
    )
    changes = halves.from_best_to_last(validation, np.arange(200))
    best, last = validation.losses().mean(axis=1)
    assert changes["loss"].mean() == pytest.approx(last - best)
    assert changes["loss"].mean() > 0.9
    assert changes["accuracy"].tolist() == [0] * 200
    assert changes["scaled"] == pytest.approx(np.zeros(200), abs=1e-3)  # to the minimiser's tolerance


def test_a_temperature_is_that_of_the_lowest_loss():
    signs = np.array([1, 1, 1, -1] * 5)
    validation = Validation(
        np.full((1, 20, 1), 6.0) * signs[:, None], np.ones(20, dtype=int), np.arange(20).astype(str)
    )
    # Right three times in four, the best logit is log 3.
    assert halves.temperature(validation, 0, np.arange(20)) == pytest.approx(6 / np.log(3), rel=1e-3)


def test_what_one_half_chooses_is_measured_on_the_other():
    # Each half of the images has its best epoch where the other half is at its worst.
    even = np.arange(8) % 2 == 0
    losses = np.where(even, [[0.1], [0.9], [0.5]], [[0.9], [0.1], [0.5]])
    validation = Validation(made_up_study.logits(losses), np.ones(8, dtype=int), np.arange(8).astype(str))
    assert halves.from_best_to_last(validation, np.arange(8))["loss"] == pytest.approx(np.full(8, 0.5 - 0.9))


@pytest.mark.parametrize(
    ("units", "even", "odd"),
    [([0, 1, 2, 3], [0, 2], [1, 3]), ([0, 0, 1, 1, 2], [0, 1, 4], [2, 3]), ([0, 0, 0], [0, 2], [1])],
)
def test_a_half_has_whole_units_unless_there_is_only_one(units, even, odd):
    assert [places.tolist() for places in halves.of(np.array(units))] == [even, odd]


@pytest.mark.parametrize(
    ("late", "early", "expected", "enough"),
    [
        ([0.9, 0.8, 0.4], alike([0.6, 0.4, 0.5]), "holds", 2),
        ([0.9, 0.8, 0.3], alike([0.6, 0.4, 0.5]), "does not", 2),  # the other's end is better
        ([0.9, 0.8, 0.5], alike([0.6, 0.5, 0.4]), "does not", 3),  # only all its epochs are enough
        ([0.9, 0.8, 0.4], [[0.6, 0.3, 0.5], [0.6, 0.4, 0.5], [0.6, 0.48, 0.5]], "cannot tell", 2),
    ],
)
def test_advice(late, early, expected, enough):
    told = check(variant("d-2-1", val_loss=alike(late)), variant("d-0-3", val_loss=early))["advice"]["datasets"]["d"]
    assert told["verdict"] == expected
    assert told["details"][0]["value"] == enough


def test_a_plateau_is_short_from_its_first_epoch_within_the_margin():
    early = alike([0.9, 0.406, 0.402, 0.401, 0.4])
    told = check(variant("d-4-1", val_loss=SLOW), variant("d-0-5", val_loss=early))["advice"]["datasets"]["d"]
    assert told["what"] == "validation loss, 0 + 5 stopped after epoch 2 minus 0 + 5 at its end"
    assert told["note"].startswith("it needs 2 of 5 fine epochs")
    assert (told["verdict"], told["value"]) == ("holds", pytest.approx(0.006))


@pytest.mark.parametrize("claim", CLAIMS)
def test_one_repeat_tells_nothing_of_schedules(claim):
    clean = {"train_clean_loss": [[0.5, 0.1]], "train_clean_accuracy": [[0.5, 0.5]]}
    both = variant("d-1-1", val_loss=[[0.6, 0.5]], loss=[[0.5, 0.7]], accuracy=[[0.5, 0.4]], **clean)
    moving = variant("d-1-1-moving", own_keys=MOVING, val_loss=[[0.6, 0.5]], loss=[[0.5, 0.4]])
    checked = check(both, variant("d-0-2", val_loss=[[0.4, 0.45]], **clean), moving)[claim]
    assert checked["verdict"] == "cannot tell"
    assert checked["datasets"]["d"]["note"] == "one repeat; for more, set repeats or seeds in params.yaml"
    assert checked["datasets"]["d"]["value"] is not None
    assert checked["datasets"]["d"]["settle"] == "more repeats; one repeat is too few to estimate how many"


def test_a_claim_holds_where_it_holds_on_every_data_set():
    good = variant("a-1-1", val_loss=alike([1, 0.4])), variant("a-0-2", val_loss=alike([1, 0.3]))
    tie = variant("b-1-1", val_loss=alike([1, 0.4])), variant("b-0-2", val_loss=alike([1, 0.4]))
    bad = variant("c-1-1", val_loss=alike([1, 0.4])), variant("c-0-2", val_loss=alike([1, 0.5]))
    unclear = [variant("e-1-1", val_loss=alike([1, 0.4])), variant("e-0-2", val_loss=[[1, 0.3], [1, 0.5], [1, 0.4]])]
    assert verdict("share", *good) == "holds"
    assert verdict("share", *good, *tie) == "holds"
    assert verdict("share", *tie) == "no difference beyond the margin"
    assert verdict("share", *good, *unclear) == "cannot tell"
    assert verdict("share", *good, *unclear, *bad) == "does not"


def test_a_data_set_with_one_schedule_answers_nothing():
    assert {claim["verdict"] for claim in check(variant("d-1-1", val_loss=alike([1, 1]))).values()} == {"cannot tell"}


def test_claims_are_about_the_paper_s_arm_alone():
    grid = variant("d-1-1", val_loss=alike([1, 0.4])), variant("d-0-2", val_loss=alike([1, 0.3]))
    tuned = variant("d-1-1-tuned", own_keys={"head_rate": 0.001}, val_loss=alike([1, 0.1]))
    assert check(*grid, tuned) == check(*grid)


def test_a_variant_s_kind_follows_from_its_own_keys():
    def kind(name, **own_keys):
        return variant(name, own_keys=own_keys, val_loss=[[1, 1]])

    found = [
        kind("d-1-1"),
        kind("d-1-1-tuned", head_rate=0.001),
        kind("d-1-1", unfreezing="gradual"),
        kind("d-1-1-x", head_rate=0.001, layer_decay=0.5),
        kind("trial-1-1", head_rate=0.001),
    ]
    assert [(each.kind, each.arm, each.style) for each in found[:4]] == [
        ("grid", "paper", ""),
        ("tuned", "head_rate 0.001", ""),
        ("style", "paper", "unfreezing gradual"),
        ("style", "head_rate 0.001", "layer_decay 0.5"),
    ]
    trial = variants.Variant("trial", found[4].metrics, found[4].history, found[4].runs)
    assert (trial.kind, trial.style) == ("trial", "")
    assert found[3].is_style_of(found[1])
    assert not found[3].is_style_of(found[0])


def test_a_start_has_the_curves_of_the_whole_whatever_was_measured_after_its_last_epoch():
    whole = variant("d-0-3", val_loss=[[0.6, 0.5, 0.4]], train_clean_loss=[[0.5, math.nan, 0.3]])
    start = variant("d-0-2", val_loss=[[0.6, 0.5]], train_clean_loss=[[0.5, 0.4]])
    assert start.is_start_of(whole)
    assert not whole.is_start_of(start)
    assert not variant("d-0-2", val_loss=[[0.6, 0.51]]).is_start_of(whole)


def test_the_paper_s_own_figures_stand_beside_ours():
    grid = (
        variant(f"roses_tulips-{transfer}-{51 - transfer}", val_loss=alike(range(51, 0, -1))) for transfer in (50, 0)
    )
    checked = check(*grid)
    assert checked["share"]["datasets"]["roses_tulips"]["paper"] == "≈ -0.11: from 0.26 to 0.15, each at its best"
    assert checked["sooner"]["datasets"]["roses_tulips"]["paper"] == (
        "≈ -5: loss looks settled from epoch 30 instead of 35"
    )
    assert checked["advice"]["datasets"]["roses_tulips"]["paper"] is None


@pytest.mark.parametrize(
    ("name", "part", "measure", "ours"),
    [
        ("cats_dogs-30-1", "train", "loss", 0.31),  # a level: before the jump in the last epoch
        ("cats_dogs-30-1", "val", "loss", 0.6),  # a level: at the end
        ("cats_dogs-0-31", "train", "loss", 0.9),
        ("roses_tulips-0-51", "val", "loss", 0.1),  # a best value
    ],
)
def test_like_is_compared_with_like(name, part, measure, ours):
    *_, transfer, fine = name.split("-")
    epochs = int(transfer) + int(fine)
    made = variant(name, loss=[[0.3] * (epochs - 2) + [0.31, 0.9]], val_loss=[[0.1] * (epochs - 1) + [0.6]])
    values = {
        **made.metrics,
        "train": {"final": {"loss": 0.9}, "best": {"loss": 0.3}},
        "val": {"final": {"loss": 0.6}, "best": {"loss": 0.1}},
    }
    made = variants.Variant(name, values, made.history, made.runs)
    values = getattr(PAPER.variants[name], part)
    assert paper.comparable(made, part, values, measure) == pytest.approx(ours)


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ([0.3] * 3, "better"),
        ([0.5] * 3, "worse"),
        ([0.3, 0.5, 0.4], "cannot tell"),
        ([0.4] * 3, "no difference beyond the margin"),
    ],
)
def test_a_style_is_laid_beside_the_plain_schedule(ends, expected):
    style = variant("d-1-1-x", own_keys={"unfreezing": "gradual"}, val_loss=[[1, end] for end in ends])
    made = study(variant("d-1-1", val_loss=alike([1, 0.4])), style)
    told = claims.styles(comparisons.compare(made))["d-1-1-x"]
    assert (told["style"], told["plain"], told["verdict"]) == ("unfreezing gradual", "d-1-1", expected)
    assert told["value"] == pytest.approx(sum(ends) / 3 - 0.4)
    assert told["what"] == "final validation loss, 1 + 1 x minus 1 + 1"


def test_a_style_of_one_repeat_is_neither_better_nor_worse():
    style = variant("d-1-1-x", own_keys={"unfreezing": "gradual"}, val_loss=[[1, 0.3]])
    made = study(variant("d-1-1", val_loss=[[1, 0.4]]), style)
    assert claims.styles(comparisons.compare(made))["d-1-1-x"]["verdict"] == "cannot tell"


def test_the_table_has_a_row_for_each_claim_and_data_set():
    made = study(variant("d-1-1", val_loss=alike([1, 0.4])), variant("d-0-2", val_loss=alike([1, 0.3])))
    table = claims.table(made, claims.check(made, PAPER)).set_index("claim")
    assert list(table.index) == list(CLAIMS)
    assert table.loc["share", ["dataset", "value", "repeats", "verdict"]].to_list() == ["d", -0.1, 3, "holds"]


def test_data_sets_may_have_different_numbers_of_repeats():
    few = [variant("a-1-1", val_loss=alike([1, 0.4], 3)), variant("a-0-2", val_loss=alike([1, 0.3], 3))]
    many = [variant("b-1-1", val_loss=alike([1, 0.4], 5)), variant("b-0-2", val_loss=alike([1, 0.3], 5))]
    once = [variant("c-1-1", val_loss=alike([1, 0.4], 1)), variant("c-0-2", val_loss=alike([1, 0.3], 1))]
    made = study(*few, *many, *once)
    content = claims.content("title", made, comparisons.compare(made), PAPER)
    counts = {"a": 3, "b": 5, "c": 1}
    assert {dataset: len(repeats) for dataset, repeats in content["repeats"].items()} == counts
    assert content["seeds"] == {dataset: list(range(11, 11 + count)) for dataset, count in counts.items()}
    table = claims.table(made, content["claims"]).set_index(["claim", "dataset"])
    assert table["repeats"].to_dict() == {(claim, dataset): counts[dataset] for claim, dataset in table.index}
    assert table.loc["share", "verdict"].to_dict() == {"a": "holds", "b": "holds", "c": "cannot tell"}
    assert table.loc["share", "note"].to_dict() == {"a": "", "b": "", "c": claim_checks.ONE_REPEAT}
    assert notes.of_repeats(made.variants, 0.95) == "means of 3 (a), 5 (b), 1 (c) repeats"
