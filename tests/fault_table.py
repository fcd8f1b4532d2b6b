"""The page of faults (docs/faults.md): what the tests did to Thaw, how many times, and what Thaw did."""

import html
from collections.abc import Iterable
from typing import NamedTuple

import pytest

LONGEST_CELL = 240  # characters of a message that a row repeats

INTRODUCTION = """\
# Faults, and what happens

Written by `make faults` from {tests}.
Those tests bring about each fault as often as it says here, in a folder of its own, and check what Thaw does.
If any of them had seen something else, it would have failed, and this page would not have been written.
`error: ...` is the one line that a stage prints before it ends with exit code 1, and leaves nothing behind.
Faults: {faults}; tries: {tries}.
"""


class Fault(NamedTuple):
    """A row of the page, under the heading `kind`."""

    kind: str
    name: str
    outcome: str


Row = tuple[str, str, str, str, int]
"""A test file, the fault that it tried, and how often."""


class FaultTable:
    """Counts the tries of each fault, by test file and in the order of their first ones."""

    def __init__(self) -> None:
        self._tries: dict[str, dict[Fault, int]] = {}

    def add(self, test: str, kind: str, name: str, outcome: str, tries: int) -> None:
        """Count `tries` more of a fault that ended in `outcome`, after the test file `test` has seen it end so."""
        of_test = self._tries.setdefault(test, {})
        fault = Fault(kind, name, outcome)
        of_test[fault] = of_test.get(fault, 0) + tries

    def rows(self) -> list[Row]:
        """What to `add` to the table of another process."""
        return [(test, *fault, tries) for test, faults in self._tries.items() for fault, tries in faults.items()]

    def page(self) -> str:
        """The Markdown page, the same whatever order the test files ran in."""
        rows = sorted(self.rows(), key=lambda row: (row[1], row[0]))  # by kind and file; stable
        introduction = INTRODUCTION.format(
            tests=", ".join(f"`{test}`" for test in sorted(self._tries)),
            faults=len(rows),
            tries=sum(tries for *_, tries in rows),
        )
        kinds = dict.fromkeys(kind for _, kind, *_ in rows)
        return "\n".join([introduction, *(self._section(kind, rows) for kind in kinds)])

    @staticmethod
    def _section(kind: str, all_rows: Iterable[Row]) -> str:
        rows = [
            f"| {_cell(name)} | {tries} | {_cell(outcome)} |"
            for _, of_kind, name, outcome, tries in all_rows
            if of_kind == kind
        ]
        return "\n".join([f"## {kind}\n", "| fault | times tried | what happened |", "| --- | --- | --- |", *rows, ""])


def name_of(test: pytest.Function) -> str:
    """The fault that a test tries, from its name and the names of its parameters."""
    sentence = test.originalname.removeprefix("test_").replace("_", " ")
    return f"{sentence} ({test.callspec.id})" if hasattr(test, "callspec") else sentence


def _cell(text: str) -> str:
    line = " ".join(text.split())
    line = line if len(line) <= LONGEST_CELL else f"{line[:LONGEST_CELL]}…"
    return html.escape(line, quote=False).replace("|", "\\|")
