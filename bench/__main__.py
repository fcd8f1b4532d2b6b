"""Benchmark: the tutorial's way and the pipeline's, epoch by epoch in turn, on the same photographs.

Writes what it measured as `measured.json`, and the whole study's cost reckoned from it as `README.md`.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from tqdm import tqdm

from bench import report
from bench.stages import MEGABYTE, ROOT, Settings, Share, fetched
from stages.common import manifest, params
from stages.common.command import run
from stages.results import environment

STAGE_EPOCHS = 2  # that a stage runs when what it takes beside its epochs is measured
DVC_STAGES = 10
SIDE_BY_SIDE = ("fine", "look")  # works that `make repro` does for a variant on each core
RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes, of getrusage's ru_maxrss


class Worker:
    """A process that does the work it is sent the name of, and answers with the seconds that took.

    Its first answer is to nothing asked: `first_line` says what these seconds are.
    """

    def __init__(self, first_line: str, folder: Path, module: str, *arguments: object) -> None:
        command = [sys.executable, "-m", module, *map(str, arguments)]
        self._process = subprocess.Popen(
            command,
            cwd=folder,  # where its params.yaml is
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._first_line = first_line
        self.first_seconds = self._answer()
        self.epochs: dict[str, list[float]] = {}

    def begin(self, work: str) -> None:
        self._process.stdin.write(f"{work}\n")
        self._process.stdin.flush()

    def end(self, work: str) -> None:
        self.epochs.setdefault(work, []).append(self._answer())

    def do(self, work: str) -> None:
        self.begin(work)
        self.end(work)

    def finish(self) -> dict[str, Any]:
        """What was measured; the first epoch of each work stands apart, because it builds and traces."""
        self._process.stdin.close()
        _, _, usage = os.wait4(self._process.pid, 0)
        return {
            self._first_line: self.first_seconds,
            "first_epoch_seconds": {work: seconds[0] for work, seconds in self.epochs.items()},
            "epoch_seconds": {work: seconds[1:] for work, seconds in self.epochs.items()},
            "peak_megabytes": usage.ru_maxrss * RSS_UNIT / MEGABYTE,
        }

    def _answer(self) -> float:
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"benchmark: {self._process.args[2]} ended early; its message is above")
        return float(line)


def main() -> None:
    arguments = _arguments()
    weights = fetched(arguments.source, "weights", arguments.work)
    measured: dict[str, Any] = {"share_of_images": arguments.share, "rounds": arguments.rounds, "jobs": arguments.jobs}
    measured["datasets"] = {}
    for dataset in params.load().budget:
        measured["datasets"][dataset] = of_dataset(arguments, dataset, weights)
    measured["limits"] = limits(arguments, dataset)
    measured["dvc_seconds"] = dvc_seconds(arguments.work / "dvc")
    measured["machine"] = environment.machine()
    measured["versions"] = environment.versions()
    report.write(measured, arguments.out)
    print((arguments.out / "README.md").read_text())


def of_dataset(arguments: argparse.Namespace, dataset: str, weights: Path) -> dict[str, Any]:
    """All measurements on one data set's photographs."""
    share = Share(arguments.source, dataset, arguments.work)
    split_seconds = share.split().seconds
    counts = share.choose(arguments.share)
    share.write_params([(0, STAGE_EPOCHS)], {"clean_training": False})  # figures that the tutorial's way has none of
    size = manifest.load(arguments.source).backbone.image_size
    tutorial = Worker(
        "ready_seconds",
        share.folder,
        *("bench.tutorial", "--training", share.folder / "training", "--validation", share.folder / "validation"),
        *("--weights", weights.absolute(), "--size", size),
    )
    # As many fine phases side by side as `make repro` trains variants; the rest is done by one process.
    pipelines = [
        Worker("decode_seconds", share.folder, "bench.pipeline", *share.inputs(), "--dataset", dataset)
        for _ in range(arguments.jobs)
    ]
    for _ in tqdm(range(1 + arguments.rounds), desc=dataset, unit=" round", disable=None):
        pipelines[0].do("features")
        tutorial.do("transfer")
        pipelines[0].do("transfer")
        tutorial.do("fine")
        for work in SIDE_BY_SIDE:
            for pipeline in pipelines:
                pipeline.begin(work)
            for pipeline in pipelines:
                pipeline.end(work)
    measured = {"tutorial": tutorial.finish(), "pipeline": pipelines[0].finish()}
    for pipeline in pipelines[1:]:
        more = pipeline.finish()["epoch_seconds"]
        for work in SIDE_BY_SIDE:
            measured["pipeline"]["epoch_seconds"][work] += more[work]
    settings = Settings(share.folder)
    ran = {
        "features": share.features(STAGE_EPOCHS, settings),
        "transfer": share.transfer(STAGE_EPOCHS, settings),
        "train": share.train(0, STAGE_EPOCHS, settings),
    }
    return {
        **counts,
        "split_seconds": split_seconds,
        **measured,
        "stage_epochs": STAGE_EPOCHS,
        "stage_seconds": {stage: took.seconds for stage, took in ran.items()},
    }


def limits(arguments: argparse.Namespace, dataset: str) -> dict[str, Any]:
    """Rates of the network's parts beside this machine's best at matrix products."""
    share = Share(arguments.source, dataset, arguments.work)
    command = [sys.executable, "-m", "bench.probe", "--dataset", dataset, *map(str, share.inputs())]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, cwd=share.folder, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(ran.stdout)


def dvc_seconds(folder: Path) -> dict[str, float]:
    """What DVC takes beside a stage's command: for one more stage of a run, and for a run of one stage."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    copies = {f"copy{n}": {"cmd": f"cp in out{n}", "deps": ["in"], "outs": [f"out{n}"]} for n in range(DVC_STAGES)}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": copies}))
    (folder / "in").write_text("content")

    def dvc(*command: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "dvc", *command], cwd=folder, check=True)
        return time.perf_counter() - started

    dvc("init", "--quiet", "--no-scm")
    single = dvc("repro", "--quiet", "--single-item", "copy0")
    return {"a_run_of_one_stage": single, "a_stage_more": (dvc("repro", "--quiet") - single) / (DVC_STAGES - 1)}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--source", type=Path, required=True, help="manifest of the photographs")
    parser.add_argument("--share", type=float, required=True, help="share of the images to take, 1 for all")
    parser.add_argument("--rounds", type=int, required=True, help="measured epochs of each kind")
    parser.add_argument("--jobs", type=int, required=True, help="variants trained at once")
    parser.add_argument("--work", type=Path, required=True, help="folder of downloads and images, kept")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
