"""Saved models: `.keras` files whose bytes follow from the model."""

import json
import re
from pathlib import Path
from zipfile import ZipFile, ZipInfo

from stages.network.keras_quietly import keras


def save(model: keras.Model, path: Path) -> None:
    """Write `model` to `path`, the same bytes for the same model.

    Keras alone adds the time of saving, and numbers shared objects by their addresses in memory.
    """
    model.save(path)
    with ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    metadata = json.loads(content["metadata.json"])
    content["metadata.json"] = json.dumps(metadata | {"date_saved": ""}).encode()
    numbers: dict[bytes, int] = {}
    content["config.json"] = re.sub(
        rb'("shared_object_id": )(\d+)',
        lambda found: b"%b%d" % (found[1], numbers.setdefault(found[2], len(numbers) + 1)),
        content["config.json"],
    )
    with ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(ZipInfo(name), data)  # without a time of its own: 1980
