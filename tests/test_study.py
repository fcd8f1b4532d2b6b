"""The whole study on the embedded drawings, by DVC's real commands, in a clone of its own; schedules are short."""

import json
from pathlib import Path

import yaml
from short_study import SHORT, dvc, ran

from stages.results import history


def test_every_schedule_has_its_history_and_its_model(short_study):
    names = list(yaml.safe_load((short_study / "params.yaml").read_text())["variants"])
    assert names == list(SHORT.values())
    for name in (*names, "trial"):
        record = json.loads((short_study / f"metrics/{name}.json").read_text())
        phases = list(history.read(short_study / f"plots/{name}.csv")["phase"])
        assert phases == ["transfer"] * record["transfer"] + ["fine"] * record["fine"]
        assert record["source"] == "data/embedded.yaml"
        assert (short_study / f"models/{name}/model.keras").exists()
        assert (short_study / f"plots/figures/{name}.png").exists()
        assert f"{name}: training and validation" in (short_study / "plots/report.html").read_text()


def test_variants_are_one_run_until_they_part(short_study):
    one, other = (history.read(short_study / f"plots/roses_tulips-4-2{style}.csv") for style in ("", "-gradual"))
    assert one[:4].equals(other[:4])
    assert not one[4:].equals(other[4:])


def test_the_summary_says_that_it_tells_of_drawings(short_study):
    assert "drawings" in json.loads((short_study / "metrics/summary.json").read_text())["source"]


def test_a_second_repro_runs_nothing(short_study):
    assert "Data and pipelines are up to date." in dvc(short_study, "repro")


def test_an_experiment_runs_the_trial_and_what_hangs_below_it(short_study):
    output = dvc(short_study, "exp", "run", "-S", "schedule.fine=5")
    assert set(ran(output)) == {"trial", "summarize", "costs", "figures", "answer", "report", "export"}
    assert len(history.read(short_study / "plots/trial.csv")) == 7  # one epoch more than the budget
    changes = json.loads(dvc(short_study, "metrics", "diff", "--json", "--targets", "metrics/summary.json"))
    assert changes["metrics/summary.json"]["trial.fine"] == {"old": 1, "new": 5, "diff": 4}
    page = Path(dvc(short_study, "plots", "diff").strip().removeprefix("file://"))
    assert page.exists()
