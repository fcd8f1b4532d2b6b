"""The networks that a data set of one's own may start from, as a manifest describes them."""

from pathlib import Path
from typing import Any

from stages.common import manifest
from stages.common.command import ThawError
from stages.common.manifest import BACKBONES, WEIGHTS

PHOTOS, DRAWINGS = Path("data/photos.yaml"), Path("data/embedded.yaml")  # which have one each, with its weights
EMBEDDED = "embedded"
IMAGE_SIZE = 224  # pixels, with which most of Keras's networks were trained; those that were not take it too


def described(name: str) -> dict[str, Any]:
    """The manifest's `backbone` and, under `weights`, its download; raises ThawError with the known names."""
    for source, its_name in ((DRAWINGS, EMBEDDED), (PHOTOS, manifest.load(PHOTOS).backbone.name)):
        if name == its_name:
            known = manifest.load(source)
            weights = known.download(WEIGHTS)
            return {"backbone": known.backbone.model_dump(), WEIGHTS: weights.model_dump(exclude_none=True)}
    if name not in BACKBONES:
        raise ThawError(f"--backbone: there is no {name}; known are {EMBEDDED}, {', '.join(BACKBONES)}")
    return {
        "backbone": {"name": name, "arguments": {}, "image_size": IMAGE_SIZE},
        WEIGHTS: {"copies": [{"address": _address_of_weights(name)}]},
    }


def _address_of_weights(name: str) -> str:
    """Where Keras fetches the network's ImageNet weights without its top: what it would ask for, asked for nothing."""
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
    raise ThawError(f"--backbone: Keras has no ImageNet weights of {name}; choose another network")
