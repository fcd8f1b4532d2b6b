"""How a stage ends: with one line and exit code 1, or as the shell expects after Ctrl-C; what it says before that."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stages.common.command import ThawError, run

INTERRUPTED = """
import signal, sys
from pathlib import Path

from stages.common import files
from stages.common.command import run


def main():
    with files.written_whole(Path(sys.argv[1])) as beside:
        beside.write_text("half")
        signal.raise_signal(int(sys.argv[2]))


run(main)
"""
CHANGED_ON_THE_WAY = """
import signal, sys

from stages.common.command import run


class Fails:
    def __del__(self):
        raise ValueError


def main():
    try:
        signal.raise_signal(int(sys.argv[1]))
    except KeyboardInterrupt:
        Fails()
        raise SystemError("bad argument to internal function")


run(main)
"""
OFTEN_TRACED = """
import logging

from stages.network.keras_quietly import tf

for _ in range(10):
    tf.function(lambda value: value)(tf.constant(1))
logging.getLogger("tensorflow").warning("another warning")
"""


@pytest.fixture(autouse=True)
def handlers():
    """Signals do afterwards what they did before: `run` is made to be the last thing that a process does."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ThawError("params.yaml: seed: too low; raise it"), 1, "error: params.yaml: seed: too low; raise it\n"),
        (ThawError("a\n  b\r\x1b[1mc\u2028d é\ud800"), 1, "error: a b \\x1b[1mc d é\\ud800\n"),
        (ThawError(f"file: {'x' * 9000}; mend it"), 1, f"error: file: {'x' * 994} ... {'x' * 491}; mend it\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "models/a.keras"),
            1,
            "error: models/a.keras: No space left on device; make room, then run again\n",
        ),
        (
            OSError(errno.EACCES, "Permission denied", "models/a.keras"),
            1,
            "error: models/a.keras: Permission denied; see that it is there and may be read and written, then run "
            "again\n",
        ),
        (
            OSError("broken\npipe"),
            1,
            "error: a file: broken pipe; see that it is there and may be read and written, then run again\n",
        ),
    ],
)
def test_errors_end_in_one_line(capsys, error, code, line):
    def main() -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        run(main)
    assert ended.value.code == code
    assert capsys.readouterr().err == line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_quietly_and_on_the_way_out_what_is_half_written_goes(tmp_path, number):
    command = [sys.executable, "-c", INTERRUPTED, str(tmp_path / "result"), str(int(number))]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-number, "", "")  # as a shell sees it, 128 + number
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_exception_that_a_c_library_made_of_the_signal_s_ends_as_quietly(number):
    ended = subprocess.run(
        [sys.executable, "-c", CHANGED_ON_THE_WAY, str(int(number))], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (-number, "", "")


def test_a_reader_that_has_enough_ends_it_quietly():
    program = "from stages.common.command import run; run(lambda: print(*range(10**6), sep='\\n'))"
    command = f'{sys.executable} -c "{program}" | head -n 2; exit ${{PIPESTATUS[0]}}'
    ran = subprocess.run(
        ["bash", "-c", command], cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=False
    )
    assert (ran.stdout, ran.stderr) == ("0\n1\n", "")
    assert ran.returncode == 128 + signal.SIGPIPE


def test_ctrl_c_while_tensorflow_is_imported_ends_quietly(tmp_path):
    (tmp_path / "tensorflow.py").write_text("import signal; signal.raise_signal(signal.SIGINT)")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), "."])}
    command = [sys.executable, "-m", "stages.train"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")


def test_that_each_seed_s_model_is_traced_anew_is_no_warning():
    ended = subprocess.run([sys.executable, "-c", OFTEN_TRACED], capture_output=True, text=True, check=True)
    assert ended.stderr.splitlines() == ["WARNING:tensorflow:another warning"]
