"""Trains MobileNetV2 to tell drawn things apart, none of the study's; writes the weights without the top."""

import argparse
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import h5py
import keras
import numpy as np
import tensorflow as tf
import yaml

from data.embedded.scenes import Setting, classes, picture
from stages.lib.command import run
from stages.lib.files import written_whole

Data = tuple[np.ndarray, np.ndarray]
"""Pictures, uint8 (n, size, size, 3), and labels, int64 (n,)."""

STREAM = 1  # sets these pictures' random numbers apart from those of `draw`


def main() -> None:
    arguments = _arguments()
    params = yaml.safe_load(arguments.params.read_text())
    pretrain = params["pretrain"]
    count = pretrain["images"] + pretrain["validation_images"]
    pictures, labels = drawn(params, count)
    keras.utils.set_random_seed(params["seed"])
    held_out = np.arange(len(labels)) % count >= pretrain["images"]
    # Pictures of any size, because training begins with smaller ones; the weights do not depend on it.
    backbone = keras.applications.MobileNetV2(
        input_shape=(None, None, 3), alpha=pretrain["alpha"], include_top=False, weights=None
    )
    train(backbone, (pictures[~held_out], labels[~held_out]), (pictures[held_out], labels[held_out]), params)
    recalibrate(backbone, pictures[~held_out], pretrain["batch_size"], params["seed"])
    with written_whole(arguments.weights) as beside:
        save(backbone, beside)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True, help="the .h5 file to write")
    return parser.parse_args()


def drawn(params: dict[str, Any], count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` pictures of each class, class after class: uint8 (n, size, size, 3), and labels, int64."""
    tasks = [(label, number, params) for label in range(len(classes())) for number in range(count)]
    with ProcessPoolExecutor() as pool:
        pictures = np.stack(list(pool.map(_drawn, tasks, chunksize=64)))
    return pictures, np.array([label for label, _, _ in tasks])


def _drawn(task: tuple[int, int, dict[str, Any]]) -> np.ndarray:
    cv2.setNumThreads(1)  # the pool uses every core already
    label, number, params = task
    draw = list(classes().values())[label]
    random = np.random.default_rng([params["seed"], STREAM, label, number])
    return picture(draw, Setting(**params["pretrain"]["setting"]), params["size"], random)


def rescaled(pictures: np.ndarray) -> np.ndarray:
    """Pixels in [0, 255] to float32 in [-1, 1]."""
    return pictures.astype(np.float32) / 127.5 - 1


def resized(pictures: np.ndarray, size: int) -> np.ndarray:
    """Pictures scaled down to `size`."""
    if size == pictures.shape[1]:
        return pictures
    return np.stack([cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA) for pixels in pictures])


class Batches(keras.utils.PyDataset):
    """Shuffled batches of pictures, mirrored and turned at random."""

    def __init__(self, pictures: np.ndarray, labels: np.ndarray, params: dict[str, Any]) -> None:
        super().__init__(workers=1, max_queue_size=8)
        self._pictures = pictures
        self._labels = labels
        self._size = params["pretrain"]["batch_size"]
        self._rotation = params["pretrain"]["rotation"]
        self._random = np.random.default_rng(params["seed"])
        self._order = self._random.permutation(len(labels))

    def __len__(self) -> int:
        return len(self._labels) // self._size

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self._order[step * self._size : (step + 1) * self._size]
        turned = np.stack([self._augmented(self._pictures[row]) for row in rows])
        return rescaled(turned), self._labels[rows]

    def on_epoch_end(self) -> None:
        self._order = self._random.permutation(len(self._labels))

    def _augmented(self, pixels: np.ndarray) -> np.ndarray:
        mirrored = pixels[:, ::-1] if self._random.random() < 0.5 else pixels
        degrees = 360 * self._random.uniform(-self._rotation, self._rotation)
        size = pixels.shape[0]
        matrix = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), degrees, 1.0)
        return cv2.warpAffine(np.ascontiguousarray(mirrored), matrix, (size, size), borderMode=cv2.BORDER_REFLECT)


def train(backbone: keras.Model, training: Data, validation: Data, params: dict[str, Any]) -> None:
    """Train the backbone under a classifier of all classes, which is then dropped."""
    pretrain = params["pretrain"]
    model = _classifier(backbone, pretrain)
    steps = len(training[1]) // pretrain["batch_size"]
    model.compile(
        optimizer=_optimizer(steps, pretrain),
        loss=_smoothed_loss(pretrain["label_smoothing"]),
        metrics=["accuracy"],
        jit_compile=False,  # XLA trains depthwise convolutions several times slower on a CPU
    )
    for part in pretrain["rounds"]:
        batches = Batches(resized(training[0], part["size"]), training[1], params)
        checked = (rescaled(resized(validation[0], part["size"])), validation[1])
        model.fit(batches, validation_data=checked, epochs=part["epochs"], verbose=2)


def _classifier(backbone: keras.Model, pretrain: dict[str, Any]) -> keras.Model:
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = pretrain["momentum"]
    pooled = keras.layers.GlobalAveragePooling2D()(backbone.output)
    dropped = keras.layers.Dropout(pretrain["dropout"])(pooled)
    return keras.Model(backbone.input, keras.layers.Dense(len(classes()))(dropped))


def _optimizer(steps: int, pretrain: dict[str, Any]) -> keras.optimizers.Optimizer:
    epochs = sum(part["epochs"] for part in pretrain["rounds"])
    warmup = steps * pretrain["warmup_epochs"]
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps * epochs - warmup, warmup_target=pretrain["learning_rate"], warmup_steps=warmup
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=pretrain["weight_decay"])
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def _smoothed_loss(smoothing: float) -> keras.losses.Loss:
    entropy = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    count = len(classes())

    def loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        return entropy(tf.one_hot(tf.cast(tf.reshape(labels, [-1]), tf.int32), count), logits)

    return loss


def recalibrate(backbone: keras.Model, pictures: np.ndarray, batch_size: int, seed: int) -> None:
    """Take batch normalisation's moving statistics anew, from upright pictures and the final weights."""
    forward = tf.function(lambda pixels: backbone(pixels, training=True))
    order = np.random.default_rng(seed).permutation(len(pictures))
    for start in range(0, len(order) - batch_size + 1, batch_size):
        forward(rescaled(pictures[order[start : start + batch_size]]))


def save(backbone: keras.Model, path: Path) -> None:
    """Write the weights in Keras's legacy `.h5` layout, as float16: Keras converts them when it loads them."""
    with h5py.File(path, "w", libver="latest") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in backbone.layers]
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = keras.__version__.encode()
        for layer in backbone.layers:
            _save_layer(file.create_group(layer.name), layer)


def _save_layer(group: h5py.Group, layer: keras.Layer) -> None:
    names = [f"{layer.name}/{weight.name}:0" for weight in _in_keras_order(layer)]
    group.attrs["weight_names"] = [name.encode() for name in names]
    for name, weight in zip(names, _in_keras_order(layer), strict=True):
        group.create_dataset(name, data=weight.numpy().astype(np.float16), track_times=False)


def _in_keras_order(layer: keras.Layer) -> list[keras.Variable]:
    return [*layer.trainable_weights, *layer.non_trainable_weights]


if __name__ == "__main__":
    run(main)
