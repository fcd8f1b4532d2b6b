"""What is not up to date, as tasks; and what git holds of a stage, which travels with them."""

import shutil

import pytest
import short_study as short
import small_pipeline

from stages.cluster import git_held, plan
from stages.cluster.plan import Task
from stages.common.command import ThawError


@pytest.fixture
def pipeline(tmp_path, monkeypatch):
    folder = small_pipeline.write(tmp_path / "small", None)
    monkeypatch.chdir(folder)  # DVC's targets are relative to it
    return folder


def stages(planned: tuple[Task, ...]) -> list[str]:
    return [task.stage for task in planned]


def test_in_a_fresh_clone_every_stage_is_a_task_and_comes_after_those_it_reads(pipeline):
    planned = plan.read(pipeline, [], allow_missing=True)
    assert planned.settled == ()
    assert sorted(stages(planned.tasks)) == ["split@cats", "split@dogs", "summarize", "train@cats", "train@dogs"]
    tasks = {task.stage: task for task in planned.tasks}
    done = set()
    for task in planned.tasks:
        assert set(task.after) <= done
        done.add(task.stage)
    assert tasks["train@cats"] == Task(
        stage="train@cats",
        command="> python step.py data/cats/text.txt models/cats.txt\n"
        "> python step.py data/cats/text.txt metrics/cats.json",
        lock="dvc.lock",
        key="train@cats",
        after=("split@cats",),
        pulls=("data/cats/text.txt",),
        outputs=("metrics/cats.json",),
        meta={"beside": "work/cats", "cost": 3},
    )
    assert set(tasks["summarize"].after) == {"train@cats", "train@dogs"}
    assert tasks["summarize"].pulls == ()  # git holds what it reads
    assert tasks["summarize"].outputs == ("plots/all",)


def test_what_hangs_below_a_change_is_not_up_to_date(pipeline):
    short.dvc(pipeline, "repro")
    assert plan.read(pipeline, [], allow_missing=False).tasks == ()
    (pipeline / "texts/cats.txt").write_text("more cats")
    planned = plan.read(pipeline, [], allow_missing=False)
    assert stages(planned.tasks) == ["split@cats", "train@cats", "summarize"]
    assert sorted(stages(planned.settled)) == ["split@dogs", "train@dogs"]


def test_targets_are_planned_with_what_lies_above_them(pipeline):
    assert stages(plan.read(pipeline, ["train@dogs"], allow_missing=True).tasks) == ["split@dogs", "train@dogs"]


def test_what_is_only_missing_here_need_not_run(pipeline):
    short.dvc(pipeline, "repro")
    shutil.rmtree(pipeline / "data/cats")
    assert plan.read(pipeline, [], allow_missing=True).tasks == ()
    assert "split@cats" in stages(plan.read(pipeline, [], allow_missing=False).tasks)


def test_an_unknown_target_is_refused(pipeline, told):
    with pytest.raises(ThawError, match=r"train@birds: .*; see what `dvc repro --dry` says") as raised:
        plan.read(pipeline, ["train@birds"], allow_missing=True)
    told("cluster", str(raised.value))


def test_what_git_holds_moves_from_one_clone_to_another(pipeline, tmp_path, monkeypatch):
    other = tmp_path / "other"
    shutil.copytree(pipeline, other)
    short.dvc(pipeline, "repro", "train@cats")
    short.dvc(other, "repro", "train@dogs")
    (task,) = (task for task in plan.read(pipeline, ["train@cats"], allow_missing=True).settled if task.outputs)
    git_held.write(other, [plan.held(pipeline, task)])
    assert (other / "metrics/cats.json").read_text() == '{"length": 5}'
    monkeypatch.chdir(other)
    assert stages(plan.read(other, ["train@cats"], allow_missing=True).tasks) == ["split@cats", "train@cats"]
    assert plan.read(other, ["train@dogs"], allow_missing=False).tasks == ()  # its own entries stay


def test_a_folder_that_git_holds_is_replaced_whole(tmp_path):
    held = {"lock": "dvc.lock", "key": "draw", "entry": {"cmd": "draw"}, "outputs": ["plots"], "files": {}}
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots/old.csv").write_text("old")
    git_held.write(tmp_path, [held | {"files": {"plots/deep/new.csv": "bmV3"}}])
    assert [path.name for path in tmp_path.rglob("*.csv")] == ["new.csv"]
    assert git_held.read(tmp_path, "dvc.lock", "draw", ["plots"])["files"] == {"plots/deep/new.csv": "bmV3"}


@pytest.mark.parametrize("checksum", ["12345678901234567890123456789e12", "01234567890123456789012345678901", "1e5"])
def test_a_checksum_that_looks_like_a_number_stays_a_text(tmp_path, checksum):
    entry = {"cmd": "copy", "outs": [{"path": "a", "hash": "md5", "md5": checksum, "size": 1}]}
    git_held.write_lock(tmp_path / "dvc.lock", {"copy": entry})
    assert git_held.read(tmp_path, "dvc.lock", "copy", [])["entry"] == entry


def test_of_a_stage_that_never_ran_git_holds_nothing(tmp_path):
    assert git_held.read(tmp_path, "dvc.lock", "copy", ["plots"]) is None


def test_a_stage_whose_epochs_nobody_knows_yet_goes_first():
    costs = {
        fine: Task("train@one", "", "dvc.lock", "train@one", (), (), (), {"cost": fine}).cost for fine in (51, "rest")
    }
    assert costs["rest"] > costs[51] == 51
