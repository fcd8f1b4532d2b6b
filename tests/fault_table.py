"""The page of faults (docs/faults.md): what the tests did to Thaw, how many times, and what Thaw did."""

import html
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
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


class FaultTable:
    """Counts the tries of each fault, in the order of their first ones."""

    def __init__(self) -> None:
        self._tries: Counter[Fault] = Counter()

    def add(self, kind: str, name: str, tries: int, outcome: str) -> None:
        """Count `tries` more of a fault that ended in `outcome`, after the test has seen it end so."""
        self._tries[Fault(kind, name, outcome)] += tries

    def page(self, tests: Iterable[str]) -> str:
        """The Markdown page; `tests` are the files of the tests that were run."""
        kinds = dict.fromkeys(fault.kind for fault in self._tries)
        introduction = INTRODUCTION.format(
            tests=", ".join(f"`{name}`" for name in sorted(set(tests))),
            faults=len(self._tries),
            tries=self._tries.total(),
        )
        return "\n".join([introduction, *map(self._section, kinds)])

    def write(self, path: Path, tests: Iterable[str]) -> None:
        """Write the page to `path`."""
        path.write_text(self.page(tests), encoding="utf-8")

    def _section(self, kind: str) -> str:
        rows = [
            f"| {_cell(fault.name)} | {tries} | {_cell(fault.outcome)} |"
            for fault, tries in self._tries.items()
            if fault.kind == kind
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
