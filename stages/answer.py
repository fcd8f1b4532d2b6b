"""Stage `answer`: the errors of the recommended schedule of each data set.

Reads the study's results, the saved network of each recommended schedule, and the pictures. Writes a folder with
answer.json, the confusion matrices and reliability diagrams, all misclassified pictures (<dataset>-mistakes.csv) and
class activation maps of the worst (maps.npz); and for each data set a csv of true and predicted classes, which DVC
draws.
"""

import argparse
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from stages.common import manifest, params, tables
from stages.common.command import run
from stages.common.files import folder_written_whole
from stages.common.params import Params, Statistics
from stages.drawing import answer_figure, drawing
from stages.pictures import parts
from stages.results import repeats
from stages.results.repeats import Validation
from stages.study import calibration, confusion, inputs, mistakes, recommendation, two_way
from stages.study.evidence import unit_numbers
from stages.study.two_way import Sample
from stages.trained import keras_file


def main() -> None:
    arguments = _arguments()
    settings = params.load()
    study, _ = inputs.read(arguments, settings)
    source = manifest.load(arguments.source)
    answers: dict[str, Any] = {}
    maps: dict[str, np.ndarray] = {}
    with folder_written_whole(arguments.out) as folder, folder_written_whole(arguments.confusion) as plots:
        for dataset, choice in recommendation.choices(study).items():
            variant = choice.recommended.variant.name
            classes = list(source.dataset(dataset).classes)
            predictions = repeats.final_predictions(arguments.results / variant)
            answers[dataset] = {"variant": variant, **of_predictions(predictions, classes, settings.statistics)}
            tables.write_table(named(predictions, classes), plots / f"{dataset}.csv")
            wrong = with_maps(mistakes.of_predictions(predictions), predictions)
            tables.write_table(wrong.round(tables.DECIMALS), folder / f"{dataset}-mistakes.csv")
            images = arguments.images / dataset
            mapped = wrong[wrong["map"] >= 0]
            test = parts.read_test(arguments.splits / f"{dataset}.csv", images)
            if len(mapped) or len(test):
                classifier = _classifier(settings)
                model = keras_file.read(arguments.models / variant / keras_file.LAST).loaded()
            if len(mapped):
                paths, predicted = [images / image for image in mapped["image"]], list(mapped["predicted"])
                # float16 is finer than a page can show.
                maps[dataset] = classifier.activation_maps(model, paths, predicted).astype(np.float16)
            if len(test):
                logits = classifier.logits(model, test.paths)
                scored = Validation.of(logits[np.newaxis], test.labels, test.paths, images)
                units = unit_numbers(scored.images, study.groups.get(dataset))
                answers[dataset]["test"] = of_test(scored, classes, settings.statistics, units)
            _draw(answers[dataset], f"{variant} on {source.dataset(dataset).title}", source.title, folder, dataset)
        np.savez(folder / mistakes.MAPS, **maps)
        tables.write_json(answers, folder / "answer.json")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    inputs.add_arguments(parser)
    parser.add_argument("--models", type=Path, required=True, help="folder of <variant>/, with its saved network")
    parser.add_argument("--images", type=Path, required=True, help="folder of <dataset>/, with its images")
    parser.add_argument("--splits", type=Path, required=True, help="folder of <dataset>.csv, with its parts")
    parser.add_argument("--confusion", type=Path, required=True, help="folder of <dataset>.csv for DVC, written")
    parser.add_argument("--out", type=Path, required=True, help="folder of the other files, written")
    return parser.parse_args()


def of_predictions(predictions: pd.DataFrame, classes: list[str], statistics: Statistics) -> dict[str, Any]:
    """Confusion matrix and calibration of `repeats.final_predictions`, which has a row for each repeat and picture."""
    right = predictions["predicted"] == predictions["label"]
    by_repeat = [
        (part["probability"].to_numpy(), right[part.index].to_numpy(float)) for _, part in predictions.groupby("repeat")
    ]
    chance, most = calibration.by_chance(
        [confidence for confidence, _ in by_repeat], statistics.confidence, statistics.seed
    )
    bins = calibration.bins(predictions["probability"].to_numpy(), right.to_numpy(float))
    counts = confusion.matrix(predictions["label"].to_numpy(), predictions["predicted"].to_numpy(), len(classes))
    return {
        "predictions": len(predictions),
        "wrong": int((~right).sum()),
        "confusion": confusion.as_json(counts, classes),
        "calibration": {
            "error": round(float(np.mean([calibration.error(*each) for each in by_repeat])), tables.DECIMALS),
            "by_chance": round(chance, tables.DECIMALS),
            "by_chance_most": round(most, tables.DECIMALS),
            "bins": bins.round(tables.DECIMALS).to_dict("records"),
        },
    }


def named(predictions: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """`actual` and `predicted` by the names of the classes, a row a prediction."""
    columns = {"actual": "label", "predicted": "predicted"}
    return pd.DataFrame({title: [classes[label] for label in predictions[name]] for title, name in columns.items()})


def with_maps(wrong: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """The mistakes with `map`, the number of their activation map, -1 if they have none.

    The network of the first repeat is the saved one: pictures that only other repeats validate have no map.
    """
    first = predictions["repeat"] == predictions["repeat"].min()
    validated = wrong["image"].isin(predictions.loc[first, "image"]).to_numpy()
    shown = validated & (np.arange(len(wrong)) < mistakes.SHOWN)
    return wrong.assign(map=np.where(shown, shown.cumsum() - 1, -1))


def of_test(test: Validation, classes: list[str], statistics: Statistics, units: np.ndarray) -> dict[str, Any]:
    """The scores on the test part, with intervals; `test` has its logits, as those of one epoch.

    `units` has the number of each picture's unit, its group or itself, int (pictures,): units are independent.
    """
    predicted = test.log_probabilities()[0].argmax(axis=1)
    counts = confusion.matrix(test.labels, predicted, len(classes))
    accuracy, count = float(test.correct().mean()), int(units.max()) + 1
    loss = Sample([two_way.of_units(test.losses()[0], units)], crossed=True).estimate()
    levels = {
        "accuracy": (accuracy, *two_way.wilson(accuracy, count, statistics.confidence)),
        "loss": (loss.value, *two_way.possible(loss.interval(statistics.confidence), [loss.value], 0, np.inf)),
    }
    return {
        "images": len(predicted),
        **{name: dict(zip(("value", "low", "high"), level, strict=True)) for name, level in levels.items()},
        "confusion": confusion.as_json(counts, classes),
    }


def _classifier(settings: Params) -> ModuleType:
    from stages.trained import classifier  # takes seconds to import; errors in the results come first
    from stages.training.models import use_threads

    use_threads(settings.threads)
    return classifier


def _draw(answer: dict[str, Any], title: str, source: str, folder: Path, dataset: str) -> None:
    with plt.rc_context(drawing.STYLE):
        drawing.save(answer_figure.confusion(answer["confusion"], title, source), folder / f"{dataset}-confusion.png")
        bins = pd.DataFrame(answer["calibration"]["bins"])
        drawing.save(answer_figure.reliability(bins, title, source), folder / f"{dataset}-calibration.png")


if __name__ == "__main__":
    run(main)
