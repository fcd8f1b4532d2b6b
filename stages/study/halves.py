"""What is chosen on one half of the pictures and reported on the other, both ways round (docs/method.md).

An epoch, or a temperature, that the same pictures choose and measure looks better than it is.
"""

from collections.abc import Callable, Sequence

import numpy as np
import scipy  # its part `optimize` comes with its first use

from stages.results.repeats import Validation

_TEMPERATURES = (np.log(0.05), np.log(20))  # of logits, on a log scale: far beyond what networks need


def crossed_over(pictures: int, reported: Callable[[np.ndarray, np.ndarray], Sequence[np.ndarray]]) -> list[np.ndarray]:
    """Values of all pictures, from `reported(chosen_on, measured_on)`, which gives one array or more of `measured_on`.

    The halves are every second picture: int (n,) of places.
    """
    even, odd = np.arange(0, pictures, 2), np.arange(1, pictures, 2)
    first, second = reported(odd, even), reported(even, odd)
    whole = [np.empty(pictures) for _ in first]
    for values, of_even, of_odd in zip(whole, first, second, strict=True):
        values[even], values[odd] = of_even, of_odd
    return whole


def temperature(told: Validation, epoch: int, places: np.ndarray) -> float:
    """The temperature that makes the loss at `places` after `epoch` (from 0) least (Guo et al., 2017)."""
    part = Validation(told.logits[[epoch]][:, places], told.labels[places], told.images[places])
    found = scipy.optimize.minimize_scalar(
        lambda log: part.losses(float(np.exp(log))).mean(), bounds=_TEMPERATURES, method="bounded"
    )
    return float(np.exp(found.x))


def from_best_to_last(told: Validation) -> dict[str, np.ndarray]:
    """How each picture fares in the last epoch less in the best, chosen by the loss of the other half's pictures.

    By measure, (pictures,): loss; accuracy; scaled, the loss after temperature scaling fitted on the other half.
    """
    losses, correct = told.losses(), told.correct().astype(float)

    def reported(chosen_on: np.ndarray, measured_on: np.ndarray) -> list[np.ndarray]:
        best, last = int(losses[:, chosen_on].mean(axis=1).argmin()), len(losses) - 1
        scaled = [_scaled(told, epoch, chosen_on) for epoch in (last, best)]
        changes = (losses[last] - losses[best], correct[last] - correct[best], scaled[0] - scaled[1])
        return [change[measured_on] for change in changes]

    return dict(zip(("loss", "accuracy", "scaled"), crossed_over(losses.shape[1], reported), strict=True))


def _scaled(told: Validation, epoch: int, fitted_on: np.ndarray) -> np.ndarray:
    one = Validation(told.logits[[epoch]], told.labels, told.images)
    return one.losses(temperature(told, epoch, fitted_on))[0]
