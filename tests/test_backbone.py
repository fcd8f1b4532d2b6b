"""The backbone cut below its first unfrozen layer, on networks of several shapes, and weights that do not fit."""

import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tiny_study

from stages.common.command import ThawError
from stages.common.manifest import Backbone
from stages.network import backbones
from stages.network.keras_quietly import keras
from stages.training import models

NETWORKS = {"MobileNetV2": {"alpha": 0.35}, "ResNet50V2": {}, "DenseNet121": {}, "EfficientNetV2B0": {}}
SHAPE = (64, 64, 3)
rescaled = keras.applications.mobilenet_v2.preprocess_input
MOBILENET = Backbone(name="MobileNetV2", arguments=NETWORKS["MobileNetV2"], image_size=64)


@cache
def untrained(name: str) -> keras.Model:
    """A network of `keras.applications` with random weights; tests leave it as it is."""
    build = getattr(keras.applications, name)
    return build(input_shape=SHAPE, include_top=False, weights=None, **NETWORKS[name])


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "weights.h5"
    path.write_bytes(tiny_study.weights_content())
    return path


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, size=(3, *SHAPE)).astype(np.float32)


def numpy_of(tensor: object) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def layers_read(node: object) -> set[str]:
    """The names of the layers whose output the inbound node of a layer's JSON reads, however nested."""
    if isinstance(node, dict):
        if node.get("class_name") == "__keras_tensor__":
            return {node["config"]["keras_history"][0]}
        return layers_read(list(node.values()))
    return set().union(*map(layers_read, node)) if isinstance(node, list | tuple) else set()


def graph(network: keras.Model) -> list[set[int]]:
    """For each layer the indices of the layers that it reads, from the network's own description."""
    position = {layer.name: index for index, layer in enumerate(network.layers)}
    read: list[set[int]] = [set() for _ in network.layers]
    for layer in network.get_config()["layers"]:
        read[position[layer["name"]]] = {position[name] for name in layers_read(layer["inbound_nodes"])}
    return read


def disconnects(reads: list[set[int]], removed: int, from_layer: int) -> bool:
    """Whether nothing leads from the input to a layer at or above `from_layer` once `removed` is gone."""
    reached = {0} - {removed}
    for index in range(1, len(reads)):
        if index != removed and reads[index] & reached:
            reached.add(index)
    return max(reached, default=-1) < from_layer


def test_the_paper_s_cut_is_the_end_of_block_ten():
    assert backbones.cut_layer(untrained("MobileNetV2"), 100).name == "block_10_project_BN"


@pytest.mark.parametrize(
    ("from_layer", "name"),
    [
        (1, "input_layer"),
        (2, "Conv1"),
        (27, "block_2_add"),  # block 3 starts at 27 and has no shortcut: the cut is right below
        (28, "block_3_expand"),
        (45, "block_4_add"),  # inside block 5, whose shortcut starts at block 4's sum
        (153, "Conv_1_bn"),
    ],
)
def test_the_cut_of_mobilenet_is_known_by_name(from_layer, name):
    found = backbones.cut_layer(untrained("MobileNetV2"), from_layer).name
    assert found.startswith(name)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_cut_is_the_last_layer_that_separates_below_from_above(name):
    network = untrained(name)
    reads = graph(network)
    assert not reads[0]
    assert all(reads[1:])  # every other layer reads something: the walk below misses no path
    for from_layer in {*range(1, len(reads), 11), len(reads) - 1}:
        separating = [index for index in range(from_layer) if disconnects(reads, index, from_layer)]
        assert backbones.cut_layer(network, from_layer) is network.layers[separating[-1]]


@pytest.mark.parametrize("from_layer", [-1, 0, 154, 1000])
def test_a_layer_that_is_not_there_is_refused(from_layer, told):
    network = untrained("MobileNetV2")
    with pytest.raises(ThawError) as error:
        backbones.cut_layer(network, from_layer)
    assert str(error.value) == (
        f"params.yaml: fine.from_layer: {network.name} has layers 0 to 153, not {from_layer}; name one above 0"
    )
    told("params", str(error.value), f"fine.from_layer: {from_layer}")


def test_a_layer_of_another_name_is_refused_with_the_nearest(told):
    network = untrained("MobileNetV2")
    with pytest.raises(ThawError) as error:
        backbones.layer_index(network, "block_11_expend")
    message = str(error.value)
    assert message.startswith(
        f"params.yaml: fine.from_layer: {network.name} has no layer 'block_11_expend'; near it are "
    )
    assert "block_11_expand" in message
    told("params", message, "fine.from_layer: 'block_11_expend'")


def check_parts(network: keras.Model, from_layer: int, pixels: np.ndarray) -> None:
    """The frozen part and then the top give what the whole network gives."""
    cut = backbones.cut_layer(network, from_layer)
    activations, pooled = map(numpy_of, backbones.frozen_part(network, cut, rescaled)(pixels))
    expected = numpy_of(network(pixels / 127.5 - 1, training=False)).mean(axis=(1, 2))
    again = numpy_of(backbones.top_part(network, cut)(activations, training=False))
    # Rounding of float32, in sums over some hundreds of terms.
    tolerance = 1e-4 * np.abs(expected).max()
    np.testing.assert_allclose(pooled, expected, atol=tolerance)
    np.testing.assert_allclose(again, expected, atol=tolerance)
    assert activations.shape[1:] == cut.output.shape[1:]
    assert expected.std() > 0


@pytest.mark.parametrize("from_layer", [1, 45, 100, 153])
def test_the_parts_make_the_whole_wherever_the_cut_is(weights, pixels, from_layer):
    check_parts(backbones.load(MOBILENET, weights), from_layer, pixels)


@pytest.mark.parametrize("name", ["ResNet50V2", "EfficientNetV2B0"])
def test_the_parts_make_the_whole_of_other_networks(pixels, name):
    check_parts(untrained(name), 150, pixels)


def test_the_frozen_part_uses_moving_statistics_and_the_top_shares_the_layers(weights, pixels):
    network = backbones.load(MOBILENET, weights)
    cut = backbones.cut_layer(network, 100)
    frozen = backbones.frozen_part(network, cut, rescaled)
    one_by_one = [numpy_of(frozen(pixels[index : index + 1])[1]) for index in range(len(pixels))]
    np.testing.assert_allclose(np.concatenate(one_by_one), numpy_of(frozen(pixels)[1]), atol=1e-4)
    above = network.layers[network.layers.index(cut) + 1 :]
    assert {id(layer) for layer in above} <= {id(layer) for layer in backbones.top_part(network, cut).layers}


def test_the_whole_model_is_saved_as_plain_keras(weights, pixels, tmp_path):
    network = backbones.load(MOBILENET, weights)
    head = models.build_head(1280, classes=2, dropout=0.2, seed=1)
    pooled = numpy_of(network(pixels / 127.5 - 1, training=False)).mean(axis=(1, 2))
    backbones.whole_model(network, head, rescaled).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")  # safe mode: no code of ours, no lambda
    np.testing.assert_allclose(numpy_of(loaded(pixels)), numpy_of(head(pooled)), atol=1e-4)


def test_unfreezing_starts_at_the_layer_named(weights):
    network = backbones.load(MOBILENET, weights)
    network.trainable = False
    assert not network.trainable_variables
    backbones.unfreeze(network, 100)
    expected = [variable.path for layer in network.layers[100:] for variable in layer.trainable_variables]
    assert [variable.path for variable in network.trainable_variables] == expected
    assert not any(layer.trainable for layer in network.layers[:100])
    assert len(expected) == 54  # as the tutorial's MobileNetV2: 56, two of them the head's


class Trap:
    """Unpickled, it would create the file that it names."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


BROKEN = {
    "truncated": lambda good: good[: len(good) // 2],
    "empty": lambda good: b"",
    "text": lambda good: b"<html>not found</html>\n",
    "damaged": lambda good: good[:8] + bytes(2000) + good[2008:],
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("suffix", [".h5", ".weights.h5", ".keras"])
def test_a_file_that_holds_no_weights_gives_one_line(weights, tmp_path, kind, suffix, check_refused):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(BROKEN[kind](weights.read_bytes()))
    check_refused(path, MOBILENET)


@pytest.mark.parametrize("name", ["weights.h5", "weights.pkl", "weights.keras", "weights.npy"])
def test_a_pickle_is_refused_and_not_executed(tmp_path, name, check_refused):
    mark = tmp_path / "executed"
    path = tmp_path / name
    path.write_bytes(pickle.dumps(Trap(mark)))
    check_refused(path, MOBILENET)
    assert not mark.exists()
    pickle.loads(path.read_bytes())
    assert mark.exists()  # it would have been


@pytest.mark.parametrize(
    "other",
    [
        MOBILENET.model_copy(update={"arguments": {"alpha": 0.5}}),
        Backbone(name="MobileNet", arguments={"alpha": 0.25}, image_size=64),
        Backbone(name="ResNet50V2", arguments={}, image_size=64),
    ],
    ids=["wider", "MobileNet", "ResNet50V2"],
)
def test_weights_of_another_network_are_the_manifest_s_mistake(weights, other, check_refused):
    check_refused(weights, other, "correct `backbone` in the manifest, or its download `weights`")


@pytest.mark.parametrize(
    ("arguments", "size", "cause"),
    [
        ({"alfa": 0.35}, 64, "MobileNetV2() got an unexpected keyword argument 'alfa'"),
        ({"alpha": "small"}, 64, ""),
        ({"alpha": 0.35}, 8, "Input size must be at least 32x32"),
    ],
    ids=["unknown argument", "text for a number", "small picture"],
)
def test_a_network_that_keras_cannot_build_is_the_manifest_s_mistake(weights, arguments, size, cause, told):
    spec = Backbone(name="MobileNetV2", arguments=arguments, image_size=size)
    with pytest.raises(ThawError) as error:
        backbones.load(spec, weights)
    message = str(error.value)
    assert message.startswith(
        f"backbone: keras.applications cannot build MobileNetV2 {arguments} for {size} pixels ({cause}"
    )
    assert message.endswith("); correct the manifest")
    told("weights", message)


@pytest.fixture
def check_refused(told):
    """Load weights that do not fit: one line that names the file."""

    def check(path: Path, spec: Backbone, remedy: str = backbones.AGAIN) -> None:
        with pytest.raises(ThawError) as error:
            backbones.load(spec, path)
        message = str(error.value)
        assert message.startswith(f"{path}: not weights of {spec.name} {spec.arguments} (")
        assert message.endswith(f"; {remedy}")
        told("weights", message.replace(f"{path}", path.name))

    return check
