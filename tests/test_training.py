"""Training on more than two classes, and losses that are no numbers."""

import re
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZipFile

import numpy as np
import pytest
import tiny_study

from stages.common.command import ThawError
from stages.common.params import Repeat
from stages.network.keras_quietly import keras
from stages.pictures.parts import Part
from stages.training import model_file, models, optimizers
from stages.training.batches import Batches, Joined
from stages.training.data import POOLED, Data, FeaturesOf
from stages.training.epochs import Epoch, train_epochs
from stages.training.steps import Steps

CHANNELS = 5
IMAGES = 24
BATCH = 8


def separable(classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Pooled output in which channel c is large for class c."""
    labels = np.arange(IMAGES) % classes
    pooled = np.random.default_rng(0).normal(0, 0.1, size=(IMAGES, CHANNELS))
    pooled[np.arange(IMAGES), labels] += 1
    return pooled.astype(np.float32), labels


@dataclass
class InMemory:
    """The same training batches in each epoch, and what is measured after it."""

    batches: Batches
    measured: dict[str, Batches]
    repeat: Repeat = tiny_study.ON_SPLIT

    def training(self, epoch: int, features_of: FeaturesOf) -> Batches:
        return self.batches

    def evaluations(self, features_of: FeaturesOf) -> dict[str, Batches]:
        return self.measured

    def frozen_seconds(self, epoch: int) -> float:
        return 0.0


def compiled(classes: int, learning_rate: float) -> keras.Model:
    head = models.build_head(CHANNELS, classes, dropout=0.0, seed=1)
    models.compile_model(head, optimizers.fresh("adam", learning_rate), classes)
    return head


def in_batches(pooled: np.ndarray, labels: np.ndarray, class_weights: np.ndarray | None = None) -> Batches:
    return Batches(Joined([pooled], np.array([0, len(pooled)])), labels, BATCH, np.arange(len(pooled)), class_weights)


def last_epoch(head: keras.Model, read: Batches, measured: Batches, numbers: range) -> Epoch:
    *_, last = train_epochs(Steps(head), "transfer", POOLED, InMemory(read, {"val_": measured}), numbers)
    return last


@pytest.mark.parametrize(("classes", "units"), [(2, 1), (3, 3), (5, 5)])
def test_a_head_learns_its_classes_and_tells_cross_entropy(classes, units):
    pooled, labels = separable(classes)
    read = in_batches(pooled, labels)
    head = compiled(classes, learning_rate=0.1)
    epoch = last_epoch(head, read, read, range(1, 30))
    assert (epoch.logits.shape, epoch.logits.dtype) == ((IMAGES, units), np.dtype("float16"))
    logits = head.predict(pooled, verbose=0)
    np.testing.assert_allclose(epoch.logits, logits, rtol=2**-10, atol=2**-10)  # float16 keeps 11 bits
    assert epoch.row["val_accuracy"] == 1.0
    # By hand: two classes have one logit, that of class 1 against class 0.
    both = np.hstack([np.zeros_like(logits), logits]) if units == 1 else logits
    log_probabilities = both - np.log(np.exp(both).sum(axis=1, keepdims=True))
    expected = -log_probabilities[np.arange(IMAGES), labels].mean()
    assert epoch.row["val_loss"] == pytest.approx(expected, rel=1e-5)  # float32 sums in another order


def test_a_saved_model_holds_its_weights_and_no_time(tmp_path):
    model = models.build_head(channels=8, classes=3, dropout=0.2, seed=1)
    path = tmp_path / "head.keras"
    model_file.save(model, path)
    with ZipFile(path) as saved:
        assert {info.date_time for info in saved.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert b'"date_saved": ""' in saved.read("metadata.json")
        numbers = re.findall(rb'"shared_object_id": (\d+)', saved.read("config.json"))
    assert numbers  # of dtype policies, which layers share
    assert set(map(int, numbers)) == set(range(1, len(set(numbers)) + 1))
    loaded = keras.models.load_model(path)
    for mine, kept in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, mine)


def test_a_loss_that_is_no_number_names_epoch_batch_and_rate():
    pooled, labels = separable(2)
    pooled[17] = np.nan  # in the third batch of eight
    read = in_batches(pooled, labels)
    with pytest.raises(ThawError) as error:
        last_epoch(compiled(2, learning_rate=0.5), read, read, range(4, 5))
    assert str(error.value) == (
        "epoch 4, batch 3: loss is nan at learning rate 0.5; lower this phase's learning_rate in params.yaml"
    )


def test_an_evaluation_that_is_no_number_is_named():
    pooled, labels = separable(2)
    good, bad = in_batches(pooled, labels), in_batches(np.full_like(pooled, np.inf), labels)
    with pytest.raises(
        ThawError, match=r"^epoch 2: val_loss is nan; lower this phase's learning_rate in params\.yaml$"
    ):
        last_epoch(compiled(2, learning_rate=0.5), good, bad, range(2, 3))


def test_the_training_set_is_measured_clean_only_where_params_say_so(tmp_path):
    measured = {}
    for clean in (True, False):
        study = tiny_study.small_inputs(tmp_path, tiny_study.params(clean_training=clean))
        measured[clean] = list(tiny_study.data(study).evaluations(POOLED))
    assert measured == {True: ["val_", "train_clean_"], False: ["val_"]}


def test_seeds_share_images_and_differ_in_order_and_head(tmp_path):
    study = tiny_study.small_inputs(tmp_path, tiny_study.params())
    runs = [tiny_study.data(study, tiny_study.ON_SPLIT._replace(seed=seed)) for seed in (1, 2)]
    first, second = ([inputs for inputs, _ in run.training(1, POOLED)] for run in runs)
    assert not np.array_equal(first[0], second[0])
    in_order = [np.sort(np.concatenate(read), axis=0) for read in (first, second)]
    np.testing.assert_array_equal(*in_order)  # the same augmented images, in another order
    heads = [models.build_head(CHANNELS, 2, 0.0, seed).get_weights()[0] for seed in (1, 2)]
    assert not np.array_equal(*heads)


def test_balanced_classes_count_the_same():
    parts = {
        "training": Part([Path(f"{number}.png") for number in range(8)], np.repeat([0, 1], [6, 2]), np.zeros(8, int)),
        "validation": Part([Path("v.png")], np.array([1]), np.zeros(1, int)),
    }

    entry = SimpleNamespace(pooled=np.zeros((8, 1), np.float32))
    store = SimpleNamespace(augmented=lambda part, pass_number: entry)

    def weights(kind: str) -> np.ndarray | None:
        data = Data(store, parts, tiny_study.params(class_weight=kind), tiny_study.ON_SPLIT, 1)
        return data.training(1, POOLED).class_weights

    assert weights("balanced").tolist() == [8 / (2 * 6), 8 / (2 * 2)]  # 6 of one and 2 of the other count 4 each
    assert weights("none") is None
