"""Stage `export`: the recommended model of each data set for programs without Keras, and a model card.

Reads the finished study and the models. Writes exported/<dataset>/ with model.tflite, its further formats, labels.txt
and export.json, which has the largest difference of each format from Keras on the validation pictures; and
exported/card.md.
"""

import argparse
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stages.common import manifest, params, tables
from stages.common.command import ThawError, run
from stages.common.files import folder_written_whole
from stages.common.manifest import Drawn, Manifest
from stages.common.params import Fine, Params, Transfer
from stages.pages.render import rate, render
from stages.pictures import parts
from stages.results import repeats
from stages.study import brief, inputs, recommendation
from stages.study.evidence import Study
from stages.study.recommendation import Stop
from stages.trained import keras_file
from stages.trained.keras_file import KerasFile

AT_ONCE = 32  # pictures
MOST = 1e-3  # the largest rounding difference of an unquantised model's probability: a larger one is an error


def main() -> None:
    arguments = _arguments()
    settings, source = params.load(), manifest.load(arguments.source)
    study, _ = inputs.read(arguments, settings)
    choices = recommendation.choices(study)
    chosen = {name: choice.recommended for name, choice in choices.items()}
    files = {
        name: keras_file.read(arguments.models / stop.variant.name / keras_file.LAST) for name, stop in chosen.items()
    }
    with folder_written_whole(arguments.out) as beside:
        written = {
            dataset: _export(file, beside / dataset, _pictures(arguments, chosen[dataset], file), settings)
            for dataset, file in files.items()
        }
        datasets = [
            _facts(study, source, settings, stop)
            | {"why": brief.reason(study, choices[name])}
            | {"files": written[name]["largest_difference"], "keras": files[name].path}
            for name, stop in chosen.items()
        ]
        card = {
            "source": {"title": source.title, "path": source.path.as_posix()},
            "backbone": source.backbone,
            "confidence": f"{study.statistics.confidence:.0%}",
            "out": arguments.out.as_posix(),
            "datasets": datasets,
        }
        tables.write_text(render("card.md.jinja", card), beside / "card.md")


def _pictures(arguments: argparse.Namespace, stop: Stop, file: KerasFile) -> list[Path]:
    """The validation pictures of the first repeat, whose model was saved."""
    validations = repeats.read_logits(arguments.results / stop.variant.name)
    images = arguments.images / stop.variant.dataset
    return [images / name for name in validations[stop.variant.repeats[0]].images]


def _export(file: KerasFile, folder: Path, pictures: list[Path], settings: Params) -> dict[str, Any]:
    """Write all formats of the model to `folder` and compare each with Keras; returns the content of export.json."""
    # Every backend of Keras reads the file, and TensorFlow's converters need its own backend.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    from stages.trained import exported  # takes seconds to import; the errors above come first

    folder.mkdir()
    model = file.loaded()
    whole, expected = exported.with_probabilities(model), keras_file.predict(model)
    differences = {}
    for name, write in exported.formats(settings.export.quantised).items():
        predict = write(whole, folder / name)
        differences[name] = exported.largest_difference(predict, expected, _batches(pictures, file.image_size))
        if name != exported.QUANTISED and not differences[name] <= MOST:
            raise ThawError(
                f"{name} of {file.path}: its probabilities differ from Keras's by {differences[name]:.2g}, more than "
                f"{MOST:g}; report this backbone, and take the Keras file meanwhile"
            )
    content = {
        "variant": file.path.parent.name,
        "pictures": len(pictures),
        "largest_difference": {name: float(f"{value:.2g}") for name, value in differences.items()},
    }
    tables.write_text("".join(f"{name}\n" for name in file.classes), folder / "labels.txt")
    tables.write_json(content, folder / "export.json")
    return content


def _batches(pictures: list[Path], size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(pictures), AT_ONCE):
        yield np.stack(list(parts.decode_all(pictures[start : start + AT_ONCE], size))).astype(np.float32)


def _facts(study: Study, source: Manifest, settings: Params, stop: Stop) -> Mapping[str, Any]:
    """The card's facts about a data set and its recommended model."""
    variant, dataset = stop.variant, source.dataset(stop.variant.dataset)
    own = settings.of(settings.named(variant.name))
    levels = {measure: study.level(variant, measure) for measure in ("accuracy", "loss")}
    return {
        "name": variant.dataset,
        "title": dataset.title,
        "licence": dataset.licence,
        "classes": [
            {"name": name, "counts": [counts[name] for counts in dataset.counts()]} for name in dataset.classes
        ],
        "images": variant.metrics["images"],
        "left_out": len(dataset.leave_out),
        "split": dataset.split.model_dump(),
        "drawn": isinstance(dataset.split, Drawn),
        "variant": variant.name,
        "schedule": phases(variant.transfer, variant.fine, own),
        "settings": variant.settings,
        "batch_size": own.batch_size,
        "augment": own.augment.model_dump(),
        "repeats": variant.metrics["repeats"],
        "results": {name: dict(zip(("value", "low", "high"), level, strict=True)) for name, level in levels.items()},
        "versions": variant.metrics["versions"],
    }


def phases(transfer: int, fine: int, own: Params) -> str:
    """The phases that have epochs, each with its optimizer and learning rate."""
    head = f"the head alone for {_trained(transfer, own.transfer)}"
    top = f"the head and {_unfrozen(own.fine.from_layer)} for {_trained(fine, own.fine)}"
    if not fine:
        return f"{head}; no fine-tuning"
    return f"{head}; then {top}" if transfer else top


def _unfrozen(from_layer: float | str) -> str:
    """The layers that fine-tuning trains; a fraction is the share of frozen layers."""
    if isinstance(from_layer, float):
        return f"the upper {1 - from_layer:.0%} of the layers"
    return f"the layers from {from_layer} up" if isinstance(from_layer, str) else f"layer {from_layer} and those above"


def _trained(epochs: int, phase: Transfer | Fine) -> str:
    return f"{brief.epochs(epochs)}, {phase.optimizer} at {rate(phase.learning_rate)}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    inputs.add_arguments(parser)
    parser.add_argument("--models", type=Path, required=True, help="folder of <variant>/, with its model")
    parser.add_argument("--images", type=Path, required=True, help="folder of <dataset>/, with its images")
    parser.add_argument("--out", type=Path, required=True, help="folder of <dataset>/ and card.md, written")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
