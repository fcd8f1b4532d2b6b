"""The report's answer for each data set: its sentences, its scores and its mistakes."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from stages.common import tables
from stages.common.command import ThawError
from stages.pages import data_address
from stages.pages.finished import FinishedRun
from stages.study import brief, calibration, mistakes, recommendation


def of_run(run: FinishedRun, folder: Path, images: Path) -> dict[str, dict[str, Any]]:
    """By data set, the content of `folder`, from the stage `answer`, with sentences and the worst mistakes' pictures.

    Raises ThawError if the folder is of other results.
    """
    answers = tables.read_json(folder / "answer.json")
    maps = _read_maps(folder / mistakes.MAPS)
    found = {}
    for dataset, choice in recommendation.choices(run.study).items():
        variant = choice.recommended.variant.name
        if answers.get(dataset, {}).get("variant") != variant:
            raise ThawError(f"{folder}: has no answer for {variant} on {dataset}; run `dvc repro answer`")
        wrong = tables.read_table(folder / f"{dataset}-mistakes.csv", (*mistakes.COLUMNS, "map"))
        found[dataset] = {
            **answers[dataset],
            "label": choice.recommended.label,
            "sentences": brief.sentences(run.study, choice, run.spent),
            "bins": calibration.BINS,
            "overconfidence": calibration.overconfidence(answers[dataset]["calibration"]["bins"]),
            "pictures": {
                kind: data_address.of_figure(folder / f"{dataset}-{kind}.png") for kind in ("confusion", "calibration")
            },
            "mistakes": _mistakes(run, dataset, wrong, maps.get(dataset), images / dataset),
            "pictures_wrong": len(wrong),
        }
    return found


def _mistakes(
    run: FinishedRun, dataset: str, wrong: pd.DataFrame, maps: np.ndarray | None, images: Path
) -> list[Mapping[str, Any]]:
    """The worst mistakes, each with its picture, its activation map and the names of its classes."""
    classes = list(run.source.dataset(dataset).classes)
    return [
        {
            **row,
            "file": PurePosixPath(row["image"]).name,
            "label": classes[row["label"]],
            "predicted": classes[row["predicted"]],
            "picture": data_address.of_image(
                images / row["image"], maps[row["map"]] if maps is not None and row["map"] >= 0 else None
            ),
        }
        for row in wrong.head(mistakes.SHOWN).to_dict("records")
    ]


def _read_maps(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    except FileNotFoundError:
        raise ThawError(f"{path}: no such file; run `dvc repro answer`") from None
    except Exception as error:  # zipfile and NumPy raise many kinds of error for damaged bytes
        raise ThawError(f"{path}: no readable maps ({error}); run `dvc repro answer`") from None
