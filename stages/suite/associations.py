"""How the best switch, and what thawing gains, go with the size of a data set and its distance from ImageNet.

The distance is measured by the loss of the converged head: how badly the frozen network serves the data set.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy  # its part `stats`, a second to import, comes with its first use

OUTCOMES, PROPERTIES = ("best", "gain"), ("pictures", "converged_loss")
COLUMNS = ("network", "arm", "sets", "outcome", "property", "correlation", "p_value")
LEAST = 4  # data sets: with fewer, the smallest p-value that permutations can give is 1/3


def rows(of_sets: pd.DataFrame) -> list[dict[str, Any]]:
    """Spearman's rank correlation of each outcome with each property, over the data sets of a network and head.

    `of_sets` has a row for each network, head (`arm`) and data set. Each result has `correlation` and `p_value`, which
    assumes that the data sets are exchangeable; both are NaN if the outcome or the property is the same on all.
    """
    return [
        {"network": network, "arm": arm, "sets": len(own), "outcome": outcome, "property": name}
        | correlation(own[outcome].to_list(), own[name].to_list())
        for (network, arm), own in of_sets.groupby(["network", "arm"], sort=False)
        if len(own) >= LEAST
        for outcome in OUTCOMES
        for name in PROPERTIES
    ]


def correlation(ones: Sequence[float], others: Sequence[float]) -> dict[str, float]:
    """Spearman's correlation and its two-sided p-value, from all permutations (or 9,999 drawn ones of 8 or more)."""
    ranks, fixed = scipy.stats.rankdata(ones), scipy.stats.rankdata(others)
    if np.ptp(ranks) == 0 or np.ptp(fixed) == 0:
        return {"correlation": np.nan, "p_value": np.nan}

    def statistic(permuted: np.ndarray) -> float:
        return float(np.corrcoef(permuted, fixed)[0, 1])

    found = scipy.stats.permutation_test((ranks,), statistic, permutation_type="pairings", rng=np.random.default_rng(1))
    return {"correlation": float(found.statistic), "p_value": float(found.pvalue)}
