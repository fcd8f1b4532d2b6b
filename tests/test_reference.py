"""The staged pipeline against the plain way: one Keras model, `fit` from pixels, on the same augmented batches."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tiny_study

from stages import train
from stages.common.params import Params, Schedule
from stages.network.inputs import Inputs
from stages.pictures import augmentation, randomness
from stages.pictures import parts as pictures
from stages.training import models

COLUMNS = ("accuracy", "loss", "val_accuracy", "val_loss", "train_clean_accuracy", "train_clean_loss")
ACCURACIES, LOSSES = [0, 2, 4], [1, 3, 5]


class PlainClassifier(keras.Model):
    """The tutorial's model: pixels, rescaled, through the whole backbone, pooled, dropout, one logit.

    `batch` passes fit's training flag to the backbone, as Keras 3 does; `moving` holds it at False.
    """

    def __init__(self, backbone: keras.Model, params: Params) -> None:
        super().__init__()
        self.backbone = backbone
        self.pooling = keras.layers.GlobalAveragePooling2D()
        self.dropout = keras.layers.Dropout(params.head.dropout)
        self.logit = keras.layers.Dense(1)
        self.follows_fit = params.fine.batch_norm == "batch"

    def call(self, pixels, training=None):
        features = self.backbone(pixels / 127.5 - 1, training=training if self.follows_fit else False)
        return self.logit(self.dropout(self.pooling(features), training=training))


def plain_history(study: Inputs, schedule: Schedule) -> list[dict[str, float]]:
    """Accuracy, loss, val_accuracy and val_loss after each epoch of the plain way."""
    params = study.params
    backbone = study.backbone()
    model = PlainClassifier(backbone, params)
    pixels = {part: decoded(study, part) for part in pictures.PARTS}
    labels = {part: study.parts[part].labels[:, np.newaxis].astype("float32") for part in pictures.PARTS}
    model(pixels["validation"][:1].astype("float32"))
    model.logit.set_weights(models.build_head(1280, 2, params.head.dropout, tiny_study.SEED).get_weights())
    history = []
    for epoch in range(1, schedule.transfer + schedule.fine + 1):
        if epoch == 1 and schedule.transfer:
            plain_compile(model, keras.optimizers.Adam(params.transfer.learning_rate))
        if epoch == schedule.transfer + 1:
            backbone.trainable = True
            for layer in backbone.layers[: params.fine.from_layer]:
                layer.trainable = False
            plain_compile(model, keras.optimizers.RMSprop(params.fine.learning_rate))
        models.reset_dropout(model, tiny_study.SEED, epoch)
        order = randomness.order(len(labels["training"]), tiny_study.SEED, epoch)
        drawn = augmentation.draw(len(order), epoch, params.augment)
        augmented = augmentation.applied(pixels["training"], drawn, slice(None))
        run = model.fit(
            augmented[order], labels["training"][order], batch_size=params.batch_size, shuffle=False, verbose=0
        )
        row = {name: values[0] for name, values in run.history.items()}
        for prefix, part in (("val_", "validation"), ("train_clean_", "training")):
            pictures_of_part = pixels[part].astype("float32")
            # In batches of another size, sums come in another order.
            logits = model.predict(pictures_of_part, batch_size=params.batch_size, verbose=0)
            row |= {f"{prefix}{name}": value for name, value in measured(logits, labels[part]).items()}
        history.append(row)
    return history


def measured(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Means over all pictures, where Keras's `evaluate` sums by batches, in float32 (test_evaluation.py)."""
    losses = keras.ops.convert_to_numpy(keras.losses.binary_crossentropy(labels, logits, from_logits=True))
    return {"accuracy": np.mean((logits > 0) == labels), "loss": losses.astype(np.float64).mean()}


def plain_compile(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> None:
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    accuracy = keras.metrics.BinaryAccuracy(threshold=0.0, name="accuracy")
    model.compile(optimizer=optimizer, loss=loss, metrics=[accuracy], jit_compile=False)


def decoded(study: Inputs, part: str) -> np.ndarray:
    size = study.manifest.backbone.image_size
    return np.stack(list(pictures.decode_all(study.parts[part].paths, size)))


def staged(study: Inputs, schedule: Schedule, folder: Path) -> tuple[train.Run, train.Trained]:
    """What the stages `features`, `transfer` and `train` compute."""
    tiny_study.train_head(study, 2, folder / "transfer")
    return tiny_study.trained(study, schedule, folder / "transfer", folder / "work")


def values(history: list[dict]) -> np.ndarray:
    return np.array([[row[name] for name in COLUMNS] for row in history])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reference")


@pytest.mark.parametrize(
    ("batch_norm", "transfer", "fine", "inputs"),
    [
        ("batch", 0, 1, tiny_study.inputs),
        ("batch", 2, 2, tiny_study.small_inputs),
        ("moving", 2, 2, tiny_study.small_inputs),
    ],
)
def test_picture_by_picture_the_staged_history_is_the_plain_way_s_to_the_last_bit(
    folder, tmp_path, batch_norm, transfer, fine, inputs
):
    # On some CPUs the kernels round a picture's activations by its place in the batch: in batches of one all have one.
    params = params_of(batch_norm, engine="keras", dtype="float32", batch_size=1)
    study = inputs(folder, params)
    schedule = Schedule(dataset="tiny", transfer=transfer, fine=fine)
    np.testing.assert_array_equal(
        values(staged(study, schedule, tmp_path)[0].rows), values(plain_history(study, schedule))
    )


@pytest.mark.parametrize(
    ("transfer", "fine", "batch_norm", "inputs"),
    [
        (0, 3, "batch", tiny_study.small_inputs),
        (3, 0, "batch", tiny_study.small_inputs),
        (0, 2, "batch", tiny_study.inputs),
        (2, 2, "moving", tiny_study.small_inputs),
    ],
)
def test_staged_history_is_the_plain_way_s(folder, tmp_path, transfer, fine, batch_norm, inputs):
    schedule = Schedule(dataset="tiny", transfer=transfer, fine=fine)
    exact = inputs(folder, params_of(batch_norm, engine="keras", dtype="float32"))
    stored = inputs(folder, params_of(batch_norm, engine="xnnpack", dtype="float16"))
    expected = values(plain_history(exact, schedule))

    # Keras's own kernels and float32 on disk lose nothing but what rounding by the place in a batch does, in the last
    # of 24 bits in each of some fifty layers, carried on as below.
    epochs = np.arange(1, schedule.transfer + schedule.fine + 1)[:, np.newaxis]
    difference = np.abs(values(staged(exact, schedule, tmp_path / "exact")[0].rows) - expected)
    assert (difference[:, LOSSES] < epochs * 50 / 2**24).all()
    assert not difference[:, ACCURACIES].any()

    # float16 keeps 11 bits, so an activation is off by up to 1 in 2048, and a loss near 0.7 by as much if nothing
    # averages out; each epoch's updates, made from such activations, carry as much again into the next one's losses.
    # Accuracy may differ where a logit is as near to 0; one image of the smaller part is allowed.
    difference = np.abs(values(staged(stored, schedule, tmp_path / "stored")[0].rows) - expected)
    assert (difference[:, LOSSES] < epochs / 2048).all()
    assert difference[:, ACCURACIES].max() <= 1 / len(exact.parts["validation"])


def test_the_same_seed_gives_the_same_history_and_model(folder, tmp_path):
    study = tiny_study.small_inputs(folder, params_of("batch", engine="xnnpack", dtype="float16"))
    schedule = Schedule(dataset="tiny", transfer=1, fine=2)
    first, of_first = staged(study, schedule, tmp_path / "first")
    second, of_second = staged(study, schedule, tmp_path / "second")
    np.testing.assert_array_equal(values(first.rows), values(second.rows))
    models = [train.whole_model(study, trained.network, trained.last) for trained in (of_first, of_second)]
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("engine", ["xnnpack", "keras"])
def test_recomputing_activations_gives_the_same_history(folder, tmp_path, engine):
    batch_size = {"xnnpack": 8, "keras": 1}[engine]  # Keras's kernels may round by the place in a batch, as above
    params = params_of("batch", engine=engine, dtype="float16", batch_size=batch_size)
    recompute = params.model_copy(update={"features": params.features.model_copy(update={"storage": "recompute"})})
    schedule = Schedule(dataset="tiny", transfer=1, fine=2)
    on_disk, computed = (
        staged(tiny_study.small_inputs(folder, changed), schedule, tmp_path / changed.features.storage)[0].rows
        for changed in (params, recompute)
    )
    np.testing.assert_array_equal(values(computed), values(on_disk))


def test_the_model_saved_goes_from_pixels_to_the_validated_logits(folder, tmp_path):
    study = tiny_study.small_inputs(folder, params_of("batch", engine="keras", dtype="float32"))
    run, trained = staged(study, Schedule(dataset="tiny", transfer=1, fine=2), tmp_path)
    train.whole_model(study, trained.network, trained.last).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    logits = loaded.predict(decoded(study, "validation").astype("float32"), verbose=0)[:, 0]
    recorded = run.validation.logits[-1, :, 0]  # in batches of another size, and as float16, which keeps 11 bits
    np.testing.assert_allclose(logits, recorded, rtol=1e-3, atol=1e-4)
    labels = study.parts["validation"].labels
    # Cross-entropy from logits by hand: log(1 + exp(-margin)), the margin being the logit's sign towards the label.
    loss = np.logaddexp(0, np.where(labels == 1, -logits, logits)).mean()
    assert np.mean((logits > 0) == (labels == 1)) == pytest.approx(run.rows[-1]["val_accuracy"])
    assert loss == pytest.approx(run.rows[-1]["val_loss"], rel=1e-5)  # float32 sums in another order


def params_of(batch_norm: str, engine: str, dtype: str, batch_size: int = 8) -> Params:
    fine = {"batch_norm": batch_norm, "engine": "keras" if engine == "keras" else "fused"}
    features = {"engine": engine, "dtype": dtype, "batch_size": batch_size}
    return tiny_study.params(fine=fine, features=features, batch_size=batch_size)
