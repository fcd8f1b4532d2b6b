"""The pipeline's stages, run as DVC runs them, on a share of a data set's photographs."""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import yaml

from stages.common import files, manifest, tables
from stages.pictures.parts import PARTS

ROOT = Path(__file__).parent.parent
MEGABYTE = 1e6
BETWEEN_LOOKS = 0.05  # seconds between two looks at a process's memory


@dataclass(frozen=True)
class Ran:
    """What a stage took: wall time, and the most memory of its own, without the files that it maps."""

    seconds: float
    megabytes: float


@dataclass(frozen=True)
class Settings:
    """What a stage finds: the folder of its `params.yaml`, more of an environment, a command that starts it."""

    folder: Path = ROOT
    environment: Mapping[str, str] = field(default_factory=dict)
    starter: tuple[str, ...] = ()


AS_HERE = Settings()


def run_stage(stage: str, *arguments: object, settings: Settings = AS_HERE) -> Ran:
    """Run `stage`; raises CalledProcessError where it fails."""
    command = [*settings.starter, sys.executable, "-m", f"stages.{stage}", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | dict(settings.environment)
    started = time.perf_counter()
    process = psutil.Popen(command, cwd=settings.folder, env=environment)
    most = 0
    while process.poll() is None:
        most = max(most, _own_memory(process))
        time.sleep(BETWEEN_LOOKS)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Ran(time.perf_counter() - started, most / MEGABYTE)


def _own_memory(process: psutil.Process) -> int:
    """Bytes; the system may take back what is shared, pages of files, at any time (Linux alone tells them apart)."""
    try:
        memory = process.memory_info()
    except psutil.NoSuchProcess:  # it ended between two looks
        return 0
    return memory.rss - getattr(memory, "shared", 0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of a measurement on one data set."""
    parser.add_argument("--source", type=Path, required=True, help="manifest of the pictures")
    parser.add_argument("--dataset", required=True, help="the data set of the manifest to take")
    parser.add_argument("--work", type=Path, required=True, help="folder of downloads and images, kept")


def listed(content: Mapping[str, Any]) -> str:
    """Names and values in a line, as pages show machine and versions."""
    return ", ".join(f"{name} {value}" for name, value in content.items())


def _schedule(dataset: str, transfer: int, fine: int) -> dict[str, object]:
    return {"dataset": dataset, "transfer": transfer, "fine": fine}


def fetched(source: Path, name: str, work: Path) -> Path:
    """The file that the download `name` brought into `work`, fetched where what lies there is not the manifest's."""
    folder = work.absolute() / "raw" / name
    known = {copy.sha256 for copy in manifest.load(source).download(name).copies}
    if not folder.exists() or files.sha256(files.only_file(folder)) not in known:
        run_stage("download", "--source", source, "--name", name, "--out", folder)
    return files.only_file(folder)


class Share:
    """A share of the photographs of `dataset`, chosen in a folder of its own, and the stages on it."""

    def __init__(self, source: Path, dataset: str, work: Path) -> None:
        self.dataset = dataset
        self.folder = work.absolute() / "subset" / dataset
        self._source = source.absolute()
        self._work = work.absolute()
        self._images = self._work / "images" / dataset
        self._whole = self._work / "splits" / f"{dataset}.csv"

    def split(self) -> Ran:
        """Unpack all photographs, with the weights at hand."""
        fetched(self._source, "weights", self._work)
        archive = fetched(self._source, self.dataset, self._work).parent
        return run_stage(
            *("split", "--source", self._source, "--dataset", self.dataset, "--archive", archive),
            *("--images", self._images, "--split", self._whole),
        )

    def choose(self, share: float) -> dict[str, Any]:
        """Choose `share` of each part's and class's images: a split table, and links in folders, as the tutorial reads.

        Returns the numbers of the images chosen and of all, by part. What stages left of an earlier choice is removed.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        rows = pd.read_csv(self._whole)
        grouped = rows.groupby(["part", "label"])
        chosen = rows[grouped.cumcount() < share * grouped["path"].transform("size")]
        tables.write_table(chosen, self.folder / "split.csv")
        for row in chosen.itertuples():
            link = self.folder / row.part / str(row.label) / Path(row.path).name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(self._images / row.path)
        return {
            name: {part: int((table["part"] == part).sum()) for part in PARTS}
            for name, table in (("images", chosen), ("all_images", rows))
        }

    def write_params(self, schedules: Sequence[tuple[int, int]], changes: Mapping[str, Any]) -> None:
        """Write the repository's params to the share's folder, for plain variants of these epochs, seed 1, one split.

        `changes` lie over them: values, or what differs in a section.
        """
        params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        params |= {
            "budget": {self.dataset: max(map(sum, schedules))},
            "variants": {self._variant(*epochs): _schedule(self.dataset, *epochs) for epochs in schedules},
            "schedule": _schedule(self.dataset, *schedules[0]),
            "repeats": None,
            "seeds": [1],
        }
        for key, change in changes.items():
            params[key] = params[key] | change if isinstance(change, dict) else change
        tables.write_text(yaml.safe_dump(params, sort_keys=False), self.folder / "params.yaml")

    def inputs(self, store: str = "store") -> list[object]:
        """The paths that every stage on networks reads, as its command line names them."""
        return [
            *("--source", self._source, "--images", self._images, "--split", self.folder / "split.csv"),
            *("--weights", self._work / "raw/weights", "--store", self.folder / store),
        ]

    def features(self, epochs: int, settings: Settings = AS_HERE) -> Ran:
        return self._run(
            *("features", settings, "--dataset", self.dataset, "--epochs", epochs),
            *("--out", self.folder / "features.json"),
        )

    def transfer(self, epochs: int, settings: Settings = AS_HERE) -> Ran:
        return self._run(
            *("transfer", settings, *self._features(), "--dataset", self.dataset, "--epochs", epochs),
            *("--work", self.folder / "work/transfer", "--out", self.folder / "transfer"),
            *("--seconds", self.folder / "transfer.csv", "--converged", self.folder / "converged"),
        )

    def train(self, transfer: int, fine: int, settings: Settings = AS_HERE) -> Ran:
        return self._run(
            *("train", settings, *self._features(), "--variant", self._variant(transfer, fine)),
            *("--transfer-phase", self.folder / "transfer", "--transfer-work", self.folder / "work/transfer"),
            *("--work", self.folder / "work/variant", "--model", self.folder / "model"),
            *("--results", self.folder / "results", "--seconds", self.folder / "seconds.csv"),
            *("--history", self.folder / "history.csv", "--metrics", self.folder / "metrics.json"),
        )

    def _variant(self, transfer: int, fine: int) -> str:
        return f"{self.dataset}-{transfer}-{fine}"

    def _features(self) -> list[object]:
        return ["--features", self.folder / "features.json"]

    def _run(self, stage: str, settings: Settings, *arguments: object) -> Ran:
        """A stage on a store of its own, which no other measurement has filled."""
        return run_stage(stage, *self.inputs("fresh"), *arguments, settings=settings)
