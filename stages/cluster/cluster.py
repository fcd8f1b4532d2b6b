"""A study's tasks on Dask: its workers here or elsewhere, the graph submitted to them, the results as they come."""

import itertools
import logging
import math
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cloudpickle
from distributed import Client, Future, Nanny, Scheduler, SpecCluster, as_completed

from stages.cluster import worker
from stages.cluster.git_held import Held
from stages.cluster.plan import Task
from stages.cluster.worker import ProjectCommit
from stages.common.command import ThawError, one_line

RETRIES = 2
"""How often a stage that failed is tried again: a remote may be away, a graphics card may stumble."""

cloudpickle.register_pickle_by_value(worker)


class ByValue:
    """A function of the module `worker` on its way to machines that lack the module.

    Dask tries pickle first, which would send no more than the function's name.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __reduce__(self) -> tuple[Callable[[bytes], Any], tuple[bytes]]:
        return cloudpickle.loads, (cloudpickle.dumps(self._function),)


@contextmanager
def connected(address: str | None, folder: Path, cores: int) -> Iterator[Client]:
    """Yield a client of the scheduler at `address`, or of workers of this machine's own, whose files lie in `folder`.

    Those are one for each GPU, or where there is none, one for each `cores` cores. Raises ThawError.
    """
    logging.getLogger("distributed").setLevel(logging.WARNING)
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # what it says is told in one line
    if address is None:
        with local_cluster(folder, cores) as cluster, Client(cluster) as client:
            yield client
        return
    try:
        client = Client(address)
    except (OSError, ValueError) as error:  # Dask's time-outs are OSErrors; a wrong address is a ValueError
        cause = one_line(error)
        raise ThawError(f"{address}: no scheduler there ({cause}); start one with `dask scheduler`") from None
    with client:
        yield client


def local_cluster(folder: Path, cores: int) -> SpecCluster:
    """A scheduler and workers on this machine, each in a folder of its own below `folder`."""
    gpus = _gpus()
    environments = [{"CUDA_VISIBLE_DEVICES": gpu} for gpu in gpus] or [{}] * max(1, (os.cpu_count() or 1) // cores)
    workers = {
        number: {
            "cls": Nanny,
            "options": {
                "nthreads": 1,
                "memory_limit": 0,  # stages run in processes of their own, which Dask does not see
                "env": environment,
                "resources": {"GPU": 1} if gpus else None,
                "local_directory": str(folder / str(number)),
                "silence_logs": logging.WARNING,
            },
        }
        for number, environment in enumerate(environments)
    }
    scheduler = {"cls": Scheduler, "options": {"host": "127.0.0.1", "dashboard_address": ":0"}}
    return SpecCluster(workers=workers, scheduler=scheduler, silence_logs=logging.WARNING)


@contextmanager
def known(client: Client, commit: ProjectCommit) -> Iterator[None]:
    """Give the commit to all workers, and in the end take it from them, and its results from the scheduler.

    Raises ThawError where a worker does not fit.
    """
    try:
        client.register_plugin(commit)
    except RuntimeError as error:
        raise ThawError(str(error)) from None
    try:
        yield
    finally:
        with suppress(OSError):  # the scheduler is gone, and took them along
            client.unregister_worker_plugin(commit.name)
            client.set_metadata([commit.name], {})


def submit(
    client: Client,
    commit: str,
    tasks: Sequence[Task],
    last: Mapping[str, Held | None],
    settled: Mapping[str, Held],
    resources: Mapping[str, float],
    run: Callable[..., Any] = worker.run_stage,
) -> dict[str, Future]:
    """Submit `tasks`, in an order in which none reads a later one; returns a future for each stage.

    last: what git holds of each task's last run; settled: of stages that are up to date. `resources` are those
    that the stages with activations take of a worker, by Dask's names. They go by preference where others of
    the same activations go.
    """
    near = placed(tasks, sorted(client.scheduler_info(n_workers=-1)["workers"]))
    futures: dict[str, Future] = {}
    for task in tasks:
        before = [futures.get(name) or {"held": settled[name]} for name in task.after]
        options = {"workers": near[task.beside], "allow_other_workers": True} if near.get(task.beside) else {}
        futures[task.stage] = client.submit(
            ByValue(run),
            commit,
            asdict(task),
            last[task.stage],
            *before,
            key=(task.stage.split("@")[0], task.stage, commit),  # the dashboard groups by the first
            priority=task.cost,
            retries=RETRIES,
            resources=dict(resources) if task.beside else None,
            pure=False,
            **options,
        )
    return futures


def placed(tasks: Sequence[Task], workers: Sequence[str]) -> dict[str | None, list[str]]:
    """Which of `workers` each folder of activations should lie on: a share of them that fits its tasks' cost.

    The folders are laid on a line as long as there are workers; neighbours may share one at their border.
    """
    costs: dict[str, float] = {}
    for task in tasks:
        if task.beside:
            costs[task.beside] = costs.get(task.beside, 0) + task.cost + 1
    ends = list(itertools.accumulate(costs.values(), initial=0))
    scale = len(workers) / ends[-1] if costs else 0
    return {
        folder: list(workers[math.floor(start * scale) : math.ceil(end * scale)])
        for folder, (start, end) in zip(costs, itertools.pairwise(ends), strict=True)
    }


def results(futures: Mapping[str, Future]) -> Iterator[list[tuple[str, dict[str, Any] | Exception]]]:
    """Each stage's result, or the exception that it or a stage above it ended with, as they come, in batches."""
    names = {future.key: name for name, future in futures.items()}
    for batch in as_completed(futures.values(), with_results=True, raise_errors=False).batches():
        yield [(names[future.key], _result(future, result)) for future, result in batch]


def _result(future: Future, result: Any) -> dict[str, Any] | Exception:
    if future.status == "finished":
        return result
    if future.status == "error":
        return future.exception()
    return ConnectionError("Dask's scheduler is gone; start it and its workers again")


def _gpus() -> list[str]:
    """The numbers of NVIDIA's graphics cards here."""
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()  # noqa: S603 (no shell)
