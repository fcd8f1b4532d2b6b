"""What several test files start from: a small manifest, and the table of the faults that they tried."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from fault_table import FaultTable

FAULTS = pytest.StashKey[FaultTable]()

SMALL_MANIFEST = """
title: small things
downloads:
  animals: {copies: [{path: animals.zip}]}
  flowers: {copies: [{path: flowers.tgz}]}
  weights: {copies: [{path: weights.h5}]}
datasets:
  animals:
    title: cats and dogs
    classes: {cats: cats, dogs: dogs}
    split: {training: animals/train, validation: animals/validation}
    images:
      training: {cats: 2, dogs: 2}
      validation: {cats: 1, dogs: 1}
  flowers:
    title: roses and tulips
    classes: {roses: roses, tulips: tulips}
    split: {folder: flowers, validation_share: 0.4, seed: 1}
    images: {roses: 5, tulips: 4}
backbone: {name: MobileNetV2, arguments: {alpha: 0.35}, image_size: 96}
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fault-table", type=Path, metavar="PATH", help="write the page of faults, if no test fails")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FAULTS] = FaultTable()


@pytest.hookimpl(tryfirst=True)  # before `-m faults` selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "fault" in getattr(item, "fixturenames", ()):
            item.add_marker("faults")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    path = session.config.getoption("--fault-table")
    if path and exitstatus == pytest.ExitCode.OK:
        tried = [item for item in session.items if item.get_closest_marker("faults")]
        tests = [item.path.relative_to(session.config.rootpath).as_posix() for item in tried]
        session.config.stash[FAULTS].write(path, tests)


@pytest.fixture(scope="session")
def fault(pytestconfig: pytest.Config) -> Callable[[str, str, int, str], None]:
    """Count a fault for the page: `fault(kind, name, tries, outcome)`, once the test has seen the outcome.

    The tries of equal faults add up. A test that asks for it is marked `faults` by that.
    """
    return pytestconfig.stash[FAULTS].add


@pytest.fixture
def small_manifest() -> dict[str, Any]:
    """The content of a small manifest, for a test to change."""
    return yaml.safe_load(SMALL_MANIFEST)


@pytest.fixture
def write_manifest(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """Write the content of a manifest to `small.yaml` in the test's folder."""

    def write(content: dict[str, Any]) -> Path:
        path = tmp_path / "small.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return path

    return write
