"""The json beside a saved model: it says what the model's numbers mean to somebody who loads it with Keras alone."""

from stages.common.manifest import Manifest

NAME = "classes.json"


def content(manifest: Manifest, dataset: str) -> dict[str, object]:
    """The content of the json beside a model of `dataset`."""
    return {
        "classes": list(manifest.dataset(dataset).classes),
        "image_size": manifest.backbone.image_size,
        "input": "RGB pixels from 0 to 255, float32 (n, image_size, image_size, 3); of a picture upright as its EXIF "
        "says, stretched to the square bilinearly without anti-aliasing. The model does the backbone's preprocessing.",
        "output": "one logit of the second class, for a sigmoid"
        if len(manifest.dataset(dataset).classes) == 2
        else "a logit for each class, for a softmax",
    }
