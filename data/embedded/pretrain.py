"""Trains MobileNetV2 to tell drawn things apart, none of the study's; writes the weights without the top."""

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import h5py
import keras
import numpy as np
import tensorflow as tf
import yaml

from data.embedded.scenes import Setting, classes, picture
from stages.common.command import run
from stages.common.files import written_whole
from stages.training.batch_normalization import fused

Data = tuple[np.ndarray, np.ndarray]
"""Pictures, uint8 (n, size, size, 3), and labels, int64 (n,)."""

STREAM = 1  # sets these pictures' random numbers apart from those of `draw`


def main() -> None:
    arguments = _arguments()
    params = yaml.safe_load(arguments.params.read_text())
    pretrain = params["pretrain"]
    count = pretrain["images"] + pretrain["validation_images"]
    pictures, labels = draw_all(params, count)
    keras.utils.set_random_seed(params["seed"])
    held_out = np.arange(len(labels)) % count >= pretrain["images"]
    # Pictures of any size, because training begins with smaller ones; the weights do not depend on it.
    backbone = keras.applications.MobileNetV2(
        input_shape=(None, None, 3), alpha=pretrain["alpha"], include_top=False, weights=None
    )
    train(backbone, (pictures[~held_out], labels[~held_out]), (pictures[held_out], labels[held_out]), params)
    shrink_kernels(backbone, pretrain["kernel_scale"])
    with written_whole(arguments.weights) as beside:
        save(backbone, beside)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True, help="the .h5 file to write")
    return parser.parse_args()


def draw_all(params: dict[str, Any], count: int) -> tuple[np.ndarray, np.ndarray]:
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


def batches(pictures: np.ndarray, labels: np.ndarray, pretrain: dict[str, Any], seed: int) -> tf.data.Dataset:
    """Batches in another order each time they are read, each picture mirrored and turned at random."""
    random = np.random.default_rng(seed)
    size = pretrain["batch_size"]
    steps = len(labels) // size

    def read() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for rows in random.permutation(len(labels))[: steps * size].reshape(steps, size):
            turned = np.stack([augmented(pictures[row], pretrain["rotation"], random) for row in rows])
            yield rescaled(turned), labels[rows, np.newaxis]

    signature = (tf.TensorSpec((None, *pictures.shape[1:]), tf.float32), tf.TensorSpec((None, 1), tf.float32))
    options = tf.data.Options()
    # Autotuning checks the pipeline at intervals that double, and the end of a pass may wait for the next check: up to
    # as long again as the pass took. `fit` turns autotuning on for a generator or a PyDataset.
    options.autotune.enabled = False
    dataset = tf.data.Dataset.from_generator(read, output_signature=signature)
    return dataset.apply(tf.data.experimental.assert_cardinality(steps)).prefetch(1).with_options(options)


def augmented(pixels: np.ndarray, rotation: float, random: np.random.Generator) -> np.ndarray:
    """The picture mirrored or not, and turned by up to `rotation` of a full turn."""
    mirrored = pixels[:, ::-1] if random.random() < 0.5 else pixels
    degrees = 360 * random.uniform(-rotation, rotation)
    size = pixels.shape[0]
    matrix = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), degrees, 1.0)
    return cv2.warpAffine(np.ascontiguousarray(mirrored), matrix, (size, size), borderMode=cv2.BORDER_REFLECT)


def train(backbone: keras.Model, training: Data, validation: Data, params: dict[str, Any]) -> None:
    """Train the backbone under a classifier of all classes, which is then dropped."""
    pretrain = params["pretrain"]
    model = fused(_classifier(backbone, pretrain))
    steps = len(training[1]) // pretrain["batch_size"]
    model.compile(
        optimizer=_optimizer(steps, pretrain),
        loss=_smoothed_loss(pretrain["label_smoothing"]),
        metrics=["accuracy"],
        jit_compile=False,  # XLA trains depthwise convolutions several times slower on a CPU
    )
    for part in pretrain["rounds"]:
        drawn = batches(resized(training[0], part["size"]), training[1], pretrain, params["seed"])
        checked = (rescaled(resized(validation[0], part["size"])), validation[1])
        model.fit(drawn, shuffle=False, validation_data=checked, epochs=part["epochs"], verbose=2)


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


def shrink_kernels(backbone: keras.Model, scale: float) -> None:
    """Multiply kernels of 1 by 1 by `scale`, and adapt the batch normalisation after them: the function stays.

    Only what is left of the function's dependence on `epsilon` is moved into gamma.
    """
    for layer, normalisation in pairwise(backbone.layers):
        if isinstance(normalisation, keras.layers.BatchNormalization) and layer.kernel.shape[:2] == (1, 1):
            gamma, beta, mean, variance = normalisation.get_weights()
            epsilon = normalisation.epsilon
            gamma *= np.sqrt((scale**2 * variance + epsilon) / (scale**2 * (variance + epsilon)))
            layer.set_weights([scale * weight for weight in layer.get_weights()])
            normalisation.set_weights([gamma, beta, scale * mean, scale**2 * variance])


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
