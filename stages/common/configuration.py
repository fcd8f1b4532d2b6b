"""The manifest, read and held against `params.yaml`, before any work starts."""

from collections.abc import Iterable
from pathlib import Path

from stages.common import manifest
from stages.common.command import ThawError
from stages.common.manifest import Manifest
from stages.common.params import PARAMS_FILE, Params


def read(source: Path, params: Params) -> Manifest:
    """Read the manifest `source`; raises ThawError where it is wrong, or `params` ask for what it does not have."""
    inputs = manifest.load(source)
    _check(params, inputs)
    return inputs


def _check(params: Params, inputs: Manifest) -> None:
    for name in params.budget:
        if name not in inputs.datasets:
            raise _mistake("budget", f"{inputs.path} has no data set '{name}'", inputs.datasets)
    if params.schedule.dataset not in params.budget:
        raise _mistake("schedule.dataset", f"there is no '{params.schedule.dataset}' under budget", params.budget)
    for name in params.budget:
        images = inputs.dataset(name).training_images()
        if params.batch_size > images:
            raise ThawError(
                f"{PARAMS_FILE}: batch_size: {params.batch_size} is more than the {images} training images of '{name}' "
                f"in {inputs.path}; lower it"
            )


def _mistake(key: str, cause: str, known: Iterable[str]) -> ThawError:
    return ThawError(f"{PARAMS_FILE}: {key}: {cause}; known are {', '.join(known)}")
