"""The whole study's cost, reckoned from what was measured, and the page that shows the sum."""

from pathlib import Path
from statistics import median
from typing import Any

from bench.page import page
from stages.common import params, tables
from stages.common.params import AUTO, REST
from stages.training import clean

STAGES_A_DATASET = ("download", "split", "features", "transfer")

Schedules = list[tuple[int, int]]


def write(measured: dict[str, Any], folder: Path) -> None:
    """Write `measured.json`, with the study's cost in it, and `README.md`."""
    costs = study(measured)
    ratios = {
        "study_ratio": costs["tutorial"]["total"] / costs["pipeline"]["total"],
        "study_ratio_with_clean_training": costs["tutorial"]["total"] / costs["pipeline"]["with_look"],
    }
    content = measured | {"study": costs} | ratios
    tables.write_json(content, folder / "measured.json")
    tables.write_text(page(content), folder / "README.md")


def study(measured: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Seconds of the study's variants (the trial left out) in both ways, by what they go to."""
    jobs = measured["jobs"]
    costs: dict[str, dict[str, float]] = {"tutorial": {}, "pipeline": {}}
    trainings = []
    looks = 0.0
    for dataset, schedules in grid().items():
        numbers = measured["datasets"][dataset]
        _add(costs["tutorial"], tutorial(numbers, schedules))
        _add(costs["pipeline"], shared(numbers, budgets()[dataset]))
        start, epoch = starts(numbers)["train"], scaled_epochs(numbers, "pipeline")
        trainings += [start + fine * epoch["fine"] for _, fine in schedules]
        epochs = sum(fine for _, fine in schedules)
        _add(costs["pipeline"], {"start": len(schedules) * start / jobs})
        _add(costs["pipeline"], {"fine": epochs * epoch["fine"] / jobs})
        looked = sum(min(fine, clean.EPOCHS + 1) for _, fine in schedules)
        looks += epoch["features"] + looked * epoch["look"] / jobs
    costs["pipeline"]["idle"] = makespan(trainings, jobs) - sum(trainings) / jobs
    dvc = measured["dvc_seconds"]
    costs["pipeline"]["dvc"] = (
        len(STAGES_A_DATASET) * len(grid()) * dvc["a_stage_more"] + len(trainings) * dvc["a_run_of_one_stage"] / jobs
    )
    for cost in costs.values():
        cost["total"] = sum(cost.values())
    costs["pipeline"] |= {"look": looks, "with_look": costs["pipeline"]["total"] + looks}
    return costs


def makespan(seconds: list[float], jobs: int) -> float:
    """When the last of the tasks ends, the longest begun first, each by whichever job is free first."""
    ends = [0.0] * jobs
    for task in sorted(seconds, reverse=True):
        ends[ends.index(min(ends))] += task
    return max(ends)


def grid() -> dict[str, Schedules]:
    """The transfer and fine epochs of each default schedule in params.yaml, by data set."""
    found: dict[str, Schedules] = {}
    for schedule in params.load().variants.values():
        if not schedule.own_keys and schedule.transfer != AUTO and schedule.fine != REST:
            found.setdefault(schedule.dataset, []).append((schedule.transfer, schedule.fine))
    return found


def budgets() -> dict[str, int]:
    """How many epochs `features` and `transfer` hold of each data set."""
    return params.load().budget


def tutorial(numbers: dict[str, Any], schedules: Schedules) -> dict[str, float]:
    """Every variant starts by itself and runs all its epochs over all images."""
    measured = numbers["tutorial"]
    epoch = scaled_epochs(numbers, "tutorial")
    first = {
        phase: measured["first_epoch_seconds"][phase] - median(measured["epoch_seconds"][phase]) for phase in epoch
    }
    ran = {"transfer": [count for count, _ in schedules], "fine": [count for _, count in schedules]}
    return {
        "start": len(schedules) * measured["ready_seconds"]
        + sum(first[phase] for phase, counts in ran.items() for count in counts if count),
        **{phase: sum(counts) * epoch[phase] for phase, counts in ran.items()},
    }


def shared(numbers: dict[str, Any], budget: int) -> dict[str, float]:
    """What all variants of a data set share: features and the transfer phase, to its budget of epochs."""
    epoch, start = scaled_epochs(numbers, "pipeline"), starts(numbers)
    return {
        "start": start["features"] + start["transfer"],
        "split": numbers["split_seconds"],
        "decode": numbers["pipeline"]["decode_seconds"] * scale(numbers),
        "features": (budget + validation_share(numbers)) * epoch["features"],
        "transfer": budget * epoch["transfer"],
    }


def starts(numbers: dict[str, Any]) -> dict[str, float]:
    """What each stage takes beside its epochs: imports, the network, tracing, writing the model."""
    measured = numbers["pipeline"]
    epoch = {work: median(seconds) for work, seconds in measured["epoch_seconds"].items()}
    epochs, walls = numbers["stage_epochs"], numbers["stage_seconds"]
    features = measured["decode_seconds"] + (epochs + validation_share(numbers)) * epoch["features"]
    return {
        "features": walls["features"] - features,
        "transfer": walls["transfer"] - epochs * epoch["transfer"],
        "train": walls["train"] - epochs * epoch["fine"],
    }


def validation_share(numbers: dict[str, Any]) -> float:
    """Validation images to training images: what the frozen part takes for them, in epochs of `features`."""
    return numbers["images"]["validation"] / numbers["images"]["training"]


def scaled_epochs(numbers: dict[str, Any], way: str) -> dict[str, float]:
    """Median seconds of an epoch over all images: what was measured, times the images there are to those taken."""
    return {work: median(seconds) * scale(numbers) for work, seconds in numbers[way]["epoch_seconds"].items()}


def scale(numbers: dict[str, Any]) -> float:
    """All images to those taken; parts and classes are taken in the same share."""
    return sum(numbers["all_images"].values()) / sum(numbers["images"].values())


def _add(total: dict[str, float], more: dict[str, float]) -> None:
    for name, seconds in more.items():
        total[name] = total.get(name, 0.0) + seconds
