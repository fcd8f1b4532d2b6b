"""A workspace of DVC with this repository's stages, and a study in it small enough to be run many times over."""

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import small_network
import warm_python
import yaml
from dvc.repo import Repo

ROOT = Path(__file__).parent.parent
EMBEDDED = ROOT / "data/embedded"
COUNTS = {"train": 16, "validation": 6}  # pictures of each class
CLASSES = {"cats": "cat", "dogs": "dog"}  # name and folder: what its pictures' names start with
VARIANTS = {
    "few-3-6": {"dataset": "few", "transfer": 3, "fine": 6},
    "few-1-8": {"dataset": "few", "transfer": 1, "fine": 8},
}
SCHEDULE = VARIANTS["few-1-8"]
STAGES = ("download", "local", "split", "features", "transfer", "train")
PLACES = ("data", "metrics", "models", "plots", "results", "work")
RESULTS = ("data/images", "data/splits", "data/features", "metrics", "models/transfer", "plots", "results")
SECONDS = ("checksums.json", "plots/seconds/")  # where measured seconds stand, which differ


def make(folder: Path, address: str) -> Path:
    """Make the workspace at `folder`, its weights to be fetched from `address`; returns `folder`."""
    shutil.copytree(ROOT / "stages", folder / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".dvc").mkdir()
    shutil.copy2(ROOT / ".dvc/config", folder / ".dvc/config")
    (folder / "data").mkdir()
    _pack(folder / "data/few.zip")
    _write_yaml(folder / "data/few.yaml", _manifest(address))
    _write_yaml(folder / "params.yaml", _params())
    _write_yaml(folder / "dvc.yaml", _pipeline())
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    return folder


def dvc(*arguments: str) -> list[str]:
    """The command line of dvc."""
    return ["python", "-m", "dvc", *arguments]


def commands(folder: Path) -> dict[str, list[str]]:
    """What DVC would run in the workspace, by the stages' names, in an order in which it could."""
    with Repo(folder) as repo:
        found = {stage.name: shlex.split(stage.cmd) for stage in repo.index.stages}
    return dict(sorted(found.items(), key=lambda item: STAGES.index(stage_of(item[0]))))


def stage_of(name: str) -> str:
    """`train` of `train@few-3-6`."""
    return name.split("@")[0]


def start(folder: Path, command: list[str], **changes: str) -> subprocess.Popen:
    """Start `command` in a process group of its own, with `changes` to its environment."""
    environment = os.environ | path_from(Path(sys.executable).parent) | changes
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )


def path_from(scripts: Path) -> dict[str, str]:
    """The PATH that begins with `scripts`."""
    return {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}


def finished(folder: Path, command: list[str], python: Path | None = None) -> subprocess.CompletedProcess:
    """Run `command` to its end, which must be a good one; with the folder of a `python`, or else the warm one's."""
    process = start(folder, command, **path_from(python or warm_python.folder()))
    out, err = process.communicate()
    assert process.returncode == 0, out + err
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def results(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file that the same commit, params and machine determine, by its path."""
    found = [path for path in _files(folder, RESULTS) if not any(part in path for part in ("/.", *SECONDS))]
    return {path: hashlib.sha256((folder / path).read_bytes()).hexdigest() for path in found}


def stand_ins(folder: Path) -> list[str]:
    """What interrupted commands left half-written, and their locks."""
    found = _files(folder, PLACES)
    return [path for path in found if "/." in path and not path.endswith("/.gitignore")]


def changes(folder: Path) -> dict[str, tuple[int, int]]:
    """When each file was changed last, in nanoseconds, and its size in bytes: differs whenever a stage has written."""
    seen = {}
    for path in _files(folder, PLACES):
        with suppress(FileNotFoundError):  # gone meanwhile
            status = (folder / path).stat()
            seen[path] = (status.st_mtime_ns, status.st_size)
    return seen


def _files(folder: Path, places: tuple[str, ...]) -> list[str]:
    found = (Path(at, name) for place in places for at, _, names in os.walk(folder / place) for name in names)
    return sorted(path.relative_to(folder).as_posix() for path in found)


def _pack(path: Path) -> None:
    with zipfile.ZipFile(EMBEDDED / "cats_and_dogs_filtered.zip") as all_of_them, zipfile.ZipFile(path, "w") as few:
        for part, count in COUNTS.items():
            for name, start in CLASSES.items():
                folder = f"cats_and_dogs_filtered/{part}/{name}/"
                found = [each for each in all_of_them.namelist() if each.startswith(f"{folder}{start}.")]
                for member in found[:count]:
                    few.writestr(member.replace("cats_and_dogs_filtered", "few"), all_of_them.read(member))


def _manifest(address: str) -> dict:
    weights = {"address": address, "sha256": hashlib.sha256(small_network.path().read_bytes()).hexdigest()}
    counts = {part: dict.fromkeys(CLASSES, count) for part, count in COUNTS.items()}
    dataset = {
        "title": "a few cats and dogs",
        "classes": {name: name for name in CLASSES},
        "split": {"training": "few/train", "validation": "few/validation"},
        "images": {"training": counts["train"], "validation": counts["validation"]},
    }
    return {
        "title": "a few drawings",
        "downloads": {"few": {"copies": [{"path": "few.zip"}]}, "weights": {"copies": [weights]}},
        "datasets": {"few": dataset},
        "backbone": small_network.BACKBONE,
    }


def _params() -> dict:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    epochs = max(variant["transfer"] + variant["fine"] for variant in VARIANTS.values())
    return params | {
        "source": "data/few.yaml",
        "downloads": ["weights"],
        "local": {"few": "data/few.zip"},
        "budget": {"few": epochs},
        "variants": VARIANTS,
        "schedule": SCHEDULE,
        "seeds": [1],
        "repeats": None,
        "batch_size": 8,
        "fine": params["fine"] | {"from_layer": small_network.FROM_LAYER},
    }


def _pipeline() -> dict:
    """The repository's, without the trial and what summarizes and draws."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    return {"stages": {name: stages[name] for name in STAGES}}


def _write_yaml(path: Path, content: dict) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
