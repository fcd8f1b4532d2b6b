"""Choose on one half of the pictures, measure on the other, and the other way round (docs/method.md).

An epoch or a temperature that is chosen and measured on the same pictures looks better than it is.
"""

from collections.abc import Callable, Sequence

import numpy as np
import scipy  # its part `optimize` comes with its first use

from stages.results.repeats import Validation

_TEMPERATURES = (np.log(0.05), np.log(20))  # of logits, on a log scale: far beyond what networks need


def of(units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The places of the pictures of the even units and of the odd ones, int (n,); of a single unit, of its pictures.

    `units` has the number of each picture's unit (`Study.units`).
    """
    numbers = units if units.any() else np.arange(len(units))
    return np.flatnonzero(numbers % 2 == 0), np.flatnonzero(numbers % 2)


def crossed_over(
    units: np.ndarray, reported: Callable[[np.ndarray, np.ndarray], Sequence[np.ndarray]]
) -> list[np.ndarray]:
    """Values of all pictures, from `reported(chosen_on, measured_on)`, which gives arrays of values at `measured_on`.

    Its arguments are the places of one half and of the other (`of`).
    """
    even, odd = of(units)
    first, second = reported(odd, even), reported(even, odd)
    whole = [np.empty(len(units)) for _ in first]
    for values, of_even, of_odd in zip(whole, first, second, strict=True):
        values[even], values[odd] = of_even, of_odd
    return whole


def temperature(run: Validation, epoch: int, places: np.ndarray) -> float:
    """The temperature with the lowest loss of the pictures at `places` after `epoch`, from 0 (Guo et al., 2017)."""
    part = Validation(run.logits[[epoch]][:, places], run.labels[places], run.images[places])
    found = scipy.optimize.minimize_scalar(
        lambda log: part.losses(float(np.exp(log))).mean(), bounds=_TEMPERATURES, method="bounded"
    )
    return float(np.exp(found.x))


def from_best_to_last(run: Validation, units: np.ndarray) -> dict[str, np.ndarray]:
    """Each picture's values in the last epoch minus those in the best, which the other half's loss chooses.

    By measure, (pictures,): `loss`; `accuracy`; `scaled`, the loss with a temperature fitted on the other half.
    """
    losses, correct = run.losses(), run.correct().astype(float)

    def reported(chosen_on: np.ndarray, measured_on: np.ndarray) -> list[np.ndarray]:
        best, last = int(losses[:, chosen_on].mean(axis=1).argmin()), len(losses) - 1
        scaled = [_scaled(run, epoch, chosen_on) for epoch in (last, best)]
        changes = (losses[last] - losses[best], correct[last] - correct[best], scaled[0] - scaled[1])
        return [change[measured_on] for change in changes]

    return dict(zip(("loss", "accuracy", "scaled"), crossed_over(units, reported), strict=True))


def _scaled(run: Validation, epoch: int, fitted_on: np.ndarray) -> np.ndarray:
    one = Validation(run.logits[[epoch]], run.labels, run.images)
    return one.losses(temperature(run, epoch, fitted_on))[0]
