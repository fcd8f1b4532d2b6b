"""What several test files start from: a small manifest, a short study, the table of the faults that they tried."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import quick
import short_study as short
import yaml
from fault_table import FaultTable, name_of

ROOT = Path(__file__).parent.parent
FAULTS = pytest.StashKey[FaultTable]()
OF_SHORT_STUDY = ("test_study.py", "test_distribute.py")
LONGEST = (*OF_SHORT_STUDY, "test_interrupts.py", "test_reference.py", "test_graph.py", "test_disk.py", "test_adopt.py")
"""The files that take longest. They start first, so that the processes end at about the same time."""

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
SMALL_PARAMS = """
source: small.yaml
downloads: [animals, flowers, weights]
budget: {animals: 4, flowers: 3}
variants: {flowers-1-2: {dataset: flowers, transfer: 1, fine: 2}}
seeds: [1]
repeats: null
schedule: {dataset: flowers, transfer: 0, fine: 3}
batch_size: 4
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fault-table", type=Path, metavar="PATH", help="write the page of faults and its csv, if no test fails"
    )
    parser.addoption(
        "--quick", action="store_true", help="only what starts neither TensorFlow nor DVC and is not marked slow"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FAULTS] = FaultTable()
    # In the background a shell has Ctrl-C ignored, also by what the tests start and interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    is_test = collection_path.name.startswith("test_") and collection_path.suffix == ".py"
    return True if config.getoption("--quick") and is_test and not quick.is_quick(collection_path) else None


def pytest_itemcollected(item: pytest.Item) -> None:
    if "fault" in getattr(item, "fixturenames", ()):
        item.add_marker("faults")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--quick"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        items[:] = [item for item in items if item not in slow]
        config.hook.pytest_deselected(items=slow)
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONGEST)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Send a file to one process, which makes its fixtures once, and to one all files of the short study."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = Path(nodeid.partition("::")[0]).name
            return "short_study" if file in OF_SHORT_STUDY else file

    return ByFile(config, log)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    table = session.config.stash[FAULTS]
    if hasattr(session.config, "workeroutput"):  # one of several processes that run the tests
        session.config.workeroutput["faults"] = table.rows()
    elif (path := session.config.getoption("--fault-table")) and exitstatus == pytest.ExitCode.OK:
        table.write(path)


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_testnodedown(node: Any) -> None:
    for row in getattr(node, "workeroutput", {}).get("faults", ()):  # one that crashed has none
        node.config.stash[FAULTS].add(*row)


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_the_disk() -> Iterator[None]:
    """Thousands of small files are flushed here; no test pulls the plug. What a test starts flushes its files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="session")
def fault(pytestconfig: pytest.Config) -> Callable[[str, str, int, str], None]:
    """Count a fault for the page: `fault(kind, name, tries, outcome)`, once the test has seen the outcome.

    The tries of equal faults add up. A test that asks for it is marked `faults` by that.
    """

    def count(kind: str, name: str, tries: int, outcome: str) -> None:
        test = os.environ["PYTEST_CURRENT_TEST"].partition("::")[0]
        pytestconfig.stash[FAULTS].add(test, kind, name, outcome, tries)

    return count


@pytest.fixture
def told(
    fault: Callable[[str, str, int, str], None], request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[..., None]:
    """Count this test as a fault: `told(kind, message)`, once it has seen the ThawError with that message.

    The fault's name is the test's, where none is given as `name`.
    """

    def tell(kind: str, message: str, name: str | None = None) -> None:
        assert len(message.splitlines()) == 1
        line = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1", message.replace(f"{tmp_path}/", ""))  # the same every time
        fault(kind, name or name_of(request.node), 1, f"error: {line}")

    return tell


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small manifest in a file; to read only. Where a test changes it, its file has a `source` of its own."""
    path = tmp_path_factory.mktemp("source") / "small.yaml"
    path.write_text(SMALL_MANIFEST)
    return path


@pytest.fixture
def small_manifest() -> dict[str, Any]:
    """The content of a small manifest, for a test to change."""
    return yaml.safe_load(SMALL_MANIFEST)


@pytest.fixture
def write_manifest(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """Write the content of a manifest to `small.yaml` in the test's folder."""
    return _writer(tmp_path / "small.yaml")


@pytest.fixture
def small_params() -> dict[str, Any]:
    """The repository's params.yaml, fitted to the small manifest, for a test to change."""
    return yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8")) | yaml.safe_load(SMALL_PARAMS)


@pytest.fixture
def write_params(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """Write the content of a `params.yaml` to the test's folder."""
    return _writer(tmp_path / "params.yaml")


def _writer(path: Path) -> Callable[[dict[str, Any]], Path]:
    def write(content: dict[str, Any]) -> Path:
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def short_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study with short schedules, run on this machine and committed."""
    folder = tmp_path_factory.mktemp("study") / "thaw"
    short.write(folder)
    short.dvc(folder, "repro")
    short.commit(folder)
    return folder
