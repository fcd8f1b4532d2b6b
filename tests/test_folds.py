"""The page of the folds that have run: each of its numbers follows from the logits beside it."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from stages.common import params
from stages.results import repeats

FOLDS = Path(__file__).parent.parent / "docs/folds"
SECTIONS = re.split(r"^## ", (FOLDS / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
NAMES = {"Roses and tulips": ("roses_tulips", "0-51"), "Cats and dogs": ("cats_dogs", "0-31")}


def test_the_params_are_of_these_schedules():
    settings = params.load(FOLDS / "params.yaml")
    ran = {folder.name for folder in (FOLDS / "results").iterdir() if not folder.name.endswith("-converged")}
    assert ran == set(settings.variants)
    assert settings.repeats == {"cats_dogs": 3, "roses_tulips": 5}


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.partition("\n")[0])
def test_every_number_follows_from_the_logits(section):
    title, fold = re.match(r"(.+), fold (\d+) of", section).groups()
    dataset, first = NAMES[title]

    def validation(name):
        return repeats.read_logits(FOLDS / "results" / f"{dataset}-{name}")[int(fold)]

    converged = validation("converged")
    pictures, loss, accuracy = re.search(r"(\d+) validation .* loss of ([\d.]+) .* of ([\d.]+)\.", section).groups()
    assert int(pictures) == len(converged.labels)
    assert loss == f"{converged.losses()[-1].mean():.3f}"
    assert accuracy == f"{converged.correct()[-1].mean():.3f}"
    header, *rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    epochs = [int(cell) for cell in header if cell.isdecimal()]
    assert len(rows) > 2  # the line below the header, and schedules
    for label, *cells in rows[1:]:
        transfer, fine = re.match(r"(\d+) \+ (\d+)", label).groups()
        own = validation(f"{transfer}-{fine}" + ("-tuned" if label.endswith("head at 1e-3") else ""))
        assert cells[: len(epochs)] == [f"{own.losses()[epoch - 1].mean():.3f}" for epoch in epochs]
        assert cells[len(epochs)] == f"{own.correct()[-1].mean():.3f}"
        if f"{transfer}-{fine}" == first:
            continue
        difference = own.losses()[-1] - validation(first).losses()[-1]
        mean, error = difference.mean(), difference.std(ddof=1) / np.sqrt(len(difference))
        low, high = mean - 1.96 * error, mean + 1.96 * error
        assert cells[len(epochs) + 1] == f"{mean:+.3f} ({low:+.3f} to {high:+.3f})"


def test_the_answer_of_the_readme_follows_from_the_logits():
    readme = (FOLDS.parent.parent / "README.md").read_text(encoding="utf-8")
    folds = (1, 2, 3)

    def losses(name):
        read = repeats.read_logits(FOLDS / "results" / f"roses_tulips-{name}")
        return np.array([read[fold].losses().mean(axis=1) for fold in folds])

    at_once, three = losses("0-51"), losses("3-48-tuned")
    for own in (three, losses("6-45-tuned"), losses("10-41-tuned")):
        assert (own < at_once).all()
    ahead = (losses("10-41") < at_once).all(axis=1)
    assert list(ahead) == [False, False, True]
    assert f"{three[:, 9].mean():.2f} instead of {at_once[:, 9].mean():.2f} after 10 epochs" in readme
    assert f"{three[:, -1].mean():.3f} instead of {at_once[:, -1].mean():.3f} at the end" in readme
    difference = three[:, -1] - at_once[:, -1]
    low, high = stats.ttest_1samp(difference, 0).confidence_interval(0.95)
    shown = f"{difference.mean():.3f}, with a 95 % confidence interval of {low:.3f} to {abs(high):.3f}"
    assert shown.replace("-", "\N{MINUS SIGN}") in readme
    assert round(high, 3) == 0
