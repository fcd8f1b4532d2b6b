"""Runs one stage in a worker's clone: pulls what it reads, and pushes what it writes.

Reads a json of the task and of what git holds of the stages before it; writes a json of what git then holds of the
stage. Ends with the worker that started it, because the worker's end closes its standard input.
"""

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.logger import setup as log_to_terminal
from dvc.output import Output
from dvc.repo import Repo

from stages.cluster import git_held, repository
from stages.cluster.plan import Task
from stages.common.command import ThawError, run


def main() -> None:
    threading.Thread(target=_end_with_worker, daemon=True).start()
    arguments = _arguments()
    order = json.loads(arguments.order.read_text(encoding="utf-8"))
    root = Path.cwd()
    task = Task(**order["task"])
    _lay_out(root, order)
    ran = _reproduce(root, task)
    held = git_held.read(root, task.lock, task.key, task.outputs)
    arguments.out.write_text(json.dumps({"held": held, "ran": ran}), encoding="utf-8")


def _lay_out(root: Path, order: dict) -> None:
    """Write a lock file with only the stages before this one and this one's last run."""
    held = order["before"] + ([order["last"]] if order["last"] else [])
    (root / order["task"]["lock"]).unlink(missing_ok=True)
    for stage in held:
        (root / stage["lock"]).unlink(missing_ok=True)
    git_held.write(root, held)


def _reproduce(root: Path, task: Task) -> bool:
    """Run the stage if DVC finds that it changed; returns whether it ran."""
    with Repo(str(root), _wait_for_lock=True) as repo:
        for path in task.pulls:
            repository.pull_outputs(repo, repo.find_outs_by_path(str(root / path), strict=False), str(root / path))
        _restore(repo, task)
        log_to_terminal()
        try:
            ran = bool(repo.reproduce(task.stage, single_item=True))
        except DvcException as error:
            raise ThawError(f"{task.stage}: {error}; `dvc repro --single-item {task.stage}` shows why") from None
        repository.push_outputs(repo, _outputs(repo, task))
    return ran


def _restore(repo: Repo, task: Task) -> None:
    """Pull the outputs of the stage's last run if it would write the same again; DVC then does not run it."""
    with repo.lock:
        (stage,) = repo.stage.collect(task.stage)
        changed = stage.changed(allow_missing=True)
    if not changed:
        with contextlib.suppress(ThawError):  # if they are not in the remote, the stage runs
            repository.pull_outputs(repo, _outputs(repo, task))


def _outputs(repo: Repo, task: Task) -> list[Output]:
    """The outputs of the stage that DVC caches, as the lock file now has them."""
    (stage,) = repo.stage.collect(task.stage)
    return [output for output in stage.outs if output.use_cache]


def _end_with_worker() -> None:
    """Wait until the worker is gone; then end every process that runs here, trainings included."""
    sys.stdin.read()
    os.killpg(0, signal.SIGKILL)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--order", type=Path, required=True, help="json of what to run")
    parser.add_argument("--out", type=Path, required=True, help="json of what git then holds of the stage")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
