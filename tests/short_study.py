"""The study on few of the embedded drawings, in a folder of its own, run by the real commands.

It has short schedules and a network of few layers: the network of the drawings runs in test_adopt.py.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import warm_python
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
PICTURES = 40
"""How many of each class the archives keep of each part: two batches of 32 pictures, the second one short."""


def write(folder: Path) -> None:
    """The files of `copy`, the schedules shortened, the drawings few, the network small, committed."""
    copy(folder)
    shorten(folder)
    shrink(folder / "data/embedded.yaml")
    commit(folder)


def copy(folder: Path) -> None:
    """The files as they are here, without results, in a repository, not committed."""
    for name in run(ROOT, "git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        if (ROOT / name).exists() and not name.startswith(("metrics/", "plots/", "dvc.lock")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    run(folder, "git", "init", "--quiet")


def shorten(folder: Path) -> None:
    params = yaml.safe_load((folder / "params.yaml").read_text())
    variants = {}
    for name, short in SHORT.items():
        transfer, fine = map(int, short.split("-")[1:3])
        variants[short] = params["variants"][name] | {"transfer": transfer, "fine": fine}
    changed = {"variants": variants, "fine": params["fine"] | {"from_layer": 0.5}}
    (folder / "params.yaml").write_text(yaml.safe_dump(params | PARAMS | changed, sort_keys=False))


def shrink(source: Path) -> None:
    """Leave `PICTURES` of each class and part, and a network of few layers, in the manifest `source`."""
    import small_network  # starts TensorFlow, which takes seconds

    content = yaml.safe_load(source.read_text())
    for name, dataset in content["datasets"].items():
        archive = source.parent / content["downloads"][name]["copies"][0]["path"]
        _pack_few(archive)
        content["downloads"][name] = _download(archive)
        dataset["images"] = _few(dataset["images"])
    network = shutil.copy(small_network.path(), source.parent / "embedded")
    content["downloads"]["weights"] = _download(Path(network))
    content["backbone"] = small_network.BACKBONE
    source.write_text(yaml.safe_dump(content, sort_keys=False))


def _download(file: Path) -> dict:
    found = {"path": f"embedded/{file.name}", "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    return {"copies": [found]}


def _pack_few(archive: Path) -> None:
    form, options = ("zip", {}) if archive.suffix == ".zip" else ("gztar", {"filter": "data"})
    unpacked = archive.with_suffix("")
    shutil.unpack_archive(archive, unpacked, **options)
    for at, _, names in os.walk(unpacked):
        for name in sorted(names)[PICTURES:]:
            Path(at, name).unlink()
    (top,) = unpacked.iterdir()
    Path(shutil.make_archive(str(unpacked), form, unpacked, top.name)).replace(archive)
    shutil.rmtree(unpacked)


def _few(counts: dict) -> dict:
    return {key: min(value, PICTURES) if isinstance(value, int) else _few(value) for key, value in counts.items()}


def commit(folder: Path) -> None:
    run(folder, "git", "add", "--all")
    run(folder, "git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "--quiet", "-m", "study")


def dvc(folder: Path, *arguments: str) -> str:
    return run(folder, "python", "-m", "dvc", *arguments, scripts=warm_python.folder())


def run(folder: Path, *command: str, scripts: Path = Path(sys.executable).parent) -> str:
    """What `command` prints, run in `folder`, its `python` that of `scripts`, with no way into the network."""
    closed = "http://127.0.0.1:9"  # the discard port, where nobody listens
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
