"""The paper's five claims, checked against a finished study: what metrics/claims.json holds.

    source        title of the inputs
    seeds         list of the seeds; with one, every verdict is "cannot tell"
    confidence    of every interval
    claims        by name (sooner, share, dip, overfitting, advice):
        text, rests_on    of data/paper.yaml
        verdict           holds, does not, cannot tell: over all data sets
        datasets          by name:
            what, value, low, high    the number that answers, in words, and its interval (null: none can be had)
            verdict, note             of this data set; why it cannot be told, or empty
            paper                     the paper's own figure for it, in words, or null
            details                   list of {what, value, low, high}: what else the verdict rests on
    dip_parts     by data set, by measure (loss, accuracy): total, batch_statistics, running_mean, real, each
                  {value, low, high}: how far the figure moves where fine-tuning starts, and the parts of that
    styles        by variant: dataset, style, plain, what, value, low, high, p_value,
                  verdict (better, worse, cannot tell)
    recommendation    by data set: sentences, for a budget of multiply-adds

A claim is about schedules, and a run of one seed about networks: what a schedule does beyond the luck of its seed
takes repeats. Differences are called beyond the noise as stages/study/statistics.py has it, their p-values adjusted
for the number of differences that a verdict looks at. docs/method.md tells all this in words.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from stages.results import records
from stages.study import costs, dip, statistics
from stages.study.comparisons import Comparisons
from stages.study.evidence import Study
from stages.study.paper import Paper, PaperVariant
from stages.study.statistics import Estimate
from stages.study.variants import Variant

HOLDS, DOES_NOT, CANNOT_TELL = "holds", "does not", "cannot tell"
ONE_SEED = "one seed; dvc exp run -S 'seeds=[1,2,3]'"
NO_CLEAN_FIGURES = "no clean training figures; params.yaml: clean_training: true"
COLUMNS = (
    "claim",
    "dataset",
    "what",
    "value",
    "low",
    "high",
    "repeats",
    "verdict",
    "paper",
    "note",
)

Named = tuple[str, Estimate]


@dataclass(frozen=True)
class Finding:
    """The answer to a claim on one data set."""

    what: str
    answer: Estimate
    verdict: str
    paper: str | None = None
    note: str = ""
    details: list[Named] = field(default_factory=list)


def check(study: Study, compared: Comparisons, paper: Paper) -> dict[str, Any]:
    """`claims` of metrics/claims.json."""
    findings: dict[str, Callable[[], dict[str, Finding]]] = {
        "sooner": lambda: {name: sooner(study, grid, paper) for name, grid in study.grids().items()},
        "share": lambda: {name: share(study, compared, grid, paper) for name, grid in study.grids().items()},
        "dip": lambda: {name: the_dip(study, both) for name, both in _with_border(study).items()},
        "overfitting": lambda: {name: overfitting(study, grid) for name, grid in _harder(study).items()},
        "advice": lambda: {name: advice(study, grid) for name, grid in study.grids().items()},
    }
    return {name: _claim(study, paper, name, of_datasets()) for name, of_datasets in findings.items()}


def parts_of_the_dip(study: Study) -> dict[str, Any]:
    """`dip_parts` of metrics/claims.json."""
    parts: dict[str, Any] = {}
    for measure in ("loss", "accuracy"):
        for dataset, estimates in dip.explained(study, measure).items():
            parts.setdefault(dataset, {})[measure] = {name: numbers(part) for name, part in estimates.items()}
    return parts


def styles(study: Study, compared: Comparisons) -> dict[str, Any]:
    """`styles` of metrics/claims.json."""
    return {
        pair.variant.name: {
            "dataset": pair.variant.dataset,
            "style": pair.variant.style,
            "plain": pair.other.name,
            "what": f"final validation loss, {pair.variant.label} less {pair.other.label}",
            **numbers(pair.loss),
            "p_value": round(pair.loss.p_value, records.DECIMALS),
            "verdict": _better_or_worse(study, pair.loss),
        }
        for pair in compared.styles
    }


def table(checked: dict[str, Any], repeats: int) -> pd.DataFrame:
    """`claims` of metrics/claims.json as a table, one row a claim and data set."""
    rows = [
        {**{column: finding.get(column) for column in COLUMNS}, "claim": name, "dataset": dataset, "repeats": repeats}
        for name, claim in checked.items()
        for dataset, finding in claim["datasets"].items()
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def sooner(study: Study, grid: Sequence[Variant], paper: Paper) -> Finding:
    """Claim 1: the earlier fine-tuning starts, the fewer epochs to a good loss.

    A good loss is the target of stages/study/costs.py. A seed that never reaches it counts as one epoch more than it
    ran, the fewest that it could take. A monotone claim: see `monotone`.
    """
    late_first = sorted(grid, key=lambda variant: -variant.transfer)
    needed = {variant.name: _epochs_needed(variant, grid[0], "loss") for variant in grid}
    pairs = [(early, late) for late, early in combinations(late_first, 2)]
    fewer = [_over_seeds(study, needed[early.name] - needed[late.name]) for early, late in pairs]
    latest, earliest = late_first[0], late_first[-1]
    return Finding(
        what=f"epochs until the validation loss of {grid[0].label} at its best, {earliest.label} less {latest.label}",
        answer=fewer[pairs.index((earliest, latest))],
        verdict=monotone(fewer, pairs.index((earliest, latest)), study.settings.confidence),
        paper=_settled(paper, earliest, latest),
        details=[
            (f"epochs until that loss, {variant.label}, fine-tuned from epoch {variant.transfer + 1}", estimate)
            for variant in late_first
            for estimate in [_over_seeds(study, needed[variant.name])]
        ],
    )


def share(study: Study, compared: Comparisons, grid: Sequence[Variant], paper: Paper) -> Finding:
    """Claim 2: the larger fine-tuning's share, the lower the final validation loss.

    Compared on the same validation images. A monotone claim: see `monotone`; its p-values come adjusted.
    """
    smallest, largest = grid[0], grid[-1]
    pairs = [(larger, smaller) for smaller, larger in combinations(grid, 2)]
    lower = [compared.between(larger, smaller) for larger, smaller in pairs]
    end = pairs.index((largest, smallest))
    return Finding(
        what=f"final validation loss, {largest.label} less {smallest.label}",
        answer=lower[end],
        verdict=_monotone(lower, lower[end], study.settings.confidence),
        paper=_final_losses(paper, smallest, largest),
        details=[(f"final validation loss, {variant.label}", _final_loss(study, variant)) for variant in grid],
    )


def the_dip(study: Study, both: Sequence[Variant]) -> Finding:
    """Claim 3: where fine-tuning starts, training figures turn abruptly worse and validation's do not.

    Of each seed, the mean over the schedules with both phases. Holds if training loss rises and training accuracy
    falls, validation loss does not rise and validation accuracy does not fall, and each training figure turns worse
    than its validation figure, all beyond the noise. Does not if training loss falls, training accuracy rises,
    or validation turns worse beyond the noise.
    """
    columns = ("loss", "accuracy", "val_loss", "val_accuracy")
    changes = {column: np.mean([dip.change(variant, column) for variant in both], axis=0) for column in columns}
    worse = {column: change if "loss" in column else -change for column, change in changes.items()}
    estimates = {column: _over_seeds(study, change) for column, change in worse.items()}
    excess = [_over_seeds(study, worse[name] - worse[f"val_{name}"]) for name in ("loss", "accuracy")]
    confidence = study.settings.confidence
    abrupt = all(estimate.lies_above(confidence) for estimate in (estimates["loss"], estimates["accuracy"], *excess))
    spared = not any(estimates[name].lies_above(confidence) for name in ("val_loss", "val_accuracy"))
    milder = any(estimates[name].lies_below(confidence) for name in ("loss", "accuracy"))
    return Finding(
        what="training loss, first fine epoch less last transfer epoch, mean of the schedules with both",
        answer=_over_seeds(study, changes["loss"]),
        verdict=_verdict(abrupt and spared, milder or not spared),
        details=[
            (f"{title}, first fine epoch less last transfer epoch", _over_seeds(study, changes[column]))
            for column, title in (
                ("accuracy", "training accuracy"),
                ("val_loss", "validation loss"),
                ("val_accuracy", "validation accuracy"),
            )
        ],
    )


def overfitting(study: Study, grid: Sequence[Variant]) -> Finding:
    """Claim 4: on the harder data set, many fine epochs overfit.

    Holds if, beyond the noise, the gap between validation and clean training loss at the end is wider under the
    largest share of fine-tuning than under the smallest, and under the largest the validation loss ends above
    where it was at its best (`_rises`). Does not if one of the two is the other way round beyond the noise.
    """
    smallest, largest = grid[0], grid[-1]
    risen = _over_seeds(study, _rises(largest))
    rise = (f"validation loss of {largest.label}, last epoch less best", risen)
    what = f"final validation loss less clean training loss, {largest.label}"
    if "train_clean_loss" not in largest.runs or "train_clean_loss" not in smallest.runs:
        return Finding(what, Estimate(np.nan, None, None), CANNOT_TELL, note=NO_CLEAN_FIGURES, details=[rise])
    gap, least = _gaps(largest), _gaps(smallest)
    wider, risen_adjusted = statistics.adjusted([_over_seeds(study, gap - least), risen])
    confidence = study.settings.confidence
    return Finding(
        what=what,
        answer=_over_seeds(study, gap),
        verdict=_verdict(
            wider.lies_above(confidence) and risen_adjusted.lies_above(confidence),
            wider.lies_below(confidence) or risen_adjusted.lies_below(confidence),
        ),
        details=[(f"the same gap, {largest.label} less {smallest.label}", wider), rise],
    )


def advice(study: Study, grid: Sequence[Variant]) -> Finding:
    """Claim 5: start fine-tuning early and keep it short.

    The schedule that starts earliest, stopped at its best epoch as other seeds show it (`_held_out_best`), against
    the ends of all schedules, its own too. Holds if its best epoch comes before its last and no end is better, all
    beyond the noise. Does not if an end is better beyond the noise, or every seed's best epoch is the last.
    """
    earliest = min(grid, key=lambda variant: variant.transfer)
    best = earliest.by_seed("val_loss").idxmin().to_numpy()
    saved = _over_seeds(study, best - len(earliest.history))
    stopped = _at(earliest, _held_out_best(earliest))
    against = statistics.adjusted([_over_seeds(study, stopped - _ends(variant)) for variant in grid])
    confidence = study.settings.confidence
    beaten = any(estimate.lies_above(confidence) for estimate in against)
    return Finding(
        what=f"best epoch of {earliest.label}, of {len(earliest.history)}",
        answer=_over_seeds(study, best),
        verdict=_verdict(saved.lies_below(confidence) and not beaten, beaten or saved.value == 0),
        details=[
            (f"validation loss, {earliest.label} stopped there less {variant.label} at its end", estimate)
            for variant, estimate in zip(grid, against, strict=True)
        ],
    )


def monotone(differences: Sequence[Estimate], extremes: int, confidence: float) -> str:
    """The verdict on a claim that every difference lies below zero.

    Holds if that of the extremes does beyond the noise, and none lies above zero beyond it; does not if one does.
    The p-values are adjusted here, as those of one family.
    """
    family = statistics.adjusted(differences)
    return _monotone(family, family[extremes], confidence)


def numbers(estimate: Estimate) -> dict[str, float | None]:
    """An estimate as json has it."""
    return {key: _rounded(getattr(estimate, key)) for key in ("value", "low", "high")}


def _monotone(family: Sequence[Estimate], extremes: Estimate, confidence: float) -> str:
    against = any(estimate.lies_above(confidence) for estimate in family)
    return _verdict(extremes.lies_below(confidence), against)


def _verdict(holds: bool, does_not: bool) -> str:
    if does_not:
        return DOES_NOT
    return HOLDS if holds else CANNOT_TELL


def _claim(study: Study, paper: Paper, name: str, findings: dict[str, Finding]) -> dict[str, Any]:
    claim = getattr(paper.claims, name)
    datasets = {dataset: _as_json(study, finding) for dataset, finding in findings.items()}
    verdicts = {finding["verdict"] for finding in datasets.values()}
    return {
        "text": claim.text,
        "rests_on": claim.rests_on,
        "verdict": _verdict(verdicts == {HOLDS}, DOES_NOT in verdicts),
        "datasets": datasets,
    }


def _as_json(study: Study, finding: Finding) -> dict[str, Any]:
    return {
        "what": finding.what,
        **numbers(finding.answer),
        "verdict": finding.verdict if study.repeated else CANNOT_TELL,
        "paper": finding.paper,
        "note": finding.note if study.repeated else ONE_SEED,
        "details": [{"what": what, **numbers(estimate)} for what, estimate in finding.details],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else round(float(value), records.DECIMALS)


def _better_or_worse(study: Study, loss: Estimate) -> str:
    if not study.repeated or not loss.differs(study.settings.confidence):
        return CANNOT_TELL
    return "better" if loss.value < 0 else "worse"


def _over_seeds(study: Study, values: np.ndarray) -> Estimate:
    return statistics.over_seeds(values, study.settings.confidence)


def _epochs_needed(variant: Variant, reference: Variant, measure: str) -> np.ndarray:
    never = len(variant.history) + 1
    return np.array([epoch or never for epoch in costs.epochs_to_targets(variant, reference, measure)])


def _with_border(study: Study) -> dict[str, list[Variant]]:
    """Each data set's schedules with both phases, where there are any."""
    both = {name: [variant for variant in grid if dip.has_border(variant)] for name, grid in study.grids().items()}
    return {name: members for name, members in both.items() if members}


def _harder(study: Study) -> dict[str, list[Variant]]:
    """The data set with the lower validation accuracy under the smallest share of fine-tuning, and its grid."""
    grids = study.grids()
    if not grids:
        return {}
    harder = min(grids, key=lambda name: grids[name][0].history["val_accuracy"].iloc[-1])
    return {harder: grids[harder]}


def _ends(variant: Variant) -> np.ndarray:
    return variant.by_seed("val_loss").iloc[-1].to_numpy()


def _final_loss(study: Study, variant: Variant) -> Estimate:
    return _over_seeds(study, _ends(variant))


def _gaps(variant: Variant) -> np.ndarray:
    return _ends(variant) - variant.by_seed("train_clean_loss").iloc[-1].to_numpy()


def _held_out_best(variant: Variant) -> np.ndarray:
    """For each seed, the epoch at which the mean validation loss of the other seeds is lowest; of one seed, its own.

    An epoch picked by a seed's own losses would look better than it is: the luckiest of many.
    """
    losses = variant.by_seed("val_loss")
    if losses.shape[1] == 1:
        return losses.idxmin().to_numpy()
    return np.array([losses.drop(columns=seed).mean(axis=1).idxmin() for seed in losses])


def _at(variant: Variant, epochs: Sequence[int] | np.ndarray) -> np.ndarray:
    """For each seed, the validation loss of its epoch among `epochs`."""
    losses = variant.by_seed("val_loss")
    return np.array([losses.loc[epoch, seed] for seed, epoch in zip(losses, epochs, strict=True)])


def _rises(variant: Variant) -> np.ndarray:
    """For each seed, the last validation loss less that of the best epoch, which the other seeds show."""
    return _ends(variant) - _at(variant, _held_out_best(variant))


def _final_losses(paper: Paper, smallest: Variant, largest: Variant) -> str | None:
    before, after = (paper.variants.get(variant.name, PaperVariant()).val.loss for variant in (smallest, largest))
    if before is None or after is None:
        return None
    return f"≈ {after - before:+.2f}: from {before:g} to {after:g}"


def _settled(paper: Paper, earliest: Variant, latest: Variant) -> str | None:
    early, late = (paper.variants.get(variant.name, PaperVariant()).settles.loss for variant in (earliest, latest))
    if early is None or late is None:
        return None
    return f"≈ {early - late:+d}: loss looks settled from epoch {early} in place of {late}"
