"""The paper's claims: each verdict of each claim, on curves that a reader can check."""

from pathlib import Path

import pytest
from made_up_study import study, variant

from stages.study import claims, comparisons, paper

PAPER = paper.load(Path("data/paper.yaml"))
SLOW = [9, 8, 5]  # an epoch a number: a validation loss that is at its best, 5, in epoch 3


def alike(curve):
    """The same curve for three seeds."""
    return [curve] * 3


def check(*members, **options):
    made = study(*members, **options)
    return claims.check(made, comparisons.compare(made), PAPER)


def verdict(claim, *members, **options):
    return check(*members, **options)[claim]["verdict"]


@pytest.mark.parametrize(
    ("early", "expected"),
    [
        ([[9, 5, 6]] * 3, "holds"),
        ([[5, 6, 7], [9, 5, 6], [9, 4, 6]], "cannot tell"),  # 2, 1 and 1 epochs fewer: t = 4, p = 0.057
        ([[9, 8, 5]] * 3, "cannot tell"),  # as many epochs
        ([[9, 8, 6]] * 3, "does not"),  # never, so at least 4 epochs, where the other takes 3
    ],
)
def test_sooner(early, expected):
    assert verdict("sooner", variant("d-2-1", val_loss=alike(SLOW)), variant("d-0-3", val_loss=early)) == expected


def test_sooner_tells_the_epochs_fewer_and_each_schedule_s_own():
    checked = check(variant("d-2-1", val_loss=alike(SLOW)), variant("d-0-3", val_loss=alike([9, 5, 6])))
    told = checked["sooner"]["datasets"]["d"]
    assert (told["value"], told["low"], told["high"]) == (-1, -1, -1)
    assert [(detail["what"], detail["value"]) for detail in told["details"]] == [
        ("epochs until that loss, 2-1, fine-tuned from epoch 3", 3),
        ("epochs until that loss, 0-3, fine-tuned from epoch 1", 2),
    ]


def test_a_schedule_in_between_may_speak_against_a_claim_that_the_extremes_support():
    late, middle = variant("d-2-1", val_loss=alike(SLOW)), variant("d-1-2", val_loss=alike([9, 9, 6]))
    early = variant("d-0-3", val_loss=alike([9, 5, 4]))
    checked = check(late, middle, early)
    assert checked["sooner"]["verdict"] == "does not"  # never, after 3 and before 2 epochs
    assert checked["share"]["verdict"] == "does not"  # 5, 6, 4


@pytest.mark.parametrize(
    ("ends", "image_noise", "expected"),
    [
        ([0.3, 0.3, 0.3], 0, "holds"),
        ([0.3, 0.31, 0.29], 0, "holds"),
        ([0.5, 0.5, 0.5], 0, "does not"),
        ([0.3, 0.5, 0.39], 0, "cannot tell"),  # the seeds disagree
        ([0.3, 0.3, 0.3], 1.0, "cannot tell"),  # half the images lose what the other half gains
        ([0.4, 0.4, 0.4], 0, "cannot tell"),  # a tie
    ],
)
def test_share(ends, image_noise, expected):
    smaller, larger = variant("d-1-1", val_loss=alike([1, 0.4])), variant("d-0-2", val_loss=[[1, end] for end in ends])
    assert verdict("share", smaller, larger, image_noise=image_noise) == expected


@pytest.mark.parametrize(
    ("loss", "accuracy", "val_loss", "val_accuracy", "expected"),
    [
        ([0.2, 0.2, 0.2], -0.1, -0.1, 0.1, "holds"),
        ([0.2, 0.2, 0.2], -0.1, 0.0, 0.0, "holds"),
        ([-0.1, -0.1, -0.1], -0.1, -0.1, 0.1, "does not"),  # training loss turns better
        ([0.2, 0.2, 0.2], 0.1, -0.1, 0.1, "does not"),  # training accuracy turns better
        ([0.2, 0.2, 0.2], -0.1, 0.1, 0.1, "does not"),  # validation loss turns worse
        ([0.2, 0.2, 0.2], -0.1, -0.1, -0.1, "does not"),  # validation accuracy turns worse
        ([0.2, -0.1, 0.6], -0.1, -0.1, 0.1, "cannot tell"),  # the seeds disagree
        ([0.2, 0.2, 0.2], 0.0, -0.1, 0.1, "cannot tell"),  # training accuracy stays
    ],
)
def test_dip(loss, accuracy, val_loss, val_accuracy, expected):
    steps = {"accuracy": [accuracy] * 3, "val_loss": [val_loss] * 3, "val_accuracy": [val_accuracy] * 3, "loss": loss}
    both = variant("d-1-1", **{column: [[0.5, 0.5 + step] for step in seeds] for column, seeds in steps.items()})
    assert verdict("dip", both, variant("d-0-2", loss=alike([1, 1]))) == expected


def test_the_dip_s_validation_turning_worse_as_much_as_training_cannot_be_told_from_it():
    # Each seed's validation loss moves as its training loss does; none turns worse beyond the noise of three seeds.
    steps = [[0.5, 0.5], [0.5, 0.9], [0.5, 1.3]]
    both = variant("d-1-1", loss=steps, val_loss=steps, accuracy=alike([0.5, 0.4]))
    assert verdict("dip", both, variant("d-0-2", loss=alike([1, 1]))) == "cannot tell"


def overfitted(clean, val_loss):
    """The harder data set's extremes; the smaller share ends with a gap of 0.1."""
    smaller = variant("hard-1-1", val_loss=alike([0.6, 0.5]), train_clean_loss=alike([0.5, 0.4]))
    larger = variant("hard-0-2", val_loss=val_loss, train_clean_loss=alike([0.5, clean]))
    return smaller, larger


@pytest.mark.parametrize(
    ("clean", "val_loss", "expected"),
    [
        (0.1, [[0.4, 0.5]] * 3, "holds"),  # a gap of 0.4, and a rise of 0.1
        (0.45, [[0.4, 0.5]] * 3, "does not"),  # a gap of 0.05
        (0.1, [[0.5, 0.4]] * 3, "cannot tell"),  # a gap of 0.3, and no rise
        (0.1, [[0.4, 0.5], [0.5, 0.4], [0.4, 0.6]], "cannot tell"),  # the seeds disagree about the rise
    ],
)
def test_overfitting(clean, val_loss, expected):
    assert verdict("overfitting", *overfitted(clean, val_loss)) == expected


def test_overfitting_is_looked_for_on_the_data_set_with_the_lower_accuracy():
    easy = [variant(name, val_accuracy=alike([0.9, 0.9])) for name in ("easy-1-1", "easy-0-2")]
    told = check(*easy, *overfitted(0.1, [[0.4, 0.5]] * 3))["overfitting"]["datasets"]
    assert list(told) == ["hard"]
    assert told["hard"]["value"] == 0.4
    assert [detail["value"] for detail in told["hard"]["details"]] == [0.3, 0.1]


def test_without_clean_training_figures_overfitting_cannot_be_told():
    told = check(variant("d-1-1", val_loss=alike([0.6, 0.5])), variant("d-0-2", val_loss=alike([0.4, 0.5])))
    found = told["overfitting"]["datasets"]["d"]
    assert (found["verdict"], found["value"]) == ("cannot tell", None)
    assert found["note"] == "no clean training figures; params.yaml: clean_training: true"


def test_a_seed_s_best_epoch_is_chosen_by_the_others():
    # By its own losses each seed would gain from stopping early; the others' best epoch is no better than the last.
    curves = [[0.4, 0.5, 0.5], [0.5, 0.4, 0.5], [0.5, 0.5, 0.5]]
    grid = variant("d-1-2", val_loss=curves), variant("d-0-3", val_loss=curves)
    detail = check(*grid)["advice"]["datasets"]["d"]["details"][1]
    assert detail["what"] == "validation loss, 0-3 stopped there less 0-3 at its end"
    assert detail["value"] == 0.0


@pytest.mark.parametrize(
    ("late", "early", "expected"),
    [
        ([0.9, 0.8, 0.5], [[0.6, 0.4, 0.5]] * 3, "holds"),
        ([0.9, 0.8, 0.4], [[0.6, 0.4, 0.5]] * 3, "holds"),  # the other's end is as good
        ([0.9, 0.8, 0.3], [[0.6, 0.4, 0.5]] * 3, "does not"),  # the other's end is better
        ([0.9, 0.8, 0.5], [[0.6, 0.5, 0.4]] * 3, "does not"),  # best at its last epoch
        ([0.9, 0.8, 0.5], [[0.6, 0.4, 0.5], [0.6, 0.5, 0.4], [0.6, 0.5, 0.4]], "cannot tell"),
    ],
)
def test_advice(late, early, expected):
    assert verdict("advice", variant("d-2-1", val_loss=alike(late)), variant("d-0-3", val_loss=early)) == expected


@pytest.mark.parametrize("claim", ["sooner", "share", "dip", "overfitting", "advice"])
def test_one_seed_tells_nothing_of_schedules(claim):
    clean = {"train_clean_loss": [[0.5, 0.1]]}
    both = variant("d-1-1", val_loss=[[0.6, 0.5]], loss=[[0.5, 0.7]], accuracy=[[0.5, 0.4]], **clean)
    checked = check(both, variant("d-0-2", val_loss=[[0.4, 0.45]], **clean))[claim]
    assert checked["verdict"] == "cannot tell"
    assert checked["datasets"]["d"]["note"] == "one seed; dvc exp run -S 'seeds=[1,2,3]'"
    assert checked["datasets"]["d"]["value"] is not None


def test_a_claim_holds_where_it_holds_on_every_data_set():
    good = variant("a-1-1", val_loss=alike([1, 0.4])), variant("a-0-2", val_loss=alike([1, 0.3]))
    tie = variant("b-1-1", val_loss=alike([1, 0.4])), variant("b-0-2", val_loss=alike([1, 0.4]))
    bad = variant("c-1-1", val_loss=alike([1, 0.4])), variant("c-0-2", val_loss=alike([1, 0.5]))
    assert verdict("share", *good) == "holds"
    assert verdict("share", *good, *tie) == "cannot tell"
    assert verdict("share", *good, *tie, *bad) == "does not"


def test_a_data_set_with_one_schedule_answers_nothing():
    assert {claim["verdict"] for claim in check(variant("d-1-1", val_loss=alike([1, 1]))).values()} == {"cannot tell"}


def test_the_paper_s_own_figures_stand_beside_ours():
    grid = (
        variant(f"roses_tulips-{transfer}-{51 - transfer}", val_loss=alike(range(51, 0, -1))) for transfer in (50, 0)
    )
    checked = check(*grid)
    assert checked["share"]["datasets"]["roses_tulips"]["paper"] == "≈ -0.11: from 0.26 to 0.15"
    assert checked["sooner"]["datasets"]["roses_tulips"]["paper"] == (
        "≈ -5: loss looks settled from epoch 30 in place of 35"
    )
    assert checked["advice"]["datasets"]["roses_tulips"]["paper"] is None


def test_the_parts_of_the_dip_add_up():
    plain = variant(
        "d-1-1", loss=[[0.5, 0.9], [0.5, 0.7], [0.5, 0.8]], train_clean_loss=alike([0.4, 0.3]), accuracy=alike([1, 1])
    )
    plain.runs["train_clean_accuracy"] = 1.0
    moving = variant("d-1-1-moving", loss=alike([0.5, 0.6]), accuracy=alike([1, 1]))
    parts = claims.parts_of_the_dip(study(plain, variant("d-0-2", loss=alike([1, 1])), moving))["d"]["loss"]
    # Reported: 0.8 - 0.5. Batch statistics: 0.8 - 0.6. Real: 0.3 - 0.4. The rest: 0.3 - 0.2 + 0.1.
    assert {name: part["value"] for name, part in parts.items()} == {
        "total": 0.3,
        "batch_statistics": 0.2,
        "running_mean": 0.2,
        "real": -0.1,
    }
    assert (parts["total"]["low"], parts["total"]["high"]) == pytest.approx((0.3 - 0.248414, 0.3 + 0.248414))


def test_the_dip_is_not_parted_without_a_twin():
    plain = variant("d-1-1", loss=alike([0.5, 0.9]), train_clean_loss=alike([0.4, 0.3]))
    assert claims.parts_of_the_dip(study(plain, variant("d-0-2", loss=alike([1, 1])))) == {}


@pytest.mark.parametrize(
    ("ends", "expected"),
    [([0.3] * 3, "better"), ([0.5] * 3, "worse"), ([0.3, 0.5, 0.4], "cannot tell"), ([0.4] * 3, "cannot tell")],
)
def test_a_style_is_laid_beside_the_plain_schedule(ends, expected):
    style = variant("d-1-1-gradual", val_loss=[[1, end] for end in ends])
    made = study(variant("d-1-1", val_loss=alike([1, 0.4])), style)
    told = claims.styles(made, comparisons.compare(made))["d-1-1-gradual"]
    assert (told["style"], told["plain"], told["verdict"]) == ("gradual", "d-1-1", expected)
    assert told["value"] == pytest.approx(sum(ends) / 3 - 0.4)


def test_a_style_of_one_seed_is_neither_better_nor_worse():
    made = study(variant("d-1-1", val_loss=[[1, 0.4]]), variant("d-1-1-gradual", val_loss=[[1, 0.3]]))
    assert claims.styles(made, comparisons.compare(made))["d-1-1-gradual"]["verdict"] == "cannot tell"


def test_the_table_has_a_row_for_each_claim_and_data_set():
    checked = check(variant("d-1-1", val_loss=alike([1, 0.4])), variant("d-0-2", val_loss=alike([1, 0.3])))
    table = claims.table(checked, 3).set_index("claim")
    assert list(table.index) == ["sooner", "share", "dip", "overfitting", "advice"]
    assert table.loc["share", ["dataset", "value", "repeats", "verdict"]].to_list() == ["d", -0.1, 3, "holds"]
