"""Record a finished run of a suite of data sets, and compare rules for when to thaw over all recorded networks.

Reads the run and the networks recorded before. Writes <out>/<network>/, the tables of the run with its params, manifest
and figure; and from all networks <out>/README.md, switches.csv, styles.csv, associations.csv, rules.csv and rules.png.
"""

import argparse
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from stages.common import files, manifest, params, tables
from stages.common.command import ThawError, run
from stages.common.params import Statistics
from stages.drawing import drawing
from stages.pages.render import render
from stages.study import costs, inputs, two_way
from stages.study.two_way import Estimate
from stages.suite import associations, figures, networks, rules, switches
from stages.suite.networks import Network
from stages.suite.rules import Rule
from stages.suite.switches import Grid

ENDS = ("", "_low", "_high")  # of an estimate's columns: its value and its interval
CHOSEN_ELSEWHERE = {"fixed": "best fixed of the other sets", "adaptive": "best gain of the other sets"}
UNITS = ("epochs", "multiply_adds", "seconds")
STYLE_KEYS = ("dataset", "style", "arm", "transfer")
STYLE_COLUMNS = (
    *("network", *STYLE_KEYS, "fine", "loss", "accuracy"),
    *(f"{of}_minus_{other}{end}" for other in ("plain", "never") for of in ("loss", "accuracy") for end in ENDS),
)
HALF = 0.5  # at equal cost, schedules may cost what the one costs that thaws after half of the epochs


def main() -> None:
    arguments = _arguments()
    settings = params.load(arguments.params)
    with plt.rc_context(drawing.STYLE):
        record(arguments, settings)
        found = [networks.read(path.parent) for path in sorted(arguments.out.glob("*/epochs.csv"))]
        write_page(found, settings.statistics, dict(arguments.leave_out), arguments.out)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    inputs.add_arguments(parser)
    parser.add_argument("--params", type=Path, required=True, help="params.yaml of the run")
    parser.add_argument("--costs", type=Path, required=True, help="csv of each variant's cost")
    parser.add_argument("--network", required=True, help="the network's name, and that of its folder")
    parser.add_argument(
        "--leave-out",
        type=_with_reason,
        action="append",
        default=[],
        metavar="SET=REASON",
        help="a data set that is no evidence for a rule, and why",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of all networks, and of the page")
    return parser.parse_args()


def _with_reason(text: str) -> tuple[str, str]:
    name, _, reason = text.partition("=")
    if not reason:
        raise argparse.ArgumentTypeError(f"{text}: has no reason; write SET=REASON")
    return name, reason


def record(arguments: argparse.Namespace, settings: params.Params) -> None:
    """Write the run's folder; raises ThawError if its repeats are no folds."""
    if settings.repeats is None:
        raise ThawError(f"{arguments.params}: has seeds; a rule is compared over folds, set `repeats`")
    source = manifest.load(arguments.source)
    study, _ = inputs.read(arguments, settings)
    with files.folder_written_whole(arguments.out / arguments.network) as folder:
        networks.write(study, source, settings, costs.read(arguments.costs), folder)
        shutil.copyfile(arguments.params, folder / "params.yaml")
        shutil.copyfile(arguments.source, folder / arguments.source.name)
    figure = figures.draw_switches(networks.read(arguments.out / arguments.network), settings.statistics)
    drawing.save(figure, arguments.out / arguments.network / "switches.png")


def write_page(found: Sequence[Network], statistics: Statistics, left_out: Mapping[str, str], out: Path) -> None:
    """Write what all networks say together."""
    of_sets = pd.DataFrame([row for network in found for row in set_rows(network, statistics)])
    of_rules = pd.DataFrame([row for network in found for row in rule_rows(network, statistics, left_out)])
    of_evidence = of_sets[~of_sets["dataset"].isin(list(left_out))]
    associated = pd.DataFrame(associations.rows(of_evidence), columns=list(associations.COLUMNS))
    of_styles = pd.DataFrame(
        [row for network in found for row in style_rows(network, statistics)], columns=list(STYLE_COLUMNS)
    )
    tables.write_table(of_sets.round(tables.DECIMALS), out / "switches.csv")
    tables.write_table(of_styles.round(tables.DECIMALS), out / "styles.csv")
    tables.write_table(associated.round(tables.DECIMALS), out / "associations.csv")
    tables.write_table(of_rules.round(tables.DECIMALS), out / "rules.csv")
    drawing.save(figures.draw_regrets(of_rules[of_rules["unit"] == "epochs"], statistics.confidence), out / "rules.png")
    titles = {name: network.of_set(name)["title"].iloc[0] for network in found for name in network.datasets}
    facts = {
        "networks": [network.name for network in found],
        "heads": {
            network.name: {arm: network.head_of(arm) for arm in {*network.epochs["arm"], *network.styles["arm"]}}
            for network in found
        },
        "findings": {network.name: finding(network, of_sets, of_rules) for network in found},
        "sets": of_sets.to_dict("records"),
        "styles": of_styles.to_dict("records"),
        "rules": of_rules.to_dict("records"),
        "associations": associated.to_dict("records"),
        "left_out": {name: reason for name, reason in left_out.items() if name in titles},
        "titles": titles,
        "confidence": f"{statistics.confidence:.0%}",
        "margin": statistics.margin.loss,
    }
    tables.write_text(render("elsewhere.md.jinja", facts), out / "README.md")


def finding(network: Network, of_sets: pd.DataFrame, of_rules: pd.DataFrame) -> dict[str, Any]:
    """What the tables say of a network in short.

    `frozen` counts the data sets on which a schedule without fine-tuning has the lowest loss of all, `converged` those
    on which the converged head is below all schedules, and `shown` those of them whose intervals exclude 0. `fixed` and
    `adaptive` are the rules of each kind with the lowest mean regret; their `held_out` is the regret where the other
    sets choose the rule. `fine_optimizer`, `fine_rate` and `batch_norm` are those of the fine phase.
    """
    rows = of_sets[of_sets["network"] == network.name]
    lowest = rows.loc[rows.groupby("dataset")["loss"].idxmin()]
    own_grids = switches.grids(network)
    budgets = {grid.dataset: grid.budget for grid in own_grids}
    own = of_rules[(of_rules["network"] == network.name) & (of_rules["unit"] == "epochs")]
    of_kind = {
        "fixed": [rules.fixed(switch, grid.budget).name for grid in own_grids for switch in grid.final.columns],
        "adaptive": [rules.adaptive(gain).name for gain in rules.GAINS],
    }
    return {
        **network.sets[["fine_optimizer", "fine_rate", "batch_norm"]].iloc[0],
        "sets": len(lowest),
        "frozen": int((lowest["best"] == lowest["dataset"].map(budgets)).sum()),
        "converged": int((lowest["gain"] < 0).sum()),
        "shown": int((lowest["gain_high"] < 0).sum()),
        **{kind: _best_rule(own, names, CHOSEN_ELSEWHERE[kind]) for kind, names in of_kind.items()},
    }


def _best_rule(rows: pd.DataFrame, names: Sequence[str], chosen_elsewhere: str) -> dict[str, Any]:
    best = rows.loc[rows[rows["rule"].isin(names)]["regret"].idxmin()].to_dict()
    held_out = rows.loc[(rows["rule"] == chosen_elsewhere) & (rows["arm"] == best["arm"]), "regret"]
    return best if held_out.empty else best | {"held_out": held_out.iloc[0]}  # a single data set has no others


def set_rows(network: Network, statistics: Statistics) -> list[dict[str, Any]]:
    """A row for each data set and head: the best switch, those not worse, and what thawing gains over a frozen network.

    `gain` is the loss of the converged head minus that of the best schedule. `dip` is the rise of the training loss in
    the first epoch after thawing, in the schedule that thaws after half of the epochs. `accuracy_gain` is the accuracy
    of `most_accurate`, the best of the schedules that thaw, minus that of the head alone in all epochs.
    """
    rows = []
    for grid in switches.grids(network):
        of_set, final = network.of_set(grid.dataset), grid.final
        best = int(final.mean().idxmin())
        gain = two_way.over_repeats(of_set["converged_loss"] - final[best])
        low, high = switches.interval_of(final[best], statistics.confidence)
        rows.append(
            {
                "network": network.name,
                "dataset": grid.dataset,
                "arm": grid.arm,
                "pictures": int(of_set["pictures"].iloc[0]),
                "classes": int(of_set["classes"].iloc[0]),
                "converged_loss": of_set["converged_loss"].mean(),
                "best": best,
                "not_worse": " ".join(map(str, switches.not_worse_than_best(final, statistics))),
                "loss": final[best].mean(),
                "loss_low": low,
                "loss_high": high,
                "accuracy": grid.final_accuracy[best].mean(),
                "loss_at_once": final[0].mean(),
                **_interval("gain", gain, statistics),
                "dip": _dip(grid),
                "converged_accuracy": of_set["converged_accuracy"].mean(),
                **_accuracies(grid, statistics),
            }
        )
    return rows


def _accuracies(grid: Grid, statistics: Statistics) -> dict[str, Any]:
    final = grid.final_accuracy
    thawed = final.drop(columns=grid.budget, errors="ignore")
    best = int(thawed.mean().idxmax())
    row = {"most_accurate": best, "thawed_accuracy": thawed[best].mean()}
    if grid.budget not in final:
        return row | dict.fromkeys(("never_accuracy", "accuracy_gain", "accuracy_gain_low", "accuracy_gain_high"))
    gain = two_way.over_repeats(thawed[best] - final[grid.budget])
    return row | {"never_accuracy": final[grid.budget].mean(), **_interval("accuracy_gain", gain, statistics)}


def style_rows(network: Network, statistics: Statistics) -> list[dict[str, Any]]:
    """A row for each style of a schedule: its results at the end, minus its plain schedule's and minus never thawing's.

    A comparison is left out where the other schedule did not run with the same head.
    """
    rows = []
    plain = network.epochs.set_index(["dataset", "arm", "transfer"])
    for (dataset, style, arm, transfer), runs in network.styles.groupby(list(STYLE_KEYS), sort=False):
        own = _at_end(runs)
        row = {"network": network.name, "dataset": dataset, "arm": arm, "style": style, "transfer": transfer}
        row |= {
            "fine": int(runs["fine"].iloc[0]),
            "loss": own["val_loss"].mean(),
            "accuracy": own["val_accuracy"].mean(),
        }
        for other, switch in (("plain", transfer), ("never", transfer + row["fine"])):
            if (dataset, arm, switch) in plain.index:
                ends = _at_end(plain.loc[[(dataset, arm, switch)]])
                for measure in ("loss", "accuracy"):
                    difference = own[f"val_{measure}"] - ends[f"val_{measure}"]
                    row |= _interval(f"{measure}_minus_{other}", two_way.over_repeats(difference), statistics)
        rows.append(row)
    return rows


def _at_end(runs: pd.DataFrame) -> pd.DataFrame:
    """The last epoch of each repeat of one schedule, indexed by repeat."""
    return runs[runs["epoch"] == runs["epoch"].max()].set_index("repeat")


def rule_rows(network: Network, statistics: Statistics, left_out: Mapping[str, str]) -> list[dict[str, Any]]:
    """A row for each head, unit of cost and rule: the mean regret over the data sets, and the largest."""
    by_arm: dict[str, list[Grid]] = {}
    for grid in switches.grids(network):
        if grid.dataset not in left_out:
            by_arm.setdefault(grid.arm, []).append(grid)
    rows = []
    for unit in UNITS:
        losses = {(arm, grid.dataset): _losses(network, grid, unit) for arm, own in by_arm.items() for grid in own}
        every = {
            grid.dataset: pd.concat([losses[arm, grid.dataset] for arm in by_arm], axis=1, keys=by_arm)
            for grid in next(iter(by_arm.values()))
        }
        for arm, own in by_arm.items():
            for name, regrets in _regrets(own, {grid.dataset: losses[arm, grid.dataset] for grid in own}, every):
                largest = max(regrets, key=lambda dataset: regrets[dataset])
                rows.append(
                    {
                        "network": network.name,
                        "arm": arm,
                        "unit": unit,
                        "rule": name,
                        "sets": len(regrets),
                        **_interval("regret", two_way.over_repeats(list(regrets.values())), statistics),
                        "largest": regrets[largest],
                        "largest_on": largest,
                    }
                )
    return rows


def _regrets(
    own: Sequence[Grid], losses: Mapping[str, pd.DataFrame], every: Mapping[str, pd.DataFrame]
) -> list[tuple[str, dict[str, float]]]:
    """The regret of each rule by data set; also of the fixed and of the adaptive one that the other sets choose.

    A fixed rule needs a schedule that ran on every set.
    """
    everywhere = sorted(set.intersection(*(set(grid.final.columns) for grid in own)))
    families: dict[str, list[Rule]] = {
        CHOSEN_ELSEWHERE["fixed"]: [rules.fixed(switch, own[0].budget) for switch in everywhere],
        CHOSEN_ELSEWHERE["adaptive"]: [rules.adaptive(gain) for gain in rules.GAINS],
    }
    found = []
    for name, members in families.items():
        regrets = {
            rule.name: {
                grid.dataset: rules.regret(rule, grid, losses[grid.dataset], every[grid.dataset]) for grid in own
            }
            for rule in members
        }
        found += list(regrets.items())
        if len(own) > 1:
            chosen = rules.best_elsewhere(regrets)
            found.append((name, {dataset: value for dataset, (_, value) in chosen.items()}))
    return found


def _losses(network: Network, grid: Grid, unit: str) -> pd.DataFrame:
    """The validation losses of the grid's schedules: after the budget of epochs, or at the same cost in `unit`."""
    if unit == "epochs":
        return grid.final
    each = network.epoch_costs(grid.dataset, unit)
    transfer = int(HALF * grid.budget)
    return grid.within(each, transfer * each["transfer"] + (grid.budget - transfer) * each["fine"])


def _dip(grid: Grid) -> float:
    """The mean change of the training loss where the schedule thaws that has half of the epochs before; NaN if none."""
    transfer = int(HALF * grid.budget)
    half = grid.runs[grid.runs["transfer"] == transfer]
    if half.empty:
        return np.nan
    loss = half.pivot(index="repeat", columns="epoch", values="loss")
    return float((loss[transfer + 1] - loss[transfer]).mean())


def _interval(name: str, estimate: Estimate, statistics: Statistics) -> dict[str, float | None]:
    low, high = estimate.interval(statistics.confidence)
    return {name: estimate.value, f"{name}_low": low, f"{name}_high": high}


if __name__ == "__main__":
    run(main)
