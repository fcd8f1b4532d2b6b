"""A finished run of made-up numbers, small enough to check by hand."""

import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import made_up_study
import matplotlib.pyplot as plt
import numpy as np
import pytest
import yaml
from matplotlib.figure import Figure
from PIL import Image

from stages import answer, costs, figures, summarize
from stages.common import params, tables
from stages.common.params import Params, Schedule
from stages.drawing import drawing
from stages.results import history, metrics, repeats
from stages.results.repeats import Validation
from stages.study import paper

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
    "animals-2-1-moving": {"dataset": "animals", "transfer": 2, "fine": 1},
    "trial": {"dataset": "flowers", "transfer": 0, "fine": 1},
}
# By variant, a schedule's own keys.
OWN_KEYS = {"animals-2-1-moving": {"batch_norm": "moving"}}
PAPER = {
    "variants": {
        "animals-2-1": {
            "figure": "1.1",
            "train": {"at": "last_transfer", "accuracy": 0.8},
            "val": {"loss": 0.35},
        },
        "animals-0-3": {
            "figure": "1.2",
            "val": {"at": "best", "loss": 0.4},
            "settles": {"loss": 2},
            "remark": "the best",
        },
        "flowers-1-1": {},
    },
    "margins": {"animals": {"loss": 0.02, "accuracy": 0.01}},
    "claims": {
        name: {
            "text": f"Claim {name}.",
            "short": f"{name} in short",
            "rests_on": f"figure {name}",
            "primary": f"contrast {name}",
        }
        for name in paper.Claims.model_fields
    },
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
SHIFT = 0.01  # from one repeat to the next, of every metric of an epoch
CONVERGED = 0.2  # validation loss of the converged head
CLEAN = 0.05  # clean training metrics are better by this
IMAGES = (-0.1, -0.05, 0.05, 0.1)  # validation losses of the images, less their mean
_LOAD = params.load
VERSIONS = {"keras": "3.1.2", "python": "3.11.0"}
MACHINE = {"cpu": "abacus", "cores": 2}


def rows(name: str, shift: float = 0.0) -> list[dict[str, object]]:
    """The epochs of a variant as `train` has them, every metric moved by `shift`."""
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
    """The same with clean training metrics."""
    return [
        {**row, "train_clean_accuracy": row["accuracy"] + CLEAN, "train_clean_loss": row["loss"] - CLEAN}
        for row in rows(name, shift)
    ]


def add_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the run an arm more: the schedules of animals with a head of a rate of its own."""
    for name in ("animals-2-1", "animals-0-3"):
        epochs = [(*training, accuracy, loss - 0.02) for *training, accuracy, loss in EPOCHS[name]]
        monkeypatch.setitem(EPOCHS, f"{name}-quick", epochs)
        monkeypatch.setitem(SCHEDULES, f"{name}-quick", SCHEDULES[name])
        monkeypatch.setitem(OWN_KEYS, f"{name}-quick", {"head_rate": 0.001})


def finish(
    folder: Path,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    seeds: Sequence[int] = (1,),
    change: Callable[[Path], None] = lambda folder: None,
) -> None:
    """Write a run, change it, and have its tables, its costs and its figures made, each a blank picture."""
    write(folder, source, seeds)
    change(folder)
    monkeypatch.setattr(drawing, "save", _save_blank)
    call(summarize.main, monkeypatch, summarize_options(folder, source))
    call(costs.main, monkeypatch, costs_options(folder, source))
    call(figures.main, monkeypatch, figures_options(folder, source))


def _save_blank(figure: Figure, path: Path) -> None:
    """Write a picture of the figure's size and of a colour of its own: a page needs no more, and drawing is slow."""
    width, height = np.rint(figure.get_size_inches() * drawing.STYLE["savefig.dpi"]).astype(int)
    colour = zlib.crc32(path.stem.encode()).to_bytes(4)[:3]
    Image.new("RGB", (width, height), tuple(colour)).save(path)
    plt.close(figure)


def add_answer(folder: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the answer made of a finished run, in which animals have a test part; no network is there to say more."""
    for dataset, part in (("animals", "test"), ("flowers", "validation")):
        table = folder / "splits" / f"{dataset}.csv"
        table.parent.mkdir(exist_ok=True)
        rows = [f"{image}.png,1,{part},0\n" for image in range(len(IMAGES))]
        table.write_text("path,label,part,fold\n" + "".join(rows))
    monkeypatch.setattr(answer.keras_file, "read", lambda path: SimpleNamespace(loaded=lambda: None))
    monkeypatch.setattr(answer, "_classifier", lambda settings: NoNetwork)
    call(answer.main, monkeypatch, answer_options(folder, source))


class NoNetwork:
    """What takes the place of a trained network where a run has none."""

    @staticmethod
    def activation_maps(model: object, paths: Sequence[Path], classes: Sequence[int]) -> np.ndarray:
        return np.ones((len(paths), 3, 3))

    @staticmethod
    def logits(model: object, paths: Sequence[Path]) -> np.ndarray:
        """Of four pictures of the second class; the last is taken for the first."""
        return held_out().logits[0]


def held_out() -> Validation:
    """The validation of a test part of four pictures of the second class, the last of which is taken for the first."""
    losses = np.array([[0.2, 0.2, 0.2, 1.5]])
    return Validation(made_up_study.logits(losses), np.ones(4, dtype=int), np.array(list("abcd")))


def write(folder: Path, source: Path, seeds: Sequence[int] = (1,)) -> None:
    """Write what `train` leaves of every variant, a repeat for each of `seeds`, with the params and the paper."""
    (folder / "paper.yaml").write_text(yaml.safe_dump(PAPER, sort_keys=False), encoding="utf-8")
    write_params(folder, source, seeds)
    for name, schedule in SCHEDULES.items():
        csv = folder / "plots" / f"{name}.csv"
        history.write(rows_with_clean(name), csv)
        write_repeats(folder, name, len(seeds))
        own_keys = OWN_KEYS.get(name, {})
        members = [
            {"repeat": number, "seed": seed, "fold": None, "draw": number} for number, seed in enumerate(seeds, start=1)
        ]
        content = metrics.of_variant(
            history.read(csv),
            run={
                **schedule,
                "source": source.as_posix(),
                "repeats": members,
                "batch_norm": own_keys.get("batch_norm", "batch"),
                "own_keys": own_keys,
            },
            asked={phase: schedule[phase] for phase in history.PHASES},
            images={"training": 8, "validation": len(IMAGES)},
            multiply_adds={"transfer": 1000, "fine": 2000},
            versions=VERSIONS,
            machine=MACHINE,
        )
        tables.write_json(content, folder / "metrics" / f"{name}.json")
    for dataset in {schedule["dataset"] for schedule in SCHEDULES.values()}:
        _write_transfer_seconds(folder, dataset, len(seeds))
        write_converged(folder, dataset, len(seeds))


def write_params(folder: Path, source: Path, seeds: Sequence[int] = (1,)) -> None:
    """Write the repository's params.yaml with the run's source, seeds and schedules."""
    schedules = {name: schedule | OWN_KEYS.get(name, {}) for name, schedule in SCHEDULES.items()}
    content = yaml.safe_load(params.PARAMS_FILE.read_text(encoding="utf-8"))
    changes = {"source": source.as_posix(), "seeds": list(seeds), "repeats": None}
    changes["schedule"] = schedules.pop("trial")
    budget = {schedule["dataset"]: 4 for schedule in schedules.values()}
    content |= changes | {"variants": schedules, "budget": budget}
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _write_transfer_seconds(folder: Path, dataset: str, count: int) -> None:
    """What the stage `transfer` leaves of its clock, of more epochs than any schedule has."""
    rows = [{"epoch": epoch, "phase": "transfer", **_seconds({"phase": "transfer"})} for epoch in range(1, 5)]
    runs = dict.fromkeys(range(1, count + 1), rows)
    repeats.write_seconds(runs, folder / "plots" / "seconds" / f"{dataset}-transfer.csv")


def write_converged(folder: Path, dataset: str, count: int) -> None:
    """The converged head's logits, out of reach of every schedule, so that no claim's target follows from them."""
    validation = _validation([{"val_loss": CONVERGED}])
    repeats.write_logits(dict.fromkeys(range(1, count + 1), validation), folder / "results" / f"{dataset}-converged")


def write_repeats(folder: Path, name: str, count: int) -> None:
    """Write epochs, logits and seconds; a repeat's metrics are SHIFT above those of the one before."""
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


def _with_the_run_s_variants(path: Path = params.PARAMS_FILE) -> Params:
    schedules = {name: Schedule(**schedule, **OWN_KEYS.get(name, {})) for name, schedule in SCHEDULES.items()}
    changes = {"schedule": schedules.pop("trial"), "variants": schedules}
    return _LOAD(path).model_copy(update=changes)


def call(main: Callable[[], None], monkeypatch: pytest.MonkeyPatch, options: dict[str, object]) -> None:
    """Call a stage's `main` with `options` on its command line, and params that name the run's variants."""
    words = [word for option, value in options.items() for word in (f"--{option}", str(value))]
    monkeypatch.setattr(sys, "argv", ["stage", *words])
    monkeypatch.setattr(params, "load", _with_the_run_s_variants)
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


def answer_options(folder: Path, source: Path) -> dict[str, object]:
    return {
        **_inputs(folder, source),
        **{name: folder / name for name in ("models", "images", "splits")},
        "confusion": folder / "plots" / "confusion",
        "out": folder / "plots" / "answer",
    }


def figures_options(folder: Path, source: Path) -> dict[str, object]:
    return {
        "source": source,
        "histories": folder / "plots",
        "results": folder / "results",
        "table": folder / "plots" / "tables" / "summary.csv",
        "claims": folder / "metrics" / "claims.json",
        "out": folder / "plots" / "figures",
    }


def report_options(folder: Path, source: Path) -> dict[str, object]:
    return {
        **_pages_options(folder, source),
        "images": folder / "images",
        "out": folder / "plots" / "report.html",
    }


def export_options(folder: Path, source: Path) -> dict[str, object]:
    return {
        **_inputs(folder, source),
        "models": folder / "models",
        "images": folder / "images",
        "out": folder / "exported",
    }


def record_options(folder: Path, source: Path) -> dict[str, object]:
    return {**_pages_options(folder, source), "raw": folder / "raw", "out": folder / "docs" / "paper"}


def _pages_options(folder: Path, source: Path) -> dict[str, object]:
    return {
        "source": source,
        "params": folder / "params.yaml",
        "paper": folder / "paper.yaml",
        "results": folder / "results",
        "metrics": folder / "metrics",
        "plots": folder / "plots",
    }


def _inputs(folder: Path, source: Path) -> dict[str, object]:
    return {
        "source": source,
        "paper": folder / "paper.yaml",
        "results": folder / "results",
        "metrics": folder / "metrics",
        "histories": folder / "plots",
    }
