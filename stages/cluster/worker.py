"""What Dask runs on a worker: a clone at the project's commit, and one stage in it.

Sent by value, so that a worker needs none of this repository: it imports Python's own modules, Dask and filelock only.
    <local directory>/thaw/<slot>/clone/     the clone, moved from commit to commit; its features and checkpoints stay
    <local directory>/thaw/<slot>/lock       held as long as something runs there
    <local directory>/thaw/<slot>/log.txt    what the last stage printed
"""

import hashlib
import importlib.metadata
import itertools
import json
import os
import platform
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import filelock
from distributed import Worker, WorkerPlugin, get_client, get_worker

from stages.results import environment

DECIDING = ("python", *environment.PACKAGES)

LEFT_BY_THE_KILLED = (".git/index.lock", ".git/HEAD.lock", ".git/shallow.lock", ".dvc/tmp/rwlock")
"""Locks that only a process that was killed leaves behind, since a slot has one user."""


class ProjectCommit(WorkerPlugin):
    """One commit of the project on one worker. Dask gives it to every worker, also to those that come later.

    bundle: a git bundle of the commit.
    """

    def __init__(self, commit: str, bundle: bytes) -> None:
        self.name = f"thaw-{commit[:12]}-{uuid.uuid4().hex[:8]}"
        self._commit = commit
        self._bundle = bundle
        self._versions = {package: version(package) for package in DECIDING}
        self._last_slot = 0

    def setup(self, worker: Worker) -> None:
        """Raise RuntimeError where this worker would fail, or compute something else."""
        if not filelock.has_fcntl:  # only such a lock can be handed on to what runs in a slot, and ends with it
            raise RuntimeError(f"worker {worker.address}: its system has no fcntl; run workers on Linux or macOS")
        if shutil.which("git") is None:
            raise RuntimeError(f"worker {worker.address}: has no git; install it there")
        for package, wanted in self._versions.items():
            found = version(package)
            if found != wanted:
                raise RuntimeError(
                    f"worker {worker.address}: {package} is {found or 'missing'}, here it is {wanted}; "
                    "make its environment from requirements.txt and requirements-extra.txt of this commit"
                )
        self._folder = Path(worker.local_directory).parent / "thaw"

    def run(self, order: dict[str, Any]) -> dict[str, Any]:
        """Run a stage in a clone: `held`, what git holds of it then, and whether it `ran`."""
        with self._slot() as (folder, lock):
            clone = self._clone(folder / "clone")
            paths = {name: (folder / f"{name}.json").resolve() for name in ("order", "out")}
            paths["order"].write_text(json.dumps(order), encoding="utf-8")
            paths["out"].unlink(missing_ok=True)
            options = [f"--{name}={path}" for name, path in paths.items()]
            with (folder / "log.txt").open("w+", encoding="utf-8", errors="replace") as log:
                code = _python(clone, ["-m", "stages.cluster.stage_run", *options], log, lock)
                if code:
                    raise RuntimeError(f"{order['task']['stage']}: {_cause(log, code)} ({log.name} on this worker)")
            return json.loads(paths["out"].read_text(encoding="utf-8"))

    @contextmanager
    def _slot(self) -> Iterator[tuple[Path, IO[str]]]:
        """A folder that nobody else uses, and its lock, held until all that inherits it has ended.

        The last one first: the features there are those that the scheduler has sent this task for.
        """
        for slot in itertools.chain([self._last_slot], itertools.count()):
            folder = self._folder / str(slot)
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / "lock").open("a") as lock:
                if not filelock.lock_descriptor(lock.fileno(), blocking=False):
                    continue
                self._last_slot = slot
                yield folder, lock
                return

    def _clone(self, folder: Path) -> Path:
        """The clone at the commit, made or moved there; what git ignores stays, that is features and checkpoints."""
        for left in LEFT_BY_THE_KILLED:
            (folder / left).unlink(missing_ok=True)
        try:
            if _git(folder, "rev-parse", "HEAD") != self._commit:
                self._check_out(folder)
        except (RuntimeError, OSError):  # no clone yet, or one that was killed half-made
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            _git(folder, "init", "--quiet")
            self._check_out(folder)
        return folder

    def _check_out(self, folder: Path) -> None:
        bundle = folder.parent / "commit.bundle"
        bundle.write_bytes(self._bundle)
        _git(folder, "fetch", "--quiet", str(bundle.resolve()), "HEAD")
        _git(folder, "checkout", "--quiet", "--force", "--detach", self._commit)
        _git(folder, "clean", "--quiet", "--force", "-d")
        bundle.unlink()


def run_stage(commit: str, task: dict[str, Any], last: dict | None, *before: dict[str, Any]) -> dict[str, Any]:
    """Run the stage of `task` on this worker, unless a worker has finished it already.

    `last` is what git holds of its last run, `before` the results of the stages that it reads. A result is kept
    by the scheduler as well: Dask runs a task again when the worker that held its result dies.
    """
    worker = get_worker()
    order = {"task": task, "last": last, "before": [result["held"] for result in before]}
    digest = hashlib.sha256(json.dumps(order, sort_keys=True).encode()).hexdigest()
    scheduler = get_client()
    finished = scheduler.get_metadata([commit, digest], None)
    if finished is None:
        start = time.monotonic()
        finished = worker.plugins[commit].run(order)
        finished |= {"worker": str(worker.name), "seconds": time.monotonic() - start}
        scheduler.set_metadata([commit, digest], finished)
    return finished


def _python(clone: Path, arguments: list[str], log: IO[str], lock: IO[str]) -> int:
    """The exit code of Python in `clone`, in a process group of its own.

    Its standard input closes when this worker dies, however it does; it inherits the slot's lock.
    """
    scripts = Path(sys.executable).parent
    process = subprocess.Popen(  # noqa: S603 (no shell)
        [sys.executable, *arguments],
        cwd=clone,
        env=os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=[lock.fileno()],
    )
    code = process.wait()
    process.stdin.close()
    return code


def _cause(log: IO[str], code: int) -> str:
    """The line of the log that says why: a stage's own error before DVC's about the stage."""
    log.seek(0)
    lines = [line.strip() for line in log if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    return (errors or lines[-1:] or [f"ended with code {code}"])[0].removeprefix("error: ")


def _git(folder: Path, *arguments: str) -> str:
    # Without --git-dir, git would take a repository around the folder where the folder is none yet.
    command = ["git", "--git-dir", ".git", *arguments]
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 (no shell)
    if finished.returncode:
        raise RuntimeError(f"git {arguments[0]}: {finished.stderr.strip()}")
    return finished.stdout.strip()


def version(package: str) -> str | None:
    """The package's version here; Python's without its last part, which changes no result."""
    if package == "python":
        return ".".join(platform.python_version_tuple()[:2])
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
