"""Runs a study's tasks on Dask: connects to workers, submits the graph to them, yields the results as they arrive."""

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
"""How often a failed stage is tried again: a remote or a graphics card may fail for a moment."""

cloudpickle.register_pickle_by_value(worker)


class ByValue:
    """Sends a function of the module `worker` to machines that lack the module.

    Dask tries pickle first, which would send only the function's name.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __reduce__(self) -> tuple[Callable[[bytes], Any], tuple[bytes]]:
        return cloudpickle.loads, (cloudpickle.dumps(self._function),)


@contextmanager
def connected(address: str | None, folder: Path, cores: int) -> Iterator[Client]:
    """Yield a client of the scheduler at `address`; without an address, of new workers on this machine.

    Those are one for each GPU, or without GPUs one for each `cores` cores; their files are in `folder`. Raises
    ThawError if there is no scheduler.
    """
    logging.getLogger("distributed").setLevel(logging.WARNING)
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # its errors become one line here
    if address is None:
        with local_cluster(folder, cores) as cluster, Client(cluster) as client:
            yield client
        return
    try:
        client = Client(address)
    except (OSError, ValueError) as error:  # Dask's time-outs are OSErrors, a wrong address is a ValueError
        cause = one_line(error)
        raise ThawError(f"{address}: no scheduler there ({cause}); start one with `dask scheduler`") from None
    with client:
        yield client


def local_cluster(folder: Path, cores: int) -> SpecCluster:
    """A scheduler and workers on this machine; each worker has its own folder below `folder`."""
    gpus = _gpus()
    environments = [{"CUDA_VISIBLE_DEVICES": gpu} for gpu in gpus] or [{}] * max(1, (os.cpu_count() or 1) // cores)
    workers = {
        number: {
            "cls": Nanny,
            "options": {
                "nthreads": 1,
                "memory_limit": 0,  # stages run in their own processes, which Dask does not see
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
    """Give the commit to all workers; in the end remove it from them, and its results from the scheduler.

    Raises ThawError if a worker cannot run the study.
    """
    try:
        client.register_plugin(commit)
    except RuntimeError as error:
        raise ThawError(str(error)) from None
    try:
        yield
    finally:
        with suppress(OSError):  # the scheduler is gone, and they with it
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
    """Submit `tasks`, none of which reads a later one; returns a future for each stage.

    last: what git holds of each task's last run. settled: what git holds of stages that are up to date. `resources`:
    what a stage with activations takes of a worker, by Dask's names. Stages that share activations go to the same
    workers if possible.
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
            key=(task.stage.split("@")[0], task.stage, commit),  # the dashboard groups by the first part
            priority=task.cost,
            retries=RETRIES,
            resources=dict(resources) if task.beside else None,
            pure=False,
            **options,
        )
    return futures


def placed(tasks: Sequence[Task], workers: Sequence[str]) -> dict[str | None, list[str]]:
    """By folder of activations, the workers that should hold it: a share of them that fits the cost of its tasks.

    The folders are laid out on a line, in lengths by their cost; two neighbours may share the worker at their border.
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
    """Each stage's result, or the exception that ended it or a stage that it reads; in batches, as they arrive."""
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
    """The numbers of this machine's NVIDIA graphics cards."""
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()  # noqa: S603 (no shell)
