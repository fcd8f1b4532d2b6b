"""What is not up to date in DVC's graph, as tasks: one a stage, with what it reads and what it leaves."""

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
"""Of a schedule whose fine epochs are `rest`: the whole budget, perhaps."""


@dataclass(frozen=True)
class Task:
    """One stage, and what a machine that knows only the commit needs to run it. Paths are the project's."""

    stage: str
    """As DVC addresses it: `train@cats_dogs-20-11`."""
    command: str
    """Its commands, as `dvc repro --dry` shows them."""
    lock: str
    key: str
    """The lock file, and the stage's name in it."""
    after: tuple[str, ...]
    """The stages whose outputs it reads."""
    pulls: tuple[str, ...]
    """Outputs of theirs, or parts of these, that it reads and DVC's remote carries."""
    outputs: tuple[str, ...]
    """Of what it writes, what git holds and not DVC's cache."""
    meta: dict[str, Any]
    """The stage's `meta` in dvc.yaml."""

    @property
    def beside(self) -> str | None:
        """A folder unknown to DVC that the stage reads, and computes where it is missing."""
        return self.meta.get("beside")

    @property
    def cost(self) -> int:
        """How long it takes, in any unit: of what could run, the costliest goes first."""
        cost = self.meta.get("cost", 0)
        return cost if isinstance(cost, int) else UNKNOWN_COST


@dataclass(frozen=True)
class Plan:
    """The stages that `dvc repro` would look at, in its order: `tasks` not up to date, `settled` up to date."""

    tasks: tuple[Task, ...]
    settled: tuple[Task, ...]


def read(root: Path, targets: Sequence[str], *, allow_missing: bool) -> Plan:
    """Plan to reproduce `targets`, by default the project's dvc.yaml.

    What hangs below a stage that is not up to date counts as not up to date either: a worker finds out
    whether it is. `allow_missing` takes stages for up to date whose outputs are only not here.
    """
    try:
        with Repo(str(root), _wait_for_lock=True) as repo, repo.lock:
            graph = get_active_graph(repo.index.graph)
            stages = plan_repro(graph, collect_stages(repo, targets or [PROJECT_FILE]))
            # Not `dvc repro --dry`, which stops at the first stage whose inputs are not there yet.
            changed = {stage for stage in stages if stage.changed(allow_missing, list(graph.successors(stage)))}
            return _plan(root, graph, stages, changed)
    except DvcException as error:
        raise ThawError(f"{' '.join(targets) or PROJECT_FILE}: {error}; see what `dvc repro --dry` says") from None


def held(root: Path, task: Task) -> Held | None:
    """What the project at `root` holds of the task's stage; None where it never ran."""
    return git_held.read(root, task.lock, task.key, task.outputs)


def _plan(root: Path, graph: networkx.DiGraph, stages: list[Stage], changed: set[Stage]) -> Plan:
    tasks, settled = [], []
    for stage in stages:
        if isinstance(stage, PipelineStage):
            stale = stage in changed or changed & networkx.descendants(graph, stage)
            (tasks if stale else settled).append(_task(root, graph, stage))
        elif stage in changed:
            raise ThawError(f"{stage.relpath}: its data changed; `dvc commit {stage.relpath}`, then `git commit`")
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
    """What the stage reads of `output`: a part of it, or all where it depends on it or on a folder around it."""
    for dependency in stage.deps:
        if dependency.fs.isin_or_eq(dependency.fs_path, output.fs_path):
            yield path_in(root, dependency.fs_path)
        elif output.fs.isin(output.fs_path, dependency.fs_path):
            yield path_in(root, output.fs_path)


def path_in(root: Path, path: str | Path) -> str:
    """The path below `root`, as a Task has it."""
    return Path(os.path.relpath(path, root)).as_posix()
