"""The page of faults: its rows, and that only a session without a failure writes it."""

from pathlib import Path

import pytest
from fault_table import FaultTable

pytest_plugins = ["pytester"]

TESTS = Path(__file__).parent
TRIED = """\
def test_bomb(fault):
    fault("archives", "a bomb", 2, "refused")

def test_of_no_fault():
    pass
"""
PAGE = """\
# Faults, and what happens

Written by `make faults` from `test_bombs.py`.
Those tests bring about each fault as often as it says here, in a folder of its own, and check what Thaw does.
If any of them had seen something else, it would have failed, and this page would not have been written.
`error: ...` is the one line that a stage prints before it ends with exit code 1, and leaves nothing behind.
Faults: 1; tries: 2.

## archives

| fault | times tried | what happened |
| --- | --- | --- |
| a bomb | 2 | refused |
"""


@pytest.fixture
def session(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with this project's conftest.py and one file of tests, one of them with a fault."""
    monkeypatch.syspath_prepend(TESTS)
    monkeypatch.setenv("PYTHONPATH", str(TESTS))  # of other processes
    pytester.makeconftest((TESTS / "conftest.py").read_text(encoding="utf-8"))
    pytester.makeini("[pytest]\nmarkers = faults")
    pytester.makepyfile(test_bombs=TRIED)
    return pytester


def test_the_page_has_a_section_a_kind_and_a_row_a_fault():
    table, other = FaultTable(), FaultTable()
    table.add("tests/b.py", "archives", "a link", "refused", 2)
    table.add("tests/a.py", "archives", "a bomb", "refused", 1)
    table.add("tests/a.py", "params", "a | in <a> key\nand a new line", "one line", 40)
    other.add("tests/a.py", "archives", "a bomb", "refused", 3)
    for row in other.rows():
        table.add(*row)
    assert table.page().splitlines()[2:] == [
        "Written by `make faults` from `tests/a.py`, `tests/b.py`.",
        *PAGE.splitlines()[3:6],
        "Faults: 3; tries: 46.",
        *PAGE.splitlines()[7:12],
        "| a bomb | 4 | refused |",
        "| a link | 2 | refused |",
        "",
        "## params",
        "",
        *PAGE.splitlines()[10:12],
        "| a \\| in &lt;a&gt; key and a new line | 40 | one line |",
    ]


@pytest.mark.parametrize("side_by_side", [(), ("-n", "2")], ids=["one process", "two"])
def test_the_tests_of_faults_write_the_page(session, side_by_side):
    (session.path / "faults.md").write_text("of before")
    result = session.runpytest_subprocess("--strict-markers", "-m", "faults", "--fault-table=faults.md", *side_by_side)
    result.assert_outcomes(passed=1, deselected=0 if side_by_side else 1)  # the processes do not tell
    assert (session.path / "faults.md").read_text(encoding="utf-8") == PAGE


def test_a_failure_writes_no_page(session):
    session.makepyfile(test_failure="def test_failure(fault):\n    assert not fault")
    session.runpytest("--fault-table=faults.md").assert_outcomes(passed=2, failed=1)
    assert not (session.path / "faults.md").exists()
