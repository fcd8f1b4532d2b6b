"""A disk that is full: one line, nothing half-written, and the next run does what it would have done."""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import small_workspace
from small_workspace import commands, finished, stand_ins, start

UNSHARED = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
# A disk of its own that only this shell and what it starts can see; given room, it is as it was left.
SMALL_DISK = """
place=$1 size=$2; shift 2
mount -t tmpfs -o size=$size tmpfs $place || exit 99
"$@" 2> message; echo $? > code
find $place -name '.*' > half_written
mount -o remount,size=100m $place && "$@" && cp -r $place ended
"""


class Full(NamedTuple):
    """A stage that writes more into the folder `place` than there is room, in bytes, on a disk or for a file."""

    stage: str
    place: str
    disk: int
    file: int
    named: str


TRIES = [
    Full("download@weights", "data/raw", 500_000, 500_000, "data/raw/weights"),
    Full("split@few", "data/images", 100_000, 1_000, "data/images/few"),
]

OUTCOME = "one line, exit code 1, nothing half-written left; the next run, with room, succeeded"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = small_workspace.make(tmp_path / "workspace", small_workspace.WEIGHTS.as_uri())
    finished(folder, commands(folder)["download@few"])
    return folder


@contextmanager
def limited_files(most: int) -> Iterator[None]:
    """What is started meanwhile cannot write files of more than `most` bytes; Python ignores SIGXFSZ."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def line(full: Full, cause: str) -> str:
    return f"error: {full.named}: {cause}; make room or mend it, then run again\n"


def contents(folder: Path) -> dict[str, bytes]:
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found
    return found


def may_mount() -> bool:
    tried = subprocess.run([*UNSHARED, "mount -t tmpfs tmpfs /mnt"], capture_output=True, check=False)
    return tried.returncode == 0


@pytest.mark.parametrize("full", TRIES, ids=lambda full: full.stage)
def test_a_file_too_large_is_told_in_a_line_and_the_next_run_recovers(workspace, full, fault):
    command = commands(workspace)[full.stage]
    with limited_files(full.file):
        process = start(workspace, command)
    _, message = process.communicate()
    assert (process.returncode, message) == (1, line(full, "File too large"))
    assert stand_ins(workspace) == []
    finished(workspace, command)
    fault("no room", f"a limit on the size of files (RLIMIT_FSIZE) that `{full.stage}` exceeds", 1, OUTCOME)


@pytest.mark.skipif(not may_mount(), reason="no disk can be mounted here without privileges")
@pytest.mark.parametrize("full", TRIES, ids=lambda full: full.stage)
def test_a_full_disk_is_told_in_a_line_and_the_next_run_recovers(workspace, full, fault):
    command = commands(workspace)[full.stage]
    (workspace / full.place).mkdir(exist_ok=True)
    finished(workspace, [*UNSHARED, SMALL_DISK, "sh", full.place, str(full.disk), *command])
    assert (workspace / "code").read_text() == "1\n"
    assert (workspace / "message").read_text() == line(full, "No space left on device")
    assert (workspace / "half_written").read_text() == ""
    finished(workspace, command)
    assert contents(workspace / "ended" / Path(full.named).name) == contents(workspace / full.named)
    fault("no room", f"a full disk (tmpfs) under `{full.stage}`", 1, OUTCOME)
