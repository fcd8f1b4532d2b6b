"""The store of activations: computed once, checked when read, kept apart by what made them."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from threading import Event

import numpy as np
import pytest
import tiny_study

from stages.common.manifest import Backbone
from stages.common.params import Params
from stages.network import feature_store
from stages.network.feature_store import FeatureStore
from stages.pictures import augmentation

SIZE = 16  # pixels: the pictures are scaled down, so that a test takes no time


class Counting:
    """A frozen part that is easy to foretell, the pixels' means, and counts how often it ran."""

    def __init__(self) -> None:
        self.built = 0
        self.pictures = 0

    def build(self):
        self.built += 1
        return self.run

    def run(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.pictures += len(pixels)
        return pixels[:, ::8, ::8, :1] / 255, pixels.mean(axis=(1, 2))


def store(folder: Path, params: Params, frozen: Counting) -> FeatureStore:
    study = tiny_study.pictures_only(folder)
    return FeatureStore(folder / "store", study, SIZE, params, frozen.build)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_an_entry_holds_the_frozen_part_of_each_augmented_picture(tmp_path, dtype):
    params = tiny_study.params(features={"dtype": dtype})
    held = store(tmp_path, params, Counting())
    entry = held.augmented("training", 2)
    assert isinstance(entry.activations, np.memmap)
    assert (entry.activations.shape, entry.activations.dtype) == ((40, 2, 2, 1), np.dtype(dtype))
    assert (entry.pooled.shape, entry.pooled.dtype) == ((40, 3), np.dtype("float32"))
    pictures = held._pictures("training")
    drawn = augmentation.draw(len(pictures), 2, params.augment)
    augmented = augmentation.applied(pictures, drawn, slice(None))
    np.testing.assert_allclose(entry.pooled, augmented.mean(axis=(1, 2)), rtol=1e-6)
    np.testing.assert_array_equal(entry.activations, (augmented[:, ::8, ::8, :1] / 255).astype(dtype))


def test_validation_pictures_are_not_augmented(tmp_path):
    held = store(tmp_path, tiny_study.params(), Counting())
    np.testing.assert_allclose(
        held.clean("validation").pooled, held._pictures("validation").mean(axis=(1, 2)), rtol=1e-6
    )


def test_what_is_there_is_not_computed_again(tmp_path):
    first = Counting()
    store(tmp_path, tiny_study.params(), first).augmented("training", 1)
    second = Counting()
    held = store(tmp_path, tiny_study.params(), second)
    held.augmented("training", 1)
    assert (first.built, first.pictures, second.built) == (1, 40, 0)
    held.augmented("training", 2)
    assert (second.built, second.pictures) == (1, 40)


def test_recomputed_entries_are_the_stored_ones_and_leave_nothing_on_disk(tmp_path):
    stored = store(tmp_path / "stored", tiny_study.params(), Counting()).augmented("training", 2)
    counting = Counting()
    entry = store(tmp_path / "not", tiny_study.params(features={"storage": "recompute"}), counting).augmented(
        "training", 2
    )
    counting.pictures = 0
    rows = np.array([31, 4, 0, 4, *range(20)])
    for field in ("activations", "pooled"):
        there, computed = getattr(stored, field), getattr(entry, field)
        assert (computed.shape, computed.dtype) == (there.shape, there.dtype)
        np.testing.assert_array_equal(computed[rows], there[rows])
    assert counting.pictures == 2 * len(rows)  # no more than was asked for
    assert not list((tmp_path / "not" / "store").glob("training-*"))


@pytest.mark.parametrize("file", ["activations.npy", "pooled.npy", "checksums.json"])
@pytest.mark.parametrize("damage", ["emptied", "cut", "gone"])
def test_a_damaged_entry_is_noticed_and_computed_again(tmp_path, capsys, file, damage, fault):
    path = tmp_path / "store" / "training-0001" / file
    frozen = Counting()
    held = store(tmp_path, tiny_study.params(), frozen)
    held.augmented("training", 1)
    good = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "emptied" else good[:-3])
    held.augmented("training", 1)
    held.augmented("training", 1)
    assert frozen.pictures == 80
    assert capsys.readouterr().err == f"{path.parent}: damaged; computed again\n"
    fault("damage on disk", f"a file of stored features {damage}", 1, "one line, and computed again")


@pytest.mark.parametrize("file", ["activations.npy", "pooled.npy"])
def test_a_flipped_bit_anywhere_is_noticed_and_computed_again(tmp_path, capsys, file, fault):
    path = tmp_path / "store" / "training-0001" / file
    frozen = Counting()
    held = store(tmp_path, tiny_study.params(), frozen)
    held.augmented("training", 1)
    good = path.read_bytes()
    header = Random(1).sample(range(8 * 128), 20)  # one bit of it turns the order of all bytes that follow
    for bit in [*header, *Random(2).sample(range(8 * len(good)), 20)]:
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        held.augmented("training", 1)
        assert capsys.readouterr().err == f"{path.parent}: damaged; computed again\n"
        assert path.read_bytes() == good
    assert frozen.pictures == 41 * 40
    fault("damage on disk", "a flipped bit in a file of stored features", 40, "one line, and computed again")


def test_of_two_that_need_an_epoch_at_once_one_computes_it_and_the_other_waits(tmp_path, capsys, fault):
    computing, both = Event(), Counting()

    class Slow(Counting):
        def run(self, pixels):
            computing.set()
            time.sleep(0.02)
            return super().run(pixels)

    slow = Slow()
    stores = [store(tmp_path, tiny_study.params(), frozen) for frozen in (slow, both)]
    with ThreadPoolExecutor() as pool:
        first = pool.submit(stores[0].augmented, "training", 1)
        assert computing.wait(60)
        second = pool.submit(stores[1].augmented, "training", 1)
        np.testing.assert_array_equal(first.result().activations, second.result().activations)
    assert (slow.pictures, both.pictures) == (40, 0)
    assert "another process is writing here; waiting for it" in capsys.readouterr().err
    fault(
        "concurrent runs",
        "two that need the features of the same epoch",
        1,
        "one line; one computed, the other waited for it",
    )


def test_an_interrupted_entry_leaves_nothing_that_passes_as_good(tmp_path):
    class Interrupted(Counting):
        def run(self, pixels):
            if self.pictures > 10:
                raise KeyboardInterrupt
            return super().run(pixels)

    with pytest.raises(KeyboardInterrupt):
        store(tmp_path, tiny_study.params(), Interrupted()).augmented("training", 1)
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["pictures-training"]


BACKBONE = Backbone(name="MobileNetV2", arguments={"alpha": 0.35}, image_size=64)


def fingerprint(pictures="a", weights="b", backbone=BACKBONE, cut="c", **changes) -> str:
    return feature_store.fingerprint(pictures, weights, backbone, cut, tiny_study.params(**changes))


@pytest.mark.parametrize(
    "change",
    [
        {"pictures": "other"},
        {"weights": "other"},
        {"cut": "other"},
        {"backbone": BACKBONE.model_copy(update={"image_size": 96})},
        {"augment": {"seed": 4}},
        {"augment": {"rotation": 0.1}},
        {"features": {"dtype": "float32"}},
        {"features": {"engine": "keras"}},
    ],
)
def test_the_fingerprint_changes_with_what_decides_the_activations(change):
    assert fingerprint(**change) != fingerprint()


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": [4]},
        {"batch_size": 4},
        {"fine": {"learning_rate": 1.0}},
        {"head": {"dropout": 0.5}},
        {"budget": {"x": 3}},
    ],
)
def test_the_fingerprint_does_not_change_with_anything_else(change):
    assert fingerprint(**change) == fingerprint()


@pytest.mark.parametrize("library", ["tensorflow", "keras", "opencv-python-headless", "pillow", "pillow-heif"])
def test_the_fingerprint_changes_with_the_libraries_that_decode_and_compute(monkeypatch, library):
    before, known = fingerprint(), feature_store.version
    monkeypatch.setattr(feature_store, "version", lambda name: "0" if name == library else known(name))
    assert fingerprint() != before


def test_a_library_that_is_not_there_has_a_fingerprint_too(monkeypatch):
    known = feature_store.version

    def without_heif(name: str) -> str:
        return known("no-such-package" if name == "pillow-heif" else name)

    before = fingerprint()
    monkeypatch.setattr(feature_store, "version", without_heif)
    assert fingerprint() != before
