"""Measurements beside the pipeline, each of which writes a csv with rows for every repeat."""

import argparse
from collections.abc import Callable, Sequence

import pandas as pd

from stages.common import params, tables
from stages.common.params import Repeat
from stages.network import inputs
from stages.network.inputs import Inputs
from stages.training import models

Measure = Callable[[Inputs, str, str, Repeat], list[tuple]]
"""Maps the inputs, the data set, the fingerprint of its stored activations and a repeat to the rows of the repeat."""


def write(arguments: argparse.Namespace, columns: Sequence[str], measure: Measure) -> None:
    """Measure every repeat of `arguments.dataset`, and write the rows to the csv `arguments.out`."""
    loaded = inputs.read(arguments, arguments.dataset, params.load())
    models.use_threads(loaded.params.threads)
    fingerprint = tables.read_json(arguments.features)["fingerprint"]
    rows = [
        row
        for repeat in loaded.params.repeats_of(arguments.dataset)
        for row in measure(loaded, arguments.dataset, fingerprint, repeat)
    ]
    tables.write_table(pd.DataFrame(rows, columns=list(columns)).round(tables.DECIMALS), arguments.out)
