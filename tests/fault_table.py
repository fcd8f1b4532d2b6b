"""The record of faults: what the tests did to Thaw, how many times, and what Thaw did.

docs/faults.csv has a row per fault, docs/faults.md a row per kind of fault.
"""

import csv
import io
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

COLUMNS = ("kind", "fault", "tries", "outcome")

PAGE = """\
# Faults

Read this to know what happens with damaged inputs, mistakes in `params.yaml`, full disks and killed processes.
The table counts the faults of each kind, and how often the tests tried them.
[{table}]({table}) lists every fault and its outcome.
An outcome `error: ...` is the one line that a stage prints before it ends with exit code 1.
It leaves no half-written file.
`make faults` runs these tests again. It writes both files only if all of them pass.

| kind | faults | tries |
| --- | --- | --- |
{kinds}
| all | {faults} | {tries} |
"""


class Fault(NamedTuple):
    """The kind of a fault, its name, and its outcome."""

    kind: str
    name: str
    outcome: str


Row = tuple[str, str, str, str, int]
"""A test file, the kind, name and outcome of a fault that it tried, and how often it did."""


class FaultTable:
    """Counts the tries of each fault, by test file and in the order of the first tries."""

    def __init__(self) -> None:
        self._tries: dict[str, dict[Fault, int]] = {}

    def add(self, test: str, kind: str, name: str, outcome: str, tries: int) -> None:
        """Add `tries` of a fault whose outcome in the test file `test` was `outcome`."""
        of_test = self._tries.setdefault(test, {})
        fault = Fault(kind, name, outcome)
        of_test[fault] = of_test.get(fault, 0) + tries

    def rows(self) -> list[Row]:
        """The rows that another process can `add` to its table."""
        return [(test, *fault, tries) for test, faults in self._tries.items() for fault, tries in faults.items()]

    def write(self, page: Path) -> None:
        """Write `page` and, beside it, the csv of all rows. The order in which the test files ran changes neither."""
        rows = sorted(self.rows(), key=lambda row: (row[1], row[0]))  # by kind and file; stable
        table = page.with_suffix(".csv")
        faults, tries = Counter(), Counter()
        for _, kind, _, _, count in rows:
            faults[kind] += 1
            tries[kind] += count
        kinds = "\n".join(f"| {kind} | {faults[kind]} | {tries[kind]} |" for kind in faults)
        content = PAGE.format(table=table.name, kinds=kinds, faults=faults.total(), tries=tries.total())
        page.write_text(content, encoding="utf-8")
        table.write_text(_csv(rows), encoding="utf-8")


def _csv(rows: list[Row]) -> str:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(
        [kind, " ".join(name.split()), tries, " ".join(outcome.split())] for _, kind, name, outcome, tries in rows
    )
    return written.getvalue()


def name_of(test: pytest.Function) -> str:
    """The fault that a test tries, from its name and the names of its parameters."""
    sentence = test.originalname.removeprefix("test_").replace("_", " ")
    return f"{sentence} ({test.callspec.id})" if hasattr(test, "callspec") else sentence
