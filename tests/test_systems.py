"""Locks and stages on a system with `fcntl`, and on one without it as Windows is."""

import subprocess
import sys
from pathlib import Path

import pytest
import small_network
import small_workspace

ABSENT = "import sys; sys.modules['fcntl'] = None\n"
SYSTEMS = {"with fcntl": "", "without fcntl": ABSENT}
WRITE = """
import sys
from pathlib import Path

from stages.common import files

with files.written_whole(Path(sys.argv[1])) as beside:
    beside.write_text("half")
    print("half", flush=True)
    sys.stdin.read()
    beside.write_text("whole")
"""
STAGE = "import runpy; del sys.argv[0]; runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"


@pytest.fixture(params=SYSTEMS, ids=str)
def writer(request, tmp_path):
    """Start a process that writes the file `result` whole, once its input ends."""
    started = []

    def write() -> subprocess.Popen:
        command = [sys.executable, "-c", SYSTEMS[request.param] + WRITE, str(tmp_path / "result")]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True))
        return started[-1]

    yield write
    for process in started:
        process.kill()
        process.communicate()


def test_a_lock_ends_with_its_process(writer, tmp_path):
    killed = writer()
    assert killed.stdout.readline() == "half\n"
    killed.kill()
    killed.wait()
    assert (tmp_path / ".result.part").read_text() == "half"
    out, err = writer().communicate()
    assert (out, err) == ("half\n", "")
    assert (tmp_path / "result").read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_who_waits_says_so_once(writer, tmp_path):
    first = writer()
    assert first.stdout.readline() == "half\n"
    second = writer()
    assert second.stderr.readline() == f"{tmp_path}: another process is writing here; waiting for it\n"
    assert first.communicate() == ("", "")
    assert second.communicate() == ("half\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_download_and_split_run_without_fcntl(tmp_path):
    workspace = small_workspace.make(tmp_path / "workspace", small_network.path().as_uri())
    commands = small_workspace.commands(workspace)
    for name in ("local@few", "split@few"):
        interpreter, flag, *stage = commands[name]
        assert (Path(interpreter).name, flag) == ("python", "-m")
        small_workspace.finished(workspace, [sys.executable, "-c", ABSENT + STAGE, *stage])
    other = small_workspace.make(tmp_path / "other", small_network.path().as_uri())
    for name in ("local@few", "split@few"):
        small_workspace.finished(other, commands[name])
    assert small_workspace.results(workspace) == small_workspace.results(other)
    assert small_workspace.stand_ins(workspace) == []
