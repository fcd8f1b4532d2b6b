"""What `metrics/<variant>.json` holds: the parameters of a run, and final and best values."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from stages.common import tables
from stages.common.command import ThawError
from stages.results.history import PHASES


def of_variant(
    history: pd.DataFrame,
    *,
    run: Mapping[str, Any],
    asked: Mapping[str, int | str],
    images: Mapping[str, int],
    multiply_adds: Mapping[str, int],
    versions: Mapping[str, str],
    machine: Mapping[str, str | int],
) -> dict[str, Any]:
    """The metrics of a variant, ready for json.

    `history` holds means over the repeats; `run` has `dataset`, `transfer`, `fine` and `repeats` at least; `asked`
    are the epochs of each phase as the schedule has them; `images` are counted by part, `multiply_adds` of an epoch by
    phase. Raises ThawError where the epochs run are not the epochs asked for.
    """
    ran = {phase: int((history["phase"] == phase).sum()) for phase in PHASES}
    numbers = {phase: count for phase, count in asked.items() if isinstance(count, int)}
    if any(ran[phase] != count for phase, count in numbers.items()):
        raise ThawError(
            f"{run['dataset']}-{asked['transfer']}-{asked['fine']}: ran {ran['transfer']} transfer and "
            f"{ran['fine']} fine epochs, asked for {asked['transfer']} and {asked['fine']}; run the variant again"
        )
    seeds = [repeat["seed"] for repeat in run["repeats"]]
    return {
        **run,
        "seed": seeds[0],
        "seeds": seeds,
        "train": _results(history, ""),
        "val": _results(history, "val_"),
        "images": dict(images),
        "multiply_adds": dict(multiply_adds),
        "versions": dict(versions),
        "machine": dict(machine),
    }


def _results(history: pd.DataFrame, prefix: str) -> dict[str, dict[str, float | int]]:
    accuracy, loss = history[f"{prefix}accuracy"], history[f"{prefix}loss"]
    final = {"accuracy": _rounded(accuracy.iloc[-1]), "loss": _rounded(loss.iloc[-1])}
    # The first of equal epochs: what a reader would have stopped at.
    best_accuracy, best_loss = accuracy.idxmax(), loss.idxmin()
    best = {
        "accuracy": _rounded(accuracy[best_accuracy]),
        "accuracy_epoch": int(history["epoch"][best_accuracy]),
        "loss": _rounded(loss[best_loss]),
        "loss_epoch": int(history["epoch"][best_loss]),
    }
    return {"final": final, "best": best}


def _rounded(value: float) -> float:
    return round(float(value), tables.DECIMALS)
