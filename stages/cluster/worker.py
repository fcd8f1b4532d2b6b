"""What Dask runs on a worker: it makes a clone at the project's commit and runs one stage in it.

Dask gets the module by value, so that a worker can start without this repository. What runs on a worker therefore
needs only Python's own modules, Dask and filelock.
    <local directory>/thaw/<slot>/clone/     the clone, which keeps its features and checkpoints from commit to commit
    <local directory>/thaw/<slot>/lock       locked while anything runs there
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
"""Locks that only a killed process leaves behind, since a slot has one user at a time."""

KEPT = (".dvc", "data/features", "work")
"""Folders of a clone that git ignores, and that a further commit finds as they are."""


class ProjectCommit(WorkerPlugin):
    """One commit of the project on one worker. Dask gives it to every worker, also to those that join later.

    bundle: a git bundle of the commit.
    """

    def __init__(self, commit: str, bundle: bytes) -> None:
        self.name = f"thaw-{commit[:12]}-{uuid.uuid4().hex[:8]}"
        self._commit = commit
        self._bundle = bundle
        self._versions = {package: version(package) for package in DECIDING}
        self._last_slot = 0

    def setup(self, worker: Worker) -> None:
        """Raise RuntimeError if this worker would fail or compute other results."""
        if not filelock.has_fcntl:  # only such a lock passes on to the processes in a slot, and ends with them
            raise RuntimeError(f"worker {worker.address}: the system has no fcntl; run workers on Linux or macOS")
        if shutil.which("git") is None:
            raise RuntimeError(f"worker {worker.address}: has no git; install it there")
        for package, wanted in self._versions.items():
            found = version(package)
            if found != wanted:
                raise RuntimeError(
                    f"worker {worker.address}: {package} is {found or 'missing'}, here it is {wanted}; "
                    "make its environment from this commit's requirements.txt and requirements-extra.txt"
                )
        self._folder = Path(worker.local_directory).parent / "thaw"

    def run(self, order: dict[str, Any]) -> dict[str, Any]:
        """Run a stage in a clone; returns `held`, what git then holds of it, and `ran`, whether it ran."""
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
        """A folder that no other process uses, and its lock, held until every process that inherits it has ended.

        The last used slot comes first: it has the features for which the scheduler chose this worker.
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
        """The clone at the commit, new or updated. Activations, checkpoints and DVC's cache stay."""
        for left in LEFT_BY_THE_KILLED:
            (folder / left).unlink(missing_ok=True)
        try:
            if _git(folder, "rev-parse", "HEAD") != self._commit:
                self._check_out(folder)
        except (RuntimeError, OSError):  # no clone yet, or one that a killed process left half-made
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
        # Other outputs are pulled again where a stage reads them. One of a removed variant would change `results`.
        _git(folder, "clean", "--quiet", "--force", "-d", "-x", *(f"--exclude=/{path}/" for path in KEPT))
        bundle.unlink()


def run_stage(commit: str, task: dict[str, Any], last: dict | None, *before: dict[str, Any]) -> dict[str, Any]:
    """Run the stage of `task` on this worker, unless a worker has finished it already.

    `last` is what git holds of its last run, `before` the results of the stages that it reads. The scheduler keeps
    each result too, because Dask runs a task again if the worker that held its result dies.
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
    """Run Python in `clone`, in its own process group; returns its exit code.

    Its standard input closes when this worker dies in whatever way. It inherits the slot's lock.
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
    """The line of the log with the cause: the stage's own error rather than DVC's message about it."""
    log.seek(0)
    lines = [line.strip() for line in log if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    return (errors or lines[-1:] or [f"ended with code {code}"])[0].removeprefix("error: ")


def _git(folder: Path, *arguments: str) -> str:
    # Without --git-dir, git would use a repository around the folder while the folder is not one yet.
    command = ["git", "--git-dir", ".git", *arguments]
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 (no shell)
    if finished.returncode:
        raise RuntimeError(f"git {arguments[0]}: {finished.stderr.strip()}")
    return finished.stdout.strip()


def version(package: str) -> str | None:
    """The version of the package here; of Python without the last part, which changes no result."""
    if package == "python":
        return ".".join(platform.python_version_tuple()[:2])
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
