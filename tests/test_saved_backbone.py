"""A backbone from a `.keras` file gives plain Keras's numbers, and a file that is no backbone is refused in a line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny_study
from keras import Input, Model, layers, ops

from stages.common.command import ThawError
from stages.common.manifest import SavedBackbone
from stages.network import backbones, frozen, saved
from stages.network.keras_quietly import keras
from stages.training.batch_normalization import fused

SIZE = 32


def network(size: int | None = SIZE, channels: int = 3) -> Model:
    """A small functional network with a residual path, on pictures of `size`."""
    pixels = Input((size, size, channels))
    first = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(pixels)
    first = layers.ReLU(6.0)(layers.BatchNormalization()(first))
    within = layers.DepthwiseConv2D(3, padding="same")(first)
    within = layers.BatchNormalization(scale=False)(within)
    return Model(pixels, layers.Conv2D(12, 1)(layers.Add()([first, within])))


def saved_as(folder: Path, model: Model, name: str = "net.keras") -> Path:
    model.save(folder / name)
    return folder / name


def spec(size: int = SIZE, scale: object = 1 / 128, offset: object = -127 / 128) -> SavedBackbone:
    return SavedBackbone(file="net.keras", scale=scale, offset=offset, image_size=size)


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, size=(3, SIZE, SIZE, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("scale", "offset"),
    [(1 / 128, -127 / 128), ([0.02, 0.01, 0.03], [-1.0, 0.5, 0.0])],
    ids=["one number", "a channel"],
)
@pytest.mark.parametrize("size", [SIZE, None], ids=["of one size", "of any size"])
@pytest.mark.parametrize("from_layer", [2, 4, 6])
def test_both_parts_give_what_the_file_gives_by_plain_keras(tmp_path, pixels, from_layer, size, scale, offset):
    path = saved_as(tmp_path, network(size))
    told = spec(scale=scale, offset=offset)
    loaded = backbones.load(told, path)
    cut = backbones.cut_layer(loaded, from_layer)
    activations, pooled = backbones.frozen_part(loaded, cut, backbones.preprocessing(told))(pixels)
    plain = keras.models.load_model(path)(pixels * np.float32(scale) + np.float32(offset), training=False)
    expected = ops.convert_to_numpy(plain).mean(axis=(1, 2))
    tolerance = 1e-5 * np.abs(expected).max()  # rounding of float32
    np.testing.assert_allclose(ops.convert_to_numpy(pooled), expected, atol=tolerance)
    again = backbones.top_part(loaded, cut)(activations, training=False)
    np.testing.assert_allclose(ops.convert_to_numpy(again), expected, atol=tolerance)


def test_xnnpack_computes_its_frozen_part(tmp_path, pixels):
    path = saved_as(tmp_path, network())
    loaded = backbones.load(spec(), path)
    cut = backbones.cut_layer(loaded, 4)
    settings = tiny_study.params().features
    part = frozen.build(loaded, cut, backbones.preprocessing(spec()), settings.model_copy(update={"engine": "xnnpack"}))
    activations, pooled = part(pixels)
    expected = backbones.frozen_part(loaded, cut, backbones.preprocessing(spec()))(pixels)
    for mine, keras_s in zip((activations, pooled), map(ops.convert_to_numpy, expected), strict=True):
        np.testing.assert_allclose(mine, keras_s, atol=1e-4 * np.abs(keras_s).max())  # other kernels' rounding


def test_fused_batch_normalisation_trains_it_as_keras_does(tmp_path, pixels):
    loaded = backbones.load(spec(), saved_as(tmp_path, network()))
    loaded.trainable = True
    given = pixels / 128 - 1
    expected = ops.convert_to_numpy(loaded(given, training=True))
    found = ops.convert_to_numpy(fused(loaded)(given, training=True))
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())  # another order of sums


def test_a_network_saved_in_half_precision_computes_in_float32(tmp_path, pixels):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        path = saved_as(tmp_path, network())
    finally:
        keras.config.set_dtype_policy("float32")
    loaded = backbones.load(spec(), path)
    assert loaded(pixels / 128 - 1).dtype == "float32"
    assert {layer.compute_dtype for layer in loaded.layers} == {"float32"}


@keras.saving.register_keras_serializable()
class Registered(layers.Layer):
    """A layer of somebody's own."""

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return inputs


def with_a_layer_of_its_own() -> Model:
    pixels = Input((SIZE, SIZE, 3))
    return Model(pixels, Registered()(layers.Conv2D(4, 3)(pixels)))


def with_a_lambda() -> Model:
    pixels = Input((SIZE, SIZE, 3))
    return Model(pixels, layers.Lambda(lambda values: values * 2)(layers.Conv2D(4, 3)(pixels)))


def with_a_model_inside() -> Model:
    pixels = Input((SIZE, SIZE, 3))
    return Model(pixels, network()(pixels))


def with_a_top() -> Model:
    body = network()
    return Model(body.input, layers.Dense(10)(layers.GlobalAveragePooling2D()(body.output)))


def of_two_pictures() -> Model:
    one, other = Input((SIZE, SIZE, 3)), Input((SIZE, SIZE, 3))
    return Model([one, other], layers.Conv2D(4, 3)(layers.Add()([one, other])))


REFUSED: dict[str, tuple[Callable[[], Model], str]] = {
    "a layer of its own": (with_a_layer_of_its_own, "Keras cannot load it ("),
    "a lambda": (with_a_lambda, "Keras cannot load it ("),
    "a model inside": (with_a_model_inside, "holds whole models as layers ("),
    "a top": (with_a_top, "gives [(10,)], where a feature map has height, width and channels"),
    "grey pictures": (lambda: network(channels=1), "takes [(32, 32, 1)], where a picture has"),
    "two pictures": (of_two_pictures, "takes [(32, 32, 3), (32, 32, 3)], where a picture has"),
    "a list of layers": (
        lambda: keras.Sequential([Input((SIZE, SIZE, 3)), layers.Conv2D(4, 3)]),
        "is no functional model",
    ),
    "another size": (lambda: network(size=48), "takes pictures of 48 by 48 pixels, not of 32 by 32"),
}


@pytest.mark.parametrize(("make", "cause"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_backbone_is_refused_in_a_line(tmp_path, monkeypatch, make, cause):
    path = saved_as(tmp_path, make())
    monkeypatch.setattr("keras.src.saving.object_registration.GLOBAL_CUSTOM_OBJECTS", {})  # as in another process
    with pytest.raises(ThawError) as caught:
        backbones.load(spec(), path)
    message = str(caught.value)
    assert message.startswith(f"{path}: {cause}")
    assert "\n" not in message
    assert "; " in message  # and what to do


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"\x89HDF\r\n\x1a\n"], ids=["nothing", "cut", "HDF5"])
def test_what_is_no_keras_file_is_refused(tmp_path, content):
    path = tmp_path / "net.keras"
    path.write_bytes(content)
    with pytest.raises(ThawError, match=r"net\.keras: not a network in Keras's `\.keras` format; save it by "):
        saved.load(path)


def test_a_damaged_keras_file_is_refused(tmp_path):
    path = saved_as(tmp_path, network())
    content = bytearray(path.read_bytes())
    content[200:400] = bytes(200)
    path.write_bytes(content)
    with pytest.raises(ThawError, match=r"net\.keras: Keras cannot load it \("):
        saved.load(path)
