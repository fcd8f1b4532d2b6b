"""The tables and the summary of a small finished run, whole."""

import json

import finished_run
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from stages import costs, summarize
from stages.common import tables
from stages.common.command import ThawError
from stages.results import repeats
from stages.study import variants

TABLE = """\
variant,dataset,transfer,fine,fine_share,epochs,repeats,own_keys,\
final_accuracy,final_loss,best_accuracy,best_accuracy_epoch,best_loss,best_loss_epoch,\
final_val_accuracy,final_val_loss,best_val_accuracy,best_val_accuracy_epoch,best_val_loss,best_val_loss_epoch
animals-2-1,animals,2,1,0.333333,3,1,{},0.6,0.6,0.7,2,0.5,2,0.85,0.4,0.85,3,0.4,3
animals-0-3,animals,0,3,1.0,3,1,{},0.9,0.2,0.9,3,0.2,3,0.9,0.35,0.9,2,0.3,2
flowers-1-1,flowers,1,1,0.5,2,1,{},0.6,0.65,0.6,1,0.65,1,0.7,0.55,0.7,2,0.55,2
animals-2-1-moving,animals,2,1,0.333333,3,1,"{""batch_norm"": ""moving""}",\
0.8,0.4,0.8,3,0.4,3,0.85,0.38,0.85,3,0.38,3
trial,flowers,0,1,1.0,1,1,{},0.6,0.62,0.6,1,0.62,1,0.7,0.61,0.7,1,0.61,1
"""
SUMMARY = {
    "source": "small things",
    "seeds": {"animals": [1], "flowers": [1]},
    "repeats": {"animals": 1, "flowers": 1},
    "animals": {
        "2-1": {
            "final": {"accuracy": 0.85, "loss": 0.4},
            "best": {"accuracy": 0.85, "accuracy_epoch": 3, "loss": 0.4, "loss_epoch": 3},
        },
        "0-3": {
            "final": {"accuracy": 0.9, "loss": 0.35},
            "best": {"accuracy": 0.9, "accuracy_epoch": 2, "loss": 0.3, "loss_epoch": 2},
        },
        "2-1-moving": {
            "final": {"accuracy": 0.85, "loss": 0.38},
            "best": {"accuracy": 0.85, "accuracy_epoch": 3, "loss": 0.38, "loss_epoch": 3},
        },
    },
    "flowers": {
        "1-1": {
            "final": {"accuracy": 0.7, "loss": 0.55},
            "best": {"accuracy": 0.7, "accuracy_epoch": 2, "loss": 0.55, "loss_epoch": 2},
        },
    },
    "trial": {
        "dataset": "flowers",
        "transfer": 0,
        "fine": 1,
        "final": {"accuracy": 0.7, "loss": 0.61},
        "best": {"accuracy": 0.7, "accuracy_epoch": 1, "loss": 0.61, "loss_epoch": 1},
    },
}
CURVES = """\
variant,dataset,epoch,val_accuracy,val_loss
animals-2-1,animals,1,0.6,0.65
animals-2-1,animals,2,0.8,0.45
animals-2-1,animals,3,0.85,0.4
animals-0-3,animals,1,0.7,0.5
animals-0-3,animals,2,0.9,0.3
animals-0-3,animals,3,0.9,0.35
flowers-1-1,flowers,1,0.65,0.6
flowers-1-1,flowers,2,0.7,0.55
animals-2-1-moving,animals,1,0.6,0.65
animals-2-1-moving,animals,2,0.8,0.45
animals-2-1-moving,animals,3,0.85,0.38
trial,flowers,1,0.7,0.61
"""
FINAL = """\
dataset,variant,fine_share,accuracy,loss
animals,animals-2-1,0.333333,0.85,0.4
animals,animals-0-3,1.0,0.9,0.35
flowers,flowers-1-1,0.5,0.7,0.55
"""


@pytest.fixture
def source(small_manifest, write_manifest):
    return write_manifest(small_manifest)


@pytest.fixture
def summarized(tmp_path, source, monkeypatch):
    """Run the stage on a finished run with so many repeats; gives its folder."""

    def run(count=1, change=lambda folder: None):
        finished_run.write(tmp_path, source, seeds=range(1, count + 1))
        change(tmp_path)
        finished_run.call(summarize.main, monkeypatch, finished_run.summarize_options(tmp_path, source))
        return tmp_path

    return run


def test_the_whole_stage(summarized):
    run = summarized()
    tables = run / "plots" / "tables"
    assert {path.name for path in tables.iterdir()} == {
        f"{name}.csv" for name in ("summary", "claims", "comparisons", "curves", "final")
    }
    assert (tables / "summary.csv").read_text() == TABLE
    assert (tables / "curves.csv").read_text() == CURVES
    assert (tables / "final.csv").read_text() == FINAL
    assert json.loads((run / "metrics" / "summary.json").read_text()) == SUMMARY


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"source": "data/other.yaml"}, "ran on data/other.yaml, not on "),
        ({"transfer": 1}, "animals-2-1 there has other epochs than in its csv; run `dvc repro`"),
        ({"repeats": []}, "animals-2-1 there has other repeats than in its epochs; run `dvc repro`"),
    ],
)
def test_a_stale_variant_is_refused(summarized, tmp_path, change, cause):
    path = tmp_path / "metrics" / "animals-2-1.json"
    with pytest.raises(ThawError) as caught:
        summarized(change=lambda _: tables.write_json(tables.read_json(path) | change, path))
    assert str(caught.value).startswith(f"{path}: {cause}")
    assert not (tmp_path / "plots" / "tables").exists()


def test_an_incomplete_json_is_refused_with_what_it_lacks(tmp_path, source):
    finished_run.write(tmp_path, source)
    path = tmp_path / "metrics" / "trial.json"
    record = tables.read_json(path)
    del record["val"], record["seed"]
    tables.write_json(record, path)
    with pytest.raises(ThawError) as caught:
        variants.read("trial", tmp_path / "metrics", tmp_path / "plots", tmp_path / "results")
    assert str(caught.value) == f"{path}: has no seed, val; run `dvc repro`"


def test_several_repeats_give_every_value_an_interval(summarized):
    run = summarized(count=3)
    # The repeats lie SHIFT apart; the images' losses (-0.1, -0.05, 0.05, 0.1) differ alike in all of them, so that the
    # variances of both means add up: SHIFT^2 / 3 and 0.025 / 3 / 4.
    variances = finished_run.SHIFT**2 / 3, 0.025 / 3 / 4
    enlarged = variances[0] * (3 + 1) / (3 - 1)  # what the degrees of freedom count of three repeats
    degrees = (enlarged + variances[1]) ** 2 / (enlarged**2 / 2 + variances[1] ** 2 / 3)
    half = stats.t.ppf(0.975, degrees) * sum(variances) ** 0.5
    told = tables.read_json(run / "metrics" / "summary.json")["animals"]["0-3"]
    for when, loss in (("final", 0.35), ("best", 0.3)):
        edges = [told[when][f"loss{edge}"] for edge in ("_low", "", "_high")]
        assert edges == pytest.approx([loss - half, loss, loss + half], abs=1e-4)  # half precision
    row = pd.read_csv(run / "plots" / "tables" / "summary.csv").set_index("variant").loc["animals-0-3"]
    assert row["repeats"] == 3
    training = 4.302653 * finished_run.SHIFT / 3**0.5  # over the repeats alone: Student's t of 2 degrees of freedom
    assert row["final_accuracy_high"] == pytest.approx(0.9 + training, abs=1e-6)


def test_data_sets_may_have_different_numbers_of_repeats(summarized):
    def shorten(folder):
        for name in ("flowers-1-1", "trial"):
            finished_run.write_repeats(folder, name, 2)
            path = folder / "metrics" / f"{name}.json"
            content = tables.read_json(path)
            tables.write_json(content | {key: content[key][:2] for key in ("repeats", "seeds")}, path)
        finished_run.write_converged(folder, "flowers", 2)

    run = summarized(count=3, change=shorten)
    seeds = {"animals": [1, 2, 3], "flowers": [1, 2]}
    summary, claims = (tables.read_json(run / "metrics" / f"{name}.json") for name in ("summary", "claims"))
    assert (summary["seeds"], summary["repeats"]) == (seeds, {"animals": 3, "flowers": 2})
    assert claims["seeds"] == seeds
    members = {dataset: [each["seed"] for each in repeats] for dataset, repeats in claims["repeats"].items()}
    assert members == seeds


def test_no_interval_reaches_the_impossible(summarized, monkeypatch):
    monkeypatch.setitem(finished_run.EPOCHS, "trial", [(0.99, 0.62, 0.7, 0.61)])
    row = pd.read_csv(summarized(count=3) / "plots" / "tables" / "summary.csv").set_index("variant").loc["trial"]
    # Student's t reaches to 1.015; the repeats themselves lie between 0.98 and 1.
    assert (row["final_accuracy_low"], row["final_accuracy_high"]) == pytest.approx((0.98, 1.0))


def test_the_claims_are_the_same_bytes_however_long_the_epochs_took(summarized, source, monkeypatch):
    run = summarized(count=3)
    outputs = [run / "metrics" / "claims.json", *(run / "plots" / "tables").iterdir()]
    first = [path.read_bytes() for path in outputs]
    for path in (run / "plots" / "seconds").iterdir():
        path.write_text(path.read_text().replace(",2.0,", ",2.5,"))
    finished_run.call(summarize.main, monkeypatch, finished_run.summarize_options(run, source))
    assert [path.read_bytes() for path in outputs] == first
    claims = json.loads(first[0])
    assert claims["seeds"] == {"animals": [1, 2, 3], "flowers": [1, 2, 3]}
    assert set(claims["claims"]) == {
        *("sooner", "share", "dip", "running_mean", "batch_statistics", "gap", "harm", "advice")
    }
    finished_run.call(costs.main, monkeypatch, finished_run.costs_options(run, source))
    table = pd.read_csv(run / "plots" / "costs" / "costs.csv").set_index("variant")
    assert table.loc["animals-0-3", "seconds_of_fine_epoch"] == 3.5
    budgets = pd.read_csv(run / "plots" / "costs" / "recommendation.csv")["budget"]
    assert set(budgets) == {"multiply_adds", "seconds"}


def rewrite_logits(folder, change):
    added, of = change.get("repeats", 0), change["of"]
    repeats.write_logits({number + added: of(each) for number, each in repeats.read_logits(folder).items()}, folder)


def as_is(validation):
    return validation


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"repeats": 2, "of": as_is}, "has repeats [3, 4], other variants have [1, 2]"),
        (
            {"of": lambda each: repeats.Validation(each.logits, each.labels, each.images[::-1])},
            "has other images than the data set's first variant",
        ),
        (
            {"of": lambda each: repeats.Validation(each.logits[:2], each.labels, each.images)},
            "does not have 3 epochs, as its csv has",
        ),
    ],
)
def test_logits_that_do_not_match_are_refused(summarized, tmp_path, change, cause):
    folder = tmp_path / "results" / "animals-0-3"
    with pytest.raises(ThawError) as caught:
        summarized(count=2, change=lambda _: rewrite_logits(folder, change))
    assert str(caught.value).startswith(f"{folder / 'logits.npz'}: {cause}; run")
    assert not (tmp_path / "plots" / "tables").exists()


def test_repeats_that_share_some_images_are_refused(summarized, tmp_path):
    folder = tmp_path / "results" / "animals-2-1"

    def overlap(_):
        first, second = repeats.read_logits(folder).values()
        second.images[:] = np.roll(second.images, 1)
        second.images[0] = "other.png"
        repeats.write_logits({1: first, 2: second}, folder)

    with pytest.raises(ThawError, match="its repeats share some images, not all or none; give each a fold of its own"):
        summarized(count=2, change=overlap)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda text: text.replace("\n2,", "\n4,"), "has other repeats than in its epochs"),
        (lambda text: text.rsplit("\n", 2)[0] + "\n", "epochs differ from repeat to repeat"),
        (lambda text: text.split("\n")[0] + "\n", "holds no repeat"),
    ],
)
def test_epochs_that_do_not_match_are_refused(summarized, tmp_path, change, cause):
    path = tmp_path / "results" / "animals-0-3" / "epochs.csv"
    with pytest.raises(ThawError) as caught:
        summarized(count=2, change=lambda _: path.write_text(change(path.read_text())))
    assert cause in str(caught.value)
    assert not (tmp_path / "plots" / "tables").exists()
