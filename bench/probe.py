"""How near to the machine's limit the network's two parts run; writes one json object.

Multiply-adds are counted from the layers' shapes, two floating-point operations each; a training step counts three
times a forward pass (He and Sun, "Convolutional Neural Networks at Constrained Time Cost", 2014, count likewise: one
forward, and one backward each for inputs and weights).
"""

import argparse
import json
import time
from collections.abc import Callable

import numpy as np

from stages.common import params as params_file
from stages.common.params import Features
from stages.network import backbones, frozen, inputs, multiply_adds
from stages.network.inputs import Inputs
from stages.network.keras_quietly import keras, tf
from stages.training import fine_phase, transfer_phase
from stages.training.batches import Batches, Joined
from stages.training.data import Data
from stages.training.steps import Steps

ROUNDS = 5  # of all measurements, one after the other; medians are reported
SIDE = 2048  # of the square matrices multiplied: large enough for the library's best rate
FROZEN_IMAGES = 256
STEPS = 8
BATCH = 32  # Keras's default for a forward pass


def main() -> None:
    arguments = _arguments()
    study = inputs.read(arguments, arguments.dataset, params_file.load())
    backbone = study.backbone()
    cut = backbones.cut_layer(backbone, study.params.fine.from_layer)
    (repeat,) = study.params.repeats_of(arguments.dataset)
    data = Data(study.store(study.fingerprint(cut)), study.parts, study.params, repeat, 1)
    works = {"matrix product": matrix_product(), **frozen_network(study, backbone, cut), **top(study, data, cut)}
    seconds = {name: [] for name in works}
    for _ in range(ROUNDS + 1):
        for name, work in works.items():
            started = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - started)
    medians = {name: float(np.median(times[1:])) for name, times in seconds.items()}  # the first one traces
    images = {name: STEPS * BATCH if name.startswith("top") else FROZEN_IMAGES for name in works}
    del images["matrix product"]
    whole, below = map(multiply_adds.of_image, (backbone, keras.Model(backbone.input, cut.output)))
    answer = {
        "matrix_product_gflops": 2 * SIDE**3 / medians["matrix product"] / 1e9,
        "whole_network_gflop_an_image": 2 * whole / 1e9,
        "top_gflop_an_image": 2 * (whole - below) / 1e9,
        "images_a_second": {name: count / medians[name] for name, count in images.items()},
    }
    print(json.dumps(answer))


def matrix_product() -> Callable[[], object]:
    square = tf.random.stateless_normal((SIDE, SIDE), (0, 0))
    return lambda: tf.matmul(square, square).numpy()


def frozen_network(study: Inputs, backbone: keras.Model, cut: keras.Layer) -> dict[str, Callable[[], object]]:
    """Pixels to the activations at the cut and on to the pooled output, as `features` computes them."""
    size = study.manifest.backbone.image_size
    pixels = np.random.default_rng(0).uniform(0, 255, (FROZEN_IMAGES, size, size, 3)).astype(np.float32)

    def work(features: Features) -> Callable[[], object]:
        run = frozen.build(backbone, cut, study.preprocessing(), features)
        size = features.batch_size
        return lambda: [run(pixels[start : start + size]) for start in range(0, FROZEN_IMAGES, size)]

    return {
        "frozen network, Keras": work(
            study.params.features.model_copy(update={"engine": "keras", "batch_size": BATCH})
        ),
        "frozen network, XNNPACK": work(study.params.features),
    }


def top(study: Inputs, data: Data, cut: keras.Layer) -> dict[str, Callable[[], object]]:
    """Steps of training and of validation on made-up activations; one model for each engine of the fine phase."""
    random = np.random.default_rng(0)
    activations = random.normal(size=(STEPS * BATCH, *cut.output.shape[1:])).astype(np.float32)
    rows = np.arange(len(activations))
    made_up = Joined([activations], np.array([0, len(rows)]))
    batches = Batches(made_up, random.integers(0, 2, len(rows)), BATCH, rows)
    steps = {}
    for engine in ("keras", "fused"):
        params = study.params.model_copy(update={"fine": study.params.fine.model_copy(update={"engine": engine})})
        head = transfer_phase.compiled_head(data, params)
        steps[engine] = Steps(fine_phase.compiled_top(study.backbone(), head, data, params, 1))
    return {
        "top, training step, Keras": lambda: steps["keras"].train(batches),
        "top, training step, fused": lambda: steps["fused"].train(batches),
        "top, forward, Keras": lambda: steps["keras"].measure(batches),
        "top, forward, fused": lambda: steps["fused"].measure(batches),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    inputs.add_arguments(parser)
    parser.add_argument("--dataset", required=True, help="its name in the manifest")
    return parser.parse_args()


if __name__ == "__main__":
    main()
