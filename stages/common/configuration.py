"""The manifest, read and held against `params.yaml`, before any work starts."""

from collections.abc import Iterable
from pathlib import Path

from stages.common import manifest
from stages.common.command import ThawError
from stages.common.manifest import WEIGHTS, Manifest
from stages.common.params import AUTO, PARAMS_FILE, REST, Params


def read(source: Path, params: Params) -> Manifest:
    """Read the manifest `source`; raises ThawError where it is wrong, or `params` ask for what it does not have."""
    inputs = manifest.load(source)
    _check(params, inputs)
    return inputs


def _check(params: Params, inputs: Manifest) -> None:
    for name in params.budget:
        if name not in inputs.datasets:
            raise _mistake("budget", f"{inputs.path} has no data set '{name}'", inputs.datasets)
    for key, names in (("downloads", params.downloads), ("local", params.local)):
        for name in names:
            if name not in inputs.downloads:
                raise _mistake(key, f"{inputs.path} has no download '{name}'", inputs.downloads)
    for name, place in params.local.items():
        _check_local(params, name, Path(place), inputs)
    for name in (*params.budget, WEIGHTS):
        if name not in params.downloads and name not in params.local:
            raise ThawError(f"{PARAMS_FILE}: downloads: '{name}' is missing, which the stages read; add it")
    schedules = {f"variants.{name}": schedule for name, schedule in params.variants.items()}
    for key, schedule in (*schedules.items(), ("schedule", params.schedule)):
        if schedule.dataset not in params.budget:
            raise _mistake(f"{key}.dataset", f"there is no '{schedule.dataset}' under budget", params.budget)
        budget = params.budget[schedule.dataset]
        if schedule.fine == REST and schedule.transfer != AUTO and schedule.transfer > budget:
            raise ThawError(
                f"{PARAMS_FILE}: {key}.transfer: {schedule.transfer} is more than the budget of {budget} epochs, of "
                f"which `fine: {REST}` takes what is left; lower it"
            )
        if schedule.transfer == AUTO and schedule.fine != REST and schedule.fine > budget - 2:
            raise ThawError(
                f"{PARAMS_FILE}: {key}.fine: {schedule.fine} of the budget of {budget} epochs leaves `transfer: "
                f"{AUTO}` fewer than two epochs to compare; lower it, or write {REST}"
            )
    for name in params.budget:
        _check_dataset(params, name, inputs)


def _check_local(params: Params, name: str, place: Path, inputs: Manifest) -> None:
    """What DVC watches must be what is read."""
    if name in params.downloads:
        raise ThawError(f"{PARAMS_FILE}: local: '{name}' stands under downloads too; take it out of one of them")
    paths = [each.path_from(inputs.path) for each in inputs.download(name).copies]
    if not any(path and path.resolve() == place.resolve() for path in paths):
        here = " or ".join(str(path) for path in paths if path) or "nowhere on this machine"
        raise ThawError(
            f"{PARAMS_FILE}: local: '{name}' is {place}, but in {inputs.path} it is {here}; write that, or correct "
            f"downloads.{name} there"
        )


def check_watched(params: Params, name: str, inputs: Manifest) -> None:
    """Raise ThawError where a copy on this machine could change without anyone noticing."""
    for each in inputs.download(name).copies:
        place = each.path_from(inputs.path)
        if name not in params.local and place and each.sha256 is None:
            raise ThawError(
                f"{PARAMS_FILE}: downloads: '{name}' is {each.path or each.address} on this machine, which may change; "
                f"so that DVC looks whether it did, write `local: {{{name}: {place}}}` and take it out of downloads, "
                f"or give its sha256 in {inputs.path}"
            )


def _check_dataset(params: Params, name: str, inputs: Manifest) -> None:
    dataset = inputs.dataset(name)
    folds, repeats = dataset.split.folds, len(params.repeats_of(name))
    images = dataset.training_images()
    if params.repeats is not None:
        if repeats > (folds or 0):
            remedy = "lower it" if folds else "give `seeds` in its place"
            raise ThawError(
                f"{PARAMS_FILE}: repeats: {repeats} of '{name}', but {inputs.path} divides it into {folds or 'no'} "
                f"folds; {remedy}, or set datasets.{name}.split.folds there"
            )
        images = dataset.all_images() * (folds - 1) // folds
    if params.batch_size > images:
        raise ThawError(
            f"{PARAMS_FILE}: batch_size: {params.batch_size} is more than the {images} training images of '{name}' "
            f"in {inputs.path}; lower it"
        )


def _mistake(key: str, cause: str, known: Iterable[str]) -> ThawError:
    return ThawError(f"{PARAMS_FILE}: {key}: {cause}; known are {', '.join(known)}")
