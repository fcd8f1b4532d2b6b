"""The backbones that your own data set may use, as a manifest describes them."""

from pathlib import Path
from typing import Any

from stages.common import files, manifest
from stages.common.command import ThawError
from stages.common.manifest import BACKBONES, SAVED, WEIGHTS

PHOTOS, DRAWINGS = Path("data/photos.yaml"), Path("data/embedded.yaml")  # each describes a backbone and its weights
EMBEDDED = "embedded"
# `fine.from_layer: 100` in the repository's params counts this network's 154 layers; another gets the same share.
COUNTED, FROZEN_SHARE = "MobileNetV2", 0.65
TO_MINUS_ONE_AND_ONE = {"scale": 1 / 127.5, "offset": -1.0}  # the scale of pixels that most networks take
AS_THEY_ARE = {"scale": 1.0, "offset": 0.0}  # for a network whose own first layers scale pixels
IMAGE_SIZE = 224  # pixels; most networks of Keras were trained with it, and the others take it too


def described(name: str) -> dict[str, Any]:
    """The manifest's `backbone` and its download `weights`; raises ThawError with the known names."""
    for source, its_name in ((DRAWINGS, EMBEDDED), (PHOTOS, manifest.load(PHOTOS).backbone.name)):
        if name == its_name:
            known = manifest.load(source)
            weights = known.download(WEIGHTS)
            return {"backbone": known.backbone.model_dump(), WEIGHTS: weights.model_dump(exclude_none=True)}
    if name.endswith(SAVED):
        return _of_file(Path(name).expanduser())
    if name not in BACKBONES:
        raise ThawError(
            f"--backbone: there is no {name}; name a {SAVED} file or one of {EMBEDDED}, {', '.join(BACKBONES)}"
        )
    return {
        "backbone": {"name": name, "arguments": {}, "image_size": IMAGE_SIZE},
        WEIGHTS: {"copies": [{"address": _address_of_weights(name)}]},
    }


def _of_file(path: Path) -> dict[str, Any]:
    """The same for a network in a file. The file does not say how pixels must be scaled, so that is a guess."""
    if not path.is_file():
        raise ThawError(f"--backbone: {path}: there is no such file; name an existing one")
    from stages.network import saved  # takes seconds, and the usual network needs none of it
    from stages.network.keras_quietly import keras

    model = saved.load(path)
    scaling = (keras.layers.Rescaling, keras.layers.Normalization)
    scales = any(isinstance(layer, scaling) for layer in model.layers[1:3])
    taken = AS_THEY_ARE if scales else TO_MINUS_ONE_AND_ONE
    size = model.input_shape[1] or IMAGE_SIZE
    saved.of_size(model, size, path)
    print(
        f"backbone: {path.name} takes pictures of {size} by {size} pixels, "
        f"{'which it scales itself' if scales else 'which Thaw scales to -1 to 1'}; if that is wrong, correct "
        "backbone.scale and backbone.offset in the manifest before dvc repro"
    )
    return {
        "backbone": {"file": path.name, **taken, "image_size": size},
        WEIGHTS: {"copies": [{"path": path.resolve().as_posix(), "sha256": files.sha256(path)}]},
    }


def _address_of_weights(name: str) -> str:
    """The address from which Keras would fetch the network's ImageNet weights without its top; fetches nothing."""
    from stages.network.keras_quietly import keras  # takes seconds, and the usual network needs none of it

    file_utils = keras.src.utils.file_utils

    class Asked(Exception):  # noqa: N818
        pass

    def get_file(_: str, origin: str, **__: object) -> None:
        raise Asked(origin)

    fetch, file_utils.get_file = file_utils.get_file, get_file
    try:
        build = getattr(keras.applications, name)
        build(include_top=False, weights="imagenet", input_shape=(IMAGE_SIZE, IMAGE_SIZE, 3))
    except Asked as asked:
        return str(asked)
    finally:
        file_utils.get_file = fetch
    raise ThawError(f"--backbone: Keras has no ImageNet weights for {name}; choose another network")
