"""`make` where it finds no environment, one that moved, other interpreters, or no repository of the user's own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

MAKEFILE = Path(__file__).parent.parent / "Makefile"
NAMES = ("python3.13", "python3.12", "python3.11", "python3", "python")
PRETENDING = "exec {python} -c 'import sys; sys.version_info = (%s, 1); exec(sys.argv[2])' \"$@\""
INTERPRETERS = {
    "fits": 'echo "$0" >> used\nexec {python} "$@"',
    "shim": "echo 'no such version' >&2; exit 127",  # what a version manager leaves where a version is not on
    "3.14": PRETENDING % "3, 14",
    "3.10": PRETENDING % "3, 10",
}
NONE_FITS = (
    "error: Thaw needs Python 3.11, 3.12 or 3.13, for which TensorFlow is made; install one, or name it: "
    "make PYTHON=/path/to/python3.13"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return bare(tmp_path / "thaw")


def bare(folder: Path) -> Path:
    """Make `folder` with the Makefile and nothing to install; returns `folder`."""
    (folder / "stages").mkdir(parents=True)
    (folder / "stages/plots_page.py").touch()
    shutil.copy(MAKEFILE, folder)
    (folder / "requirements.txt").touch()
    return folder


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Such a folder with its environment, to be copied."""
    folder = bare(tmp_path_factory.mktemp("ready") / "thaw")
    finished(make(folder, "setup", {"python3.12": "fits", "python3": "3.14"}))
    return folder


def make(folder: Path, target: str, interpreters: dict[str, str], **changes: str) -> subprocess.CompletedProcess:
    """Run `make TARGET` in `folder`, with these kinds of interpreters, by name, before all others."""
    scripts = folder.with_name("bin")
    scripts.mkdir(exist_ok=True)
    for name in NAMES:
        script = INTERPRETERS[interpreters.get(name, "shim")].format(python=sys.executable)
        (scripts / name).write_text(f"#!/bin/sh\n{script}\n")
        (scripts / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"} | changes
    for name in ("MAKEFLAGS", "MAKELEVEL", "PYTHON"):
        environment.pop(name, None)
    return subprocess.run(["make", target], cwd=folder, env=environment, capture_output=True, text=True, check=False)


def finished(ended: subprocess.CompletedProcess) -> str:
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def last_used(folder: Path) -> str:
    """The name of the interpreter that `make` started last."""
    return Path((folder / "used").read_text().splitlines()[-1]).name


def test_make_takes_an_interpreter_that_fits(ready):
    assert last_used(ready) == "python3.12"
    assert (ready / ".venv/ready").exists()


@pytest.mark.parametrize("interpreters", [{}, {"python3": "3.14"}, {"python3": "3.10"}], ids=["none", "3.14", "3.10"])
def test_make_says_which_to_install_where_none_fits(folder, interpreters, fault):
    ended = make(folder, "setup", interpreters)
    assert (ended.returncode, ended.stderr.splitlines()[0]) == (2, NONE_FITS)
    assert not (folder / ".venv").exists()
    fault("surroundings", f"`make` where Python is {interpreters.get('python3', 'not there')}", 1, NONE_FITS)


def test_an_environment_that_moved_is_made_anew(ready, tmp_path, fault):
    # As pip writes it where the folder's name has a space, or is long.
    command = f'"{ready}/.venv/bin/python" "$0" "$@"'
    (ready / ".venv/bin/dvc").write_text(f"#!/bin/sh\n'''exec' {command}\n' '''\n")
    (ready / ".venv/kept").touch()
    assert finished(make(ready, "setup", {"python3": "fits"})) == "make: Nothing to be done for 'setup'.\n"
    moved = shutil.copytree(ready, tmp_path / "moved", symlinks=True)
    finished(make(moved, "setup", {"python3.13": "3.10", "python3": "3.14", "python": "fits"}))
    assert last_used(moved) == "python"
    assert (moved / ".venv/ready").exists()
    assert not (moved / ".venv/kept").exists()
    fault("surroundings", "`.venv` moved with its folder", 1, "`make` made it anew")


def test_an_environment_whose_interpreter_is_gone_is_made_anew(ready, tmp_path, fault):
    folder = shutil.copytree(ready, tmp_path / "thaw", symlinks=True)
    (folder / ".venv/bin/dvc").write_text(f"#!{folder}/.venv/bin/python\n")
    (folder / ".venv/bin/python").unlink()
    (folder / ".venv/bin/python").symlink_to("/nowhere/python3")
    finished(make(folder, "setup", {"python3": "fits"}))
    assert subprocess.run([folder / ".venv/bin/python", "-c", ""], check=False).returncode == 0
    fault("surroundings", "`.venv` whose Python was removed", 1, "`make` made it anew")


@pytest.fixture
def nobody(tmp_path: Path) -> dict[str, str]:
    """The environment of a user who has told git nothing."""
    (tmp_path / "home").mkdir()
    home = str(tmp_path / "home")
    return {"HOME": home, "XDG_CONFIG_HOME": home, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CEILING_DIRECTORIES": str(tmp_path)}


def test_without_a_repository_make_says_so(folder, nobody, fault):
    ended = make(folder, "repro", {"python3": "fits"}, **nobody)
    line = ended.stderr.splitlines()[0]
    assert ended.returncode == 2
    assert line.startswith("error: DVC needs a git repository here; clone it, or run `git init` (fatal: not a git repo")
    assert not (folder / ".venv").exists()
    fault("surroundings", "`make repro` in a copy without `.git`", 1, line)


def test_another_user_s_folder_and_no_name_are_told_with_the_way_out(folder, nobody, fault):
    subprocess.run(["git", "init", "--quiet"], cwd=folder, env=os.environ | nobody, check=True)
    ended = make(folder, "git", {}, **nobody, GIT_TEST_ASSUME_DIFFERENT_OWNER="1")
    warnings = [
        "warning: this folder is another user's, so `dvc exp` and `dvc metrics diff` refuse it; to allow it: "
        f'`git config --global --add safe.directory "{folder}"`',
        "warning: git has no name for you, so `dvc exp run --queue` cannot commit; to set it: "
        "`git config user.name NAME` and `git config user.email ADDRESS`",
    ]
    assert (ended.returncode, ended.stderr.splitlines()) == (0, warnings)
    for key in ("user.name", "user.email"):
        subprocess.run(["git", "config", key, "thaw"], cwd=folder, env=os.environ | nobody, check=True)
    assert make(folder, "git", {}, **nobody).stderr == ""
    assert list(Path(nobody["HOME"]).iterdir()) == []  # nothing was set for the user
    for name, warning in zip(("in another user's clone", "without a name in git"), warnings, strict=True):
        fault("surroundings", f"`make repro` {name}", 1, warning.replace(str(folder), "FOLDER"))
