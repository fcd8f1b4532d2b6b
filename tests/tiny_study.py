"""A study small enough for tests: drawn noise in two classes, and a MobileNetV2 with weights of its own, or less."""

from argparse import Namespace
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import small_network
import yaml
from PIL import Image

from stages import train
from stages.common import manifest
from stages.common import params as params_file
from stages.common.params import Params, Repeat, Schedule
from stages.network import backbones
from stages.network.inputs import Inputs
from stages.network.keras_quietly import keras
from stages.pictures import parts as pictures
from stages.training import transfer_phase
from stages.training.data import Data
from stages.training.shared_network import SharedNetwork
from stages.training.transfer_phase import TransferPhase

IMAGE_SIZE = small_network.IMAGE_SIZE
COUNTS = {"training": 20, "validation": 7}  # of each class; neither divides into whole batches
SEED = 3
FOLDS = 3
BUDGET = 4
MOBILENET = {"name": "MobileNetV2", "arguments": {"alpha": 0.35}, "image_size": IMAGE_SIZE}
PARAMS = {"batch_size": 8, "seeds": [SEED], "repeats": None, "budget": {"tiny": BUDGET}}
ON_SPLIT = Repeat(number=1, seed=SEED, fold=None, draw=1)


def inputs(folder: Path, params: Params) -> Inputs:
    """A data set, a manifest and weights below `folder`, as the stages would find them."""
    weights = folder / "weights.h5"
    weights.write_bytes(weights_content())
    return _inputs(folder, params, MOBILENET, weights)


def small_inputs(folder: Path, params: Params) -> Inputs:
    """The same with a network of few layers, where what is tested is not the network."""
    fine = params.fine.model_copy(update={"from_layer": small_network.FROM_LAYER})
    return _inputs(folder, params.model_copy(update={"fine": fine}), small_network.BACKBONE, small_network.path())


def _inputs(folder: Path, params: Params, backbone: dict, weights: Path) -> Inputs:
    source = _manifest(folder, backbone, weights.name)
    table = _pictures(folder / "images")
    return Inputs(
        manifest=manifest.load(source),
        table=table,
        parts=pictures.read_split(table, folder / "images"),
        weights=weights,
        store_folder=folder / "features",
        params=params,
    )


def fingerprint(study: Inputs) -> str:
    """Of the activations of the study, as the stage `features` writes it."""
    return study.fingerprint(backbones.cut_layer(study.backbone(), study.params.fine.from_layer))


def data(study: Inputs, repeat: Repeat = ON_SPLIT) -> Data:
    """The data set as the stages read it in one repeat."""
    return Data(study.store(fingerprint(study)), study.parts, study.params, repeat, BUDGET)


def train_head(study: Inputs, epochs: int, folder: Path, repeat: Repeat = ON_SPLIT) -> None:
    """The stage `transfer` for one repeat: the head trained, and kept below `folder`."""
    phase = TransferPhase()
    phase.extend(epochs, data(study, repeat), study.params, folder.with_name("checkpoints") / "of_the_stage.npz")
    phase.write(transfer_phase.path_in(folder, study.params.transfer, repeat.number))


def trained(
    study: Inputs,
    schedule: Schedule,
    transfer: Path,
    work: Path,
    repeat: Repeat = ON_SPLIT,
    network: SharedNetwork | None = None,
) -> tuple[train.Run, train.Trained]:
    """The schedule as one repeat runs it, and what it trained, on from the transfer phase in the folder `transfer`."""
    folders = Namespace(
        transfer_phase=transfer,
        transfer_work=transfer.with_name("checkpoints"),
        work=work,
        images=study.table.parent / "images",
    )
    return train.train_schedule(study, schedule, fingerprint(study), repeat, folders, network=network)


def pictures_only(folder: Path) -> dict[str, pictures.Part]:
    """The data set alone, without manifest and weights."""
    return pictures.read_split(_pictures(folder / "images"), folder / "images")


def params(**changes: object) -> Params:
    """The repository's params, small, with `changes` such as fine={"batch_norm": "moving"} laid over them."""
    content = params_file.load().model_dump() | PARAMS
    for section, change in changes.items():
        content[section] = content[section] | change if isinstance(change, dict) else change
    return Params.model_validate(content)


def _manifest(folder: Path, backbone: dict, weights: str) -> Path:
    counts = {part: {"dull": count, "bright": count} for part, count in COUNTS.items()}
    content = {
        "title": "test pictures",
        "downloads": {
            name: {"copies": [{"name": file, "sha256": "0" * 64}]}
            for name, file in (("tiny", "tiny.zip"), ("weights", weights))
        },
        "datasets": {
            "tiny": {
                "title": "dull and bright",
                "classes": {"dull": "dull", "bright": "bright"},
                "split": {"training": "training", "validation": "validation"},
                "images": counts,
            }
        },
        "backbone": backbone,
    }
    path = folder / "manifest.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def _pictures(folder: Path) -> Path:
    random = np.random.default_rng(0)
    rows, turn = [], count()
    for part, images in COUNTS.items():
        for label, name in enumerate(("dull", "bright")):
            for index in range(images):
                path = Path(part) / name / f"{index}.png"
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(_picture(random, label)).save(folder / path)
                rows.append({"path": path.as_posix(), "label": label, "part": part, "fold": next(turn) % FOLDS + 1})
    table = folder.parent / "split.csv"
    pd.DataFrame(rows).to_csv(table, index=False)
    return table


def _picture(random: np.random.Generator, label: int) -> np.ndarray:
    """Noise, on the average a little brighter for label 1: learnable, but not at once."""
    coarse = random.integers(0, 200, size=(8, 8, 3)) + 30 * label
    return np.kron(coarse, np.ones((10, 10, 1))).astype(np.uint8)


@cache
def weights_content() -> bytes:
    """A file of seeded weights whose moving statistics fit the network: activations neither die nor explode."""
    keras.utils.set_random_seed(0)
    shape = (IMAGE_SIZE, IMAGE_SIZE, 3)
    backbone = keras.applications.MobileNetV2(input_shape=shape, alpha=0.35, include_top=False, weights=None)
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.5
    noise = np.random.default_rng(1).uniform(-1, 1, size=(32, *shape)).astype(np.float32)
    for _ in range(20):
        backbone(noise, training=True)
    # `keras.applications` reads a path that ends in `.h5` in the legacy layout, which only a whole model is saved in.
    with TemporaryDirectory() as folder:
        backbone.save(Path(folder) / "weights.h5")
        return (Path(folder) / "weights.h5").read_bytes()
