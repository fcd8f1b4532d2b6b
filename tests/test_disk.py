"""A disk that is full: one line, nothing half-written, and the next run does what it would have done."""

import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import pytest
import small_network
import small_workspace
from small_workspace import commands, finished, stand_ins, start

UNSHARED = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
# A disk of its own that only this shell and what it starts can see; what it ends with is copied to where there is room.
SMALL_DISK = """
place=$1 size=$2; shift 2
mount -t tmpfs -o size=$size tmpfs $place || exit 99
"$@" 2> message; echo $? > code
find $place -name '.*' > half_written
cp -a $place left
"""


class Disk(NamedTuple):
    """A stage that writes more into the folder `place` than a disk of `size` bytes holds."""

    stage: str
    place: str
    size: int
    named: str  # what there was no room for, as a pattern
    compared: str  # below `place`, what the next run must end with
    kept: tuple[str, ...] = ()  # what else the first run left that the next would go on from


class Limit(NamedTuple):
    """A stage that writes a file of more than `size` bytes."""

    stage: str
    size: int
    named: str


DISKS = [
    Disk("download@weights", "data/raw", 500_000, "data/raw/weights", "weights/*"),
    Disk("split@few", "data/images", 100_000, "data/images/few", "few/**/*.jpg"),
    Disk("features@few", "data/features", 700_000, "data/features/few/*/*", "few/*/*/*.npy"),
    Disk("train@few-3-6", "models/few-3-6", 700_000, "models/few-3-6/*.keras", "classes.json", ("work/few-3-6",)),
]
LIMITS = [
    Limit("download@weights", 500_000, "data/raw/weights"),
    Limit("split@few", 1_000, "data/images/few"),
    Limit("features@few", 300_000, "data/features/few/*/*"),
    Limit("train@few-3-6", 700_000, "work/few-3-6/*.npz"),
]
OUTCOME = "one line, exit code 1, nothing half-written left; the next run, with room, succeeded"


@pytest.fixture(scope="module")
def workspaces(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A workspace in which all stages before the given one have run."""
    folder = small_workspace.make(tmp_path_factory.mktemp("disk") / "0", small_network.path().as_uri())
    ran: list[str] = []

    def before(stage: str) -> Path:
        for name, command in commands(folder).items():
            if small_workspace.stage_of(name) == small_workspace.stage_of(stage) and name != "local@few":
                break
            if name not in ran:
                finished(folder, command)
                ran.append(name)
        return folder

    return before


@pytest.fixture
def workspace_before(workspaces: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """The same in a folder of the test's own."""
    return lambda stage: shutil.copytree(workspaces(stage), tmp_path / "workspace")


@contextmanager
def limited_files(most: int) -> Iterator[None]:
    """What is started meanwhile cannot write files of more than `most` bytes; Python ignores SIGXFSZ."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def assert_told(message: str, named: str, cause: str) -> None:
    """`message` is the one line that says what there was no room for, a path that fits the pattern `named`."""
    assert fnmatch(message, f"error: {named}: {cause}; make room, then run again\n"), message
    assert message.count("\n") == 1


def contents(folder: Path, pattern: str) -> dict[str, bytes]:
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob(pattern) if path.is_file()}
    assert found
    return found


def may_mount() -> bool:
    tried = subprocess.run([*UNSHARED, "mount -t tmpfs tmpfs /mnt"], capture_output=True, check=False)
    return tried.returncode == 0


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.stage)
def test_a_file_too_large_is_told_in_a_line_and_the_next_run_recovers(workspace_before, limit, fault):
    workspace = workspace_before(limit.stage)
    command = commands(workspace)[limit.stage]
    with limited_files(limit.size):
        process = start(workspace, command)
    _, message = process.communicate()
    assert process.returncode == 1
    assert_told(message, limit.named, "File too large")
    assert stand_ins(workspace) == []
    finished(workspace, command)
    fault("disk full", f"a limit on the size of files (RLIMIT_FSIZE) that `{limit.stage}` exceeds", 1, OUTCOME)


@pytest.mark.skipif(not may_mount(), reason="no disk can be mounted here without privileges")
@pytest.mark.parametrize("disk", DISKS, ids=lambda disk: disk.stage)
def test_a_full_disk_is_told_in_a_line_and_the_next_run_recovers(workspace_before, disk, fault):
    workspace = workspace_before(disk.stage)
    command = commands(workspace)[disk.stage]
    shutil.rmtree(workspace / disk.place, ignore_errors=True)
    (workspace / disk.place).mkdir(parents=True)
    on_small_disk = [*UNSHARED, SMALL_DISK, "sh", disk.place, str(disk.size), *command]
    finished(workspace, on_small_disk, Path(sys.executable).parent)  # only what starts within has that disk
    assert (workspace / "code").read_text() == "1\n"
    assert_told((workspace / "message").read_text(), disk.named, "No space left on device")
    assert (workspace / "half_written").read_text() == ""
    (workspace / disk.place).rmdir()
    (workspace / "left").rename(workspace / disk.place)
    finished(workspace, command)
    ended = contents(workspace / disk.place, disk.compared)
    for folder in (disk.place, *disk.kept):
        shutil.rmtree(workspace / folder)
    finished(workspace, command)
    assert contents(workspace / disk.place, disk.compared) == ended
    fault("disk full", f"a full disk (tmpfs) under `{disk.stage}`", 1, OUTCOME)
