"""Measures how far repeated runs of a study differ: on other threads, with other kernels, in other number formats.

Writes the page docs/reproducibility.md.
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

TRANSFER, FINE = 5, 10  # epochs; differences grow with the fine epochs
SAME_TRAINING = {
    "run again": {},
    "on one core of the machine": {"starter": ("taskset", "--cpu-list", "0")},
}
"""Runs whose results must be equal."""
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
# Reproducibility

Read this if your numbers differ from another machine's. The same commit, params and machine give identical csv and json files, except for measured seconds. A stage that runs again writes the same bytes. Seeds decide every random draw ([method.md](method.md)). `threads` in `params.yaml`, and not the number of cores, decides the order of sums. Seconds are in `plots/seconds/`, and in `plots/costs/` and the report, which are computed from them.

Each variant's json names the versions of Python, TensorFlow, Keras, NumPy and DVC, the CPU and the seeds. On another machine, other kernels may sum in another order. The results then differ, and training enlarges the difference with every epoch.

## Measurements

`make reproducibility` writes this page. It trains {dataset} of {source} for {transfer} epochs of transfer learning and {fine} of fine-tuning, each time from the pictures on, and compares the run with one that has the repository's params. `loss` and `accuracy` are the largest differences in any of the {epochs} epochs, in training, validation and clean training. `images` counts those of the {validation} validation pictures whose prediction differs at the end. An accuracy can only differ by whole images.

- Machine: {machine}.
- Versions: {versions}.

| | histories | loss | accuracy | images |
| --- | --- | ---: | ---: | ---: |
{rows}

The last row shows, for scale, what another seed changes. TensorFlow uses oneDNN only on CPUs with AVX-512's instructions for neural networks; on any other, both rows about oneDNN are equal.
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
        difference = (found - expected).fillna(0)  # NaN where the training pictures were not measured again
        rows.append(row(name, difference, int((predictions != predicted).sum())))
        print(rows[-1], flush=True)
        if name in SAME_TRAINING and not found.equals(expected):
            raise SystemExit(f"{name}: the history differs, but must be equal")
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
    """The history's losses and accuracies, and the predicted label of each validation image at the end."""
    share.choose(1)
    share.write_params([(TRANSFER, FINE)], differs.get("params", {}))
    settings = Settings(share.folder, differs.get("environment", {}), differs.get("starter", ()))
    share.features(TRANSFER + FINE, settings)
    share.transfer(TRANSFER, settings)
    share.train(TRANSFER, FINE, settings)
    ran = history.read(share.folder / "history.csv")[LOSSES + ACCURACIES]
    return ran, repeats.final_predictions(share.folder / "results")["predicted"].to_numpy()


def row(name: str, difference: pd.DataFrame, images: int) -> str:
    """A row of the page's table, from the `difference` of two histories."""
    loss, accuracy = (difference[names].abs().to_numpy().max() for names in (LOSSES, ACCURACIES))
    same = "equal" if not difference.to_numpy().any() else "differ"
    return f"| {name} | {same} | {loss:.2g} | {accuracy:.2g} | {images} |"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.reproducibility", description=__doc__)
    add_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="the page to write")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
