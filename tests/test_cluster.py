"""Stages on Dask's workers, by a pipeline that takes no time: what runs where, and what is refused in one line."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest
import short_study as short
import small_pipeline
import warm_python
import yaml
from small_workspace import path_from

pytest.importorskip("distributed", reason="Dask is not installed (make extra)")
import cluster as clusters

from stages.cluster import cluster, worker
from stages.cluster.plan import Task

KIND = "cluster"
CLOSED = "tcp://127.0.0.1:9"  # the discard port, where nobody listens


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[clusters.Cluster]:
    with clusters.cluster(tmp_path_factory.mktemp("workers") / "cluster", 2) as started:
        yield started


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    return small_pipeline.write(tmp_path / "small", tmp_path / "remote")


def run(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["python", "-m", "stages.distribute", *arguments]
    environment = os.environ | path_from(warm_python.folder())
    return subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, check=False)


class Distributed(NamedTuple):
    """A pipeline that ran on workers, first with a text that `split@cats` refuses, then with the right one."""

    pipeline: Path  # committed after each run
    refused: subprocess.CompletedProcess[str]
    mended: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def distributed(workers: clusters.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Distributed:
    folder = tmp_path_factory.mktemp("distributed")
    pipeline = small_pipeline.write(folder / "small", folder / "remote")
    both = []
    for text in ("broken", "cats"):
        (pipeline / "texts/cats.txt").write_text(text)
        short.commit(pipeline)
        both.append(run(pipeline, "--scheduler", workers.address))
    short.commit(pipeline)
    return Distributed(pipeline, *both)


def told_stages(finished: subprocess.CompletedProcess[str], code: int = 0) -> dict[str, str]:
    """By stage, whether it `ran` or `was up to date`, as the command's messages say."""
    assert finished.returncode == code, finished.stderr
    lines = [line.split(" ", 2) for line in finished.stderr.splitlines() if "/" in line.split(" ")[0]]
    return {stage: rest.split(" on ")[0] for _, stage, rest in lines}


def test_only_what_would_give_something_else_runs(distributed, workers, tmp_path):
    pipeline = shutil.copytree(distributed.pipeline, tmp_path / "small")
    assert short.ran(short.dvc(pipeline, "repro", "--pull")) == []
    (pipeline / "texts/cats.txt").write_text("cats ")  # of which `split` makes the same
    short.commit(pipeline)
    below = {"train@cats": "was up to date", "summarize": "was up to date"}
    assert told_stages(run(pipeline, "--scheduler", workers.address)) == {"split@cats": "ran"} | below


def test_a_fresh_clone_has_the_remote_s_data_and_runs_nothing(distributed, workers, tmp_path):
    short.run(tmp_path, "git", "clone", "--quiet", str(distributed.pipeline), "fresh")
    assert told_stages(run(tmp_path / "fresh", "--scheduler", workers.address)) == {}
    assert (tmp_path / "fresh/models/cats.txt").read_text() == "cats\n"


def test_what_a_removed_variant_left_on_a_worker_is_not_read(pipeline, workers):
    file = pipeline / "dvc.yaml"
    stages = yaml.safe_load(file.read_text())
    stages["stages"]["summarize"] |= {
        "cmd": "python step.py metrics/cats.json plots/all/lengths.json",
        "deps": ["step.py", "metrics/cats.json", "models"],  # a folder with a file of each variant, as `results`
    }
    file.write_text(yaml.safe_dump(stages, sort_keys=False))
    short.commit(pipeline)
    assert told_stages(run(pipeline, "--scheduler", workers.address))["summarize"] == "ran"
    for name in ("split", "train"):
        stages["stages"][name]["foreach"] = ["cats"]
    file.write_text(yaml.safe_dump(stages, sort_keys=False))
    (pipeline / "models/dogs.txt").unlink()  # as `make leftovers` does
    short.commit(pipeline)
    assert told_stages(run(pipeline, "--scheduler", workers.address)) == {"summarize": "ran"}
    assert short.ran(short.dvc(pipeline, "repro")) == []


def test_a_stage_that_fails_is_told_in_one_line_and_the_others_stay(distributed, told):
    assert told_stages(distributed.refused, code=1) == dict.fromkeys(("split@dogs", "train@dogs"), "ran")
    message = distributed.refused.stderr.splitlines()[-1]
    assert message.startswith("error: split@cats: a text: is broken; mend it (")
    assert message.endswith("(2 more stages did not run)")
    assert short.run(distributed.pipeline, "git", "show", "HEAD~1:metrics/dogs.json") == '{"length": 5}'
    mended = ("split@cats", "train@cats", "summarize")
    assert told_stages(distributed.mended) == dict.fromkeys(mended, "ran")
    told(KIND, "split@cats: a text: is broken; mend it; …", name="a stage fails on a worker")


def test_dry_shows_what_would_run_and_runs_nothing(pipeline):
    (pipeline / "texts/cats.txt").write_text("not committed")
    finished = run(pipeline, "--dry", "train@cats")
    assert finished.stdout == (
        "Running stage 'split@cats':\n"
        "> python step.py texts/cats.txt data/cats/text.txt\n\n"
        "Running stage 'train@cats':\n"
        "> python step.py data/cats/text.txt models/cats.txt\n"
        "> python step.py data/cats/text.txt metrics/cats.json\n"
    )
    assert not (pipeline / "dvc.lock").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda clone: short.dvc(clone, "remote", "default", "--unset"),
            ".dvc/config: names no default remote, through which workers share outputs; `dvc remote add --default ",
        ),
        (
            lambda clone: short.dvc(clone, "remote", "modify", "store", "url", "../near"),
            ".dvc/config: the remote store has no absolute path: ../../near; `dvc remote add --default store ",
        ),
        (
            lambda clone: (clone / "step.py").write_text("other"),
            "step.py: not committed, so no worker has it; commit it, or put it aside with ",
        ),
        (
            lambda clone: [(clone / name).write_text("new") for name in ("a.py", "b.py")],
            "a.py and 1 more: not committed, so no worker has it; ",
        ),
        (
            lambda clone: shutil.rmtree(clone / ".git"),
            "dvc.yaml: ",
        ),
    ],
    ids=["no-remote", "relative-remote", "changed", "untracked", "no-git"],
)
def test_what_workers_could_not_share_is_refused(pipeline, told, change, message):
    change(pipeline)
    finished = run(pipeline, "--scheduler", CLOSED)
    assert finished.returncode == 1
    assert finished.stderr.startswith(f"error: {message}")
    told(KIND, finished.stderr.strip().removeprefix("error: "))


def test_an_unreachable_scheduler_is_told_in_one_line(pipeline, told, monkeypatch):
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "1s")
    finished = run(pipeline, "--scheduler", CLOSED)
    assert finished.returncode == 1
    message = finished.stderr.splitlines()[-1].removeprefix("error: ")
    assert message.startswith(f"{CLOSED}: no scheduler there (")
    assert message.endswith("start one with `dask scheduler`")
    told(KIND, message)


def test_without_dask_the_extra_packages_are_named(pipeline, told):
    lacking = (
        "import runpy, sys; sys.modules['distributed'] = None; runpy.run_module('stages.distribute', None, '__main__')"
    )
    finished = subprocess.run(
        [sys.executable, "-c", lacking], cwd=pipeline, capture_output=True, text=True, check=False
    )
    assert (finished.returncode, finished.stderr) == (1, "error: distributed: not installed; run `make extra`\n")
    told(KIND, finished.stderr.strip().removeprefix("error: "))


def study(monkeypatch: pytest.MonkeyPatch, **here: str) -> worker.ProjectCommit:
    """A study whose client has the versions `here`."""
    monkeypatch.setattr(worker, "DECIDING", tuple(here))
    made = worker.ProjectCommit("0" * 40, b"")
    made._versions = here
    return made


@pytest.mark.parametrize(
    ("here", "message"),
    [
        ({"pytest": "0.1"}, f"worker tcp://one: pytest is {pytest.__version__}, here it is 0.1; make its environment "),
        ({"thaw-nowhere": "0.1"}, "worker tcp://one: thaw-nowhere is missing, here it is 0.1; make its environment "),
    ],
    ids=["other-version", "no-package"],
)
def test_a_worker_that_would_compute_something_else_is_refused(monkeypatch, told, here, message):
    with pytest.raises(RuntimeError) as raised:
        study(monkeypatch, **here).setup(SimpleNamespace(address="tcp://one", local_directory="work"))
    assert str(raised.value).startswith(message)
    told(KIND, str(raised.value))


def test_a_worker_without_git_is_refused(monkeypatch, told):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(RuntimeError, match="worker tcp://one: has no git; install it there") as raised:
        study(monkeypatch).setup(SimpleNamespace(address="tcp://one", local_directory="work"))
    told(KIND, str(raised.value))


def task(beside: str | None, cost: int) -> Task:
    meta = {"cost": cost} | ({"beside": beside} if beside else {})
    return Task("stage", "", "dvc.lock", "stage", (), (), (), meta)


@pytest.mark.parametrize(
    ("tasks", "workers", "expected"),
    [
        ([], ["a"], {}),
        ([task(None, 5)], ["a"], {}),
        ([task("cats", 5), task("dogs", 5)], [], {"cats": [], "dogs": []}),
        ([task("cats", 5), task("dogs", 5)], ["a"], {"cats": ["a"], "dogs": ["a"]}),
        ([task("cats", 5), task("dogs", 5)], ["a", "b"], {"cats": ["a"], "dogs": ["b"]}),
        ([task("cats", 2), task("cats", 4), task("dogs", 3)], list("abc"), {"cats": ["a", "b"], "dogs": ["c"]}),
        ([task("cats", 5), task("dogs", 5)], list("abc"), {"cats": ["a", "b"], "dogs": ["b", "c"]}),
    ],
)
def test_each_data_set_gets_its_share_of_the_workers(tasks, workers, expected):
    assert cluster.placed(tasks, workers) == expected
