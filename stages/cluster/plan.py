"""Finds what is not up to date in DVC's graph: a task per stage, with what it reads and what it writes."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networkx
from dvc.dvcfile import PROJECT_FILE
from dvc.exceptions import DvcException
from dvc.output import Output
from dvc.repo import Repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from dvc.stage import PipelineStage, Stage
from dvc.utils.collections import ensure_list

from stages.cluster import git_held
from stages.cluster.git_held import Held
from stages.common.command import ThawError

UNKNOWN_COST = 1000
"""The cost of a schedule with `fine: rest`, which may take the whole budget."""


@dataclass(frozen=True)
class Task:
    """One stage, and what a machine that has only the commit needs to run it. Paths are relative to the project."""

    stage: str
    """Its name in DVC, such as `train@cats_dogs-20-11`."""
    command: str
    """Its commands, as `dvc repro --dry` shows them."""
    lock: str
    key: str
    """The lock file, and the stage's name in it."""
    after: tuple[str, ...]
    """The stages whose outputs it reads."""
    pulls: tuple[str, ...]
    """The outputs of those stages, or parts of outputs, that it reads and that are in DVC's remote."""
    outputs: tuple[str, ...]
    """Its outputs that git holds and DVC does not cache."""
    meta: dict[str, Any]
    """The stage's `meta` in dvc.yaml."""

    @property
    def beside(self) -> str | None:
        """A folder unknown to DVC that the stage reads, and computes if it is missing."""
        return self.meta.get("beside")

    @property
    def cost(self) -> int:
        """How long it takes, in any unit; of the stages that could run, the costliest starts first."""
        cost = self.meta.get("cost", 0)
        return cost if isinstance(cost, int) else UNKNOWN_COST


@dataclass(frozen=True)
class Plan:
    """The stages that `dvc repro` would check, in its order: `tasks` are not up to date, `settled` are."""

    tasks: tuple[Task, ...]
    settled: tuple[Task, ...]


def read(root: Path, targets: Sequence[str], *, allow_missing: bool) -> Plan:
    """Plan to reproduce `targets`, by default the project's dvc.yaml.

    A stage that reads one that is not up to date counts as not up to date either; a worker finds out whether it is.
    With `allow_missing`, a stage whose outputs are merely missing here counts as up to date.
    """
    try:
        with Repo(str(root), _wait_for_lock=True) as repo, repo.lock:
            graph = get_active_graph(repo.index.graph)
            stages = plan_repro(graph, collect_stages(repo, targets or [PROJECT_FILE]))
            # Not `dvc repro --dry`, which stops at the first stage whose inputs do not exist yet.
            changed = {stage for stage in stages if stage.changed(allow_missing, list(graph.successors(stage)))}
            return _plan(root, graph, stages, changed)
    except DvcException as error:
        raise ThawError(f"{' '.join(targets) or PROJECT_FILE}: {error}; see what `dvc repro --dry` says") from None


def held(root: Path, task: Task) -> Held | None:
    """What the project at `root` holds of the task's stage; None if it never ran."""
    return git_held.read(root, task.lock, task.key, task.outputs)


def _plan(root: Path, graph: networkx.DiGraph, stages: list[Stage], changed: set[Stage]) -> Plan:
    tasks, settled = [], []
    for stage in stages:
        if isinstance(stage, PipelineStage):
            stale = stage in changed or changed & networkx.descendants(graph, stage)
            (tasks if stale else settled).append(_task(root, graph, stage))
        elif stage in changed:
            raise ThawError(f"{stage.relpath}: its data changed; run `dvc commit {stage.relpath}`, then `git commit`")
    return Plan(tuple(tasks), tuple(settled))


def _task(root: Path, graph: networkx.DiGraph, stage: PipelineStage) -> Task:
    # An edge leads from a stage to one whose outputs it reads.
    read = list(graph.successors(stage))
    return Task(
        stage=stage.addressing,
        command="\n".join(f"> {command}" for command in ensure_list(stage.cmd)),
        lock=path_in(root, Path(stage.path).with_suffix(".lock")),
        key=stage.name,
        after=tuple(other.addressing for other in read if isinstance(other, PipelineStage)),
        pulls=tuple(path for other in read for out in other.outs if out.use_cache for path in _pulls(root, stage, out)),
        outputs=tuple(path_in(root, out.fs_path) for out in stage.outs if not out.use_cache),
        meta=stage.meta or {},
    )


def _pulls(root: Path, stage: PipelineStage, output: Output) -> Iterable[str]:
    """What the stage reads of `output`: a part of it, or all if it depends on a folder that contains it."""
    for dependency in stage.deps:
        if dependency.fs.isin_or_eq(dependency.fs_path, output.fs_path):
            yield path_in(root, dependency.fs_path)
        elif output.fs.isin(output.fs_path, dependency.fs_path):
            yield path_in(root, output.fs_path)


def path_in(root: Path, path: str | Path) -> str:
    """The path relative to `root`, as in a Task."""
    return Path(os.path.relpath(path, root)).as_posix()
