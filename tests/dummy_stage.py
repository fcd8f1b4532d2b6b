"""Stands in for every stage of dvc.yaml where a test is about the graph: it reads and writes what that does, at once.

Lies in a copy of the repository as `stages/dummy_stage.py`, beside the real `stages/common`, which checks the params.
What it writes is made of what it reads alone.
"""

import hashlib
import json
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from stages.common import params
from stages.common.command import run
from stages.common.params import TRIAL, Params

WRITES = {
    "download": ["out"],
    "split": ["images", "split"],
    "features": ["out"],
    "transfer": ["out", "converged", "seconds"],
    "train": ["model", "results", "seconds", "history", "metrics"],
    "summarize": ["out", "claims", "tables"],
    "costs": ["out"],
    "figures": ["out"],
    "answer": ["confusion", "out"],
    "report": ["out"],
    "export": ["out"],
}
"""The options of each stage that name what it writes."""

Content = str | dict[str, str]  # of a file, or of a folder's files by their names


def main(stage: str) -> None:
    """Be `stage`, with the options of its command in dvc.yaml."""
    run(lambda: _main(stage))


def _main(stage: str) -> None:
    options = zip(sys.argv[1::2], sys.argv[2::2], strict=True)
    arguments = Namespace(**{name[2:].replace("-", "_"): value for name, value in options})
    settings = params.load()
    made = MAKES.get(stage, _texts)(arguments, settings)
    for option in WRITES[stage]:
        path = Path(getattr(arguments, option))
        text = f"{option} of {stage}\n"
        _write(path, made.get(option, text if path.suffix else {"all.txt": text}))


def _texts(arguments: Namespace, settings: Params) -> dict[str, Content]:
    return {}


def _split(arguments: Namespace, settings: Params) -> dict[str, Content]:
    from stages.common import configuration  # takes a while, and is the split's to read

    dataset = configuration.read(Path(arguments.source), settings).dataset(arguments.dataset)
    return {"split": "\n".join(f"{_digest(arguments.archive)} {place}" for place in dataset.places())}


def _features(arguments: Namespace, settings: Params) -> dict[str, Content]:
    read = _digest(arguments.images, arguments.split, arguments.weights)
    return {"out": f"{read} {settings.augment} {settings.fine.from_layer}"}


def _transfer(arguments: Namespace, settings: Params) -> dict[str, Content]:
    schedules = [each for each in settings.variants.values() if each.dataset == arguments.dataset]
    heads = {str(each.transfer) for each in (settings, *map(settings.of, schedules))}
    return {"out": {"heads.txt": "\n".join([_digest(arguments.features), *sorted(heads)])}}


def _train(arguments: Namespace, settings: Params) -> dict[str, Content]:
    schedule = settings.named(arguments.variant)
    decided = f"{_digest(arguments.features, arguments.transfer_phase)} {schedule}"
    rows = [_row(epoch, schedule.transfer) for epoch in range(1, schedule.transfer + schedule.fine + 1)]
    record = {key: getattr(schedule, key) for key in ("dataset", "transfer", "fine")}
    record["val"] = {"accuracy": rows[-1]["val_accuracy"], "loss": rows[-1]["val_loss"]}
    made = {option: {"all.txt": decided} for option in ("model", "results")}
    return {**made, "history": _csv(rows), "metrics": json.dumps(record)}


def _row(epoch: int, transfer: int) -> dict[str, Any]:
    values = dict.fromkeys(("accuracy", "loss", "val_accuracy", "val_loss"), round(1 / (epoch + 1), 6))
    return {"epoch": epoch, "phase": "transfer" if epoch <= transfer else "fine", **values}


def _summarize(arguments: Namespace, settings: Params) -> dict[str, Content]:
    curves, final, summary = [], [], {}
    for variant in (*settings.variants, TRIAL):
        record = summary[variant] = json.loads(Path(arguments.metrics, f"{variant}.json").read_text())
        names = {"variant": variant, "dataset": record["dataset"]}
        for row in Path(arguments.histories, f"{variant}.csv").read_text().splitlines()[1:]:
            epoch, _, _, _, accuracy, loss = row.split(",")
            curves.append({**names, "epoch": epoch, "val_accuracy": accuracy, "val_loss": loss})
        final.append({**names, "fine_share": record["fine"], **record["val"]})
    tables = {"curves.csv": _csv(curves), "final.csv": _csv(final), "summary.csv": _csv(final)}
    return {"out": json.dumps(summary), "claims": json.dumps({"variants": list(summary)}), "tables": tables}


def _figures(arguments: Namespace, settings: Params) -> dict[str, Content]:
    return {"out": {f"{variant}.png": variant for variant in (*settings.variants, TRIAL)}}


def _answer(arguments: Namespace, settings: Params) -> dict[str, Content]:
    matrices = {f"{name}.csv": _csv([{"actual": "a", "predicted": "b"}]) for name in settings.budget}
    return {"confusion": matrices}


def _report(arguments: Namespace, settings: Params) -> dict[str, Content]:
    shown = (f"{arguments.plots}/{name}" for name in ("tables", "costs", "figures", "answer"))
    return {"out": _digest(arguments.params, *shown)}


MAKES = {
    "split": _split,
    "features": _features,
    "transfer": _transfer,
    "train": _train,
    "summarize": _summarize,
    "figures": _figures,
    "answer": _answer,
    "report": _report,
}


def _digest(*paths: str) -> str:
    """A SHA-256 of all that lies at `paths`, which must be there."""
    total = hashlib.sha256()
    for path in map(Path, paths):
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            total.update(file.read_bytes())
    return total.hexdigest()


def _csv(rows: list[dict[str, Any]]) -> str:
    return "".join(f"{','.join(map(str, row))}\n" for row in (rows[0], *(row.values() for row in rows)))


def _write(path: Path, content: Content) -> None:
    folder = path.parent if isinstance(content, str) else path
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        path.write_text(content)
        return
    for old in path.iterdir():
        old.unlink()
    for name, text in content.items():
        (path / name).write_text(text)
