"""The inputs shipped in the repository: small, as the manifest says, drawn anew to the same bytes."""

import subprocess
import tarfile
import zipfile
from collections import Counter
from pathlib import Path, PurePosixPath

import cv2
import h5py
import numpy as np
import pytest
import yaml

from data.embedded import draw, scenes
from stages.common import files, manifest, params
from stages.network import backbones

ROOT = Path(__file__).parent.parent
EMBEDDED = ROOT / "data/embedded"
MANIFEST = manifest.load(ROOT / "data/embedded.yaml")
PARAMS = yaml.safe_load((EMBEDDED / "params.yaml").read_text())
CATS_DOGS, ROSES_TULIPS = MANIFEST.dataset("cats_dogs"), MANIFEST.dataset("roses_tulips")
ZIP = EMBEDDED / "cats_and_dogs_filtered.zip"
TGZ = EMBEDDED / "flower_photos.tgz"


def test_all_that_is_shipped_takes_less_than_4_mb():
    listed = subprocess.run(["git", "ls-files", EMBEDDED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert sum((ROOT / path).stat().st_size for path in listed.stdout.split()) < 4e6


@pytest.mark.parametrize("name", MANIFEST.downloads)
def test_shipped_files_are_the_manifest_s(name):
    (copy,) = MANIFEST.downloads[name].copies
    path = ROOT / "data" / copy.path
    assert (path.stat().st_size, files.sha256(path)) == (copy.bytes, copy.sha256)


def test_pictures_are_drawn_anew_to_the_same_bytes(tmp_path):
    drawn = map(draw.drawn, draw.cats_dogs_tasks(PARAMS))
    draw.pack_zip(tmp_path / ZIP.name, drawn)
    assert (tmp_path / ZIP.name).read_bytes() == ZIP.read_bytes()
    drawn = map(draw.drawn, draw.roses_tulips_tasks(PARAMS))
    draw.pack_tgz(tmp_path / TGZ.name, drawn)
    assert (tmp_path / TGZ.name).read_bytes() == TGZ.read_bytes()


def test_archives_are_laid_out_as_the_public_ones():
    with zipfile.ZipFile(ZIP) as archive:
        zipped = Counter(PurePosixPath(name).parent.as_posix() for name in archive.namelist())
    assert zipped == {
        f"cats_and_dogs_filtered/{folder}/{name}": count
        for folder, counts in (("train", CATS_DOGS.images.training), ("validation", CATS_DOGS.images.validation))
        for name, count in counts.items()
    }
    with tarfile.open(TGZ) as archive:
        packed = Counter(PurePosixPath(name).parent.as_posix() for name in archive.getnames())
    assert packed == {
        "flower_photos": 1,  # LICENSE.txt
        **{f"flower_photos/{name}": count for name, count in ROSES_TULIPS.images.items()},
    }


def test_the_first_run_validates_on_every_picture():
    settings = params.load(ROOT / "params.yaml")
    assert {name: MANIFEST.dataset(name).split.folds for name in settings.repeats} == settings.repeats


def test_pictures_are_of_the_backbone_s_size():
    with zipfile.ZipFile(ZIP) as archive:
        encoded = np.frombuffer(archive.read(archive.namelist()[0]), np.uint8)
    size = MANIFEST.backbone.image_size
    assert cv2.imdecode(encoded, cv2.IMREAD_COLOR).shape == (size, size, 3)


def test_the_backbone_was_trained_on_none_of_the_study_s_classes():
    assert len(scenes.classes()) >= 40
    assert not set(scenes.classes()) & {"cat", "cats", "dog", "dogs", "rose", "roses", "tulip", "tulips"}


def test_weights_are_float16_in_keras_s_layout():
    (copy,) = MANIFEST.downloads["weights"].copies
    path = ROOT / "data" / copy.path
    with h5py.File(path) as file:
        dtypes = set()
        file.visititems(lambda _, item: dtypes.add(item.dtype) if isinstance(item, h5py.Dataset) else None)
        stored = file["Conv_1"]["Conv_1"]["kernel:0"][:]
    assert dtypes == {np.dtype("float16")}
    loaded = backbones.load(MANIFEST.backbone, path).get_layer("Conv_1").get_weights()[0]
    np.testing.assert_array_equal(loaded, stored.astype(np.float32))
