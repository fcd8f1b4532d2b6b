"""What schedules cost, the pairs compared, and the words of the recommendation, worked out by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from made_up_study import study, variant

from stages.drawing import cost_figure
from stages.study import comparisons, costs, recommendation
from stages.study.recommendation import Option, Stop
from stages.study.statistics import Estimate


def alike(curve):
    return [curve] * 3


@pytest.fixture
def made():
    slow = variant("d-2-1", val_loss=alike([0.9, 0.8, 0.5]))
    fast = variant("d-0-3", val_loss=[[0.7, 0.5, 0.4], [0.7, 0.5, 0.4], [0.7, 0.6, 0.4]])
    return study(slow, fast)


def test_a_schedule_costs_what_its_epochs_cost(made):
    row = costs.table(made).set_index("variant").loc["d-2-1"]
    assert row["epochs"] == 3
    assert row["images"] == 3 * 10
    assert row["multiply_adds"] == 2 * 1000 + 3000
    assert row["seconds"] == 2 * (0.5 + 1) + (2 + 1)  # with the frozen activations of each epoch
    assert (row["multiply_adds_of_transfer_epoch"], row["multiply_adds_of_fine_epoch"]) == (1000, 3000)
    assert (row["seconds_of_transfer_epoch"], row["seconds_of_fine_epoch"]) == (1.5, 3)


def test_seconds_are_the_quickest_seed_s_median():
    one = variant("d-0-3", val_loss=alike([0.7, 0.5, 0.4]))
    seconds = pd.DataFrame({"phase": "fine", "seed": [1] * 3 + [2] * 3, "frozen_seconds": 1.0})
    seconds["seconds"] = [5.0, 9.0, 5.0, 20.0, 4.0, 20.0]  # something else ran beside the second
    assert costs.of_epoch(one, seconds)["seconds"]["fine"] == 6.0
    assert math.isnan(costs.of_epoch(one, seconds)["seconds"]["transfer"])


def test_costs_until_the_target_are_those_of_the_epoch_that_reaches_it(made):
    # 0.5, the best of 2-1, is reached by 0-3 in epochs 2, 2 and 3.
    row = costs.table(made).set_index("variant").loc["d-0-3"]
    half = 4.302653 / 3  # the standard deviation of 2, 2, 3 is the root of 1 / 3, so its standard error is 1 / 3
    assert row["reached"] == 3
    assert row["epochs_to_target"] == pytest.approx(7 / 3)
    assert (row["epochs_to_target_low"], row["epochs_to_target_high"]) == pytest.approx((7 / 3 - half, 7 / 3 + half))
    assert row["images_to_target"] == pytest.approx(70 / 3)
    assert row["multiply_adds_to_target"] == 7000
    assert row["seconds_to_target"] == 7


def test_a_target_that_one_seed_does_not_reach_has_no_mean_cost():
    never = variant("d-0-2", val_loss=[[0.7, 0.5], [0.7, 0.5], [0.7, 0.6]])
    row = costs.table(study(variant("d-1-1", val_loss=alike([0.9, 0.5])), never)).set_index("variant").loc["d-0-2"]
    assert row["reached"] == 2
    assert math.isnan(row["epochs_to_target"])
    assert math.isnan(row["seconds_to_target"])


def test_accuracy_has_a_target_too():
    slow, fast = variant("d-2-1", val_accuracy=[[0.5, 0.6, 0.8]]), variant("d-0-3", val_accuracy=[[0.6, 0.8, 0.7]])
    assert costs.epochs_to_targets(fast, slow, "accuracy") == [2]
    assert costs.epochs_to_targets(slow, fast, "accuracy") == [3]


@pytest.mark.parametrize(("curve", "area"), [([0.9, 0.7, 0.3], (0.8 + 0.5) / 2), ([0.4, 0.4], 0.4), ([0.6], 0.6)])
def test_the_area_is_the_mean_height_of_the_curve(curve, area):
    assert costs.areas(variant(f"d-0-{len(curve)}", val_loss=[curve])) == [pytest.approx(area)]


def test_a_table_of_costs_comes_back(made, tmp_path):
    path = tmp_path / "costs.csv"
    costs.table(made).to_csv(path, index=False)
    assert list(costs.read(path).index) == ["d-2-1", "d-0-3"]


def test_the_frontier_is_what_nothing_cheaper_matches():
    points = np.array([[3, 0.5], [1, 0.9], [2, 0.7], [2, 0.8], [4, 0.5], [5, 0.6], [6, 0.4]])
    assert cost_figure.frontier(points).tolist() == [[1, 0.9], [2, 0.7], [3, 0.5], [6, 0.4]]


def test_pairs_are_compared_once_and_either_way_round(made):
    compared = comparisons.compare(made)
    slow, fast = made.variants
    assert compared.between(fast, slow).value == pytest.approx(-0.1)
    assert compared.between(slow, fast).value == pytest.approx(0.1)
    table = comparisons.table(made, compared)
    row = table.iloc[0]
    assert len(table) == 1
    assert row[["variant", "other", "repeats", "loss", "differs"]].to_list() == ["d-0-3", "d-2-1", 3, -0.1, True]
    assert row[["accuracy", "ahead", "behind", "accuracy_p_value"]].to_list() == [0, 0, 0, 1]


def test_images_that_one_schedule_alone_has_right_are_counted(made):
    predictions = made.predictions["d-2-1"]
    predictions.loc[predictions["image"] < 5, "predicted"] = 0
    row = comparisons.table(made, comparisons.compare(made)).iloc[0]
    assert row[["accuracy", "ahead", "behind", "accuracy_p_value"]].to_list() == [5 / 8, 5, 0, 0.0625]


BEST = Option("20 + 31", Estimate(0.24, 0.22, 0.26), 2e12, worse=False)
CHEAP = Option("30 + 21", Estimate(0.25, 0.23, 0.27), 1.5e12, worse=False)
BAD = Option("50 + 1", Estimate(0.30, 0.28, 0.32), 5e11, worse=True)
STOP = Stop("50 + 1", 5e11, "0 + 12", Estimate(0.26, 0.25, 0.27), ["10 + 8"])


def test_the_cheapest_schedule_that_is_not_worse_is_named():
    assert recommendation.sentences([BAD, CHEAP, BEST], [STOP], "multiply_adds", 3) == [
        "Of the schedules run to their end, 20 + 31 has the lowest validation loss: 0.240 (0.220 to 0.260), "
        "mean of 3 seeds.",
        "Not worse beyond the noise at their end: 30 + 21. The cheapest of all these is 30 + 21: "
        "1.5 trillion multiply-adds, 75% of what 20 + 31 takes.",
        "With 500 billion multiply-adds (25%), what 50 + 1 takes, choose 0 + 12: 0.260 (0.250 to 0.270). "
        "Not told apart from it: 10 + 8.",
    ]


def test_a_best_that_all_others_are_worse_than_is_named_alone():
    told = recommendation.sentences([BAD, BEST], [], "multiply_adds", 3)
    assert told[1:] == ["Every other is worse beyond the noise at its end. It takes 2 trillion multiply-adds."]


def test_the_words_of_one_seed_say_what_is_not_known():
    alone = [Option("1 + 1", Estimate(0.5, None, None), 1234.0, False)]
    stop = Stop("1 + 1", 12.0, "0 + 1", Estimate(0.6, None, None), ["1 + 0"])
    assert recommendation.sentences(alone, [stop], "seconds", 1) == [
        "Of the schedules run to their end, 1 + 1 has the lowest validation loss: 0.500, of one seed, so that only "
        "the noise of the validation images is known, not that of training.",
        "Every other is worse beyond the noise at its end. It takes 1,234 seconds.",
        "With 12 seconds (1%), what 1 + 1 takes, choose 0 + 1: 0.600.",
    ]


@pytest.mark.parametrize(
    ("cost", "budget", "words"),
    [
        (4000, "multiply_adds", "4,000 multiply-adds"),
        (2.5e6, "multiply_adds", "2.5 million multiply-adds"),
        (123456e9, "multiply_adds", "123 trillion multiply-adds"),
        (3.14159, "seconds", "3.14 seconds"),
    ],
)
def test_costs_are_written_as_people_say_them(cost, budget, words):
    told = recommendation.sentences([Option("1 + 1", Estimate(0.5, 0.4, 0.6), cost, False)], [], budget, 3)
    assert told[1].endswith(f"It takes {words}.")


def test_a_smaller_budget_buys_the_lowest_loss_that_fits_into_it(made):
    # 2-1 costs 5000 multiply-adds and is worse; 0-3 costs 9000, and 3000 after its first epoch, with a loss of 0.7.
    told = recommendation.for_budget(made, comparisons.compare(made), "multiply_adds")["d"]
    assert told[1] == "Every other is worse beyond the noise at its end. It takes 9,000 multiply-adds."
    assert told[2] == "With 5,000 multiply-adds (56%), what 2 + 1 takes, choose 2 + 1: 0.500 (0.500 to 0.500)."
    # By seconds 2-1 costs 6, for which 0-3 gives two epochs, and losses of 0.5, 0.5 and 0.6.
    told = recommendation.for_budget(made, comparisons.compare(made), "seconds")["d"]
    assert told[2].startswith("With 6 seconds (67%), what 2 + 1 takes, choose 2 + 1: 0.500")
    assert told[2].endswith("Not told apart from it: 0 + 2.")


def test_the_table_of_recommendations_has_every_budget(made):
    table = recommendation.table(made, comparisons.compare(made))
    assert list(table.columns) == ["dataset", "budget", "sentence"]
    assert table["budget"].value_counts().to_dict() == {"multiply_adds": 3, "seconds": 3}
