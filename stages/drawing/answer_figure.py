"""The figures of a classifier: its confusion matrix and its reliability diagram."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font

from stages.drawing.drawing import GREY, PART_LOOKS

MOST_NUMBERED = 20  # classes: with more the numbers in the cells cannot be read
MOST_NAMED = 40  # classes: with more their names cannot be read
CELL, LEAST, MOST = 0.45, 4.6, 9.6  # inches, the side of a class and the limits of the matrix's side
LONGEST_NAME = 24  # letters
DIAGRAM = (7.2, 4.6)  # inches


def confusion(scores: dict[str, Any], title: str, source: str) -> Figure:
    """The confusion matrix of `scores`, from `stages.study.confusion.as_json`.

    Numbers count predictions, and shades are their shares of the row, the true class.
    """
    names = _names([each["name"] for each in scores["classes"]])
    counts = np.array(scores["matrix"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = float(np.clip(CELL * len(names) + 2.4, LEAST, MOST))
    figure, axes = plt.subplots(figsize=(side + 1, side), layout="constrained")
    shades = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.grid(visible=False)
    axes.set_title(f"Confusion matrix, {title}\nimages: {source}", size=10, loc="left")
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    figure.colorbar(shades, ax=axes, label="share of the true class's predictions", shrink=0.8)
    places = range(len(names)) if len(names) <= MOST_NAMED else []
    shown = [names[place] for place in places]
    axes.set_xticks(places, shown, rotation=45, ha="right", rotation_mode="anchor", parse_math=False)
    axes.set_yticks(places, shown, parse_math=False)
    if len(names) <= MOST_NUMBERED:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour, size=9)
    return figure


def reliability(bins: pd.DataFrame, title: str, source: str) -> Figure:
    """The reliability diagram of `bins`, from `stages.study.calibration.bins`, above the predictions in each bin."""
    figure, (above, below) = plt.subplots(
        2, 1, figsize=DIAGRAM, sharex=True, height_ratios=(3, 1), layout="constrained"
    )
    _, colour, _ = PART_LOOKS["validation"]
    centre, width = (bins["low"] + bins["high"]) / 2, bins["high"] - bins["low"]
    above.bar(centre, bins["accuracy"], width, color=colour, edgecolor="white", alpha=0.75, label="accuracy")
    above.plot(bins["confidence"], bins["confidence"], "_", color="black", ms=14, mew=2, label="mean confidence")
    above.plot([0, 1], [0, 1], color=GREY, ls="--", lw=1.2, label="perfect calibration")
    above.set(xlim=(0, 1), ylim=(0, 1), ylabel="share of correct predictions")
    above.set_title(f"Reliability diagram, {title}\nimages: {source}", size=10, loc="left")
    above.legend(loc="upper left")
    below.bar(centre, bins["pictures"], width, color=GREY, edgecolor="white")
    below.set(xlabel="confidence: probability of the predicted class", ylabel="predictions")
    return figure


def _names(classes: list[str]) -> list[str]:
    """The class names, shortened; numbers from 1 if the figures' font lacks a letter of any."""
    letters = get_font(findfont("DejaVu Sans")).get_charmap()
    if all(ord(letter) in letters for name in classes for letter in name):
        return [_short(name) for name in classes]
    return [f"class {number}" for number in range(1, len(classes) + 1)]


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
