"""The schedules that `adopt` compares on your own data set: five ways to divide its epochs."""

HEAD_RATE = 1.0e-3  # the best rate for the head, chosen on training pictures alone: docs/head_rates.csv
TUNED = "tuned"  # the suffix of variants with this rate

# By the share of the transfer phase, whether the head has that rate: all, a short start, a longer start, half, none.
SHARES = {1.0: True, 0.15: True, 0.3: True, 0.5: False, 0.0: False}


def variants(dataset: str, budget: int) -> dict[str, dict[str, object]]:
    """The variants of `dataset` with `budget` epochs, by name; fewer than five if some would be the same."""
    found = {}
    for share, tuned in SHARES.items():
        transfer = round(share * budget)
        if (transfer == 0) != (share == 0) or (transfer == budget) != (share == 1):
            continue
        name = f"{dataset}-{transfer}-{budget - transfer}"
        schedule = {"dataset": dataset, "transfer": transfer, "fine": budget - transfer}
        found |= {f"{name}-{TUNED}": schedule | {"head_rate": HEAD_RATE}} if tuned else {name: schedule}
    return found
