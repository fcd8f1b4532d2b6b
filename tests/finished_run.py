"""A finished run of made-up numbers, small enough to check by hand."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest

from stages.results import records

# By variant: accuracy, loss, validation accuracy and validation loss of each epoch, means over the seeds.
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
TABLES = ("summary", "claims", "comparisons", "costs", "recommendation")
SHIFT = 0.01  # from one seed to the next, of every figure of an epoch
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
    """Write what `train` leaves of every variant: metrics/<variant>.json, plots/<variant>.csv, models/<variant>/."""
    for name, schedule in SCHEDULES.items():
        history = folder / "plots" / f"{name}.csv"
        records.write_history(rows_with_clean(name), history)
        write_repeats(folder / "models" / name, name, seeds)
        record = records.variant_record(
            records.read_history(history),
            **schedule,
            seeds=seeds,
            source=source.as_posix(),
            style={"batch_norm": "moving" if name.endswith("moving") else "batch"},
            images={"training": 8, "validation": len(IMAGES)},
            multiply_adds={"transfer": 1000, "fine": 2000},
            versions=VERSIONS,
            machine=MACHINE,
        )
        records.write_json(record, folder / "metrics" / f"{name}.json")


def write_repeats(folder: Path, name: str, seeds: Sequence[int]) -> None:
    """Write histories.csv, predictions.csv and seconds.csv; a seed's figures are SHIFT above the one's before."""
    histories, predictions, seconds = [], [], []
    for number, seed in enumerate(seeds):
        shift = SHIFT * (number - (len(seeds) - 1) / 2)
        epochs = rows_with_clean(name, shift)
        histories += [{"seed": seed, **row} for row in epochs]
        predictions += [_prediction(seed, image, epochs[-1]["val_loss"]) for image in range(len(IMAGES))]
        seconds += [_seconds(seed, row) for row in epochs]
    records.write_table(pd.DataFrame(histories).round(records.DECIMALS), folder / "histories.csv")
    records.write_table(pd.DataFrame(predictions).round(records.DECIMALS), folder / "predictions.csv")
    records.write_table(pd.DataFrame(seconds), folder / "seconds.csv")


def _prediction(seed: int, image: int, loss: float) -> dict[str, object]:
    row = {"seed": seed, "image": f"{image}.png", "label": 1, "predicted": int(image > 0), "probability": 0.7}
    return {**row, "loss": loss + IMAGES[image]}


def _seconds(seed: int, row: dict[str, object]) -> dict[str, object]:
    seconds = {"transfer": 0.5, "fine": 2.0}[row["phase"]]
    return {"seed": seed, "epoch": row["epoch"], "phase": row["phase"], "seconds": seconds, "frozen_seconds": 1.0}


def call(main: Callable[[], None], monkeypatch: pytest.MonkeyPatch, options: dict[str, object]) -> None:
    """Call a stage's `main` with `options` on its command line; a list is several words."""
    words = ["stage"]
    for option, value in options.items():
        words += [f"--{option}", *(map(str, value) if isinstance(value, list) else [str(value)])]
    monkeypatch.setattr(sys, "argv", words)
    main()


def summarize_options(folder: Path, source: Path) -> dict[str, object]:
    plots, metrics = folder / "plots", folder / "metrics"
    return {
        "source": source,
        "metrics": metrics,
        "histories": plots,
        "models": folder / "models",
        "paper": Path("data/paper.yaml"),
        "variants": list(SCHEDULES),
        "out": metrics / "summary.json",
        "claims": metrics / "claims.json",
        "table": plots / "summary.csv",
        "claims-table": plots / "claims.csv",
        "comparisons": plots / "comparisons.csv",
        "costs": plots / "costs.csv",
        "recommendation": plots / "recommendation.csv",
        "curves": plots / "validation",
    }


def figures_options(folder: Path, source: Path) -> dict[str, object]:
    return {
        "source": source,
        "histories": folder / "plots",
        "models": folder / "models",
        "table": folder / "plots" / "summary.csv",
        "costs": folder / "plots" / "costs.csv",
        "claims": folder / "metrics" / "claims.json",
        "variants": list(SCHEDULES),
        "out": folder / "plots",
    }


def report_options(folder: Path, source: Path) -> dict[str, object]:
    return {
        "source": source,
        "metrics": folder / "metrics",
        "plots": folder / "plots",
        "models": folder / "models",
        "images": folder / "images",
        "params": folder / "params.yaml",
        "variants": list(SCHEDULES),
        "out": folder / "plots" / "report.html",
    }
