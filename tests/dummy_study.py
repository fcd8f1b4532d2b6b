"""The repository with its dvc.yaml as it is, and stages that take no time: what a test of the graph runs."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import short_study as short
import yaml
from dummy_stage import WRITES

from stages.common import code
from stages.common.manifest import WEIGHTS

PACKAGES = sorted(path.name for path in code.STAGES.iterdir() if (path / "__init__.py").exists())
COPIED = ("dvc.yaml", "params.yaml", ".dvc/config", ".dvc/plots", ".dvcignore", ".gitignore", "Makefile")


def write(folder: Path, variants: Iterable[str]) -> Path:
    """The repository with dummies for stages and of its variants these, nothing run, committed; returns `folder`."""
    for name in COPIED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (short.ROOT / name).is_dir() else shutil.copy
        copy(short.ROOT / name, folder / name)
    (folder / "data").mkdir()
    for manifest in (short.ROOT / "data").glob("*.yaml"):
        shutil.copy(manifest, folder / "data")
    _write_stages(folder / "stages")
    _keep(folder, variants)
    (folder / "requirements.txt").touch()
    short.run(folder, "git", "init", "--quiet")
    for name, value in (("user.name", "test"), ("user.email", "test@localhost")):  # queued experiments commit
        short.run(folder, "git", "config", name, value)
    short.commit(folder)
    return folder


def _keep(folder: Path, names: Iterable[str]) -> None:
    """Leave out of params.yaml the variants that are not named, and the data sets that have none then."""
    content = params(folder)
    variants = {name: content["variants"][name] for name in names}
    budget = {each["dataset"]: content["budget"][each["dataset"]] for each in variants.values()}
    write_params(folder, content | {"downloads": [*budget, WEIGHTS], "budget": budget, "variants": variants})


def _write_stages(folder: Path) -> None:
    for package in PACKAGES:
        (folder / package).mkdir(parents=True)
        (folder / package / "__init__.py").touch()
    shutil.copytree(code.STAGES / "common", folder / "common", dirs_exist_ok=True)
    shutil.copy(Path(__file__).with_name("dummy_stage.py"), folder)
    for stage in WRITES:
        for beside in code.STAGES.glob(f"{stage}.*"):
            (folder / beside.name).touch()
        (folder / f"{stage}.py").write_text(f'from stages.dummy_stage import main\n\nmain("{stage}")\n')


def params(folder: Path) -> dict:
    return yaml.safe_load((folder / "params.yaml").read_text())


def write_params(folder: Path, content: dict) -> None:
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
