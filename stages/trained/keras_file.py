"""A trained model as `train` saved it, with what stands beside it: the names of its classes and its image size."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stages.common import tables
from stages.common.command import ThawError, one_line

LAST = "model.keras"  # after the last epoch: what the study compares, and no epoch chosen on validation
CLASSES = "classes.json"  # beside the model

Predict = Callable[[np.ndarray], np.ndarray]
"""Pixels, float32 (n, size, size, 3) in [0, 255], to the probability of each class, float (n, classes)."""


@dataclass(frozen=True)
class KerasFile:
    """A `.keras` file, and what its numbers mean."""

    path: Path
    classes: list[str]
    image_size: int

    def loaded(self) -> Any:
        """The model, pixels to logits; raises ThawError where the file is damaged or another network's."""
        from stages.network.keras_quietly import keras  # takes seconds, and a mistake is told before

        try:
            model = keras.saving.load_model(self.path, compile=False, safe_mode=True)
        except Exception as error:  # zipfile, h5py and Keras raise whatever damaged bytes lead them to
            raise ThawError(f"{self.path}: cannot be loaded ({one_line(error)}); train it again: `dvc repro`") from None
        size, count = self.image_size, len(self.classes)
        shapes = (model.input_shape[1:], model.output_shape[1:])
        if shapes != ((size, size, 3), (1 if count == 2 else count,)):
            raise ThawError(f"{self.path}: takes and gives {shapes}, not what {CLASSES} beside it says; train it again")
        return model


def read(path: Path) -> KerasFile:
    """The model `path` and what stands beside it, not loaded yet; raises ThawError where either is missing or wrong."""
    if not path.is_file():
        raise ThawError(f"{path}: no such model; name a .keras file that `dvc repro` has trained")
    beside = path.with_name(CLASSES)
    if not beside.exists():
        raise ThawError(f"{beside}: no such file; copy it from where the model was trained, to lie beside {path.name}")
    told = tables.read_json(beside)
    if not isinstance(told.get("classes"), list) or not isinstance(told.get("image_size"), int):
        raise ThawError(f"{beside}: names no classes and image_size; copy it again from where the model was trained")
    return KerasFile(path, told["classes"], told["image_size"])


def predict(model: Any) -> Predict:
    """The loaded `model` as a function to probabilities."""
    from stages.network.keras_quietly import keras

    # Called as it is: to trace it takes longer than a hundred pictures.
    return lambda pixels: probabilities(keras.ops.convert_to_numpy(model(pixels, training=False)))


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Of each class, float64 (n, classes), of logits (n, classes), or (n, 1) of the second of two classes."""
    logits = np.asarray(logits, np.float64)
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    likely = np.exp(logits - logits.max(axis=1, keepdims=True))
    return likely / likely.sum(axis=1, keepdims=True)
