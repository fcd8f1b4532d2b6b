"""The sum of the benchmark, by hand: one data set of small round numbers."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from bench import growth, page, report, reproducibility, stages

NUMBERS = {
    "images": {"training": 10, "validation": 5},
    "all_images": {"training": 20, "validation": 10},
    "split_seconds": 7.0,
    "tutorial": {
        "ready_seconds": 3.0,
        "first_epoch_seconds": {"transfer": 14.0, "fine": 25.0},
        "epoch_seconds": {"transfer": [9.0, 10.0, 30.0], "fine": [20.0, 20.0, 20.0]},
        "peak_megabytes": 500.0,
    },
    "pipeline": {
        "decode_seconds": 2.0,
        "first_epoch_seconds": {"features": 1.0, "transfer": 1.0, "fine": 9.0},
        "epoch_seconds": {"features": [1.0], "transfer": [0.5], "fine": [4.0], "look": [1.0]},
        "peak_megabytes": 400.0,
    },
    "stage_epochs": 2,
    "stage_seconds": {"features": 14.5, "transfer": 5.0, "train": 18.0},
}
SCHEDULES = [(2, 1), (0, 3)]


def test_the_tutorial_s_way_is_every_epoch_of_every_variant_over_all_images():
    # Twice the images: 20 s a transfer epoch, 40 s a fine one. The first epochs take 4 s and 5 s more.
    assert report.tutorial(NUMBERS, SCHEDULES) == {"start": 2 * 3 + 4 + 5 + 5, "transfer": 2 * 20, "fine": 4 * 40}


def test_stages_start_in_what_their_epochs_leave():
    # features: 14.5 - 2 of decoding - 2.5 epochs, validation's half an epoch among them.
    assert report.starts(NUMBERS) == {"features": 10.0, "transfer": 4.0, "train": 10.0}


def test_what_variants_share_is_counted_once():
    assert report.shared(NUMBERS, budget=3) == {
        "start": 14.0,
        "split": 7.0,
        "decode": 4.0,
        "features": (3 + 0.5) * 2,  # 3 epochs of training images, and validation's once
        "transfer": 3 * 1.0,
    }


def test_variants_are_trained_side_by_side(monkeypatch):
    monkeypatch.setattr(report, "grid", lambda: {"pairs": SCHEDULES})
    monkeypatch.setattr(report, "budgets", lambda: {"pairs": 3})
    dvc = {"a_run_of_one_stage": 2.0, "a_stage_more": 0.5}
    costs = report.study({"jobs": 2, "datasets": {"pairs": NUMBERS}, "dvc_seconds": dvc})
    # Trainings of 10 + 8 and 10 + 24 seconds on two cores: the second ends at 34, of which 26 are the mean.
    assert costs["pipeline"]["start"] == 14 + 10
    assert costs["pipeline"]["fine"] == 16
    assert costs["pipeline"]["idle"] == 8
    assert costs["pipeline"]["dvc"] == 4 * 0.5 + 2 * 2.0 / 2
    # Twice the images: a look takes 2 s, after each of 4 fine epochs, on two cores; the frozen part is passed once.
    assert costs["pipeline"]["look"] == 2 + 4 * 2 / 2
    assert costs["pipeline"]["with_look"] == costs["pipeline"]["total"] + 6
    assert costs["pipeline"]["total"] == pytest.approx(14 + 10 + 7 + 4 + 7 + 3 + 16 + 8 + 4)
    assert costs["tutorial"]["total"] == 20 + 40 + 160


def test_tasks_go_to_the_first_free_job_the_longest_first():
    assert report.makespan([2, 2, 2, 3, 3], jobs=2) == 7  # 3 + 2 + 2 beside 3 + 2
    assert report.makespan([1, 5], jobs=4) == 5


def test_the_grid_is_the_paper_s_variants_without_what_differs_from_them():
    assert report.grid()["cats_dogs"] == [(30, 1), (20, 11), (10, 21), (0, 31)]
    assert report.budgets() == {"cats_dogs": 31, "roses_tulips": 51}


def test_the_page_shows_epochs_of_all_images():
    table = page.epoch_table("pairs", NUMBERS)
    assert "| transfer epoch | 20.0 | 1.0 | 20.0 |" in table
    assert "| fine epoch | 40.0 | 8.0 | 5.0 |" in table


def run_of(seconds: float, megabytes: float, stored: float) -> dict:
    return {
        "images": {"training": 10, "validation": 5},
        "epochs": 3,
        "variants": 1,
        "repeats": 1,
        "stored_megabytes": stored,
        "seconds": {"features": 1.0, "transfer": 2.0, "train": seconds - 3},
        "megabytes": {"features": megabytes, "transfer": 1.0, "train": 2.0},
    }


def test_each_thing_grows_alone():
    base = growth.Study()
    for what, several in growth.TIMES.items():
        for times in several:
            grown = vars(growth.grown(base, what, times))
            changed = {name: value for name, value in grown.items() if value != getattr(base, name)}
            name = "share" if what == "images" else what
            assert changed == {name: times * getattr(base, name)}


def test_growth_says_what_each_further_one_takes():
    more = {"2": run_of(16, 510, 20), "4": run_of(30, 520, 40)}
    content = {
        "dataset": "pairs",
        "base": [run_of(10, 500, 10), run_of(12, 500, 10)],
        "growth": {"images": more},
        "variations": {"features.storage: recompute": run_of(14, 500, 3)},
        "machine": {"cpu": "one"},
        "versions": {"python": "3"},
    }
    text = growth.page(content)
    # Once takes 11 s, the mean. Of the 19 s that four times take more, each of three has 6.3.
    assert "| | 1 | 11.0 | | 500 | 10 |\n" in text
    assert "| images | 2 | 16.0 | 5.0 | 510 | 20 |\n| images | 4 | 30.0 | 6.3 | 520 | 40 |\n" in text
    assert "| as params.yaml has it | 1.0 | 2.0 | 8.0 | 10 |" in text
    assert "| features.storage: recompute | 1.0 | 2.0 | 11.0 | 3 |" in text


def test_params_of_a_measurement_differ_by_what_it_changes(tmp_path):
    share = stages.Share(Path("data/photos.yaml"), "cats_dogs", tmp_path)
    share.write_params([(3, 2), (1, 2)], {"seeds": [1, 2], "fine": {"engine": "keras"}})
    expected = yaml.safe_load((stages.ROOT / "params.yaml").read_text())
    expected |= {"seeds": [1, 2], "repeats": None, "budget": {"cats_dogs": 5}}
    expected["fine"]["engine"] = "keras"
    longer, shorter = ({"dataset": "cats_dogs", "transfer": transfer, "fine": 2} for transfer in (3, 1))
    expected |= {"schedule": longer, "variants": {"cats_dogs-3-2": longer, "cats_dogs-1-2": shorter}}
    assert yaml.safe_load((share.folder / "params.yaml").read_text()) == expected


def test_a_stage_that_fails_ends_the_measurement(capfd):
    with pytest.raises(stages.subprocess.CalledProcessError):
        stages.run_stage("split", "--source", "absent.yaml")
    assert "usage" in capfd.readouterr().err


def test_histories_that_differ_show_by_how_much():
    columns = reproducibility.LOSSES + reproducibility.ACCURACIES
    difference = pd.DataFrame([[0.0, -0.25, 0.125, 0.0, 0.5, 0.0]], columns=columns)
    assert reproducibility.row("it", difference, 3) == "| it | differ | 0.25 | 0.5 | 3 |"
    assert reproducibility.row("it", 0 * difference, 0) == "| it | equal | 0 | 0 | 0 |"
