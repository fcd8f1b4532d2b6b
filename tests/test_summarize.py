"""The table, the summary and the curves of a small finished run, whole."""

import json

import finished_run
import pandas as pd
import pytest

from stages import summarize
from stages.common.command import ThawError
from stages.results import records
from stages.study import variants

TABLE = """\
variant,dataset,transfer,fine,fine_share,epochs,repeats,\
final_accuracy,final_loss,best_accuracy,best_accuracy_epoch,best_loss,best_loss_epoch,\
final_val_accuracy,final_val_loss,best_val_accuracy,best_val_accuracy_epoch,best_val_loss,best_val_loss_epoch
animals-2-1,animals,2,1,0.333333,3,1,0.6,0.6,0.7,2,0.5,2,0.85,0.4,0.85,3,0.4,3
animals-0-3,animals,0,3,1.0,3,1,0.9,0.2,0.9,3,0.2,3,0.9,0.35,0.9,2,0.3,2
flowers-1-1,flowers,1,1,0.5,2,1,0.6,0.65,0.6,1,0.65,1,0.7,0.55,0.7,2,0.55,2
trial,flowers,0,1,1.0,1,1,0.6,0.62,0.6,1,0.62,1,0.7,0.61,0.7,1,0.61,1
animals-2-1-moving,animals,2,1,0.333333,3,1,0.8,0.4,0.8,3,0.4,3,0.85,0.38,0.85,3,0.38,3
"""
SUMMARY = {
    "source": "small things",
    "seeds": [1],
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
CURVES = {
    "animals-accuracy.csv": "epoch,2-1,0-3,trial\n1,0.6,0.7,NaN\n2,0.8,0.9,NaN\n3,0.85,0.9,NaN\n",
    "animals-loss.csv": "epoch,2-1,0-3,trial\n1,0.65,0.5,NaN\n2,0.45,0.3,NaN\n3,0.4,0.35,NaN\n",
    "animals-final.csv": "fine_share,accuracy,loss\n0.333333,0.85,0.4\n1.0,0.9,0.35\n",
    "flowers-accuracy.csv": "epoch,1-1,trial\n1,0.65,0.7\n2,0.7,NaN\n",
    "flowers-loss.csv": "epoch,1-1,trial\n1,0.6,0.61\n2,0.55,NaN\n",
    "flowers-final.csv": "fine_share,accuracy,loss\n0.5,0.7,0.55\n",
}


@pytest.fixture
def source(small_manifest, write_manifest):
    return write_manifest(small_manifest)


@pytest.fixture
def run(tmp_path, source):
    finished_run.write(tmp_path, source)
    return tmp_path


def test_the_whole_stage(run, source, monkeypatch):
    finished_run.call(summarize.main, monkeypatch, finished_run.summarize_options(run, source))
    assert (run / "plots" / "summary.csv").read_text() == TABLE
    assert json.loads((run / "metrics" / "summary.json").read_text()) == SUMMARY
    curves = run / "plots" / "validation"
    assert {path.name: path.read_text() for path in curves.iterdir()} == CURVES


def test_the_trial_may_be_longer_than_the_grid(run, source, monkeypatch):
    longer = [{**row, "epoch": epoch} for epoch, row in enumerate(finished_run.rows("trial") * 3, start=1)]
    records.write_history(longer, run / "plots" / "trial.csv")
    histories = pd.DataFrame([{"seed": 1, **row} for row in longer])
    records.write_table(histories, run / "models" / "trial" / "histories.csv")
    record = records.read_json(run / "metrics" / "trial.json") | {"fine": 3}
    records.write_json(record, run / "metrics" / "trial.json")
    finished_run.call(summarize.main, monkeypatch, finished_run.summarize_options(run, source))
    curve = (run / "plots" / "validation" / "flowers-loss.csv").read_text()
    assert curve == "epoch,1-1,trial\n1,0.6,0.61\n2,0.55,0.61\n3,NaN,0.61\n"


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"source": "data/other.yaml"}, "ran on data/other.yaml, not on "),
        ({"transfer": 1}, "animals-2-1 there has other epochs than in its csv; run `dvc repro`"),
    ],
)
def test_a_stale_variant_is_refused(run, source, monkeypatch, change, cause):
    path = run / "metrics" / "animals-2-1.json"
    records.write_json(records.read_json(path) | change, path)
    with pytest.raises(ThawError) as caught:
        finished_run.call(summarize.main, monkeypatch, finished_run.summarize_options(run, source))
    assert str(caught.value).startswith(f"{path}: {cause}")
    assert not (run / "plots" / "summary.csv").exists()


def test_an_incomplete_json_is_refused_with_what_it_lacks(run):
    path = run / "metrics" / "trial.json"
    record = records.read_json(path)
    del record["val"], record["seed"]
    records.write_json(record, path)
    with pytest.raises(ThawError) as caught:
        variants.read("trial", run / "metrics", run / "plots", run / "models")
    assert str(caught.value) == f"{path}: has no seed, val; run `dvc repro`"


def test_several_seeds_give_every_value_an_interval(tmp_path, source, monkeypatch):
    finished_run.write(tmp_path, source, seeds=(1, 2, 3))
    finished_run.call(summarize.main, monkeypatch, finished_run.summarize_options(tmp_path, source))
    half = 4.302653 * finished_run.SHIFT / 3**0.5  # Student's t of three seeds that lie SHIFT apart
    told = records.read_json(tmp_path / "metrics" / "summary.json")["animals"]["0-3"]
    for when, loss in (("final", 0.35), ("best", 0.3)):
        edges = [told[when][f"loss{edge}"] for edge in ("_low", "", "_high")]
        assert edges == pytest.approx([loss - half, loss, loss + half], abs=1e-6)
    row = pd.read_csv(tmp_path / "plots" / "summary.csv").set_index("variant").loc["animals-0-3"]
    assert row["repeats"] == 3
    assert row["final_accuracy_high"] == pytest.approx(0.9 + half, abs=1e-6)


def test_the_claims_are_the_same_bytes_however_long_the_epochs_took(tmp_path, source, monkeypatch):
    finished_run.write(tmp_path, source, seeds=(1, 2, 3))
    options = finished_run.summarize_options(tmp_path, source)
    finished_run.call(summarize.main, monkeypatch, options)
    first = (tmp_path / "metrics" / "claims.json").read_bytes()
    for path in (tmp_path / "models").rglob("seconds.csv"):
        path.write_text(path.read_text().replace(",2.0,", ",2.5,"))
    finished_run.call(summarize.main, monkeypatch, options)
    assert (tmp_path / "metrics" / "claims.json").read_bytes() == first
    claims = json.loads(first)
    assert claims["seeds"] == [1, 2, 3]
    assert set(claims["claims"]) == {"sooner", "share", "dip", "overfitting", "advice"}
    assert (tmp_path / "plots" / "costs.csv").read_text().count(",3.5,")


@pytest.mark.parametrize(
    ("file", "change", "cause"),
    [
        ("histories.csv", lambda text: text.replace("\n2,", "\n4,"), "has other seeds than in its histories"),
        ("histories.csv", lambda text: text.rsplit("\n", 2)[0] + "\n", "epoch and phase differ from seed to seed"),
        ("predictions.csv", lambda text: text.replace("\n2,", "\n4,"), "has seeds 1, 4, other variants have [1, 2]"),
        ("predictions.csv", lambda text: text.replace("0.png", "9.png"), "has other images than animals-2-1"),
        ("seconds.csv", lambda text: text.split("\n")[0] + "\n", "holds no seed"),
    ],
)
def test_repeats_that_do_not_match_are_refused(tmp_path, source, monkeypatch, file, change, cause):
    finished_run.write(tmp_path, source, seeds=(1, 2))
    path = tmp_path / "models" / "animals-0-3" / file
    path.write_text(change(path.read_text()))
    with pytest.raises(ThawError) as caught:
        finished_run.call(summarize.main, monkeypatch, finished_run.summarize_options(tmp_path, source))
    assert cause in str(caught.value)
    assert not (tmp_path / "plots" / "summary.csv").exists()
