"""A `python` that starts DVC and the stages of dvc.yaml at once: a fork of a process that has imported them already.

    folder()    the folder with that `python`, for the beginning of PATH

The process has run no operation of TensorFlow, and has none of the repository's modules: a fork imports those of the
folder that it runs in. A signal to that `python` does not reach the fork. What interrupts or limits a command therefore
starts a real interpreter, and so does whatever is no `python -m dvc` or `python -m stages.…`.
"""

import atexit
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import traceback
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
IMPORTED = ("train", "features", "transfer", "split", "download", "answer", "export", "figures", "report")
"""The stages whose packages are imported beforehand."""
STREAMS = 3  # input, output and errors: the file descriptors that a command takes over
CLIENT = """#!{python} -ISE
import json, os, socket, sys
if sys.argv[1:2] != ["-m"] or sys.argv[2].partition(".")[0] not in ("dvc", "stages"):
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
request = json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ)]).encode()
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [b"s"], range({streams}))
    server.sendall(request)
    server.shutdown(socket.SHUT_WR)
    code = server.recv(1)
sys.exit(code[0] if code else "the command was killed")
"""


@cache
def folder() -> Path:
    """Start the process, until this one ends."""
    made = TemporaryDirectory()
    address = f"{made.name}/socket"
    client = Path(made.name) / "bin/python"
    client.parent.mkdir()
    client.write_text(CLIENT.format(python=sys.executable, address=address, streams=STREAMS))
    client.chmod(0o755)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    listening.listen()
    command = [sys.executable, __file__, str(listening.fileno())]
    process = subprocess.Popen(command, cwd=ROOT, pass_fds=[listening.fileno()], stdin=subprocess.PIPE)
    listening.close()
    atexit.register(made.cleanup)
    atexit.register(process.terminate)
    return client.parent


def _serve(listening: socket.socket) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks for their exit codes
    while listening in select.select([listening, sys.stdin], [], [])[0]:  # the input ends with who started this
        client, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os._exit(_answered(client))
        client.close()


def _answered(client: socket.socket) -> int:
    """Run what `client` asks for; returns its exit code."""
    _, streams, _, _ = socket.recv_fds(client, 1, STREAMS)
    with client.makefile("rb") as file:
        arguments, directory, environment = json.loads(file.read())
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    code = _ran(arguments)
    client.sendall(bytes([code]))
    return code


def _ran(arguments: list[str]) -> int:
    """The exit code of `python -m` with `arguments`."""
    sys.path[0] = str(Path.cwd())
    sys.argv = arguments
    code = 0
    try:
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        code = ended.code or 0
        if not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _import() -> None:
    """Import DVC and what the stages import, and forget their own modules."""
    sys.path[0] = str(ROOT)
    for module in (*(f"stages.{stage}" for stage in IMPORTED), "dvc.repo.open_repo", "dvc.commands.repro"):
        importlib.import_module(module)
    for name in [name for name in sys.modules if name.partition(".")[0] == "stages"]:
        del sys.modules[name]


if __name__ == "__main__":
    _import()
    _serve(socket.socket(fileno=int(sys.argv[1])))
