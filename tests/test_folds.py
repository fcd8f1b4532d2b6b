"""The page of the folds that have run: each of its numbers follows from the logits beside it."""

import re
from pathlib import Path

import numpy as np
import pytest

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
    names = ("0-51", "3-48-tuned", "6-45-tuned")
    at_once, three, six = (
        [repeats.read_logits(FOLDS / "results" / f"roses_tulips-{name}")[fold].losses().mean(axis=1) for fold in (1, 2)]
        for name in names
    )
    for own in (three, six):
        assert all((ours < theirs).all() for ours, theirs in zip(own, at_once, strict=True))
    after_ten, last = (
        [f"{np.mean(losses, axis=0)[place]:.2f}" for losses in (three, six, at_once)] for place in (9, -1)
    )
    assert f"on average {after_ten[0]} and {after_ten[1]} instead of {after_ten[2]} after 10 epochs" in readme
    assert last[0] == last[1]
    assert f"{last[0]} instead of {last[2]} at the end" in readme
