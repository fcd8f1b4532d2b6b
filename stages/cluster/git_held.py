"""What git holds of a stage: its entry in the lock file, and its outputs that DVC does not cache.

A DVC remote holds neither, so they travel as plain values that json can write:
    lock, key, entry    the lock file, the stage's name in it, and its entry there
    outputs             the paths of the outputs, files or folders
    files               base64 of each file's content, by path
"""

import base64
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dvc.utils.serialize import dump_yaml, load_yaml

from stages.common.files import written_whole

Held = dict[str, Any]

SCHEMA = "2.0"  # of lock files


def read(root: Path, lock: str, key: str, outputs: Sequence[str]) -> Held | None:
    """What the project at `root` holds of the stage `key` of the lock file `lock`; None if the stage never ran."""
    entry = _entries(root / lock).get(key)
    if entry is None:
        return None
    paths = [path for output in outputs for path in _files(root / output)]
    return {
        "lock": lock,
        "key": key,
        "entry": entry,
        "outputs": list(outputs),
        "files": {path.relative_to(root).as_posix(): base64.b64encode(path.read_bytes()).decode() for path in paths},
    }


def write(root: Path, stages: Sequence[Held]) -> None:
    """Replace what the project at `root` holds of `stages` with what is given here."""
    for held in stages:
        for output in held["outputs"]:
            _remove(root / output)
        for path, content in held["files"].items():
            with written_whole(root / path) as beside:
                beside.write_bytes(base64.b64decode(content))
    for lock in sorted({held["lock"] for held in stages}):
        added = {held["key"]: held["entry"] for held in stages if held["lock"] == lock}
        write_lock(root / lock, _entries(root / lock) | added)


def write_lock(path: Path, entries: dict[str, Any]) -> None:
    """Write the lock file `path` whole, with DVC's own writer: others take a checksum such as 12e4 for a number."""
    with written_whole(path) as beside:
        dump_yaml(beside, {"schema": SCHEMA, "stages": entries})


def _entries(lock: Path) -> dict[str, Any]:
    return load_yaml(lock).get("stages", {}) if lock.exists() else {}


def _files(output: Path) -> Iterable[Path]:
    if output.is_dir():
        return sorted(path for path in output.rglob("*") if path.is_file())
    return [output] if output.exists() else []


def _remove(output: Path) -> None:
    if output.is_dir():
        shutil.rmtree(output)
    else:
        output.unlink(missing_ok=True)
