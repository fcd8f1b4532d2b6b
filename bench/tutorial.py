"""The way of TensorFlow's tutorial on transfer learning: `fit` on the whole network, from image files, in every epoch.

A process of its own, so that its memory is its own. For each line read, `transfer` or `fine`, it trains an epoch of
that phase and writes its seconds; the first line it writes is the seconds until it was ready. All is the tutorial's:
prefetching, augmentation as layers of the model, the backbone called with training=False.
"""

import time

STARTED = time.perf_counter()

import argparse  # noqa: E402  imports are part of what is measured
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

from stages.common import params as params_file  # noqa: E402
from stages.common.params import Params  # noqa: E402
from stages.network.keras_quietly import keras, tf  # noqa: E402


def main() -> None:
    arguments = _arguments()
    params = params_file.load()
    models = {}
    training, validation = (batches(folder, arguments, params) for folder in (arguments.training, arguments.validation))
    answer(time.perf_counter() - STARTED)
    for line in sys.stdin:
        started = time.perf_counter()
        phase = line.strip()
        if phase not in models:
            models[phase] = classifier(arguments, params, phase)
        models[phase].fit(training, validation_data=validation, shuffle=False, verbose=0)
        answer(time.perf_counter() - started)


def batches(folder: Path, arguments: argparse.Namespace, params: Params) -> tf.data.Dataset:
    """Batches of a folder of classes, decoded and resized anew in each epoch, prefetched."""
    size = (arguments.size, arguments.size)
    dataset = keras.utils.image_dataset_from_directory(
        folder, label_mode="binary", batch_size=params.batch_size, image_size=size, seed=params.seeds[0], verbose=False
    )
    return dataset.prefetch(tf.data.AUTOTUNE)


def classifier(arguments: argparse.Namespace, params: Params, phase: str) -> keras.Model:
    """Pixels to logit, augmentation and backbone inside, compiled for `phase`."""
    shape = (arguments.size, arguments.size, 3)
    backbone = keras.applications.MobileNetV2(input_shape=shape, include_top=False, weights=str(arguments.weights))
    backbone.trainable = phase == "fine"
    if phase == "fine":
        for layer in backbone.layers[: params.fine.from_layer]:
            layer.trainable = False
    pixels = keras.Input(shape)
    augmented = keras.layers.RandomRotation(params.augment.rotation)(keras.layers.RandomFlip("horizontal")(pixels))
    features = backbone(keras.applications.mobilenet_v2.preprocess_input(augmented), training=False)
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    model = keras.Model(pixels, keras.layers.Dense(1)(keras.layers.Dropout(params.head.dropout)(pooled)))
    settings = params.transfer if phase == "transfer" else params.fine
    model.compile(
        optimizer={"class_name": settings.optimizer, "config": {"learning_rate": settings.learning_rate}},
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)],
    )
    return model


def answer(seconds: float) -> None:
    print(seconds, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--training", type=Path, required=True, help="folder of a folder for each class")
    parser.add_argument("--validation", type=Path, required=True, help="the same")
    parser.add_argument("--weights", type=Path, required=True, help="the backbone's .h5 file")
    parser.add_argument("--size", type=int, required=True, help="pixels of both sides")
    return parser.parse_args()


if __name__ == "__main__":
    main()
