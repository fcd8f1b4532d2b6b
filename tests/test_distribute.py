"""A study on a cluster of real parts gives the single machine's results, where workers die and freeze."""

import fcntl
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import short_study as short
import yaml

pytest.importorskip("distributed", reason="Dask is not installed (make extra)")
import cluster as clusters

VARIANTS = ["roses_tulips-4-2-gradual", "roses_tulips-0-6", "trial"]
TARGETS = [*(f"train@{name}" for name in VARIANTS[:-1]), "trial"]
"""One training for each worker, of one data set; a run of all took six minutes on two cores, with the same results."""

GIVEN_UP_AFTER = 10  # seconds without a sign of life, after which the scheduler gives a worker's tasks to others
GIVEN_UP = "failed to heartbeat"  # what its log says then
FREEZE = 5  # seconds more


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[clusters.Remote]:
    if reason := clusters.why_no_sshd():
        pytest.skip(reason)
    with clusters.ssh_remote(tmp_path_factory.mktemp("remote") / "ssh") as started:
        yield started


def head(short_study: Path, folder: Path) -> Path:
    """A clone of the study at the commit before it ran."""
    short.run(folder, "git", "clone", "--quiet", str(short_study), "head")
    short.run(folder / "head", "git", "checkout", "--quiet", "HEAD~1")
    return folder / "head"


def distribute(clone: Path, *arguments: str) -> str:
    return short.run(clone, sys.executable, "-m", "stages.distribute", *arguments)


def finished_runs(cluster: clusters.Cluster) -> Counter[str]:
    """How many times each stage was finished, by what DVC's run-caches keep of it on all workers."""
    runs = [path for worker in cluster.workers for path in worker.folder.glob("*/thaw/*/clone/.dvc/cache/runs/*/*")]
    return Counter(path.name for path in runs)


def assert_no_lock_is_left(clone: Path, cluster: clusters.Cluster) -> None:
    for slot in (slot for worker in cluster.workers for slot in worker.slots):
        with (slot / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises where somebody has it
        assert_not_locked(slot / "clone")
    assert_not_locked(clone)


def assert_not_locked(clone: Path) -> None:
    assert not list(clone.glob(".git/*.lock"))
    holders = re.findall(r'"pid": (\d+)', (clone / ".dvc/tmp/rwlock").read_text())
    assert [pid for pid in holders if psutil.pid_exists(int(pid))] == []


def assert_same_as_on_one_machine(clone: Path, short_study: Path) -> None:
    """Every file that git holds of both is equal, but for DVC's record and remote; DVC has nothing left to run."""
    assert short.ran(short.dvc(clone, "repro", "--pull", *TARGETS)) == []
    short.commit(clone)
    short.run(clone, "git", "fetch", "--quiet", str(short_study), "HEAD")
    found = {kind: changed(clone, kind) for kind in ("AD", "M")}
    assert found["M"] == {"dvc.lock", ".dvc/config"}
    assert {f"metrics/{name}.json" for name in VARIANTS}.isdisjoint(found["AD"])
    assert reproducible(clone) == reproducible(short_study)


def changed(clone: Path, kind: str) -> set[str]:
    """The files that differ between the commit fetched last and the clone's own: M, or of one alone: AD."""
    return set(short.run(clone, "git", "diff", "--name-only", f"--diff-filter={kind}", "FETCH_HEAD", "HEAD").split())


def reproducible(folder: Path) -> dict[str, str]:
    """The checksums in dvc.lock of the heads and of the results: neither holds seconds nor dates."""
    locked = yaml.safe_load(short.run(folder, "git", "show", "HEAD:dvc.lock"))["stages"]
    outputs = [
        each
        for name in ("transfer@roses_tulips", *TARGETS)
        for each in locked[name]["outs"]
        if each["path"].startswith(("models/transfer/", "results/"))
    ]
    return {each["path"]: each["md5"] for each in outputs}


def test_a_killed_and_a_frozen_worker_change_nothing(short_study, remote, tmp_path, fault):
    clone = head(short_study, tmp_path)
    remote.add_to(clone, "faults")
    settings = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": f"{GIVEN_UP_AFTER}s"}
    with clusters.cluster(tmp_path / "cluster", 3, **settings) as cluster:
        running = start(clone, *TARGETS, "--scheduler", cluster.address)
        killed = clusters.wait_until(lambda: next((one for one in cluster.workers if one.training()), None))
        killed.process.kill()
        others = [worker for worker in cluster.workers if worker is not killed]
        frozen = clusters.wait_until(lambda: next((one for one in others if one.training()), None))
        with frozen.frozen():
            clusters.wait_until(lambda: GIVEN_UP in cluster.log.read_text())
            time.sleep(FREEZE)
        output, _ = running.communicate(timeout=clusters.PATIENCE)
        assert running.returncode == 0, output
        assert_same_as_on_one_machine(clone, short_study)
        assert_no_lock_is_left(clone, cluster)
        assert set(finished_runs(cluster).values()) == {1}
        assert len([worker for worker in cluster.workers if worker.slots]) == 3
        assert distribute(clone, *TARGETS, "--scheduler", cluster.address) == "Data and pipelines are up to date.\n"
    assert left_running(tmp_path) == []
    outcome = "every result as on one machine; nothing that was finished ran again; no lock and no process left"
    fault(
        "cluster",
        "a worker is killed in the middle of a training, another freezes beyond its scheduler's patience",
        1,
        outcome,
    )


def start(clone: Path, *arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "stages.distribute", *arguments]
    return subprocess.Popen(command, cwd=clone, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def left_running(folder: Path) -> list[str]:
    """The commands of this test's processes that are still there."""
    left = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder):
                left.append(" ".join(process.cmdline()))
        except (psutil.Error, OSError):  # ended, or somebody else's
            continue
    return left
