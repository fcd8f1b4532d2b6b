"""A finished run of made-up numbers, small enough to check by hand."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import made_up_study
import numpy as np
import pytest

from stages.common import tables
from stages.results import record, repeats
from stages.results.repeats import Validation

# By variant: accuracy, loss, validation accuracy and validation loss of each epoch, means over the repeats.
EPOCHS = {
    "animals-2-1": [(0.5, 0.7, 0.6, 0.65), (0.7, 0.5, 0.8, 0.45), (0.6, 0.6, 0.85, 0.4)],
    "animals-0-3": [(0.6, 0.6, 0.7, 0.5), (0.8, 0.3, 0.9, 0.3), (0.9, 0.2, 0.9, 0.35)],
    "flowers-1-1": [(0.6, 0.65, 0.65, 0.6), (0.6, 0.65, 0.7, 0.55)],
    "trial": [(0.6, 0.62, 0.7, 0.61)],
    "animals-2-1-moving": [(0.5, 0.7, 0.6, 0.65), (0.7, 0.5, 0.8, 0.45), (0.8, 0.4, 0.85, 0.38)],
}
SCHEDULES = {
    "animals-2-1": {"dataset": "animals", "transfer": 2, "fine": 1},
    "animals-0-3": {"dataset": "animals", "transfer": 0, "fine": 3},
    "flowers-1-1": {"dataset": "flowers", "transfer": 1, "fine": 1},
    "trial": {"dataset": "flowers", "transfer": 0, "fine": 1},
    "animals-2-1-moving": {"dataset": "animals", "transfer": 2, "fine": 1},
}
TABLES = (
    "tables/summary",
    "tables/claims",
    "tables/comparisons",
    "tables/curves",
    "tables/final",
    "costs/costs",
    "costs/recommendation",
)
SHIFT = 0.01  # from one repeat to the next, of every figure of an epoch
CLEAN = 0.05  # by so much clean training figures are the better
IMAGES = (-0.1, -0.05, 0.05, 0.1)  # validation losses of the images, less their mean
VERSIONS = {"keras": "3.1.2", "python": "3.11.0"}
MACHINE = {"cpu": "abacus", "cores": 2}


def rows(name: str, shift: float = 0.0) -> list[dict[str, object]]:
    """The epochs of a variant as `train` has them, every figure moved by `shift`."""
    transfer = SCHEDULES[name]["transfer"]
    return [
        {
            "epoch": epoch,
            "phase": "transfer" if epoch <= transfer else "fine",
            "accuracy": accuracy + shift,
            "loss": loss + shift,
            "val_accuracy": val_accuracy + shift,
            "val_loss": val_loss + shift,
        }
        for epoch, (accuracy, loss, val_accuracy, val_loss) in enumerate(EPOCHS[name], start=1)
    ]


def rows_with_clean(name: str, shift: float = 0.0) -> list[dict[str, object]]:
    """The same with clean training figures."""
    return [
        {**row, "train_clean_accuracy": row["accuracy"] + CLEAN, "train_clean_loss": row["loss"] - CLEAN}
        for row in rows(name, shift)
    ]


def write(folder: Path, source: Path, seeds: Sequence[int] = (1,)) -> None:
    """Write what `train` leaves of every variant, a repeat for each of `seeds`, below metrics, plots and results."""
    for name, schedule in SCHEDULES.items():
        history = folder / "plots" / f"{name}.csv"
        history.write(rows_with_clean(name), history)
        write_repeats(folder, name, len(seeds))
        differs = {"batch_norm": "moving"} if name.endswith("moving") else {}
        record = record.of_variant(
            history.read(history),
            **schedule,
            seeds=seeds,
            source=source.as_posix(),
            style={"batch_norm": "batch"} | differs,
            images={"training": 8, "validation": len(IMAGES)},
            multiply_adds={"transfer": 1000, "fine": 2000},
            versions=VERSIONS,
            machine=MACHINE,
        )
        members = [
            {"repeat": number, "seed": seed, "fold": None, "draw": 1} for number, seed in enumerate(seeds, start=1)
        ]
        tables.write_json(record | {"differs": differs, "repeats": members}, folder / "metrics" / f"{name}.json")


def write_repeats(folder: Path, name: str, count: int) -> None:
    """Write epochs, logits and seconds; a repeat's figures are SHIFT above the one's before."""
    shifts = {number: SHIFT * (number - (count + 1) / 2) for number in range(1, count + 1)}
    runs = {number: [{**row, **_seconds(row)} for row in rows_with_clean(name, shifts[number])] for number in shifts}
    repeats.write_epochs(runs, folder / "results" / name)
    repeats.write_seconds(runs, folder / "plots" / "seconds" / f"{name}.csv")
    repeats.write_logits({number: _validation(epochs) for number, epochs in runs.items()}, folder / "results" / name)


def _validation(epochs: Sequence[dict[str, float]]) -> Validation:
    losses = np.array([epoch["val_loss"] + np.array(IMAGES) for epoch in epochs])
    images = np.array([f"{image}.png" for image in range(len(IMAGES))])
    return Validation(made_up_study.logits(losses), np.ones(len(IMAGES), dtype=int), images)


def _seconds(row: dict[str, object]) -> dict[str, float]:
    return {"seconds": {"transfer": 0.5, "fine": 2.0}[str(row["phase"])], "frozen_seconds": 1.0}


def call(main: Callable[[], None], monkeypatch: pytest.MonkeyPatch, options: dict[str, object]) -> None:
    """Call a stage's `main` with `options` on its command line; a list is several words."""
    words = ["stage"]
    for option, value in options.items():
        words += [f"--{option}", *(map(str, value) if isinstance(value, list) else [str(value)])]
    monkeypatch.setattr(sys, "argv", words)
    main()


def summarize_options(folder: Path, source: Path) -> dict[str, object]:
    return {
        **_inputs(folder, source),
        "out": folder / "metrics" / "summary.json",
        "claims": folder / "metrics" / "claims.json",
        "tables": folder / "plots" / "tables",
    }


def costs_options(folder: Path, source: Path) -> dict[str, object]:
    return {**_inputs(folder, source), "seconds": folder / "plots" / "seconds", "out": folder / "plots" / "costs"}


def figures_options(folder: Path, source: Path) -> dict[str, object]:
    return {
        "source": source,
        "histories": folder / "plots",
        "results": folder / "results",
        "table": folder / "plots" / "tables" / "summary.csv",
        "costs": folder / "plots" / "costs" / "costs.csv",
        "claims": folder / "metrics" / "claims.json",
        "variants": list(SCHEDULES),
        "out": folder / "plots",
    }


def report_options(folder: Path, source: Path) -> dict[str, object]:
    return {
        "source": source,
        "metrics": folder / "metrics",
        "plots": folder / "plots",
        "results": folder / "results",
        "images": folder / "images",
        "params": folder / "params.yaml",
        "variants": list(SCHEDULES),
        "out": folder / "plots" / "report.html",
    }


def _inputs(folder: Path, source: Path) -> dict[str, object]:
    return {
        "source": source,
        "paper": Path("data/paper.yaml"),
        "results": folder / "results",
        "metrics": folder / "metrics",
        "histories": folder / "plots",
        "variants": list(SCHEDULES),
    }
