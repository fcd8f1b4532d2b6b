"""Stage `costs`: the costs of each schedule, and the recommendation for each budget.

Reads each variant's json, csv, epochs, validation logits and measured seconds, and the thesis's margins. Writes a
folder with the tables costs and recommendation and the figure of costs. Only they and the report depend on measured
seconds, which differ from run to run.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from stages.common import manifest, params, tables
from stages.common.command import run
from stages.common.files import folder_written_whole
from stages.drawing import cost_figure, drawing
from stages.results import repeats
from stages.study import costs, inputs, recommendation
from stages.study.variants import Variant


def main() -> None:
    arguments = _arguments()
    settings = params.load()
    study, _ = inputs.read(arguments, settings)
    seconds = of_plain_schedules(
        study.variants, {variant.name: read_seconds(variant, arguments.seconds) for variant in study.variants}
    )
    paid = {
        "multiply_adds": recommendation.multiply_adds(study),
        "seconds": recommendation.seconds(study, seconds),
    }
    with folder_written_whole(arguments.out) as beside:
        spent = costs.table(study, seconds)
        tables.write_table(spent, beside / "costs.csv")
        tables.write_table(recommendation.table(study, paid), beside / "recommendation.csv")
        with plt.rc_context(drawing.STYLE):
            figure = cost_figure.draw(
                study.variants,
                spent.set_index("variant"),
                manifest.load(arguments.source),
                settings.statistics.confidence,
            )
            drawing.save(figure, beside / "costs.png")


def read_seconds(variant: Variant, folder: Path) -> pd.DataFrame:
    """The variant's measured seconds; for the transfer epochs the stage `transfer` measured them."""
    own = repeats.read_seconds(folder / f"{variant.name}.csv")
    shared = repeats.read_seconds(folder / f"{variant.dataset}-transfer.csv")
    measured = own[own["seconds"].notna()]
    return pd.concat([shared[shared["epoch"] <= variant.transfer], measured], ignore_index=True)


def of_plain_schedules(members: Sequence[Variant], measured: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The seconds by variant, for a plain schedule those of all plain schedules of its data set.

    An epoch of a phase does the same work in all of them. One that ran beside other programs would seem to cost more.
    """
    pooled: dict[str, list[pd.DataFrame]] = {}
    for variant in members:
        if not variant.has_style:
            own = measured[variant.name]
            pooled.setdefault(variant.dataset, []).append(
                own.assign(repeat=f"{variant.name} " + own["repeat"].astype(str))
            )
    return {
        variant.name: measured[variant.name] if variant.has_style else pd.concat(pooled[variant.dataset])
        for variant in members
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    inputs.add_arguments(parser)
    parser.add_argument("--seconds", type=Path, required=True, help="folder of <variant>.csv, with measured seconds")
    parser.add_argument("--out", type=Path, required=True, help="folder of csvs, written")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
