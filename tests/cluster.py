"""Real parts of a cluster, each in a process and a folder of its own: a remote behind sshd, a scheduler, workers."""

import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import short_study as short

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
PRIVILEGE_SEPARATION = Path("/run/sshd")  # where root's sshd needs a folder
PATIENCE = 300  # seconds until a test gives up waiting


def why_no_sshd() -> str | None:
    if SSHD is None:
        return "sshd is not installed (Debian: apt-get install openssh-server)"
    if os.geteuid() == 0 and not PRIVILEGE_SEPARATION.is_dir():
        return f"sshd run by root needs a folder (mkdir {PRIVILEGE_SEPARATION})"
    return None


@dataclass(frozen=True)
class Remote:
    """A folder that is reached over SSH on the loopback interface."""

    folder: Path
    port: int
    key: Path

    def add_to(self, clone: Path, name: str) -> None:
        """Make the subfolder `name` the clone's default remote, and commit that."""
        url = f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{self.folder}/{name}"
        short.dvc(clone, "remote", "add", "--default", "store", url)
        short.dvc(clone, "remote", "modify", "store", "keyfile", str(self.key))
        short.commit(clone)


@contextmanager
def ssh_remote(folder: Path) -> Iterator[Remote]:
    """Yield a remote whose sshd has its keys, its settings and its port to itself."""
    folder.mkdir()
    for name in ("host", "user"):
        short.run(folder, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name)
    shutil.copy(folder / "user.pub", folder / "authorized_keys")
    port = _free_port()
    settings = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "authorized_keys",
        "PasswordAuthentication": "no",
        "StrictModes": "no",  # the temporary folder's parents are everybody's
        "PidFile": "none",
        "Subsystem": "sftp internal-sftp",
        "MaxStartups": "100",  # workers come all at once
    }
    (folder / "sshd_config").write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
    (folder / "store").mkdir()
    with _running([SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], folder / "sshd.log"):
        wait_until(lambda: "Server listening" in (folder / "sshd.log").read_text())
        yield Remote(folder / "store", port, folder / "user")


@dataclass(frozen=True)
class Worker:
    folder: Path
    nanny: psutil.Process

    @property
    def process(self) -> psutil.Process:
        """Dask's worker, which its nanny starts anew when it dies."""
        return next(child for child in self.nanny.children() if "spawn_main" in " ".join(child.cmdline()))

    @property
    def slots(self) -> list[Path]:
        return sorted(self.folder.glob("*/thaw/*"))

    def training(self) -> str | None:
        """The stage that is in the middle of training here: at least one of its epochs is in a checkpoint."""
        for slot in self.slots:
            stage = _stage(slot / "order.json")
            variant = stage.removeprefix("train@")
            if variant != stage and self._runs("stages.train") and any((slot / "clone/work" / variant).glob("*")):
                return stage
        return None

    def _runs(self, module: str) -> bool:
        return any(module in _command(child) for child in self.nanny.children(recursive=True))

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop all that runs here, and let it go on at the end."""
        processes = [self.nanny, *self.nanny.children(recursive=True)]
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                process.send_signal(signal.SIGCONT)


@dataclass(frozen=True)
class Cluster:
    address: str
    workers: list[Worker]
    log: Path  # of the scheduler


@contextmanager
def cluster(folder: Path, workers: int, **settings: str) -> Iterator[Cluster]:
    """Yield a scheduler and workers; `settings` are Dask's, as in its environment variables."""
    folder.mkdir()
    file = folder / "scheduler.json"
    scheduler = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    log = folder / "scheduler.log"
    with _dask(scheduler, log, settings):
        wait_until(file.exists)
        address = json.loads(file.read_text())["address"]
        with _workers(folder, address, workers) as started:
            yield Cluster(address, started, log)


@contextmanager
def _workers(folder: Path, address: str, count: int) -> Iterator[list[Worker]]:
    if count == 0:
        yield []
        return
    place = folder / f"worker-{count}"
    options = ["worker", address, "--nthreads", "1", "--no-dashboard", "--name", place.name]
    with (
        _dask([*options, "--local-directory", str(place)], folder / f"{place.name}.log", {}) as process,
        _workers(folder, address, count - 1) as others,
    ):
        yield [Worker(place, psutil.Process(process.pid)), *others]


def _dask(arguments: list[str], log: Path, settings: dict[str, str]) -> AbstractContextManager[subprocess.Popen]:
    return _running([sys.executable, "-m", "dask", *arguments], log, settings)


@contextmanager
def _running(command: list[str], log: Path, settings: dict[str, str] | None = None) -> Iterator[subprocess.Popen]:
    """Yield the process of `command`; end it and all that it started."""
    with log.open("w") as file:
        process = subprocess.Popen(
            command, cwd=log.parent, env=os.environ | (settings or {}), stdout=file, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        processes = [*psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []
        process.terminate()
        process.wait(timeout=60)
        for child in processes:
            if child.is_running():
                child.kill()


def wait_until(happens: Callable[[], object]) -> object:
    """What `happens` returns once it is true."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := happens():
            return found
        time.sleep(0.1)
    raise AssertionError(f"nothing after {PATIENCE} s")


def _stage(order: Path) -> str:
    try:
        return json.loads(order.read_text())["task"]["stage"]
    except (FileNotFoundError, ValueError):  # none yet, or half-written
        return ""


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it has ended
        return ""


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]
