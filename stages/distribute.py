"""Runs stages that are not up to date on Dask's workers, on this machine or a cluster (docs/scale.md).

The result is that of `dvc repro`. Reads DVC's graph, git's commit and DVC's remote; writes the outputs of the stages
and dvc.lock when the stages end.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from stages.cluster import git_held, plan, repository
from stages.cluster.plan import Plan
from stages.common import params
from stages.common.command import ThawError, one_line, run

LOCAL_WORKERS = Path("work/distributed")

Result = tuple[str, dict[str, Any] | Exception]


def main() -> None:
    arguments = _arguments()
    root = Path.cwd()
    planned = plan.read(root, arguments.targets, allow_missing=True)
    if arguments.dry:
        _show(planned)
        return
    _check(root, planned)
    planned = _settle(root, arguments.targets, planned)
    if planned.tasks:
        _distribute(root, planned, arguments)
        _finish(root, arguments.targets)
    print("Data and pipelines are up to date.")


def _show(planned: Plan) -> None:
    print("\n".join(f"Running stage '{task.stage}':\n{task.command}\n" for task in planned.tasks), end="")


def _check(root: Path, planned: Plan) -> None:
    """Raise ThawError before any work if workers could not run the stages."""
    repository.check_remote(root)
    stages = [*planned.tasks, *planned.settled]
    repository.check_committed(root, [path for task in stages for path in (task.lock, *task.outputs)])


def _settle(root: Path, targets: Sequence[str], planned: Plan) -> Plan:
    """Pull outputs that are up to date but missing, push what workers may read, and plan what must run."""
    here = plan.read(root, targets, allow_missing=False)
    if here != planned:
        repository.pull(root, targets, allow_missing=True)
        here = plan.read(root, targets, allow_missing=False)
    if here.tasks:
        repository.push(root, targets)
    return here


def _distribute(root: Path, planned: Plan, arguments: argparse.Namespace) -> None:
    try:
        from stages.cluster import cluster, worker
    except ModuleNotFoundError as error:
        raise ThawError(f"{error.name}: not installed; run `make extra`") from None
    commit = worker.ProjectCommit(repository.commit(root), repository.bundle(root))
    last = {task.stage: plan.held(root, task) for task in planned.tasks}
    settled = {task.stage: plan.held(root, task) for task in planned.settled}
    with cluster.connected(arguments.scheduler, root / LOCAL_WORKERS, params.load().threads) as client:
        print(f"dashboard: {client.dashboard_link}", file=sys.stderr)
        with cluster.known(client, commit):
            futures = cluster.submit(client, commit.name, planned.tasks, last, settled, dict(arguments.resources))
            _collect(root, cluster.results(futures), len(futures))


def _collect(root: Path, batches: Iterable[list[Result]], total: int) -> None:
    """Write each result when it arrives, so that an early end loses nothing; raise ThawError for what failed."""
    done, causes = 0, {}
    for batch in batches:
        finished = {stage: result for stage, result in batch if not isinstance(result, Exception)}
        causes |= {stage: one_line(result) for stage, result in batch if isinstance(result, Exception)}
        git_held.write(root, [result["held"] for result in finished.values()])
        for stage, result in finished.items():
            done += 1
            what = "ran" if result["ran"] else "was up to date"
            print(f"{done}/{total} {stage} {what} on {result['worker']}, {result['seconds']:.0f} s", file=sys.stderr)
    if causes:
        first = next(iter(causes.values()))
        skipped = len(causes) - 1
        raise ThawError(f"{first}; then run this again: finished stages stay ({skipped} more stages did not run)")


def _finish(root: Path, targets: Sequence[str]) -> None:
    """Pull the outputs; raise ThawError if DVC would still run something."""
    repository.pull(root, targets)
    left = plan.read(root, targets, allow_missing=False).tasks
    if left:
        raise ThawError(f"{left[0].stage}: still not up to date; `dvc status {left[0].stage}` shows why")


def _resource(text: str) -> tuple[str, float]:
    name, _, amount = text.partition("=")
    return name, float(amount)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "targets", nargs="*", help="stages to bring up to date, with those that they depend on (default: all)"
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="Dask's scheduler (default: start workers on this machine)"
    )
    parser.add_argument("--dry", action="store_true", help="only show which stages would run")
    parser.add_argument(
        "--resources",
        metavar="NAME=AMOUNT",
        type=_resource,
        nargs="*",
        default=[],
        help="what features, transfer and train need of a worker; GPU=1 for `dask worker --resources GPU=1`",
    )
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
