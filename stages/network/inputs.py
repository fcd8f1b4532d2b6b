"""The inputs that all stages on networks read: the manifest, the split, the weights and the feature store."""

import argparse
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stages.common import configuration, files
from stages.common.command import ThawError
from stages.common.manifest import Manifest
from stages.common.params import PARAMS_FILE, Params
from stages.network import backbones, feature_store, frozen
from stages.network.feature_store import FeatureStore
from stages.network.frozen import FrozenPart
from stages.network.keras_quietly import keras
from stages.pictures import parts
from stages.pictures.parts import Part


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the paths that `Inputs` reads to a stage's command line."""
    parser.add_argument("--source", type=Path, required=True, help="manifest of inputs")
    parser.add_argument("--images", type=Path, required=True, help="folder of the data set's images")
    parser.add_argument("--split", type=Path, required=True, help="csv of path, label and part")
    parser.add_argument("--weights", type=Path, required=True, help="folder of the backbone's weights")
    parser.add_argument("--store", type=Path, required=True, help="folder of stored activations")


@dataclass(frozen=True)
class Inputs:
    """One data set, the backbone, and where the frozen activations are kept."""

    manifest: Manifest
    table: Path
    parts: dict[str, Part]
    weights: Path
    store_folder: Path
    params: Params

    def backbone(self) -> keras.Model:
        """The backbone with its pre-trained weights, all of it frozen."""
        model = backbones.load(self.manifest.backbone, self.weights)
        model.trainable = False
        return model

    @cached_property
    def frozen_backbone(self) -> keras.Model:
        """A backbone that nobody trains, kept because it takes a second to build one."""
        return self.backbone()

    def preprocessing(self) -> backbones.Preprocessing:
        """The function that turns pixels in [0, 255] into the backbone's input."""
        return backbones.preprocessing(self.manifest.backbone)

    def fingerprint(self, cut: keras.Layer) -> str:
        """A digest of everything that decides the frozen activations up to `cut`."""
        digest = parts.digest(self.table, self.parts)
        weights_digest = files.sha256(self.weights)
        return feature_store.fingerprint(digest, weights_digest, self.manifest.backbone, cut.name, self.params)

    def store(self, fingerprint: str) -> FeatureStore:
        """The stored activations of `fingerprint`; what is missing is computed when it is read."""
        size = self.manifest.backbone.image_size
        return FeatureStore(self.store_folder / fingerprint, self.parts, size, self.params, self._frozen_part)

    def _frozen_part(self) -> FrozenPart:
        cut = backbones.cut_layer(self.frozen_backbone, self.params.fine.from_layer)
        return frozen.build(self.frozen_backbone, cut, self.preprocessing(), self.params.features)


def read(arguments: argparse.Namespace, dataset: str, params: Params) -> Inputs:
    """Read the inputs of `dataset` that the command line names; raises ThawError."""
    check_backend(params)
    source = configuration.read(arguments.source, params)
    source.dataset(dataset)
    return Inputs(
        manifest=source,
        table=arguments.split,
        parts=parts.read_split(arguments.split, arguments.images),
        weights=files.only_file(arguments.weights),
        store_folder=arguments.store,
        params=params,
    )


def check_backend(params: Params) -> None:
    """Raise ThawError if Keras runs on another backend than a chosen engine needs."""
    backend = keras.backend.backend()
    for key, engine in (("features.engine", params.features.engine), ("fine.engine", params.fine.engine)):
        if engine != "keras" and backend != "tensorflow":
            raise ThawError(
                f"{PARAMS_FILE}: {key}: {engine} is TensorFlow's, and Keras runs on {backend}; choose keras, or leave "
                "KERAS_BACKEND out"
            )
