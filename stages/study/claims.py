"""The thesis's claims, checked against a finished study: the content of metrics/claims.json.

    source        title of the inputs
    repeats       by data set, list of {repeat, seed, fold, draw}; with one, each of its verdicts is "cannot tell"
    seeds         by data set, list of the repeats' seeds
    confidence    of every interval
    claims        by name (sooner, share, dip, running_mean, batch_statistics, gap, harm, advice):
        text, rests_on, primary    from data/paper.yaml
        verdict           holds, does not, no difference beyond the margin, cannot tell: over all data sets
        datasets          by name:
            what, value, low, high    the primary contrast, in words, and its interval (null if there is none)
            p_value, margin           unadjusted; the equivalence margin
            verdict, note             of this data set; qualifications or the reason of `cannot tell`, or empty
            settle                    what would settle the verdict `cannot tell`; else empty
            paper                     the thesis's own number for it, in words, or null
            details                   list of {what, value, low, high, verdict, note}: its further numbers
    dip_parts     by data set, by measure (loss, accuracy): total, batch_statistics, running_mean, real, each
                  {value, low, high}: the change of the training metric where fine-tuning starts, and its parts
    styles        by variant: dataset, style, plain, what, value, low, high, p_value, note, settle,
                  verdict (better, worse, no difference beyond the margin, cannot tell)
    recommendation    by data set: sentences for budgets of multiply-adds, over all arms
    recommendation_by_arm    by data set and arm, if there are several arms

stages/study/claim_checks.py checks the claims.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from stages.common import tables
from stages.study import claim_checks, dip, recommendation, variants
from stages.study.claim_checks import DOES_NOT, HOLDS, ONE_REPEAT, Finding
from stages.study.comparisons import Comparisons
from stages.study.equivalence import CANNOT_TELL, EQUIVALENT
from stages.study.evidence import Study
from stages.study.paper import Paper
from stages.study.two_way import Estimate
from stages.study.variants import ALL_ARMS, Variant

COLUMNS = ("claim", "dataset", "what", "value", "low", "high", "repeats", "verdict", "settle", "paper", "note")
ON_THE_HARDER = ("gap", "harm")  # claims about the harder data set: the other's verdict is reported but not counted

Check = Callable[[Study, Sequence[Variant], Paper], Finding | None]
CHECKS: Mapping[str, Check] = {
    "sooner": claim_checks.check_sooner,
    "share": claim_checks.check_share,
    "dip": claim_checks.check_dip,
    "running_mean": lambda study, grid, _: claim_checks.check_part_of_dip(study, grid, "running_mean"),
    "batch_statistics": lambda study, grid, _: claim_checks.check_part_of_dip(study, grid, "batch_statistics"),
    "gap": claim_checks.check_gap,
    "harm": claim_checks.check_harm,
    "advice": claim_checks.check_advice,
}


def content(title: str, study: Study, compared: Comparisons, paper: Paper) -> dict[str, Any]:
    """All of metrics/claims.json."""
    # Without budgets of seconds, which differ from run to run: this file is reproducible.
    sentences = recommendation.for_budget(study, recommendation.multiply_adds(study))
    # All variants of a data set have the same repeats.
    grouped = variants.of_datasets(study.variants)
    return {
        "source": title,
        "repeats": {dataset: members[0].metrics["repeats"] for dataset, members in grouped.items()},
        "seeds": {dataset: members[0].metrics["seeds"] for dataset, members in grouped.items()},
        "confidence": study.statistics.confidence,
        "claims": check(study, paper),
        "dip_parts": parts_of_the_dip(study),
        "styles": styles(compared),
        "recommendation": {dataset: list(arms.values())[-1] for dataset, arms in sentences.items()},
        "recommendation_by_arm": {dataset: arms for dataset, arms in sentences.items() if ALL_ARMS in arms},
    }


def check(study: Study, paper: Paper) -> dict[str, Any]:
    """`claims` of metrics/claims.json."""
    return {name: _claim(study, paper, name) for name in CHECKS}


def parts_of_the_dip(study: Study) -> dict[str, Any]:
    """`dip_parts` of metrics/claims.json."""
    parts: dict[str, Any] = {}
    for measure in ("loss", "accuracy"):
        for dataset, estimates in dip.explained(study, measure).items():
            parts.setdefault(dataset, {})[measure] = {
                name: _numbers(part, study.statistics.confidence) for name, part in estimates.items()
            }
    return parts


def styles(compared: Comparisons) -> dict[str, Any]:
    """`styles` of metrics/claims.json."""
    return {
        pair.variant.name: {
            "dataset": pair.variant.dataset,
            "style": pair.variant.style,
            "plain": pair.other.name,
            "what": f"final validation loss, {pair.variant.label} minus {pair.other.label}",
            **_with_interval(pair.loss.estimate.value, *pair.loss.interval),
            "p_value": _rounded(pair.loss.p_value),
            "verdict": pair.loss.word,
            "note": pair.loss.remark,
            "settle": pair.loss.settle,
        }
        for family in compared.styles.values()
        for pair in family
    }


def table(study: Study, checked: Mapping[str, Any]) -> pd.DataFrame:
    """`claims` of metrics/claims.json as a table with one row for each claim and data set."""
    rows = [
        {
            **{column: finding.get(column) for column in COLUMNS},
            "claim": name,
            "dataset": dataset,
            "repeats": study.repeat_count(dataset),
        }
        for name, claim in checked.items()
        for dataset, finding in claim["datasets"].items()
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _claim(study: Study, paper: Paper, name: str) -> dict[str, Any]:
    claim = getattr(paper.claims, name)
    found = {dataset: CHECKS[name](study, grid, paper) for dataset, grid in study.grids().items()}
    findings = {dataset: _as_json(study, finding) for dataset, finding in found.items() if finding}
    deciding = [_harder(study)] if findings and name in ON_THE_HARDER else list(findings)
    return {
        "text": claim.text,
        "rests_on": claim.rests_on,
        "primary": claim.primary,
        "verdict": _over_all([findings[dataset]["verdict"] for dataset in deciding]),
        "datasets": findings,
    }


def _over_all(verdicts: Sequence[str]) -> str:
    """`does not` if any is; else `cannot tell` if any is; else `holds` if any is; else that there is no difference."""
    if DOES_NOT in verdicts:
        return DOES_NOT
    if not verdicts or CANNOT_TELL in verdicts:
        return CANNOT_TELL
    return HOLDS if HOLDS in verdicts else EQUIVALENT


def _harder(study: Study) -> str:
    """The data set with the lower final validation accuracy under the smallest share of fine-tuning."""
    grids = study.grids()
    return min(grids, key=lambda name: study.at(grids[name][0], "accuracy").estimate().value)


def _as_json(study: Study, finding: Finding) -> dict[str, Any]:
    contrast = finding.contrast
    is_repeated = contrast is None or contrast.repeats > 1
    low, high = finding.interval or (contrast.interval if contrast else (None, None))
    return {
        "what": finding.what,
        **_with_interval(contrast.estimate.value if contrast else None, low, high),
        "p_value": _rounded(contrast.p_value) if contrast else None,
        "margin": contrast.margin if contrast else None,
        "verdict": finding.verdict,
        "settle": finding.settle,
        "paper": finding.paper,
        "note": finding.qualified if is_repeated else ONE_REPEAT,
        "details": [
            {
                "what": detail.what,
                **_with_interval(detail.value, detail.low, detail.high),
                "verdict": detail.verdict,
                "note": detail.note,
            }
            for detail in finding.details
        ],
    }


def _numbers(estimate: Estimate, confidence: float) -> dict[str, float | None]:
    return _with_interval(estimate.value, *estimate.interval(confidence))


def _with_interval(value: float | None, low: float | None, high: float | None) -> dict[str, float | None]:
    return {"value": _rounded(value), "low": _rounded(low), "high": _rounded(high)}


def _rounded(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else round(float(value), tables.DECIMALS)
