"""The schedules that `adopt` compares on your own data set, and the settings of their two phases.

On roses and tulips, fine-tuning by Adam at 1e-4 has the highest accuracy within few epochs, and with a rate that decays
to 0 no rising loss (docs/paper); elsewhere it is better than the thesis's 1e-5 by RMSprop too (docs/elsewhere).
"""

from typing import NamedTuple

# The keys of `transfer` and `fine` for all schedules. The head's rate was chosen on training pictures alone:
# docs/head_rates.csv. With batch statistics, the moving ones, which classify new pictures, would follow too slowly in
# the few steps of a small data set (docs/method.md, "The dip").
SETTINGS = {
    "transfer": {"learning_rate": 1.0e-3},
    "fine": {"optimizer": "adam", "learning_rate": 1.0e-4, "batch_norm": "moving"},
}
DECAY = {"decay": "cosine"}  # own keys of one schedule


class Share(NamedTuple):
    """The share of the transfer phase in the budget, 0 to 1, and whether the rate of fine-tuning decays."""

    transfer: float
    decays: bool = False


# The head alone for all epochs, for a quarter of them (the least regret in docs/elsewhere), for none.
SHARES = (Share(1.0), Share(0.25), Share(0.25, decays=True), Share(0.0))


def variants(dataset: str, budget: int) -> dict[str, dict[str, object]]:
    """The variants of `dataset` with `budget` epochs, by name; fewer if some would be the same."""
    found = {}
    for share in SHARES:
        transfer = round(share.transfer * budget)
        if (transfer == 0) != (share.transfer == 0) or (transfer == budget) != (share.transfer == 1):
            continue
        name = f"{dataset}-{transfer}-{budget - transfer}"
        schedule = {"dataset": dataset, "transfer": transfer, "fine": budget - transfer}
        found |= {f"{name}-cosine": schedule | DECAY} if share.decays else {name: schedule}
    return found
