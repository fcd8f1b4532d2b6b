"""The simulated study: what no number of workers changes, and the page's table."""

import re

import pandas as pd
import pytest
import short_study as short

pytest.importorskip("distributed", reason="Dask is not installed (make extra)")
from tests.bench.scale import Stage, critical_path, simulate

DIAMOND = [
    Stage("split", 10, 100),
    Stage("features@cats", 1, 0, ("split",), "cats", 20),
    Stage("train-a", 5, 10, ("split", "features@cats"), "cats", 20),
    Stage("train-b", 5, 10, ("split", "features@cats"), "cats", 20),
]


def test_one_worker_takes_the_sum_and_moves_what_it_pushes():
    run = simulate(DIAMOND, 1, bandwidth=10)
    assert run.moved == 120  # and pulls nothing: it has all
    assert run.seconds == 10 + 1 + 20 + 5 + 5 + 120 / 10
    assert run.computed_again == 0


def test_a_second_worker_pulls_and_computes_what_it_lacks():
    run = simulate(DIAMOND, 2, bandwidth=10)
    assert run.moved == 120 + 100
    assert run.computed_again == 20
    assert run.seconds == 10 + 10 + 21 + (5 + 20 + 11)  # a worker waits for the other's activations and images


def test_placed_stages_stay_with_their_activations():
    features = [Stage("features@cats", 2, 0, (), "cats", 20), Stage("features@dogs", 1, 0, (), "dogs", 20)]
    trainings = [Stage(f"train-cats-{seconds}", seconds, 0, ("features@cats",), "cats", 20) for seconds in (2, 4, 5)]
    longer = [Stage(f"train-dogs-{seconds}", seconds, 0, ("features@dogs",), "dogs", 20) for seconds in (2, 3, 6)]
    cats_and_dogs = [*features, *trainings, *longer]
    assert simulate(cats_and_dogs, 2, bandwidth=1).computed_again == 0
    assert simulate(cats_and_dogs, 2, bandwidth=1, placing=False).computed_again > 0


def test_no_number_of_workers_goes_below_the_longest_chain():
    assert critical_path(DIAMOND) == 10 + 21 + 5
    assert simulate(DIAMOND, 50, bandwidth=1e9).seconds >= critical_path(DIAMOND)


def test_the_page_shows_the_simulated_numbers():
    simulated = pd.read_csv(short.ROOT / "docs/scale/simulated.csv")
    page = (short.ROOT / "docs/scale.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\| (\d+) \| ([\d.]+) \| (\d+) % \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", page, re.MULTILINE)
    rows = simulated[simulated["study"] == simulated["study"].iloc[0]]
    assert [tuple(map(float, row)) for row in shown] == [
        (
            row.workers,
            round(row.hours, 1),
            round(100 * row.busy),
            round(row.gigabytes_moved, 0),
            round(row.hours_of_activations_computed_again, 1),
            round(row.hours_of_activations_computed_again_anywhere, 1),
        )
        for row in rows.itertuples()
    ]
