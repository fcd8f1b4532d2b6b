"""Stage `features`: frozen activations of every epoch's augmented pictures, computed once for all variants.

Reads a data set's images and the weights, fills the store of activations, and writes the json of its fingerprint.
"""

import argparse
from pathlib import Path

from tqdm import tqdm

from stages.common import params, tables
from stages.common.command import run
from stages.network import backbones, inputs
from stages.pictures.parts import PARTS


def main() -> None:
    arguments = _arguments()
    loaded = inputs.read(arguments, arguments.dataset, params.load())
    cut = backbones.cut_layer(loaded.frozen_backbone, loaded.params.fine.from_layer)
    fingerprint = loaded.fingerprint(cut)
    store = loaded.store(fingerprint)
    for part in PARTS:
        store.clean(part)
    # On folds every picture trains in some repeat; on one split the validation part never does.
    augmented = PARTS if loaded.params.repeats else ("training",)
    for stored_pass in tqdm(range(1, arguments.epochs + 1), desc="features", unit=" epoch", disable=None):
        for part in augmented:
            store.augmented(part, stored_pass)
    tables.write_json({"fingerprint": fingerprint, "cut": cut.name}, arguments.out)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    inputs.add_arguments(parser)
    parser.add_argument("--dataset", required=True, help="its name in the manifest")
    parser.add_argument("--epochs", type=int, required=True, help="how many epochs to hold")
    parser.add_argument("--out", type=Path, required=True, help="json of the fingerprint")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
