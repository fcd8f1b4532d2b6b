"""The schedules that a data set of one's own is tried with: five ways to divide its epochs."""

HEAD_RATE = 1.0e-3  # at which the head learns best, tried on training pictures alone: docs/head_rates.csv
TUNED = "tuned"  # ends the names of the variants with this rate

# By the share of the transfer phase: the head alone, a short and a longer start of it, half and half, and none.
SHARES = {1.0: True, 0.15: True, 0.3: True, 0.5: False, 0.0: False}


def variants(dataset: str, budget: int) -> dict[str, dict[str, object]]:
    """By its name, each variant of `dataset` with `budget` epochs; fewer than five where two would be the same."""
    found = {}
    for share, tuned in SHARES.items():
        transfer = round(share * budget)
        if (transfer == 0) != (share == 0) or (transfer == budget) != (share == 1):
            continue
        name = f"{dataset}-{transfer}-{budget - transfer}"
        schedule = {"dataset": dataset, "transfer": transfer, "fine": budget - transfer}
        found |= {f"{name}-{TUNED}": schedule | {"head_rate": HEAD_RATE}} if tuned else {name: schedule}
    return found
