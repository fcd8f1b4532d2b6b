"""Stages killed at random moments, one after another and under DVC: the results are an uninterrupted run's."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import NamedTuple

import https_server
import pytest
import small_network
import small_workspace
import warm_python
from dvc.dvcfile import LOCK_FILE, Lockfile
from dvc.exceptions import DvcException
from dvc.repo import Repo
from small_workspace import changes, dvc, finished, path_from, results, stand_ins, start

SEED = 6
PAUSE = 0.03  # seconds between two pieces of 16 KB from the server: the weights take two seconds


class Moments(NamedTuple):
    """When to interrupt: after a random number of changes in the workspace, and a random time after that."""

    kills: int
    most_changes: int
    most_seconds: float
    kept: str  # what an interrupted run leaves for the next, removed where a run came to its end too soon
    others: int = 1  # by each of the other signals, which every stage answers by the one handler in stages/common

    def tries(self, sent: signal.Signals) -> int:
        return self.kills if sent == signal.SIGKILL else self.others


STUDIES = {
    ("download", "split"): {
        "download@weights": Moments(6, 3, 0.5, "work/download"),
        "split@few": Moments(6, 4, 0.05, "data/images", others=0),
        "dvc repro": Moments(2, 20, 0.5, "dvc.lock", others=0),
    },
    ("train",): {
        "features@few": Moments(1, 3, 0.2, "data/features/few", others=0),
        "transfer@few": Moments(1, 4, 0.1, "work/transfer", others=0),
        "train@few-3-6": Moments(2, 4, 0.3, "work/few-3-6"),
        "dvc repro": Moments(1, 20, 1.0, "data/features/few"),
    },
}
"""What is interrupted, for each list of targets that `dvc repro` is asked for in the end."""
OUTCOMES = {
    signal.SIGKILL: "what had appeared by then was whole; the next run went on, and all ended as if nothing had been",
    signal.SIGINT: "exit code 130, nothing half-written left, no traceback; the next run went on",
    signal.SIGTERM: "exit code 143, nothing half-written left, no traceback; the next run went on",
}
RWLOCK = ".dvc/tmp/rwlock"
TORN = f"; {LOCK_FILE} or DVC's list of locks, where half-written, was deleted, as docs/interruptions.md says"
RUNNING = re.compile(r"plots/few-[^/]*\.csv")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[https_server.Server]:
    """A slow server of the backbone's weights, trusted by what is started meanwhile."""
    certificate = https_server.make_certificate(tmp_path_factory.mktemp("certificate"))
    with (
        pytest.MonkeyPatch.context() as patch,
        https_server.serving(small_network.path().read_bytes(), certificate) as server,
    ):
        patch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
        patch.setenv("NO_PROXY", "127.0.0.1")
        patch.delenv("THAW_MIRROR", raising=False)
        server.pause = PAUSE
        yield server


@pytest.mark.parametrize("targets", STUDIES, ids=" ".join)
def test_whatever_is_interrupted_whenever_the_results_are_an_uninterrupted_run_s(targets, server, tmp_path, fault):
    address = server.address("small.keras")
    whole = small_workspace.make(tmp_path / "whole", address)
    warm = path_from(warm_python.folder())
    uninterrupted = start(whole, dvc("repro", *targets), **warm)  # beside the interrupted one, to save time
    workspace = small_workspace.make(tmp_path / "interrupted", address)
    all_moments = STUDIES[targets]
    appeared = []
    random = Random(SEED)
    for name, command in [*small_workspace.commands(workspace).items(), ("dvc repro", dvc("repro", *targets))]:
        if name in all_moments:
            appeared += interrupted_often(workspace, command, all_moments[name], random)
        if name in all_moments or small_workspace.stage_of(name) in ("download", "local", "split"):
            finished(workspace, command)
            assert half_written(workspace) == []
    out, err = uninterrupted.communicate()
    assert uninterrupted.returncode == 0, out + err
    expected = results(whole)
    assert results(workspace) == expected
    for seen in appeared:
        # What had appeared by then was whole; the csv of a running training has the epochs so far (test_running.py).
        assert {item for item in seen.items() if not RUNNING.fullmatch(item[0])} <= expected.items()
    for name, moments in all_moments.items():
        what = name.split("@")[0]
        for sent, outcome in OUTCOMES.items():
            also = TORN if what == "dvc repro" else ""
            if tries := moments.tries(sent):
                fault("interruption", f"{sent.name} while `{what}` runs", tries, outcome + also)


def interrupted_often(workspace: Path, command: list[str], moments: Moments, random: Random) -> list[dict[str, str]]:
    """Interrupt `command` by each signal as often as `moments` says; the results that stood there after each."""
    appeared = []
    for sent in OUTCOMES:
        for _ in range(moments.tries(sent)):
            interrupt(workspace, command, sent, moments, random)
            appeared.append(results(workspace))
    return appeared


def interrupt(workspace: Path, command: list[str], sent: signal.Signals, moments: Moments, random: Random) -> None:
    """Run `command` and send a signal to its process group at a random moment; again, where it ended before that."""
    while True:
        before = half_written(workspace)
        process = start(workspace, command)
        wait_for(random.randint(1, moments.most_changes), workspace, process)
        time.sleep(random.uniform(0, moments.most_seconds))
        if process.poll() is None:
            os.killpg(process.pid, sent)
        _, err = process.communicate()
        delete_torn_records(workspace)
        if process.returncode != 0:
            break
        start_anew(workspace / moments.kept)
    if sent != signal.SIGKILL:
        assert set(half_written(workspace)) <= set(before)
    if "stages" in command[2]:  # DVC has codes and messages of its own
        assert shell_code(process) == 128 + sent
        assert "Traceback" not in err


def half_written(workspace: Path) -> list[str]:
    """The stages' stand-ins: not locks, which nobody holds and the next writer takes, nor what DVC links files by."""
    return [path for path in stand_ins(workspace) if ".part" in path]


def delete_torn_records(workspace: Path) -> None:
    """DVC writes its two records in place, and refuses one that it was stopped in the very act of writing."""
    with suppress(FileNotFoundError):
        try:
            json.loads((workspace / RWLOCK).read_bytes())
        except json.JSONDecodeError:
            (workspace / RWLOCK).unlink()
    with Repo(workspace) as repo:
        lock = Lockfile(repo, str(workspace / LOCK_FILE))
        try:
            lock.load()
        except DvcException:
            lock.remove()


def start_anew(kept: Path) -> None:
    if kept.is_dir():
        shutil.rmtree(kept)
    else:
        kept.unlink(missing_ok=True)


def shell_code(process: subprocess.Popen) -> int:
    """The exit code as a shell tells it: 128 and the signal's number where that ended the process."""
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def wait_for(count: int, workspace: Path, process: subprocess.Popen) -> None:
    """Wait until the workspace has been seen to change `count` times, or the process ends."""
    last = before = changes(workspace)
    while count > 0 and process.poll() is None:
        time.sleep(0.01 if last == before else 0.002)  # imports take seconds, and all that follows an instant
        now = changes(workspace)
        count -= now != last
        last = now


def test_what_arrived_of_a_download_that_was_killed_is_not_fetched_again(server, tmp_path):
    workspace = small_workspace.make(tmp_path / "workspace", server.address("small.keras"))
    command = small_workspace.commands(workspace)["download@weights"]
    part = workspace / "work/download/small.keras.part"
    process = start(workspace, command)
    while not (part.exists() and part.stat().st_size):
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    arrived = part.stat().st_size
    server.ranges.clear()
    finished(workspace, command)
    assert server.ranges == [f"bytes={arrived}-"]


@pytest.mark.parametrize(
    ("name", "share"), [*((LOCK_FILE, share) for share in (0, 0.05, 0.1, 0.3, 0.52, 0.6)), (RWLOCK, 0), (RWLOCK, 0.5)]
)
def test_a_record_of_dvc_s_that_ends_early_is_read_or_named_and_can_be_deleted(name, share, studied, fault):
    workspace, expected = studied
    record = workspace / name
    whole = record.read_bytes()
    record.write_bytes(whole[: int(len(whole) * share)])
    process = start(workspace, dvc("repro", "split@few"), **path_from(warm_python.folder()))
    _, err = process.communicate()
    if process.returncode:
        assert name in err
        delete_torn_records(workspace)
        assert not record.exists()
        finished(workspace, dvc("repro", "split@few"))
    assert record.read_bytes() == whole
    assert results(workspace) == expected
    fault("interruption", f"{name} ends early", 1, "DVC named it or went on; once it was deleted, all was as before")


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A workspace in which `split` has run, and the results there."""
    workspace = small_workspace.make(tmp_path_factory.mktemp("studied") / "workspace", "https://127.0.0.1/small.keras")
    finished(workspace, dvc("repro", "split@few"))
    return workspace, results(workspace)


def test_of_two_dvc_repro_in_one_workspace_one_runs_and_the_other_is_refused(server, tmp_path, fault):
    workspace = small_workspace.make(tmp_path / "workspace", server.address("small.keras"))
    warm = path_from(warm_python.folder())
    both = [start(workspace, dvc("repro", "download@weights"), **warm) for _ in range(2)]
    ended = {process.communicate()[1]: process.returncode for process in both}
    refused = [message for message, code in ended.items() if code]
    assert sorted(ended.values()) == [0, 255]
    assert "is busy, it is being blocked by" in refused[0]
    assert (workspace / "data/raw/weights/small.keras").read_bytes() == small_network.path().read_bytes()
    assert stand_ins(workspace) == []
    fault(
        "concurrent runs",
        "two `dvc repro` in one workspace",
        1,
        "one ran, DVC refused the other; what was written was whole",
    )
