"""How far the same study differs from itself: run again, on other threads, by other kernels, in other number formats.

Writes what it measured as the page docs/reproducibility.md.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.stages import Settings, Share, add_arguments, listed
from stages.common import tables
from stages.common.command import run
from stages.results import environment, history, repeats

TRANSFER, FINE = 5, 10  # epochs: differences grow with those of the fine phase
SAME_TRAINING = {
    "run again": {},
    "on one core of the machine's": {"starter": ("taskset", "--cpu-list", "0")},
}
"""What must change nothing."""
OTHER_MACHINES = {
    "`threads: 2`": {"params": {"threads": 2}},
    "without oneDNN (`TF_ENABLE_ONEDNN_OPTS=0`)": {"environment": {"TF_ENABLE_ONEDNN_OPTS": "0"}},
    "oneDNN as on a CPU without AVX-512 (`ONEDNN_MAX_CPU_ISA=AVX2`)": {"environment": {"ONEDNN_MAX_CPU_ISA": "AVX2"}},
}
OTHER_PARAMS = {
    "`features.engine: keras`": {"params": {"features": {"engine": "keras"}}},
    "`features.dtype: float32`": {"params": {"features": {"dtype": "float32"}}},
    "`fine.engine: keras`": {"params": {"fine": {"engine": "keras"}}},
    "`fine.precision: mixed_bfloat16`": {"params": {"fine": {"precision": "mixed_bfloat16"}}},
    "`fine.precision: mixed_float16`": {"params": {"fine": {"precision": "mixed_float16"}}},
}
LOSSES = ["loss", "val_loss", "train_clean_loss"]
ACCURACIES = ["accuracy", "val_accuracy", "train_clean_accuracy"]

TEXT = """\
# How far results can be had again

The same commit, params and machine give the same csvs and jsons, byte for byte: `dvc repro` runs nothing where they lie, and what it runs again comes out equal. Seeds decide all that is random ([method.md](method.md)); sums are taken in an order that `params.yaml` decides and not the number of cores. Seconds alone differ, and stand in no json and no history but in `plots/seconds/` and what is drawn from it.

Each variant's json names the versions of Python, TensorFlow, Keras, NumPy and DVC, the CPU and the seeds. On another machine results differ where other kernels sum in another order, and training carries the difference on, the further the more epochs.

## Measured

Written by `make reproducibility`: {epochs} epochs, {transfer} of transfer learning and then {fine} of fine-tuning, of {dataset} in {source}, each time from the pictures on, beside the same with the params as they are in the repository. Losses and accuracies are the largest difference in any epoch, of training, validation and clean training; images are those of the {validation} of validation whose prediction differs in the end. An accuracy cannot differ by less than an image.

- Machine: {machine}.
- Versions: {versions}.

| | histories | loss | accuracy | images |
| --- | --- | ---: | ---: | ---: |
{rows}

The last row is what another seed changes, for scale; the report ranks nothing more finely than that ([method.md](method.md)).
"""  # noqa: E501  a paragraph is a line
ANOTHER_SEED = {"with another seed": {"params": {"seeds": [2]}}}


def main() -> None:
    arguments = _arguments()
    share = Share(arguments.source, arguments.dataset, arguments.work)
    share.split()
    expected, predicted = results(share, {})
    rows = []
    for name, differs in (SAME_TRAINING | OTHER_MACHINES | OTHER_PARAMS | ANOTHER_SEED).items():
        found, predictions = results(share, differs)
        rows.append(row(name, found - expected, int((predictions != predicted).sum())))
        print(rows[-1], flush=True)
        if name in SAME_TRAINING and not found.equals(expected):
            raise SystemExit(f"{name}: the history differs, and must not")
    text = TEXT.format(
        epochs=TRANSFER + FINE,
        transfer=TRANSFER,
        fine=FINE,
        dataset=arguments.dataset,
        source=arguments.source,
        validation=len(predicted),
        machine=listed(environment.machine()),
        versions=listed(environment.versions()),
        rows="\n".join(rows),
    )
    tables.write_text(text, arguments.out)


def results(share: Share, differs: dict[str, Any]) -> tuple[pd.DataFrame, np.ndarray]:
    """The history's losses and accuracies, and the label that each validation image is given at the end."""
    share.choose(1)
    share.write_params([(TRANSFER, FINE)], differs.get("params", {}))
    settings = Settings(share.folder, differs.get("environment", {}), differs.get("starter", ()))
    share.features(TRANSFER + FINE, settings)
    share.transfer(TRANSFER, settings)
    share.train(TRANSFER, FINE, settings)
    ran = history.read(share.folder / "history.csv")[LOSSES + ACCURACIES]
    return ran, repeats.final_predictions(share.folder / "results")["predicted"].to_numpy()


def row(name: str, difference: pd.DataFrame, images: int) -> str:
    """A row of the page's table, of a `difference` of two histories."""
    loss, accuracy = (difference[names].abs().to_numpy().max() for names in (LOSSES, ACCURACIES))
    same = "equal" if not difference.to_numpy().any() else "differ"
    return f"| {name} | {same} | {loss:.2g} | {accuracy:.2g} | {images} |"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.reproducibility", description=__doc__)
    add_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="the page")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
