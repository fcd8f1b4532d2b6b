"""What several test files start from: a small manifest with one data set of each kind of split."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

SMALL_MANIFEST = """
title: small things
downloads:
  animals: {copies: [{path: animals.zip}]}
  flowers: {copies: [{path: flowers.tgz}]}
  weights: {copies: [{path: weights.h5}]}
datasets:
  animals:
    title: cats and dogs
    classes: {cats: cats, dogs: dogs}
    split: {training: animals/train, validation: animals/validation}
    images:
      training: {cats: 2, dogs: 2}
      validation: {cats: 1, dogs: 1}
  flowers:
    title: roses and tulips
    classes: {roses: roses, tulips: tulips}
    split: {folder: flowers, validation_share: 0.4, seed: 1}
    images: {roses: 5, tulips: 4}
backbone: {name: MobileNetV2, arguments: {alpha: 0.35}, image_size: 96}
"""


@pytest.fixture
def small_manifest() -> dict[str, Any]:
    """The content of a small manifest, for a test to change."""
    return yaml.safe_load(SMALL_MANIFEST)


@pytest.fixture
def write_manifest(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """Write the content of a manifest to `small.yaml` in the test's folder."""

    def write(content: dict[str, Any]) -> Path:
        path = tmp_path / "small.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return path

    return write
