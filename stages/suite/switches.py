"""The switch: how the result of a fixed budget depends on the number of transfer epochs before the top is thawed."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from stages.common.params import Statistics
from stages.study import two_way
from stages.study.equivalence import Contrast
from stages.study.variants import PAPER_ARM
from stages.suite.networks import Network


@dataclass(frozen=True)
class Grid:
    """The schedules of a data set with one network and one head that differ in when they thaw.

    `runs` has the columns of networks.EPOCHS. All schedules have the same budget of epochs.
    """

    dataset: str
    arm: str
    runs: pd.DataFrame

    @property
    def budget(self) -> int:
        """The number of epochs of every schedule."""
        return int(self.runs["epoch"].max())

    @cached_property
    def final(self) -> pd.DataFrame:
        """The validation loss after the last epoch: a row for each repeat, a column for each number of transfer epochs.

        The columns rise.
        """
        return self._last("val_loss", self.runs)

    @cached_property
    def final_accuracy(self) -> pd.DataFrame:
        """As `final`, of the validation accuracy."""
        return self._last("val_accuracy", self.runs)

    def within(self, epoch_costs: Mapping[str, float], most: float) -> pd.DataFrame:
        """As `final`, but each schedule is stopped after the last epoch up to which it costs at most `most`.

        A schedule that is stopped early is a shorter schedule, because its learning rates do not depend on the epochs
        to come.
        """
        of_epochs = self.runs["phase"].map(epoch_costs)
        paid = of_epochs.groupby([self.runs["transfer"], self.runs["repeat"]]).cumsum()
        return self._last("val_loss", self.runs[paid <= most * (1 + 1e-9)])  # sums round

    def head_losses(self, repeat: int) -> list[float]:
        """The training loss after each epoch of the head alone, in the schedule with the most transfer epochs."""
        longest = self.runs[(self.runs["transfer"] == self.runs["transfer"].max()) & (self.runs["repeat"] == repeat)]
        return list(longest.loc[longest["phase"] == "transfer", "loss"])

    @staticmethod
    def _last(column: str, runs: pd.DataFrame) -> pd.DataFrame:
        return runs.pivot_table(index="repeat", columns="transfer", values=column, aggfunc="last", sort=True)


def grids(network: Network) -> list[Grid]:
    """The grids of each data set, the thesis's head first; thawing at once stands in each, where a head has no part.

    A head with which nothing else ran has no grid.
    """
    found = []
    for dataset in network.datasets:
        runs = network.epochs[network.epochs["dataset"] == dataset]
        at_once = runs[(runs["arm"] == PAPER_ARM) & (runs["transfer"] == 0)]
        for arm in runs["arm"].unique():
            own = runs[runs["arm"] == arm]
            grid = Grid(dataset, arm, own if arm == PAPER_ARM else pd.concat([at_once, own]))
            if len(grid.final.columns) > 1:
                found.append(grid)
    return found


def interval_of(losses: pd.Series, confidence: float) -> two_way.Interval:
    """The interval of the mean of `losses`, one of each repeat, without impossible values (`two_way.possible`)."""
    return two_way.possible(two_way.over_repeats(losses).interval(confidence), losses.to_numpy(), 0, np.inf)


def not_worse_than_best(final: pd.DataFrame, statistics: Statistics) -> list[int]:
    """The columns of `final` that are non-inferior to the column with the lowest mean, in a one-sided test each.

    The column with the lowest mean is among them. It is chosen on the same folds, so the test favours it.
    """
    best = final.mean().idxmin()
    return [
        switch
        for switch in final
        if switch == best
        or Contrast(
            two_way.over_repeats(final[switch] - final[best]), statistics.margin.loss, statistics.confidence, len(final)
        ).is_not_worse
    ]
