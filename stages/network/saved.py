"""A backbone from a `.keras` file: it is loaded without any code of its own, and refused if it is no backbone."""

import zipfile
from pathlib import Path

from stages.common.command import ThawError, one_line
from stages.network.keras_quietly import keras

CORRECT_BACKBONE = "correct `backbone` in the manifest, or its download `weights`"


def load(path: Path) -> keras.Model:
    """Load the network in `path`: a functional model of Keras's own layers that maps an RGB picture to a feature map.

    Raises ThawError with the cause if the file holds anything else.
    """
    if not zipfile.is_zipfile(path):  # Keras's older formats may hold code
        raise ThawError(f"{path}: not a network in Keras's `.keras` format; save it by `model.save('NAME.keras')`")
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever a damaged or a foreign description leads it to
        raise ThawError(
            f"{path}: Keras cannot load it ({one_line(error)}); save a whole network of Keras's own layers, without "
            "Lambda layers and classes of your own"
        ) from None
    _check(model, path)
    for layer in model.layers:  # a network that was saved in half precision computes in float32 here
        layer.dtype_policy = "float32"
    return model


def of_size(model: keras.Model, size: int, path: Path) -> keras.Model:
    """`model` for pictures of `size` pixels a side; raises ThawError if it takes another size only."""
    shape = model.input_shape[1:3]
    if shape == (size, size):
        return model
    if None not in shape:
        raise ThawError(
            f"{path}: takes pictures of {shape[1]} by {shape[0]} pixels, not of {size} by {size}; correct "
            "backbone.image_size in the manifest, or save the network with another input"
        )
    fixed = keras.models.clone_model(model, input_tensors=keras.Input((size, size, 3)))
    fixed.set_weights(model.get_weights())
    return fixed


def _check(model: object, path: Path) -> None:
    """Raise ThawError if `model` does not map a picture to a feature map, or cannot be cut."""
    if not isinstance(model, keras.src.models.Functional):  # there is no public name of it
        raise ThawError(f"{path}: is no functional model; build it with keras.Model(inputs, outputs) and save that")
    if nested := [layer.name for layer in model.layers if isinstance(layer, keras.Model)]:
        raise ThawError(
            f"{path}: holds whole models as layers ({', '.join(nested)}); save the one that is the backbone"
        )
    shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 3 or shapes[0][-1] != 3:
        raise ThawError(f"{path}: takes {shapes}, where a picture has height, width and 3 channels; {CORRECT_BACKBONE}")
    shapes = [tuple(tensor.shape[1:]) for tensor in model.outputs]
    if len(shapes) != 1 or len(shapes[0]) != 3:
        raise ThawError(
            f"{path}: gives {shapes}, where a feature map has height, width and channels; save it without its top "
            "and its pooling: keras.Model(model.input, LAST_FEATURE_MAP.output)"
        )
