"""What schedules cost, the pairs compared, and the words of the recommendation, worked out by hand."""

import math

import made_up_study
import numpy as np
import pandas as pd
import pytest
from made_up_study import study, variant

from stages import costs as stage
from stages.drawing import cost_figure
from stages.study import comparisons, costs, recommendation


def alike(curve, repeats=3):
    return [curve] * repeats


@pytest.fixture
def made():
    slow = variant("d-2-1", val_loss=alike([0.9, 0.8, 0.5]))
    fast = variant("d-0-3", val_loss=[[0.7, 0.505, 0.4], [0.7, 0.505, 0.4], [0.7, 0.6, 0.4]])
    return study(slow, fast)


def table(made):
    return costs.table(made, made_up_study.seconds(*made.variants)).set_index("variant")


def sentences(made, budget="multiply_adds", arm="paper"):
    paid = {
        "multiply_adds": recommendation.multiply_adds(made),
        "seconds": recommendation.seconds(made, made_up_study.seconds(*made.variants)),
    }
    return recommendation.for_budget(made, paid[budget], budget)["d"][arm]


def test_a_schedule_costs_what_its_epochs_cost(made):
    row = table(made).loc["d-2-1"]
    assert row["epochs"] == 3
    assert row["images"] == 3 * 10
    assert row["multiply_adds"] == 2 * 1000 + 3000
    assert row["seconds"] == 2 * (0.5 + 1) + (2 + 1)  # with the frozen activations of each epoch
    assert (row["multiply_adds_of_transfer_epoch"], row["multiply_adds_of_fine_epoch"]) == (1000, 3000)
    assert (row["seconds_of_transfer_epoch"], row["seconds_of_fine_epoch"]) == (1.5, 3)


def test_seconds_are_the_quickest_repeat_s_median():
    one = variant("d-0-3", val_loss=alike([0.7, 0.5, 0.4]))
    seconds = pd.DataFrame({"phase": "fine", "repeat": [1] * 3 + [2] * 3, "frozen_seconds": 1.0})
    seconds["seconds"] = [5.0, 9.0, 5.0, 20.0, 4.0, 20.0]  # something else ran beside the second
    assert costs.of_epoch(one, "seconds", seconds)["fine"] == 6.0
    assert math.isnan(costs.of_epoch(one, "seconds", seconds)["transfer"])


def test_plain_schedules_cost_what_an_epoch_cost_in_the_fastest_of_them():
    members = [
        variant("d-0-2", val_loss=alike([0.9, 0.5])),
        variant("d-1-1-quick", own_keys={"head_rate": 0.001}, val_loss=alike([0.9, 0.5])),
        variant("d-0-2-slow", own_keys={"layer_decay": 0.5}, val_loss=alike([0.9, 0.5])),
    ]
    measured = made_up_study.seconds(*members)
    measured["d-0-2"]["seconds"] *= 7  # beside other programs
    measured["d-0-2-slow"]["seconds"] *= 7
    pooled = stage.of_plain_schedules(members, measured)
    fine = [costs.of_epoch(each, "seconds", pooled[each.name])["fine"] for each in members]
    assert fine == [2 + 1, 2 + 1, 7 * 2 + 1]


def test_costs_until_the_target_are_those_of_the_epoch_that_reaches_it(made):
    # The best end is that of 0-3, 0.4: its own repeats are within 0.01 of it in their last epoch.
    row = table(made).loc["d-0-3"]
    assert row["reached"] == 3
    assert (row["epochs_to_target"], row["epochs_to_target_low"], row["epochs_to_target_high"]) == (3, 3, 3)
    assert (row["multiply_adds_to_target"], row["seconds_to_target"]) == (9000, 9)


def test_a_target_that_the_repeats_reach_at_other_epochs_has_their_range():
    best = variant("d-1-2", val_loss=alike([0.9, 0.6, 0.5]))
    other = variant("d-0-3", val_loss=[[0.7, 0.505, 0.52], [0.7, 0.505, 0.52], [0.7, 0.6, 0.505]])
    row = table(study(best, other)).loc["d-0-3"]
    assert row["epochs_to_target"] == pytest.approx(7 / 3, abs=1e-6)
    assert (row["epochs_to_target_low"], row["epochs_to_target_high"]) == (2, 3)
    assert (row["images_to_target_low"], row["multiply_adds_to_target_high"]) == (20, 9000)


def test_a_target_that_one_repeat_does_not_reach_has_no_mean_cost():
    best = variant("d-1-1", val_loss=alike([0.9, 0.5]))
    never = variant("d-0-2", val_loss=[[0.7, 0.5], [0.7, 0.5], [0.7, 0.6]])
    row = table(study(best, never)).loc["d-0-2"]
    assert row["reached"] == 2
    assert math.isnan(row["epochs_to_target"])
    assert math.isnan(row["seconds_to_target"])


@pytest.mark.parametrize(("curve", "area"), [([0.9, 0.7, 0.3], (0.8 + 0.5) / 2), ([0.4, 0.4], 0.4), ([0.6], 0.6)])
def test_the_area_is_the_mean_height_of_the_curve(curve, area):
    row = table(study(variant(f"d-0-{len(curve)}", val_loss=[curve]))).iloc[0]
    assert row["area"] == pytest.approx(area)
    assert row["reached"] == 0  # alone it has no target


def test_a_table_of_costs_comes_back(made, tmp_path):
    path = tmp_path / "costs.csv"
    table(made).reset_index().to_csv(path, index=False)
    assert list(costs.read(path).index) == ["d-2-1", "d-0-3"]


def test_the_frontier_is_what_nothing_cheaper_matches():
    points = np.array([[3, 0.5], [1, 0.9], [2, 0.7], [2, 0.8], [4, 0.5], [5, 0.6], [6, 0.4]])
    assert cost_figure.frontier(points).tolist() == [[1, 0.9], [2, 0.7], [3, 0.5], [6, 0.4]]


def test_pairs_are_compared_once(made):
    rows = comparisons.table(comparisons.compare(made))
    assert len(rows) == 1
    keys = ["variant", "other", "family", "repeats", "loss", "loss_verdict"]
    assert rows.iloc[0][keys].to_list() == ["d-0-3", "d-2-1", "paper", 3, -0.1, "better"]
    # Both schedules have the same accuracy on each of the 8 pictures: no difference, and no noise that could hide one.
    assert rows.iloc[0][["accuracy", "accuracy_p_value", "accuracy_verdict"]].to_list() == [
        0,
        1,
        "no difference beyond the margin",
    ]


def test_a_significant_difference_within_the_margin_is_noted():
    pair = variant("d-2-1", val_loss=alike([0.9, 0.8, 0.4])), variant("d-0-3", val_loss=alike([0.9, 0.8, 0.398]))
    (row,) = comparisons.table(comparisons.compare(study(*pair))).to_dict("records")
    assert (row["loss_verdict"], row["loss_note"]) == ("better", "better by less than the margin of 0.01")
    assert row["accuracy_note"] == ""


def test_several_arms_are_compared_within_and_across():
    head = {"head_rate": 0.001}
    grid = [variant("d-2-1", val_loss=alike([0.9, 0.8, 0.5])), variant("d-0-3", val_loss=alike([0.9, 0.8, 0.4]))]
    tuned = [
        variant("d-2-1-tuned", own_keys=head, val_loss=alike([0.5, 0.4, 0.3])),
        variant("d-0-3-tuned", own_keys=head, val_loss=alike([0.9, 0.8, 0.45])),
    ]
    style = variant("d-2-1-x", own_keys={**head, "unfreezing": "gradual"}, val_loss=alike([0.5, 0.4, 0.2]))
    made = study(*grid, *tuned, style)
    rows = comparisons.table(comparisons.compare(made))
    families = rows.groupby("family").apply(lambda part: sorted(zip(part["variant"], part["other"], strict=True)))
    assert families.to_dict() == {
        "paper": [("d-0-3", "d-2-1")],
        "head_rate 0.001": [("d-0-3-tuned", "d-2-1-tuned")],
        "all": [(one, other) for one in ("d-0-3-tuned", "d-2-1-tuned") for other in ("d-0-3", "d-2-1")],
        "styles": [("d-2-1-x", "d-2-1-tuned")],
    }
    told = recommendation.for_budget(made, recommendation.multiply_adds(made))["d"]
    assert list(told) == ["paper", "head_rate 0.001", "all"]
    assert "Choose 0 + 3: loss 0.400" in told["paper"][2]
    # The style is in no arm and has the lowest loss of all.
    assert "Choose 2 + 1 (head learning rate 0.001, unfreezing gradual): loss 0.200" in told["all"][2]
    assert recommendation.choices(made)["d"].recommended.variant is style


def test_a_schedule_whose_rate_decays_is_recommended_at_its_end_alone():
    grid = variant("d-2-1", val_loss=alike([0.9, 0.8, 0.5])), variant("d-0-3", val_loss=alike([0.9, 0.8, 0.4]))
    decays = variant("d-0-3-x", own_keys={"decay": "cosine"}, val_loss=alike([0.3, 0.2, 0.1]))
    made = study(*grid, decays)
    assert recommendation.choices(made)["d"].recommended.variant is decays
    told = recommendation.for_budget(made, recommendation.multiply_adds(made))["d"]
    assert told["paper"][2].startswith("Choose 0 + 3: loss 0.400")
    sentences = told["all"]
    assert any(sentence.startswith(f"Choose 0 + 3 ({decays.settings}): loss 0.100") for sentence in sentences)
    # After two epochs its loss is the lowest too, but it is not the one that it would have if it ended there.
    assert not any("0.200" in sentence for sentence in sentences)


def test_one_schedule_and_a_style_are_compared():
    style = variant("d-0-3-x", own_keys={"fine_rate": 1e-4}, val_loss=alike([0.9, 0.8, 0.4]))
    made = study(variant("d-2-1", val_loss=alike([0.9, 0.8, 0.5])), style)
    told = recommendation.for_budget(made, recommendation.multiply_adds(made))["d"]
    assert list(told) == ["all"]
    assert "Choose 0 + 3 (fine learning rate 0.0001): loss 0.400" in told["all"][2]


def test_the_words_of_a_recommendation(made):
    assert sentences(made) == [
        "0 + 3 has the lowest final validation loss, 0.400 (0.400 to 0.400), the mean of 3 repeats. Every other "
        "schedule is shown to be worse than at least one other.",
        "Shown to be non-inferior to every other (margin: 0.01), cheapest first: 0 + 3. 0 + 3 takes 9,000 "
        "multiply-adds.",
        "Choose 0 + 3: loss 0.400 (0.400 to 0.400) for 9,000 multiply-adds. For the same cost, the best other schedule "
        "is 2 + 1 with loss 0.500 (0.500 to 0.500); it is shown to be worse.",
        "Within 5,000 multiply-adds (56%; what 2 + 1 takes), the lowest loss is 0.500 (0.500 to 0.500), with 2 + 1.",
    ]
    # By seconds 2-1 costs 6, for which 0-3 gives two epochs, and losses of 0.505, 0.505 and 0.6.
    told = sentences(made, "seconds")[-1]
    assert told.startswith("Within 6 seconds (67%; what 2 + 1 takes), the lowest loss is 0.500")
    assert told.endswith("Not shown to be worse: 0 + 2.")


def test_the_cheapest_shown_to_be_within_the_margin_is_chosen():
    best = variant("d-0-3", val_loss=alike([0.9, 0.8, 0.4]))
    cheap = variant("d-2-1", val_loss=alike([0.9, 0.8, 0.405]))
    told = sentences(study(cheap, best))
    assert told[1] == (
        "Shown to be non-inferior to every other (margin: 0.01), cheapest first: 2 + 1, 0 + 3. 2 + 1 takes 5,000 "
        "multiply-adds, 56% of the cost of 0 + 3."
    )
    assert told[2].startswith("Choose 2 + 1: loss 0.405")
    assert len(told) == 3  # nothing costs less


def test_what_is_not_told_apart_is_not_called_good_enough():
    best = variant("d-0-3", val_loss=[[0.9, 0.8, 0.3], [0.9, 0.8, 0.5], [0.9, 0.8, 0.4]])
    cheap = variant("d-2-1", val_loss=alike([0.9, 0.8, 0.45]))
    told = sentences(study(cheap, best))
    assert told[0].endswith("mean of 3 repeats. Other schedules that may be the best: 2 + 1.")
    assert told[1] == (
        "No schedule is shown to be non-inferior to every other (margin: 0.01). 0 + 3 takes 9,000 multiply-adds."
    )
    assert told[2].startswith("Choose 0 + 3: loss 0.400")
    assert told[2].endswith(
        "For the same cost, the best other schedule is 2 + 1 with loss 0.450 (0.450 to 0.450); which of the two is "
        "better is not settled."
    )


@pytest.mark.parametrize(
    ("cheap", "chosen"),
    [(alike([0.9, 0.8, 0.405]), "d-2-1"), ([[0.9, 0.8, 0.3], [0.9, 0.8, 0.5], [0.9, 0.8, 0.42]], "d-0-3")],
    ids=["good enough", "not shown to be"],
)
def test_the_schedule_to_run_to_its_end_is_the_cheapest_good_enough_or_else_the_best(cheap, chosen):
    made = study(variant("d-2-1", val_loss=cheap), variant("d-0-3", val_loss=alike([0.9, 0.8, 0.4])))
    stop = recommendation.choices(made)["d"].recommended
    assert (stop.variant.name, stop.epoch) == (chosen, 3)


def test_rivals_name_each_own_key_once():
    names = {"d-0-3": {}, "d-1-2-quick": {"head_rate": 0.001}, "d-2-1": {}, "d-2-1-quick": {"head_rate": 0.001}}
    members = [variant(name, own_keys=keys, val_loss=alike([0.9, 0.8, 0.4])) for name, keys in names.items()]
    stops = [recommendation.Stop(each, 2, 0.8, (None, None), 1.0) for each in members]
    assert recommendation.by_settings(stops) == "0 + 2, 2 + 0; with head learning rate 0.001: 1 + 1, 2 + 0"


def test_nothing_is_chosen_that_something_cheaper_beats_or_equals():
    # 2-1 is the cheapest end within the margin; for less than it costs, 0-3 is better after its first epoch.
    cheap = variant("d-2-1", val_loss=alike([0.9, 0.8, 0.405]))
    best = variant("d-0-3", val_loss=alike([0.402, 0.5, 0.4]))
    told = sentences(study(cheap, best))
    assert told[1].startswith("Shown to be non-inferior to every other (margin: 0.01), cheapest first: 2 + 1, 0 + 3.")
    assert told[2].startswith("Choose 0 + 1: loss 0.402 (0.402 to 0.402) for 3,000 multiply-adds.")
    assert "the best other schedule is 2 + 0 with loss 0.800" in told[2]
    assert told[2].endswith("; it is shown to be worse.")


def test_fewer_epochs_of_the_same_head_are_no_other_schedule():
    head = variant("d-3-0", val_loss=alike([0.5, 0.45, 0.4]))
    late = variant("d-2-1", val_loss=alike([0.5, 0.45, 0.9]))
    assert sentences(study(head, late))[2].endswith("No other schedule completes an epoch for the same cost.")
    early = variant("d-0-3", val_loss=alike([0.8, 0.7, 0.9]))
    assert "the best other schedule is 0 + 1 with loss 0.800" in sentences(study(head, late, early))[2]


def test_the_words_of_one_repeat_claim_nothing():
    told = sentences(study(variant("d-1-1", val_loss=[[0.9, 0.5]]), variant("d-0-2", val_loss=[[0.9, 0.4]])))
    assert told[0].startswith("0 + 2 has the lowest final validation loss, 0.400")
    assert told[0].endswith(", in one repeat.")
    assert told[1].startswith(
        "0 + 2 takes 6,000 multiply-adds. For the same cost, the best other schedule is 1 + 1 with"
    )
    assert told[1].endswith("; which of the two is better is not settled.")
    assert told[2].startswith("Within 4,000 multiply-adds (67%; what 1 + 1 takes), the lowest loss is 0.500")
    assert not [sentence for sentence in told if "Choose" in sentence or "shown" in sentence]


@pytest.mark.parametrize(
    ("cost", "budget", "words"),
    [
        (4000, "multiply_adds", "4,000 multiply-adds"),
        (2.5e6, "multiply_adds", "2.5 million multiply-adds"),
        (123456e9, "multiply_adds", "123 trillion multiply-adds"),
        (3.14159, "seconds", "3.14 seconds"),
    ],
)
def test_costs_are_written_as_people_say_them(made, cost, budget, words):
    paid = {"d-2-1": np.array([1, 2, 3]), "d-0-3": np.array([cost / 3, cost / 2, cost])}
    told = recommendation.for_budget(made, paid, budget)["d"]["paper"]
    assert told[1].endswith(f"0 + 3 takes {words}.")


def test_the_table_of_recommendations_has_every_budget(made):
    paid = recommendation.multiply_adds(made)
    found = recommendation.table(made, {"multiply_adds": paid, "seconds": paid})
    assert list(found.columns) == ["dataset", "budget", "sentence", "arm"]
    assert found["budget"].value_counts().to_dict() == {"multiply_adds": 4, "seconds": 4}
