"""The schedules that `adopt` compares on your own data set, and how they fine-tune.

On most data sets of the study, fine-tuning by Adam at 1e-4 has the lowest loss and the highest accuracy within few
epochs, and the thesis's gentle fine-tuning the lowest loss after many (docs/paper, docs/elsewhere).
"""

from typing import NamedTuple

HEAD_RATE = 1.0e-3  # the best rate for the head, chosen on training pictures alone: docs/head_rates.csv
TUNED, GENTLE = "tuned", "gentle"  # suffixes of variants: with this rate; with this rate and gentle fine-tuning
FINE = {"optimizer": "adam", "learning_rate": 1.0e-4}  # the keys of `fine` for all schedules but the gentle one
GENTLE_FINE = {"fine_optimizer": "rmsprop", "fine_rate": 1.0e-5}  # the thesis's fine-tuning, as own keys


class Share(NamedTuple):
    """The share of the transfer phase in the budget, 0 to 1, and whether fine-tuning is gentle."""

    transfer: float
    gentle: bool = False


# The head alone, a quarter of the epochs for it (the rule with the least regret in docs/elsewhere), none for it.
SHARES = (Share(1.0), Share(0.25), Share(0.25, gentle=True), Share(0.0))


def variants(dataset: str, budget: int) -> dict[str, dict[str, object]]:
    """The variants of `dataset` with `budget` epochs, by name; fewer if some would be the same."""
    found = {}
    for share in SHARES:
        transfer = round(share.transfer * budget)
        if (transfer == 0) != (share.transfer == 0) or (transfer == budget) != (share.transfer == 1):
            continue
        words = ([TUNED] if transfer else []) + ([GENTLE] if share.gentle else [])
        name = "-".join([dataset, str(transfer), str(budget - transfer), *(["_".join(words)] if words else [])])
        found[name] = {
            "dataset": dataset,
            "transfer": transfer,
            "fine": budget - transfer,
            **({"head_rate": HEAD_RATE} if transfer else {}),
            **(GENTLE_FINE if share.gentle else {}),
        }
    return found
