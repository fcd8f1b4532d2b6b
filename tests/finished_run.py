"""A finished run of made-up numbers, small enough to check by hand."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stages.lib import records

# By variant: accuracy, loss, validation accuracy and validation loss of each epoch.
EPOCHS = {
    "animals-2-1": [(0.5, 0.7, 0.6, 0.65), (0.7, 0.5, 0.8, 0.45), (0.6, 0.6, 0.85, 0.4)],
    "animals-0-3": [(0.6, 0.6, 0.7, 0.5), (0.8, 0.3, 0.9, 0.3), (0.9, 0.2, 0.9, 0.35)],
    "flowers-1-1": [(0.6, 0.65, 0.65, 0.6), (0.6, 0.65, 0.7, 0.55)],
    "trial": [(0.6, 0.62, 0.7, 0.61)],
}
SCHEDULES = {
    "animals-2-1": {"dataset": "animals", "transfer": 2, "fine": 1},
    "animals-0-3": {"dataset": "animals", "transfer": 0, "fine": 3},
    "flowers-1-1": {"dataset": "flowers", "transfer": 1, "fine": 1},
    "trial": {"dataset": "flowers", "transfer": 0, "fine": 1},
}
VERSIONS = {"keras": "3.1.2", "python": "3.11.0"}
MACHINE = {"cpu": "abacus", "cores": 2}


def rows(name: str) -> list[dict[str, object]]:
    """The epochs of a variant as `train` has them."""
    transfer = SCHEDULES[name]["transfer"]
    return [
        {
            "epoch": epoch,
            "phase": "transfer" if epoch <= transfer else "fine",
            **dict(zip(("accuracy", "loss", "val_accuracy", "val_loss"), values, strict=True)),
        }
        for epoch, values in enumerate(EPOCHS[name], start=1)
    ]


def write(folder: Path, source: Path) -> None:
    """Write what `train` leaves of every variant: metrics/<variant>.json and plots/<variant>.csv."""
    for name, schedule in SCHEDULES.items():
        history = folder / "plots" / f"{name}.csv"
        records.write_history(rows(name), history)
        record = records.variant_record(
            records.read_history(history),
            **schedule,
            seed=1,
            source=source.as_posix(),
            batch_norm="batch",
            versions=VERSIONS,
            machine=MACHINE,
        )
        records.write_json(record, folder / "metrics" / f"{name}.json")


def call(main: Callable[[], None], monkeypatch: pytest.MonkeyPatch, options: dict[str, object]) -> None:
    """Call a stage's `main` with `options` on its command line; a list is several words."""
    words = ["stage"]
    for option, value in options.items():
        words += [f"--{option}", *(map(str, value) if isinstance(value, list) else [str(value)])]
    monkeypatch.setattr(sys, "argv", words)
    main()


def summarize_options(folder: Path, source: Path) -> dict[str, object]:
    return {
        "source": source,
        "metrics": folder / "metrics",
        "histories": folder / "plots",
        "variants": list(SCHEDULES),
        "out": folder / "metrics" / "summary.json",
        "table": folder / "plots" / "summary.csv",
        "curves": folder / "plots" / "validation",
    }


def figures_options(folder: Path, source: Path) -> dict[str, object]:
    return {
        "source": source,
        "histories": folder / "plots",
        "table": folder / "plots" / "summary.csv",
        "variants": list(SCHEDULES),
        "out": folder / "plots",
    }
