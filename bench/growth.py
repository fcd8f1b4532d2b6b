"""How time, memory and disk grow with images, epochs, variants and repeats, each alone.

Writes what it measured as `growth.json`, and the page that shows it as `growth.md`.
"""

import argparse
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.stages import MEGABYTE, Settings, Share, add_arguments, listed
from stages.common import tables
from stages.common.command import run
from stages.results import environment

TIMES = {"images": (2, 4), "epochs": (2, 4), "variants": (2, 4), "repeats": (3, 5, 10)}
"""What grows, and to how many times its size."""
TRANSFER = 3  # the most transfer epochs: variants differ in them, so that all have the same fine epochs
STAGES = ("features", "transfer", "train")


@dataclass(frozen=True)
class Study:
    """A small study; all its variants have `epochs` fine epochs."""

    share: float = 0.25  # of the photographs
    epochs: int = 3
    variants: int = 1
    repeats: int = 1  # on one split
    params: dict[str, dict[str, str]] = field(default_factory=dict)  # sections of params.yaml that differ


def grown(base: Study, what: str, times: int) -> Study:
    """`base`, with one of its numbers `times` as large."""
    name = "share" if what == "images" else what
    return replace(base, **{name: getattr(base, name) * times})


VARIATIONS = {
    "features.storage: recompute": {"features": {"storage": "recompute"}},
    "features.dtype: float32": {"features": {"dtype": "float32"}},
    "fine.precision: mixed_bfloat16": {"fine": {"precision": "mixed_bfloat16"}},
    "fine.precision: mixed_float16": {"fine": {"precision": "mixed_float16"}},
}
"""Params of which the price is measured, beside the same study without them."""


def main() -> None:
    arguments = _arguments()
    share = Share(arguments.source, arguments.dataset, arguments.work)
    share.split()
    base = Study()
    ones = [measured(share, base)]
    growth = {
        what: {str(times): measured(share, grown(base, what, times)) for times in several}
        for what, several in TIMES.items()
    }
    variations = {name: measured(share, replace(base, params=params)) for name, params in VARIATIONS.items()}
    ones.append(measured(share, base))
    content = {
        "dataset": arguments.dataset,
        "base": ones,
        "growth": growth,
        "variations": variations,
        "machine": environment.machine(),
        "versions": environment.versions(),
    }
    tables.write_json(content, arguments.out / "growth.json")
    tables.write_text(page(content), arguments.out / "growth.md")


def measured(share: Share, study: Study) -> dict[str, Any]:
    """Seconds and the most megabytes of memory of each stage, and the megabytes of the stored activations."""
    counts = share.choose(study.share)
    schedules = [(TRANSFER - number, study.epochs) for number in range(study.variants)]
    share.write_params(schedules, {"seeds": list(range(1, study.repeats + 1)), **study.params})
    settings = Settings(share.folder)
    budget = TRANSFER + study.epochs
    features = share.features(budget, settings)
    transfer = share.transfer(budget, settings)
    trained = [share.train(*schedule, settings) for schedule in schedules]
    stored = sum(path.stat().st_size for path in (share.folder / "fresh").rglob("*") if path.is_file())
    ran = dict(zip(STAGES, ([features], [transfer], trained), strict=True))
    return {
        "images": counts["images"],
        "epochs": study.epochs,
        "variants": study.variants,
        "repeats": study.repeats,
        "seconds": {stage: sum(each.seconds for each in runs) for stage, runs in ran.items()},
        "megabytes": {stage: max(each.megabytes for each in runs) for stage, runs in ran.items()},
        "stored_megabytes": stored / MEGABYTE,
    }


def page(content: dict[str, Any]) -> str:
    """The page in Markdown."""
    base = content["base"][0]
    parts = [
        "# How costs grow",
        f"Written by `make bench-growth`. Once is {base['images']['training']} training and "
        f"{base['images']['validation']} validation photographs of {content['dataset']}, "
        f"{base['variants']} variant of {base['epochs']} fine epochs and {base['repeats']} repeat; "
        f"it was measured before and after the others; its seconds are the mean. Memory is a process's own, without "
        "the files that it maps, which the system takes back when it needs the room.",
        f"- Machine: {listed(content['machine'])}.\n- Versions: {listed(content['versions'])}.",
        "## What grows",
        "Seconds are those of `features`, `transfer` and `train` together, starts of their processes among them. "
        "*Each further* is what a further time takes on average: where costs grow linearly, it stays the same. Memory "
        "is the most of any of the three stages; disk is that of the stored activations.",
        growth_table(content),
        "## What params cost",
        variation_table(content),
    ]
    return "\n\n".join(parts) + "\n"


def growth_table(content: dict[str, Any]) -> str:
    base = content["base"]
    once = sum(map(_seconds, base)) / len(base)
    lines = [
        "| what grows | times | seconds | each further | memory, megabytes | disk, megabytes |",
        f"| --- |{' ---: |' * 5}",
        f"| | 1 | {once:.1f} | | {_sizes(base[0])} |",
    ]
    for what, more in content["growth"].items():
        for times, each in more.items():
            further = (_seconds(each) - once) / (int(times) - 1)
            lines.append(f"| {what} | {times} | {_seconds(each):.1f} | {further:.1f} | {_sizes(each)} |")
    return "\n".join(lines)


def _sizes(measured: dict[str, Any]) -> str:
    return f"{max(measured['megabytes'].values()):.0f} | {measured['stored_megabytes']:.0f}"


def variation_table(content: dict[str, Any]) -> str:
    base = content["base"]
    lines = ["| | features | transfer | train | disk, megabytes |", "| --- | ---: | ---: | ---: | ---: |"]
    for name, each in {"as params.yaml has it": None, **content["variations"]}.items():
        runs = base if each is None else [each]
        seconds = [sum(one["seconds"][stage] for one in runs) / len(runs) for stage in STAGES]
        shown = " | ".join(f"{value:.1f}" for value in seconds)
        lines.append(f"| {name} | {shown} | {runs[0]['stored_megabytes']:.0f} |")
    return "\n".join(lines)


def _seconds(measured: dict[str, Any]) -> float:
    return sum(measured["seconds"].values())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    add_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
