"""What metrics/claims.json says, as sections of the page of a recorded run.

Every sentence is true whichever way the numbers fall.
"""

from collections.abc import Mapping
from typing import Any

from stages.pages.markdown import SHOWN_DECIMALS, change, number, rounded, table
from stages.study.dip import PARTS

PART_TITLES = {
    "batch_statistics": "batch statistics",
    "running_mean": "the mean over a changing network",
    "real": "the network itself",
}


def verdicts(claims: Mapping[str, Any]) -> list[str]:
    rows = [
        (f"{claim['text']}", dataset, told["paper"] or "", told["what"], _with_interval(told), told["verdict"])
        for claim in claims["claims"].values()
        for dataset, told in claim["datasets"].items()
    ]
    level = f"intervals of {claims['confidence']:.0%}, {len(claims['seeds'])} seed(s)"
    header = ["claim", "data set", "the paper", "what is measured", f"ours ({level})", "verdict"]
    return ["## The claims", "", *table(header, rows)]


def _with_interval(told: Mapping[str, Any]) -> str:
    if told["value"] is None:
        return ""
    if told["low"] is None:
        return number(told["value"])
    return f"{number(told['value'])} ({number(told['low'])} to {number(told['high'])})"


def recommendation(claims: Mapping[str, Any]) -> list[str]:
    lines = [
        line
        for dataset, sentences in claims["recommendation"].items()
        for line in (f"On {dataset}:", "", *(f"- {sentence}" for sentence in sentences), "")
    ]
    return ["## Which schedule to choose", "", *lines]


def parts_of_the_dip(claims: Mapping[str, Any], titles: Mapping[str, str]) -> list[str]:
    """What the change of training figures where fine-tuning starts is made of; empty where it was not measured.

    `titles` are the data sets', by name.
    """
    parts = claims["dip_parts"]
    rows = [
        (titles[dataset], measure, *(_changed(told[name]) for name in ("total", *PARTS)))
        for dataset, measures in parts.items()
        for measure, told in measures.items()
    ]
    if not rows:
        return []
    header = ["data set", "training", "changes by", *(PART_TITLES[name] for name in PARTS)]
    return [
        "### What it is made of",
        "",
        "The first fine epoch less the last transfer epoch, in the schedules that also ran by moving statistics.",
        "Batch statistics: what that run has otherwise. The network itself: the training set measured again after",
        "either epoch, without augmentation, dropout and batch statistics. The mean over a changing network: the rest.",
        "[The figure](plots/figures/dip.png) shows all schedules.",
        "",
        *table(header, rows),
        *(_dip_in_words(titles[dataset], measures["loss"]) for dataset, measures in parts.items()),
        "",
    ]


def _changed(told: Mapping[str, float | None]) -> str:
    if told["low"] is None:
        return change(told["value"])
    return f"{change(told['value'])} ({change(told['low'])} to {change(told['high'])})"


def _dip_in_words(title: str, told: Mapping[str, Mapping[str, float]]) -> str:
    total = told["total"]["value"]
    largest = max(PARTS, key=lambda name: abs(told[name]["value"]))
    part = told[largest]["value"]
    against = "" if part * total > 0 else ", against the direction of the whole"
    return (
        f"- {title}: training loss {_moves(total)}. The largest part of it is {PART_TITLES[largest]}, "
        f"{change(part)}{against}. Of the network itself, the loss on the same images {_moves(told['real']['value'])}."
    )


def _moves(value: float) -> str:
    if rounded(value) == 0:
        return f"changes by less than {10**-SHOWN_DECIMALS}"
    return f"{'rises' if value > 0 else 'falls'} by {number(abs(value))}"


def styles(claims: Mapping[str, Any]) -> list[str]:
    """Each style of fine-tuning beside the plain schedule of the same epochs; empty where there is none."""
    rows = [
        (name, told["style"], told["plain"], _changed(told), told["verdict"]) for name, told in claims["styles"].items()
    ]
    if not rows:
        return []
    header = ["variant", "style", "beside", "final validation loss, less the plain one's", "verdict"]
    return ["## Styles of fine-tuning", "", *table(header, rows)]
