"""Rules for when to thaw, on tables written by hand: what they choose, their regret, and the page of all networks."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_up_study import SETTINGS

from stages import elsewhere
from stages.common import tables
from stages.suite import associations, networks, rules, switches
from stages.suite.networks import Network

BUDGET = 4
# By data set, arm and transfer epochs, the final validation loss on each of three folds.
FINAL = {
    ("ants", "paper"): {0: (0.5, 0.6, 0.4), 2: (0.4, 0.5, 0.3), 4: (0.7, 0.8, 0.6)},
    ("ants", "head_rate 0.001"): {2: (0.3, 0.4, 0.2), 4: (0.5, 0.6, 0.4)},
    ("leaves", "paper"): {0: (0.2, 0.2, 0.2), 2: (0.3, 0.3, 0.3), 4: (0.4, 0.4, 0.4)},
    ("leaves", "head_rate 0.001"): {2: (0.25, 0.25, 0.25), 4: (0.35, 0.35, 0.35)},
}
HEAD = {"paper": (1.0, 0.8, 0.64, 0.512), "head_rate 0.001": (0.8, 0.79, 0.5, 0.49)}
"""Training losses of the head alone: at the low rate each epoch gains a fifth, at the high one the second 1.25 %."""
COSINE = (0.2, 0.4, 0.1)
"""The final losses of 2 + 2 on ants with a decaying rate: 0.1, 0 and 0.1 below the plain ones."""
CONVERGED = {"ants": 0.45, "leaves": 0.3}
COSTS = {"transfer": {"multiply_adds": 1.0, "seconds": 0.5}, "fine": {"multiply_adds": 3.0, "seconds": 5.0}}


def network(name: str = "small") -> Network:
    rows = []
    for (dataset, arm), by_switch in FINAL.items():
        for transfer, finals in by_switch.items():
            rows += [
                row for repeat, final in enumerate(finals, 1) for row in epochs(dataset, arm, transfer, repeat, final)
            ]
    sets = [
        {"dataset": dataset, "title": f"many {dataset}", "classes": 2, "pictures": 30, "repeat": repeat}
        | {"converged_loss": loss, "converged_accuracy": 0.8, "head_rate": 1e-4}
        | {"fine_optimizer": "adam", "fine_rate": 1e-05, "batch_norm": "moving"}
        for dataset, loss in CONVERGED.items()
        for repeat in (1, 2, 3)
    ]
    costs = [{"dataset": dataset, "phase": phase} | each for dataset in CONVERGED for phase, each in COSTS.items()]
    styles = pd.DataFrame(
        [
            {"style": "decay cosine", **row}
            for repeat, final in enumerate(COSINE, 1)
            for row in epochs("ants", "head_rate 0.001", 2, repeat, final)
        ]
    )
    return Network(name, pd.DataFrame(rows), styles, pd.DataFrame(sets), pd.DataFrame(costs))


def epochs(dataset: str, arm: str, transfer: int, repeat: int, final: float) -> list[dict[str, object]]:
    """The validation loss falls by 0.1 an epoch to its final value; the training loss jumps to 0.9 after thawing."""
    return [
        {"dataset": dataset, "arm": arm, "transfer": transfer, "fine": BUDGET - transfer, "repeat": repeat}
        | {"epoch": epoch, "phase": "transfer" if epoch <= transfer else "fine"}
        | {"loss": HEAD[arm][epoch - 1] if epoch <= transfer else 0.9}
        | {"val_loss": final + 0.1 * (BUDGET - epoch), "val_accuracy": 1 - final}
        for epoch in range(1, BUDGET + 1)
    ]


def grid(dataset: str, arm: str) -> switches.Grid:
    return next(each for each in switches.grids(network()) if (each.dataset, each.arm) == (dataset, arm))


@pytest.mark.parametrize(
    ("arm", "head"),
    [
        ("paper", "1e-4"),
        ("head_rate 0.001", "0.001"),
        ("head_optimizer sgd, head_rate 0.01", "head optimizer sgd, head learning rate 0.01"),
    ],
)
def test_a_head_is_named_by_its_rate_or_by_all_its_keys(arm, head):
    assert network().head_of(arm) == head


def test_thawing_at_once_stands_in_each_head_s_grid():
    final = grid("ants", "head_rate 0.001").final
    assert list(final.columns) == [0, 2, 4]
    assert list(final[0]) == [0.5, 0.6, 0.4]
    assert list(final[2]) == [0.3, 0.4, 0.2]


def test_a_head_with_which_only_thawing_at_once_ran_has_no_grid(monkeypatch):
    for dataset in CONVERGED:
        monkeypatch.setitem(FINAL, (dataset, "paper"), {0: FINAL[dataset, "paper"][0]})
    assert [(each.dataset, each.arm) for each in switches.grids(network())] == [
        ("ants", "head_rate 0.001"),
        ("leaves", "head_rate 0.001"),
    ]
    assert {row["arm"] for row in elsewhere.rule_rows(network(), SETTINGS, {})} == {"head_rate 0.001"}


def test_a_schedule_stops_before_it_costs_more():
    # Two transfer and two fine epochs cost 8: four transfer epochs cost 4, and of the fine ones only two fit.
    within = grid("leaves", "paper").within({"transfer": 1.0, "fine": 3.0}, 8.0)
    assert within.loc[1].to_dict() == {0: pytest.approx(0.4), 2: pytest.approx(0.3), 4: pytest.approx(0.4)}


@pytest.mark.parametrize(
    ("arm", "gain", "switch"),
    [("paper", 0.1, 4), ("paper", 0.21, 2), ("head_rate 0.001", 0.1, 2), ("head_rate 0.001", 0.01, 4)],
)
def test_the_adaptive_rule_thaws_at_the_first_epoch_that_gains_less(arm, gain, switch):
    assert rules.adaptive(gain).choose(grid("ants", arm), 1) == switch


@pytest.mark.parametrize(("epoch", "switch"), [(0, 0), (1, 2), (3, 2), (4, 5), (7, 5), (8, 10), (40, 20)])
def test_the_nearest_switch_is_the_nearest_by_ratio(epoch, switch):
    assert rules.nearest([0, 2, 5, 10, 20], epoch) == switch


def test_the_regret_is_over_the_schedule_that_is_best_on_the_other_folds():
    ants = grid("ants", "paper")
    assert rules.regret(rules.fixed(0, 2), ants, ants.final, ants.final) == pytest.approx(0.1)
    # On folds 2 and 3 the second switch is best by far, so fold 1 is measured against it, although worse there.
    losses = pd.DataFrame({0: [0.1, 0.9, 0.9], 1: [0.5, 0.2, 0.2]}, index=[1, 2, 3])
    assert rules.regret(rules.fixed(0, 2), ants, losses, losses) == pytest.approx(
        (0.1 - 0.5 + 0.9 - 0.2 + 0.9 - 0.2) / 3
    )


def test_the_other_sets_choose_a_rule_that_never_sees_the_one_it_is_measured_on():
    regrets = {"early": {"a": 0.0, "b": 0.3, "c": 0.3}, "late": {"a": 0.5, "b": 0.1, "c": 0.1}}
    assert rules.best_elsewhere(regrets) == {"a": ("late", 0.5), "b": ("late", 0.1), "c": ("late", 0.1)} | {
        # Of a and c, late costs 0.6 in all and early 0.3.
        "b": ("early", 0.3),
        "c": ("early", 0.3),
    }


def test_a_row_of_a_set_says_what_thawing_gains_and_how_large_the_dip_is():
    rows = {(row["dataset"], row["arm"]): row for row in elsewhere.set_rows(network(), SETTINGS)}
    row = rows["ants", "head_rate 0.001"]
    assert (row["best"], row["not_worse"]) == (2, "2")
    assert row["loss"] == pytest.approx(0.3)
    assert row["gain"] == pytest.approx(0.15)
    assert row["dip"] == pytest.approx(0.9 - 0.79)
    # Student's t of 0.3, 0.4 and 0.2 with two degrees of freedom: 4.303 times 0.1 / sqrt(3).
    # The accuracy is 1 minus the final loss: 0.7 after thawing at 2, and 0.5 of the head alone.
    assert (row["most_accurate"], row["thawed_accuracy"], row["never_accuracy"]) == pytest.approx((2, 0.7, 0.5))
    assert row["accuracy_gain"] == pytest.approx(0.2)
    assert row["loss_high"] == pytest.approx(0.3 + 4.303 * 0.1 / np.sqrt(3), abs=1e-4)


def test_no_interval_of_a_loss_goes_below_0(monkeypatch):
    monkeypatch.setitem(FINAL, ("leaves", "paper"), {0: (0.02, 0.2, 0.02), 2: (0.3, 0.3, 0.3)})
    row = next(row for row in elsewhere.set_rows(network(), SETTINGS) if row["dataset"] == "leaves")
    # Student's t reaches to -0.18; the folds themselves lie between 0.02 and 0.2, as the figure's band has it.
    assert (row["loss"], row["loss_low"], row["loss_high"]) == pytest.approx((0.08, 0.02, 0.2))


@pytest.mark.parametrize(
    ("switch", "name"), [(0, "after 0 epochs"), (1, "after 1 epoch"), (2, "after 2 epochs"), (3, "never")]
)
def test_a_rule_of_one_epoch_says_epoch(switch, name):
    assert rules.fixed(switch, 3).name == name


def test_rules_are_compared_with_the_best_of_both_heads_and_without_the_sets_left_out():
    rows = pd.DataFrame(elsewhere.rule_rows(network(), SETTINGS, {}))
    at_once = rows[(rows["rule"] == "after 0 epochs") & (rows["unit"] == "epochs")].set_index("arm")
    # On ants 2 at the high rate is best, 0.2 below thawing at once; on leaves thawing at once is.
    assert at_once.loc["paper", "regret"] == pytest.approx(0.1)
    assert (at_once.loc["paper", "largest"], at_once.loc["paper", "largest_on"]) == (pytest.approx(0.2), "ants")
    # The other set always chooses what is wrong here: 2 epochs on leaves, and none on ants.
    chosen = rows[(rows["rule"] == "best fixed of the other sets") & (rows["unit"] == "epochs")].set_index("arm")
    assert chosen.loc["head_rate 0.001", "regret"] == pytest.approx((0.2 + 0.05) / 2)
    alone = pd.DataFrame(elsewhere.rule_rows(network(), SETTINGS, {"leaves": "a reason"}))
    assert set(alone["sets"]) == {1}
    assert set(alone["largest_on"]) == {"ants"}


def test_where_no_head_ran_alone_nothing_is_said_of_never_thawing(tmp_path):
    found = network()
    found = replace(found, epochs=found.epochs[found.epochs["transfer"] < BUDGET])
    elsewhere.write_page([found], SETTINGS, {}, tmp_path)
    assert "| small | many ants | 0.001 | 0.800 |  | 2 | 0.700 |  |\n" in (tmp_path / "README.md").read_text(
        encoding="utf-8"
    )


def test_a_fixed_rule_needs_a_schedule_of_every_set():
    found = network()
    runs = found.epochs
    missing = (runs["dataset"] == "leaves") & (runs["arm"] == "paper") & (runs["transfer"] == 2)
    rows = pd.DataFrame(elsewhere.rule_rows(replace(found, epochs=runs[~missing]), SETTINGS, {}))
    of_arm = {arm: set(own["rule"]) for arm, own in rows.groupby("arm")}
    assert "after 2 epochs" not in of_arm["paper"]
    assert {"after 0 epochs", "never"} <= of_arm["paper"]
    assert "after 2 epochs" in of_arm["head_rate 0.001"]


def test_a_style_is_compared_with_its_plain_schedule_and_with_never_thawing():
    (row,) = elsewhere.style_rows(network(), SETTINGS)
    assert (row["dataset"], row["style"], row["transfer"], row["fine"]) == ("ants", "decay cosine", 2, 2)
    assert row["loss"] == pytest.approx(0.7 / 3)
    # Over never thawing: 0.3, 0.2 and 0.3 lower. The accuracy is 1 minus the loss.
    assert (row["loss_minus_plain"], row["loss_minus_never"]) == pytest.approx((-0.2 / 3, -0.8 / 3))
    assert (row["accuracy_minus_plain"], row["accuracy_minus_never"]) == pytest.approx((0.2 / 3, 0.8 / 3))
    # Student's t with two degrees of freedom: 4.303 times the deviation 0.1 / sqrt(3) over the root of 3.
    half = 4.303 * 0.1 / 3
    assert (row["loss_minus_plain_low"], row["loss_minus_plain_high"]) == pytest.approx(
        (-0.2 / 3 - half, -0.2 / 3 + half), abs=1e-4
    )


def test_a_style_without_its_plain_schedule_is_shown_by_itself(tmp_path):
    found = network()
    found = replace(found, epochs=found.epochs[found.epochs["arm"] == "paper"])
    elsewhere.write_page([found], SETTINGS, {}, tmp_path)
    page = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "| small | many ants | 2 + 2, head at 0.001 | decay cosine | 0.233 |  |  | 0.767 |  |  |\n" in page


def test_the_page_has_every_network_and_what_is_left_out(tmp_path):
    found = [network("small"), network("large")]
    elsewhere.write_page(found, SETTINGS, {"leaves": "a label shows", "not here": "another"}, tmp_path)
    page = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "| small | many ants | 2 | 30 | 0.001 | 0.450 | 2 | 2 | 0.300 (0.0516 to 0.548) |" in page
    assert "- **small** (fine-tuning by adam at 1e-5, moving statistics). On " in page
    # The lowest loss of ants is 0.3, after 2 epochs of the high rate; the converged head has 0.45. Leaves: 0.2 and 0.3.
    assert "| data set | small | large |\n| --- | --- | --- |\n| many ants | 2 (+0.150) | 2 (+0.150) |\n" in page
    assert "\n| many leaves* | 0 (+0.100) | 0 (+0.100) |\n" in page
    assert "\\* many leaves: left out of the rules below. A label shows." in page
    # On ants 2 at the high rate is best; its head gains 1.25 % in its second epoch.
    assert (
        "“after 2 epochs” with the head at 0.001 has the lowest mean regret, 0.000; of the adaptive ones “gain " in page
    )
    assert {path.name for path in tmp_path.iterdir()} == {
        "README.md",
        "associations.csv",
        "rules.csv",
        "rules.png",
        "styles.csv",
        "switches.csv",
    }
    assert set(tables.read_table(tmp_path / "rules.csv", ["network"])["network"]) == {"small", "large"}


def test_a_finding_counts_sets_on_which_thawing_does_not_pay():
    found = network()
    ran, sets = found.epochs, found.sets
    ran.loc[(ran["dataset"] == "leaves") & (ran["transfer"] == 4) & (ran["arm"] == "paper"), "val_loss"] -= (
        0.3  # to 0.1
    )
    sets.loc[sets["dataset"] == "ants", "converged_loss"] = 0.0  # the best schedule has 0.3, give or take 0.248
    of_sets = pd.DataFrame(elsewhere.set_rows(found, SETTINGS))
    told = elsewhere.finding(found, of_sets, pd.DataFrame(elsewhere.rule_rows(found, SETTINGS, {})))
    assert [told[name] for name in ("sets", "frozen", "converged", "shown")] == [2, 1, 1, 1]


@pytest.mark.parametrize(
    ("ones", "others", "correlation", "p_value"),
    [
        # Of the 24 orders of 4, one has a correlation of 1 and one of -1.
        ((0, 5, 10, 20), (300, 400, 500, 900), 1, 2 / 24),
        ((0, 5, 10, 20), (0.9, 0.8, 0.3, 0.1), -1, 2 / 24),
        # Ranks 1.5, 1.5, 3.5, 3.5 with 1 to 4: 4 / sqrt(4 * 5). Of the 6 ways to place the pairs, one is as large.
        ((0, 0, 5, 5), (1, 2, 3, 4), 4 / math.sqrt(20), 2 / 6),
    ],
)
def test_a_rank_correlation_has_a_p_value_from_all_permutations(ones, others, correlation, p_value):
    found = associations.correlation(ones, others)
    assert found == {"correlation": pytest.approx(correlation), "p_value": pytest.approx(p_value)}


def test_what_is_the_same_on_all_sets_goes_with_nothing():
    assert all(math.isnan(value) for value in associations.correlation([20] * 4, [1, 2, 3, 4]).values())


def test_associations_are_over_the_data_sets_of_a_network_and_a_head():
    sets = [
        {"network": network, "arm": "paper", "best": best, "gain": -best, "pictures": 10 * best, "converged_loss": 1}
        for network, count in (("small", 4), ("large", 3))
        for best in range(count)
    ]
    found = pd.DataFrame(associations.rows(pd.DataFrame(sets)))
    assert set(found["network"]) == {"small"}  # three data sets are too few
    assert list(zip(found["outcome"], found["property"], found["correlation"].round(6), strict=True))[::2] == [
        ("best", "pictures", 1),
        ("gain", "pictures", -1),
    ]
    assert found.loc[found["property"] == "converged_loss", "correlation"].isna().all()


def test_tables_are_read_as_they_were_written(tmp_path):
    written = network()
    for name in ("epochs", "styles", "sets", "costs"):
        tables.write_table(getattr(written, name), tmp_path / "small" / f"{name}.csv")
    found = networks.read(tmp_path / "small")
    assert found.name == "small"
    assert found.datasets == ["ants", "leaves"]
    assert switches.grids(found)[0].final.equals(switches.grids(written)[0].final)
