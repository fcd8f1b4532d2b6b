"""The page of faults: its rows, and that only a session without a failure writes it."""

from pathlib import Path

import pytest
from fault_table import FaultTable

pytestmark = pytest.mark.slow

pytest_plugins = ["pytester"]

TESTS = Path(__file__).parent
TRIED = """\
def test_bomb(fault):
    fault("archives", "a bomb", 2, "refused")

def test_of_no_fault():
    pass
"""
KINDS = "| archives | 1 | 2 |\n| all | 1 | 2 |\n"
ROWS = "kind,fault,tries,outcome\narchives,a bomb,2,refused\n"


@pytest.fixture
def session(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with this project's conftest.py and one file of tests, one of them with a fault."""
    monkeypatch.syspath_prepend(TESTS)
    monkeypatch.setenv("PYTHONPATH", str(TESTS))  # of other processes
    pytester.makeconftest((TESTS / "conftest.py").read_text(encoding="utf-8"))
    pytester.makeini("[pytest]\nmarkers = faults")
    pytester.makepyfile(test_bombs=TRIED)
    return pytester


def test_the_page_counts_kinds_and_the_csv_has_a_row_a_fault(tmp_path):
    table, other = FaultTable(), FaultTable()
    table.add("tests/b.py", "archives", "a link", "refused", 2)
    table.add("tests/a.py", "archives", "a bomb", "refused", 1)
    table.add("tests/a.py", "params", "a, in <a> key\nand a new line", "one line", 40)
    other.add("tests/a.py", "archives", "a bomb", "refused", 3)
    for row in other.rows():
        table.add(*row)
    table.write(tmp_path / "faults.md")
    assert (
        (tmp_path / "faults.md").read_text().endswith("| archives | 2 | 6 |\n| params | 1 | 40 |\n| all | 3 | 46 |\n")
    )
    assert (tmp_path / "faults.csv").read_text().splitlines() == [
        "kind,fault,tries,outcome",
        "archives,a bomb,4,refused",
        "archives,a link,2,refused",
        'params,"a, in <a> key and a new line",40,one line',
    ]


@pytest.mark.parametrize("side_by_side", [(), ("-n", "2")], ids=["one process", "two"])
def test_the_tests_of_faults_write_the_page(session, side_by_side):
    (session.path / "faults.md").write_text("of before")
    result = session.runpytest_subprocess("--strict-markers", "-m", "faults", "--fault-table=faults.md", *side_by_side)
    result.assert_outcomes(passed=1, deselected=0 if side_by_side else 1)  # the processes do not tell
    assert (session.path / "faults.md").read_text(encoding="utf-8").endswith(KINDS)
    assert (session.path / "faults.csv").read_text(encoding="utf-8") == ROWS


def test_a_failure_writes_no_page(session):
    session.makepyfile(test_failure="def test_failure(fault):\n    assert not fault")
    session.runpytest("--fault-table=faults.md").assert_outcomes(passed=2, failed=1)
    assert not (session.path / "faults.md").exists()
