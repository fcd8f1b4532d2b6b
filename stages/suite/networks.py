"""The results of a suite of data sets with one network, as a folder of csv files: written, and read again.

<folder>/epochs.csv   one row for each schedule, repeat and epoch
<folder>/styles.csv   the same of the schedules with a style, whose keys the column `style` has
<folder>/sets.csv     one row for each data set and repeat, with the results of the converged head; `head_rate` is the
                      default head's, `fine_optimizer`, `fine_rate` and `batch_norm` are those of every fine phase
<folder>/costs.csv    one row for each data set and phase: the cost of an epoch
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from stages.common import tables
from stages.common.manifest import Manifest
from stages.common.params import Params
from stages.pages.render import rate
from stages.results import history
from stages.study import variants
from stages.study.evidence import Study

EPOCHS = ("dataset", "arm", "transfer", "fine", "repeat", "epoch", "phase", "loss", "val_loss", "val_accuracy")
STYLES = ("style", *EPOCHS)
SETS = (
    "dataset",
    "title",
    "classes",
    "pictures",
    "repeat",
    "converged_loss",
    "converged_accuracy",
    "head_rate",
    "fine_optimizer",
    "fine_rate",
    "batch_norm",
)
COSTS = ("dataset", "phase", "multiply_adds", "seconds")


@dataclass(frozen=True)
class Network:
    """The results with one network: its name, and the tables of its folder with the columns EPOCHS, STYLES and so on.

    `loss` is the training loss that Keras reports; multiply-adds and seconds are those of one epoch of the phase.
    """

    name: str
    epochs: pd.DataFrame
    styles: pd.DataFrame
    sets: pd.DataFrame
    costs: pd.DataFrame

    @property
    def datasets(self) -> list[str]:
        """The data sets, in the order of the tables."""
        return list(self.sets["dataset"].unique())

    def of_set(self, dataset: str) -> pd.DataFrame:
        """The rows of `sets` of one data set, indexed by repeat."""
        return self.sets[self.sets["dataset"] == dataset].set_index("repeat")

    def head_of(self, arm: str) -> str:
        """The head of an arm in short: its learning rate, or all its keys if it has others."""
        keys = f"head_rate {rate(self.sets['head_rate'].iloc[0])}" if arm == variants.PAPER_ARM else arm
        return variants.keys_in_words(keys).removeprefix("head learning rate ")

    def epoch_costs(self, dataset: str, unit: str) -> Mapping[str, float]:
        """What an epoch of each phase costs, in `multiply_adds` or `seconds`."""
        rows = self.costs[self.costs["dataset"] == dataset]
        return dict(zip(rows["phase"], rows[unit], strict=True))


def write(study: Study, source: Manifest, settings: Params, spent: pd.DataFrame, folder: Path) -> None:
    """Write the tables of a finished run; `spent` is plots/costs/costs.csv, indexed by variant."""
    fine = settings.fine
    plain = [variant for variant in study.variants if variant.kind in ("grid", "tuned")]
    tables.write_table(_epochs(plain, EPOCHS), folder / "epochs.csv")
    styles = [variant for variant in study.variants if variant.kind == "style"]
    tables.write_table(_epochs(styles, STYLES), folder / "styles.csv")
    sets = _sets(study, source, list(variants.of_datasets(plain)))
    sets = sets.assign(
        head_rate=settings.transfer.learning_rate,
        fine_optimizer=fine.optimizer,
        fine_rate=fine.learning_rate,
        batch_norm=fine.batch_norm,
    )
    tables.write_table(sets, folder / "sets.csv")
    tables.write_table(_costs(spent.loc[[variant.name for variant in plain]]), folder / "costs.csv")


def read(folder: Path) -> Network:
    """Read the tables of a folder; raises ThawError that names the file."""
    columns = {"epochs": EPOCHS, "styles": STYLES, "sets": SETS, "costs": COSTS}
    return Network(folder.name, *(tables.read_table(folder / f"{name}.csv", own) for name, own in columns.items()))


def _epochs(members: list[variants.Variant], columns: Sequence[str]) -> pd.DataFrame:
    of_variants = [
        variant.runs.assign(
            style=variant.style,
            dataset=variant.dataset,
            arm=variant.arm,
            transfer=variant.transfer,
            fine=variant.fine,
        ).reindex(columns=list(columns))
        for variant in members
    ]
    return pd.concat(of_variants, ignore_index=True) if members else pd.DataFrame(columns=list(columns))


def _sets(study: Study, source: Manifest, datasets: list[str]) -> pd.DataFrame:
    rows = []
    for name in datasets:
        converged = study.converged[name]
        found = source.dataset(name)
        pictures = len(set().union(*(each.images for each in converged.values())))
        rows += [
            {
                "dataset": name,
                "title": found.title,
                "classes": len(found.classes),
                "pictures": pictures,
                "repeat": repeat,
                "converged_loss": each.losses()[-1].mean(),
                "converged_accuracy": each.correct()[-1].mean(),
            }
            for repeat, each in converged.items()
        ]
    return pd.DataFrame(rows).round(tables.DECIMALS)


def _costs(spent: pd.DataFrame) -> pd.DataFrame:
    """The medians over the schedules, because seconds are measured in each."""
    rows = [
        {"dataset": name, "phase": phase}
        | {unit: of_set[f"{unit}_of_{phase}_epoch"].median() for unit in ("multiply_adds", "seconds")}
        for name, of_set in spent.groupby("dataset", sort=False)
        for phase in history.PHASES
    ]
    return pd.DataFrame(rows, columns=list(COSTS)).round(tables.DECIMALS)
