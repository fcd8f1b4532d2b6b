"""The study on the embedded drawings with short schedules, in a folder of its own, run by the real commands."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
SHORT = {
    "cats_dogs-30-1": "cats_dogs-3-1",
    "cats_dogs-0-31": "cats_dogs-0-4",
    "roses_tulips-40-11": "roses_tulips-4-2",
    "roses_tulips-40-11-gradual": "roses_tulips-4-2-gradual",
    "roses_tulips-0-51": "roses_tulips-0-6",
}
"""What stands here for some of params.yaml's variants, of each kind one at least; the others are left out."""
PARAMS = {
    "budget": {"cats_dogs": 4, "roses_tulips": 6},
    "schedule": {"dataset": "roses_tulips", "transfer": 2, "fine": 1},
    "seeds": [1],
    "repeats": None,
}


def write(folder: Path) -> None:
    """The files as they are here, without results, their schedules shortened, committed."""
    for name in run(ROOT, "git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        if (ROOT / name).exists() and not name.startswith(("metrics/", "plots/", "dvc.lock")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    shorten(folder)
    run(folder, "git", "init", "--quiet")
    commit(folder)


def shorten(folder: Path) -> None:
    params = yaml.safe_load((folder / "params.yaml").read_text())
    variants = {}
    for name, short in SHORT.items():
        transfer, fine = map(int, short.split("-")[1:3])
        variants[short] = params["variants"][name] | {"transfer": transfer, "fine": fine}
    (folder / "params.yaml").write_text(yaml.safe_dump(params | PARAMS | {"variants": variants}, sort_keys=False))


def commit(folder: Path) -> None:
    run(folder, "git", "add", "--all")
    run(folder, "git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "--quiet", "-m", "study")


def dvc(folder: Path, *arguments: str) -> str:
    return run(folder, sys.executable, "-m", "dvc", *arguments)


def run(folder: Path, *command: str) -> str:
    """What `command` prints, run in `folder` by this interpreter's `python`, with no way into the network."""
    closed = "http://127.0.0.1:9"  # the discard port, where nobody listens
    scripts = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "HTTP_PROXY": closed,
        "HTTPS_PROXY": closed,
        "DVC_NO_ANALYTICS": "true",
    }
    finished = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def ran(output: str) -> list[str]:
    """The stages that DVC says it ran."""
    return re.findall(r"^Running stage '(.+)':$", output, re.MULTILINE)
