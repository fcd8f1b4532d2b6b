"""Rules for when to thaw, and their regret: how much higher the loss is than with the best switch.

A rule knows what can be known before thawing: the head's training loss so far. The regret of a rule on a data set is
the mean over its folds of the loss that the rule reaches, minus that of the schedule that is best on the other folds,
so that the best one is not chosen by the noise of the fold on which it is measured.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stages.study import brief
from stages.suite.switches import Grid
from stages.training.switch import choose_thaw

GAINS = (0.01, 0.02, 0.05, 0.1, 0.2)  # relative gains of an epoch, from a head that has converged to one that learns


@dataclass(frozen=True)
class Rule:
    """A rule in words, and the number of transfer epochs that it chooses for a repeat of a grid."""

    name: str
    choose: Callable[[Grid, int], int]


def fixed(switch: int, budget: int) -> Rule:
    """Thaw after the same number of epochs everywhere; never, if that is the whole `budget`."""
    return Rule("never" if switch == budget else f"after {brief.epochs(switch)}", lambda grid, repeat: switch)


def adaptive(gain: float) -> Rule:
    """Thaw after the first epoch of the head that lowers its training loss by less than the share `gain`.

    The grid has few switches; the nearest one by ratio stands for the epoch found.
    """

    def choose(grid: Grid, repeat: int) -> int:
        losses = grid.head_losses(repeat)
        rows = [{"loss": loss} for loss in losses]
        return nearest(list(grid.final.columns), choose_thaw(rows, gain, len(rows)).epoch)

    return Rule(f"gain below {gain:.0%}", choose)


def nearest(switches: Sequence[int], epoch: int) -> int:
    """The switch whose ratio to `epoch` is nearest to 1, both plus one since a switch may be 0."""
    return min(switches, key=lambda switch: abs(np.log((switch + 1) / (epoch + 1))))


def regret(rule: Rule, grid: Grid, losses: pd.DataFrame, every: pd.DataFrame) -> float:
    """The regret on one data set: `losses` of the grid by repeat and switch, `every` those of all schedules."""
    found = [
        losses.loc[repeat, rule.choose(grid, repeat)] - every.loc[repeat, every.drop(index=repeat).mean().idxmin()]
        for repeat in losses.index
    ]
    return float(np.mean(found))


def best_elsewhere(regrets: Mapping[str, Mapping[str, float]]) -> dict[str, tuple[str, float]]:
    """For each data set the rule with the lowest mean regret on all others, and its regret there.

    `regrets` are by rule and data set.
    """
    table = pd.DataFrame(regrets)  # a row for each data set, a column for each rule
    chosen = {dataset: str(table.drop(index=dataset).mean().idxmin()) for dataset in table.index}
    return {dataset: (name, float(table.loc[dataset, name])) for dataset, name in chosen.items()}
