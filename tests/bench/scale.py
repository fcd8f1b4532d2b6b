"""Simulate a study on more and more workers: how long it takes, what it moves, where a worker more stops paying.

Reads docs/scale/costs.yaml, the measured costs of stages; writes simulated.csv and a picture beside it.

A free worker takes, of the stages that are ready, one whose activations lie with it, then one of which its share
is (stages/cluster/cluster.py: placed), then the costliest. It computes activations that it lacks, and pulls what it reads.
Beside that stands what a run comes to whose workers take the costliest stage wherever its activations lie.
"""

import argparse
import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
import yaml

from stages.cluster import cluster
from stages.cluster.plan import Task
from stages.common import tables
from stages.common.command import run

matplotlib.use("Agg")
from matplotlib import pyplot as plt

WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True)
class Stage:
    """A stage with its cost: seconds of one worker, megabytes that it pushes, seconds of the activations it reads."""

    name: str
    seconds: float
    megabytes: float
    after: tuple[str, ...] = ()
    beside: str | None = None
    activations: float = 0.0


@dataclass
class Machine:
    """What lies on a worker."""

    address: str
    outputs: set[str] = field(default_factory=set)
    activations: set[str] = field(default_factory=set)


@dataclass
class Run:
    """What a simulated run came to."""

    seconds: float = 0.0
    moved: float = 0.0
    computed_again: float = 0.0


def study(costs: dict[str, Any], backbones: int, seeds: int, apart: bool) -> Iterator[Stage]:
    """The stages of a study; each seed of a variant a stage of its own, if they run `apart`."""
    stage = costs["overhead_seconds"]
    for backbone, (name, data) in itertools.product(range(backbones), costs["datasets"].items()):
        group = f"{name}-{backbone}"
        activations = data["budget"] * data["features_epoch"]
        shared = {"beside": group, "activations": activations}
        yield Stage(f"split@{group}", stage + data["split"], data["images_megabytes"])
        yield Stage(f"features@{group}", stage, 0, (f"split@{group}",), **shared)
        transfer = data["budget"] * data["transfer_epoch"] * seeds
        yield Stage(f"transfer@{group}", stage + transfer, 1, (f"split@{group}", f"features@{group}"), **shared)
        for fine in data["fine_epochs"]:
            for seed, count in [(seed, 1) for seed in range(seeds)] if apart else [("all", seeds)]:
                seconds = stage + count * (costs["start_seconds"] + fine * data["fine_epoch"])
                read = (f"split@{group}", f"transfer@{group}")
                yield Stage(f"train@{group}-{fine}-{seed}", seconds, count * costs["model_megabytes"], read, **shared)


def listed(costs: dict[str, dict[str, Any]]) -> list[Stage]:
    """Stages whose costs are given one by one."""
    return [Stage(name, **cost | {"after": tuple(cost["after"])}) for name, cost in costs.items()]


def simulate(stages: list[Stage], workers: int, bandwidth: float, placing: bool = True) -> Run:
    """Run `stages` on `workers`, `placing` them or not; `bandwidth` in megabytes a second, each worker's own."""
    by_name = {stage.name: stage for stage in stages}
    machines = [Machine(f"{number:04}") for number in range(workers)]
    near = cluster.placed([_task(stage) for stage in stages], [machine.address for machine in machines])
    preference = partial(_preference, near=near) if placing else _costliest
    waiting = {stage.name: set(stage.after) for stage in stages}
    free, running, now, order, result = list(machines), [], 0.0, itertools.count(), Run()
    while waiting or running:
        ready = [by_name[name] for name, before in waiting.items() if not before]
        while free and ready:
            machine, stage = min(itertools.product(free, ready), key=lambda pair: preference(*pair))
            free.remove(machine)
            ready.remove(stage)
            del waiting[stage.name]
            heapq.heappush(
                running, (now + _duration(machine, stage, by_name, bandwidth, result), next(order), machine, stage)
            )
        now, _, machine, stage = heapq.heappop(running)
        free.append(machine)
        for before in waiting.values():
            before.discard(stage.name)
    result.seconds = now
    return result


def critical_path(stages: list[Stage]) -> float:
    """Seconds that no number of workers can go below."""
    ends: dict[str, float] = {}
    for stage in stages:
        activations = stage.activations if stage.name.startswith("features@") else 0
        ends[stage.name] = stage.seconds + activations + max((ends[name] for name in stage.after), default=0)
    return max(ends.values())


def _preference(machine: Machine, stage: Stage, near: dict[str | None, list[str]]) -> tuple[bool, bool, float, str]:
    lies_here = stage.beside is None or stage.beside in machine.activations
    share = machine.address in near.get(stage.beside, [machine.address])
    return not lies_here, not share, -stage.seconds, machine.address


def _costliest(machine: Machine, stage: Stage) -> tuple[float, str]:
    return -stage.seconds, machine.address


def _duration(machine: Machine, stage: Stage, by_name: dict[str, Stage], bandwidth: float, result: Run) -> float:
    pulled = sum(by_name[name].megabytes for name in stage.after if name not in machine.outputs)
    seconds = stage.seconds + (pulled + stage.megabytes) / bandwidth
    if stage.beside and stage.beside not in machine.activations:
        seconds += stage.activations
        result.computed_again += 0 if stage.name.startswith("features@") else stage.activations
        machine.activations.add(stage.beside)
    machine.outputs |= {stage.name, *stage.after}
    result.moved += pulled + stage.megabytes
    return seconds


def _task(stage: Stage) -> Task:
    meta = {"beside": stage.beside, "cost": round(stage.seconds)} if stage.beside else {}
    return Task(stage.name, "", "dvc.lock", stage.name, stage.after, (), (), meta)


def table(costs: dict[str, Any]) -> pd.DataFrame:
    """One row for each study and number of workers."""
    rows = []
    studies = {title: list(study(costs, **arguments)) for title, arguments in costs["studies"].items()}
    for title, stages in (studies | {"five short variants of drawings": listed(costs["short"])}).items():
        alone = simulate(stages, 1, costs["megabytes_a_second"]).seconds
        for workers in WORKERS:
            result = simulate(stages, workers, costs["megabytes_a_second"])
            anywhere = simulate(stages, workers, costs["megabytes_a_second"], placing=False)
            rows.append(
                {
                    "study": title,
                    "stages": len(stages),
                    "critical_path_hours": critical_path(stages) / 3600,
                    "workers": workers,
                    "hours": result.seconds / 3600,
                    "times_faster": alone / result.seconds,
                    "busy": alone / result.seconds / workers,
                    "gigabytes_moved": result.moved / 1000,
                    "hours_of_activations_computed_again": result.computed_again / 3600,
                    "hours_anywhere": anywhere.seconds / 3600,
                    "hours_of_activations_computed_again_anywhere": anywhere.computed_again / 3600,
                }
            )
    return pd.DataFrame(rows).round(4)


def draw(results: pd.DataFrame, path: Path) -> None:
    """Hours over workers, a line for each study, and below it what no number of workers can go below."""
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for title, rows in results[results["stages"] > 100].groupby("study", sort=False):
        (line,) = axes.plot(rows["workers"], rows["hours"], marker="o", label=title)
        axes.axhline(rows["critical_path_hours"].iloc[0], color=line.get_color(), linestyle=":", linewidth=1)
    axes.set(xscale="log", yscale="log", xlabel="workers", ylabel="hours (dotted: the longest chain of stages)")
    axes.set_xticks(WORKERS, [str(count) for count in WORKERS])
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--costs", type=Path, default=Path("docs/scale/costs.yaml"), help="measured costs of stages")
    out = parser.parse_args().costs.parent
    results = table(yaml.safe_load(parser.parse_args().costs.read_text(encoding="utf-8")))
    tables.write_table(results, out / "simulated.csv")
    draw(results, out / "simulated.png")


if __name__ == "__main__":
    run(main)
