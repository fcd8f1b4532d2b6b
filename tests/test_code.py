"""The digest of this project's own code, and which packages it must be taken over."""

import ast
import shutil
from pathlib import Path

import pytest

from stages.common import code

VALUES = {"common"}  # params and manifest: their values are in the keys beside the digest


def packages_imported(package: str) -> set[str]:
    """The packages of `stages` that the modules of one import, anywhere in them."""
    found = set()
    for path in (code.STAGES / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [name.name for name in node.names] if isinstance(node, ast.Import) else []
            # `from stages import x` would name the package as x.
            names += [f"stages.{name.name}" for name in node.names] if names == ["stages"] else []
            found |= {name.split(".")[1] for name in names if name.startswith("stages.")}
            assert not getattr(node, "level", 0), f"{path}: a relative import, which this does not follow"
    return found


def packages_reached(package: str) -> set[str]:
    reached, waiting = set(), {package}
    while waiting:
        reached |= waiting
        waiting = set().union(*map(packages_imported, waiting)) - reached
    return reached


@pytest.mark.parametrize(("made_by", "packages"), [("network", code.OF_ACTIVATIONS), ("training", code.OF_TRAINING)])
def test_the_digest_is_over_every_package_that_the_code_reaches(made_by, packages):
    assert packages_reached(made_by) - VALUES == set(packages)


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(code.STAGES, tmp_path / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "STAGES", tmp_path / "stages")
    return tmp_path / "stages"


def test_the_digest_is_the_code_s_wherever_it_lies(copied, monkeypatch):
    there = code.digest_of("pictures", "network")
    monkeypatch.undo()
    assert code.digest_of("pictures", "network") == there


@pytest.mark.parametrize("change", ["changed", "added", "renamed"])
def test_the_digest_changes_with_any_module_of_its_packages_alone(copied, change):
    before = {packages: code.digest_of(*packages) for packages in (("pictures", "network"), ("training",))}
    module = copied / "network/frozen.py"
    if change == "changed":
        module.write_text(module.read_text() + "\n")
    elif change == "added":
        (copied / "network/another.py").write_text("")
    else:
        module.rename(copied / "network/melted.py")
    assert code.digest_of("pictures", "network") != before["pictures", "network"]
    assert code.digest_of("training") == before["training",]
