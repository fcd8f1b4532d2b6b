"""The pre-trained backbone: load it, cut it below the first unfrozen layer, and put the parts together again."""

import difflib
from collections.abc import Callable
from pathlib import Path

import h5py

from stages.common.command import ThawError, one_line
from stages.common.manifest import AnyBackbone, Backbone, SavedBackbone
from stages.network import saved
from stages.network.keras_quietly import keras

Preprocessing = Callable[[keras.KerasTensor], keras.KerasTensor]
# Without --force, DVC does not repeat a download that once succeeded.
AGAIN = "correct the download `weights` in the manifest, or fetch it again: `dvc repro --force download@weights`"
LayerPlace = int | float | str
"""A layer by its index, by its name, or by the share of the layers below it."""


def load(spec: AnyBackbone, weights: Path) -> keras.Model:
    """Load the manifest's backbone without its top from `weights`: a `.h5` file of weights, or the network's own file.

    Its input is float (n, size, size, 3), as `preprocessing` makes it. Raises ThawError if Keras cannot build it as the
    manifest says, or if the file does not fit.
    """
    if isinstance(spec, SavedBackbone):
        return saved.of_size(saved.load(weights), spec.image_size, weights)
    if not h5py.is_hdf5(weights):  # one of Keras's other formats may hold code
        raise ThawError(f"{weights}: not weights of {spec.name} {spec.arguments} (no HDF5 file); {AGAIN}")
    network = _built(spec)
    try:
        network.load_weights(str(weights))
    except Exception as error:  # h5py and Keras raise whatever damaged bytes lead them to
        cause = one_line(error)
        # Keras reports a mismatch if a sound file holds another network; to fetch such a file again mends nothing.
        remedy = saved.CORRECT_BACKBONE if "mismatch" in cause else AGAIN
        raise ThawError(f"{weights}: not weights of {spec.name} {spec.arguments} ({cause}); {remedy}") from None
    return network


def _built(spec: Backbone) -> keras.Model:
    shape = (spec.image_size, spec.image_size, 3)
    build = getattr(keras.applications, spec.name)
    try:
        return build(input_shape=shape, include_top=False, weights=None, **spec.arguments)
    except Exception as error:  # as above, of arguments
        cause = one_line(error)
        raise ThawError(
            f"backbone: keras.applications cannot build {spec.name} {spec.arguments} for {spec.image_size} pixels "
            f"({cause}); correct the manifest"
        ) from None


def preprocessing(spec: AnyBackbone) -> Preprocessing:
    """The function that turns pixels, float (n, size, size, 3) in [0, 255], into the backbone's own input."""
    if isinstance(spec, SavedBackbone):
        return keras.layers.Rescaling(spec.scale, spec.offset)
    module = getattr(keras.applications, spec.name).__module__.rpartition(".")[2]
    return getattr(keras.applications, module).preprocess_input


def layer_index(backbone: keras.Model, place: LayerPlace) -> int:
    """The index of the first unfrozen layer, `fine.from_layer`; raises ThawError if there is no such layer."""
    count = len(backbone.layers)
    if isinstance(place, str):
        names = [layer.name for layer in backbone.layers]
        if place not in names:
            near = difflib.get_close_matches(place, names, n=3)
            hint = f"near it are {', '.join(near)}" if near else f"its last is {names[-1]}"
            raise ThawError(f"params.yaml: fine.from_layer: {backbone.name} has no layer '{place}'; {hint}")
        place = names.index(place)
    index = round(place * count) if isinstance(place, float) else place
    if not 0 < index < count:
        raise ThawError(
            f"params.yaml: fine.from_layer: {backbone.name} has layers 0 to {count - 1}, not {index}; name one above 0"
        )
    return index


def cut_layer(backbone: keras.Model, from_layer: LayerPlace) -> keras.Layer:
    """The last layer below `from_layer` whose output every path from below to above crosses.

    Everything up to its output stays frozen when the layers from `from_layer` up are trained, and the rest of the
    network needs its output alone.
    """
    position = {layer.name: index for index, layer in enumerate(backbone.layers)}
    # furthest_reader[i]: the highest layer that reads the output of layer i.
    furthest_reader = [max(_readers(layer, position), default=0) for layer in backbone.layers]
    furthest_below = 0
    cut = 0
    for index in range(layer_index(backbone, from_layer)):
        if furthest_below <= index:
            cut = index
        furthest_below = max(furthest_below, furthest_reader[index])
    return backbone.layers[cut]


def _readers(layer: keras.Layer, position: dict[str, int]) -> list[int]:
    # `_outbound_nodes` is how Keras itself walks the graph; there is no public way.
    readers = [node.operation.name for node in layer._outbound_nodes]
    return [position[name] for name in readers if name in position]


def unfreeze(backbone: keras.Model, from_layer: LayerPlace) -> None:
    """Make the layers from `from_layer` up trainable and the others not."""
    backbone.trainable = True
    for layer in backbone.layers[: layer_index(backbone, from_layer)]:
        layer.trainable = False


def compute_in(precision: str, network: keras.Model) -> None:
    """Make the layers of `network` compute in `precision`, a dtype policy of Keras; their weights stay float32."""
    for layer in network.layers:
        layer.dtype_policy = precision


def frozen_part(
    backbone: keras.Model, cut: keras.Layer, preprocess: Preprocessing, batch_size: int | None = None
) -> keras.Model:
    """A model that maps pixels, float32 (n, size, size, 3) in [0, 255], to [activations at the cut, pooled output]."""
    pixels = keras.Input(backbone.input_shape[1:], batch_size=batch_size, name="pixels")
    pooled = keras.layers.GlobalAveragePooling2D()(backbone.output)
    both = keras.Model(backbone.input, [cut.output, pooled])
    # training=False is only for form: a frozen backbone's batch normalisation uses its moving statistics.
    return keras.Model(pixels, both(preprocess(pixels), training=False))


def top_part(backbone: keras.Model, cut: keras.Layer) -> keras.Model:
    """A model of the backbone's own layers that maps activations at the cut to pooled output, float32 (n, channels)."""
    return keras.Model(cut.output, keras.layers.GlobalAveragePooling2D()(backbone.output), name="top")


def whole_model(backbone: keras.Model, head: keras.Model, preprocess: Preprocessing) -> keras.Model:
    """Join backbone and head into one plain Keras model, to save: it maps pixels in [0, 255] to logits."""
    pixels = keras.Input(backbone.input_shape[1:], name="pixels")
    pooled = keras.layers.GlobalAveragePooling2D()(backbone(preprocess(pixels), training=False))
    return keras.Model(pixels, head(pooled), name="classifier")
