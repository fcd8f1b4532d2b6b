"""How each claim of the thesis is checked on a data set: by one primary contrast, and others that may contradict it.

The primary contrast is not adjusted; the others of a claim have simultaneous intervals and p-values. One repeat does
not show the variation between training runs, so that every verdict on it is `cannot tell`. See docs/method.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from stages.study import costs, dip, halves, simultaneous, two_way
from stages.study.costs import Target
from stages.study.equivalence import CANNOT_TELL, EQUIVALENT, Contrast
from stages.study.evidence import Study
from stages.study.paper import Paper, PaperVariant
from stages.study.two_way import Interval, Sample
from stages.study.variants import Variant

HOLDS, DOES_NOT = "holds", "does not"
ONE_REPEAT = "one repeat; for more, set repeats or seeds in params.yaml"
NO_CLEAN_METRICS = "no clean training metrics; set clean_training: true in params.yaml"
NEITHER_REACHES = (
    "there are repeats in which neither of the two reaches the target; a larger budget of epochs would tell"
)
NO_MOVING_STYLE = "no schedule with both phases also ran with moving statistics"

Pair = tuple[Variant, Variant]


@dataclass(frozen=True)
class Detail:
    """A further number with its interval, and with a verdict if it is a contrast.

    `note` qualifies the number; where `value` is None, it says what is known instead.
    """

    what: str
    value: float | None
    low: float | None
    high: float | None
    verdict: str = ""
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """The result of checking a claim on one data set.

    `contrast` is None if nothing was measured; `others` are further contrasts that the verdict needs. `interval`
    replaces the contrast's if that contains impossible values.
    """

    what: str
    contrast: Contrast | None
    verdict: str
    paper: str | None = None
    note: str = ""
    details: list[Detail] = field(default_factory=list)
    interval: Interval | None = None
    others: Sequence[Contrast] = ()

    @property
    def qualified(self) -> str:
        """The note, and that a significant difference is smaller than the margin."""
        return "; ".join(text for text in (self.note, self.contrast.remark if self.contrast else "") if text)

    @property
    def settle(self) -> str:
        """What would settle a verdict of `cannot tell`; empty for other verdicts, and if nothing was measured."""
        open_ones = [contrast.settle for contrast in (self.contrast, *self.others) if contrast and contrast.settle]
        return open_ones[0] if self.verdict == CANNOT_TELL and open_ones else ""


def check_sooner(study: Study, grid: Sequence[Variant], paper: Paper) -> Finding:
    """Check claim 1: the earlier fine-tuning starts, the fewer epochs to the target of stages/study/costs.py.

    The claim is monotone: `_monotone` gives its verdict. Where a repeat reaches the target in neither schedule of a
    pair, their difference is not known: such pairs are left out, and the claim is open if the primary pair is one.
    """
    late_first = sorted(grid, key=lambda variant: -variant.transfer)
    latest, earliest = late_first[0], late_first[-1]
    aim = costs.target(study, latest.dataset)
    what = f"epochs to the target ({aim.what}), {_minus(earliest, latest)}"
    epochs = [_epochs(study, aim, variant) for variant in late_first]
    pairs = [(early, late) for late, early in combinations(late_first, 2) if _is_reached(study, aim, (early, late))]
    if (earliest, latest) not in pairs:
        return Finding(what, None, CANNOT_TELL, _settled(paper, earliest, latest), NEITHER_REACHES, epochs)
    samples = [_until(study, aim, early, "epochs") - _until(study, aim, late, "epochs") for early, late in pairs]
    primary, others = _family(study, pairs, samples, "epochs", (earliest, latest), _whole(study, latest))
    adds = (_until(study, aim, earliest, "multiply_adds") - _until(study, aim, latest, "multiply_adds")).estimate()
    own = costs.epochs_to(study, aim, earliest) - costs.epochs_to(study, aim, latest)
    return Finding(
        what=what,
        contrast=primary,
        verdict=_monotone(primary, others),
        paper=_settled(paper, earliest, latest),
        note=_stand_ins(study, aim, (earliest, latest)),
        details=[
            *epochs,
            Detail(
                f"multiply-adds to the target, {_minus(earliest, latest)}",
                adds.value,
                *adds.interval(study.statistics.confidence),
                note=_stand_ins(study, aim, (earliest, latest)),
            ),
            *(
                _detail(f"epochs to the target, {_minus(*pair)}", contrast, _stand_ins(study, aim, pair))
                for pair, contrast in others
            ),
        ],
        interval=two_way.possible(primary.interval, own, -latest.epochs, earliest.epochs),
    )


def check_share(study: Study, grid: Sequence[Variant], paper: Paper) -> Finding:
    """Check claim 2: the larger fine-tuning's share, the lower the final validation loss. The claim is monotone."""
    smallest, largest = grid[0], grid[-1]
    pairs = [(larger, smaller) for smaller, larger in combinations(grid, 2)]
    samples = [study.at(larger, "loss") - study.at(smaller, "loss") for larger, smaller in pairs]
    primary, others = _family(study, pairs, samples, "loss", (largest, smallest))
    return Finding(
        what=f"final validation loss, {_minus(largest, smallest)}",
        contrast=primary,
        verdict=_monotone(primary, others),
        paper=_final_losses(paper, smallest, largest),
        details=[
            *(Detail(f"final validation loss, {variant.label}", *study.level(variant, "loss")) for variant in grid),
            *(_detail(f"final validation loss, {_minus(*pair)}", contrast) for pair, contrast in others),
        ],
    )


def check_dip(study: Study, grid: Sequence[Variant], paper: Paper) -> Finding | None:
    """Check claim 3: where fine-tuning starts, training metrics get abruptly worse and validation metrics do not.

    It holds if training loss rises and training accuracy falls significantly, and validation loss and accuracy are
    non-inferior. It does not if a training metric gets better or stays within the margin, or if a validation metric
    gets worse significantly and perhaps by more than the margin. If it is open, the note says which of the four is not
    shown, because the primary contrast may be. Returns None if no schedule has both phases.
    """
    both = [variant for variant in grid if dip.has_border(variant)]
    if not both:
        return None
    dataset, step = grid[0].dataset, "first fine epoch minus last transfer epoch"
    primary = study.contrast(dataset, dip.mean_change(study, both, "loss"), "loss")
    estimates = {
        "training accuracy": dip.mean_change(study, both, "accuracy"),
        "validation loss": dip.validation_change(study, both, "loss").estimate(),
        "validation accuracy": dip.validation_change(study, both, "accuracy").estimate(),
    }
    accuracy, *validation = others = [
        study.contrast(dataset, estimate, title.split()[1], factor=len(estimates))  # Bonferroni's
        for title, estimate in estimates.items()
    ]
    are_shown = {
        "training loss rises": primary.is_worse,
        "training accuracy falls": accuracy.is_worse,
        "validation loss is not worse by the margin": validation[0].is_not_worse,
        "validation accuracy is not worse by the margin": validation[1].is_not_worse,
    }
    milder = any(contrast.is_better or contrast.is_equivalent for contrast in (primary, accuracy))
    verdict = _verdict(all(are_shown.values()), milder or any(_speaks_against(contrast) for contrast in validation))
    missing = ", nor that ".join(what for what, is_shown in are_shown.items() if not is_shown)
    return Finding(
        what=f"training loss, {step}, mean of the schedules with both phases",
        contrast=primary,
        verdict=verdict,
        note=f"it is not shown that {missing}" if verdict == CANNOT_TELL else "",
        details=[_detail(f"{title}, {step}", contrast) for title, contrast in zip(estimates, others, strict=True)],
        others=others,
    )


def check_part_of_dip(study: Study, grid: Sequence[Variant], part: str) -> Finding:
    """Check a cause of the dip: its `part`, by its name in `dip.PARTS`, makes training loss worse.

    The claim does not hold if the part makes training loss better, or is shown to be smaller than the margin.
    """
    dataset = grid[0].dataset
    what = f"change of training loss where fine-tuning starts, part due to {dip.PARTS[part]}"
    parts = dip.explained(study, "loss").get(dataset)
    if parts is None:
        return Finding(what, None, CANNOT_TELL, note=NO_MOVING_STYLE)
    contrast = study.contrast(dataset, parts[part], "loss")
    return Finding(
        what,
        contrast,
        _verdict(contrast.is_worse and contrast.matters, contrast.is_better or contrast.is_equivalent),
        details=[
            Detail(
                f"change of training loss, {dip.PARTS[name]}", each.value, *each.interval(study.statistics.confidence)
            )
            for name, each in parts.items()
            if name != part
        ],
    )


def check_gap(study: Study, grid: Sequence[Variant], paper: Paper) -> Finding:
    """Check claim 4: with many fine epochs, training and validation diverge.

    The gap is final validation loss minus clean training loss. `train` keeps the latter as one number for each repeat,
    so that the interval does not cover the sampling of training pictures that all repeats share.
    """
    smallest, largest = grid[0], grid[-1]
    what = f"final validation loss minus clean training loss: {_minus(largest, smallest)}"
    if "train_clean_loss" not in largest.runs or "train_clean_loss" not in smallest.runs:
        return Finding(what, None, CANNOT_TELL, note=NO_CLEAN_METRICS)
    gaps = {variant.label: _gap(study, variant) for variant in (largest, smallest)}
    contrast = study.contrast(largest.dataset, (gaps[largest.label] - gaps[smallest.label]).estimate(), "loss")
    return Finding(
        what,
        contrast,
        _verdict(contrast.is_worse, contrast.is_better or contrast.is_equivalent),
        details=[
            Detail(
                f"final validation loss minus clean training loss: {label}",
                each.value,
                *each.interval(study.statistics.confidence),
            )
            for label, each in ((label, sample.estimate()) for label, sample in gaps.items())
        ],
    )


def check_harm(study: Study, grid: Sequence[Variant], paper: Paper) -> Finding:
    """Check the harm of the gap: many fine epochs make validation worse.

    The contrast is the largest share's last epoch minus its best (halves.py). Loss decides. Accuracy, and loss after
    temperature scaling, show whether decisions or only confidences get worse.
    """
    largest = grid[-1]
    runs = study.validations[largest.name].values()
    changes = [halves.from_best_to_last(*each) for each in zip(runs, study.units(largest.dataset), strict=True)]

    def contrast(name: str, measure: str, factor: int) -> Contrast:
        sample = study.sample(largest.dataset, [change[name] for change in changes])
        return study.contrast(largest.dataset, sample.estimate(), measure, factor)

    primary = contrast("loss", "loss", 1)
    step = f"of {largest.label}, last epoch minus best"
    return Finding(
        what=f"validation loss {step}",
        contrast=primary,
        verdict=EQUIVALENT
        if primary.is_equivalent and not primary.is_significant
        else _verdict(primary.is_worse, primary.is_better),
        details=[
            _detail(f"validation accuracy {step}", contrast("accuracy", "accuracy", 2)),
            _detail(f"validation loss after temperature scaling {step}", contrast("scaled", "loss", 2)),
        ],
    )


def check_advice(study: Study, grid: Sequence[Variant], paper: Paper) -> Finding:
    """Check claim 5: start fine-tuning early and keep it short.

    The contrast is the earliest schedule, stopped after the fewest fine epochs that are shown to be non-inferior to the
    best final loss, minus that final loss. Both are chosen on one half of the pictures and measured on the other. The
    claim holds if the stopped schedule is non-inferior and at least one half stops it before its last epoch. It does
    not if the schedule is significantly worse, perhaps by more than the margin, or if both halves choose the last
    epoch.
    """
    earliest, dataset = min(grid, key=lambda variant: variant.transfer), grid[0].dataset
    curves = {variant.name: study.losses(variant) for variant in grid}
    places = list(zip(*map(halves.of, study.units(dataset)), strict=True))
    chosen = [_short(study, earliest, curves, half) for half in places]
    values = [np.empty(losses.shape[1]) for losses in curves[earliest.name]]
    for (epoch, best), measured_on in zip(reversed(chosen), places, strict=True):  # the choice of the other half
        for repeat, at in enumerate(measured_on):
            stopped, end = curves[earliest.name][repeat][epoch - 1], curves[best][repeat][-1]
            values[repeat][at] = (stopped - end)[at]
    contrast = study.contrast(dataset, study.sample(dataset, values).estimate(), "loss")
    epochs = sorted(epoch for epoch, _ in chosen)
    labels = dict.fromkeys(variant.label for variant in grid for _, best in chosen if variant.name == best)
    return Finding(
        what=f"validation loss, {earliest.label} stopped after epoch {_or(map(str, dict.fromkeys(epochs)))} minus "
        f"{_or(labels)} at its end",
        contrast=contrast,
        note=f"it needs {_to(*(epoch - earliest.transfer for epoch in epochs))} of {earliest.fine} fine epochs",
        verdict=_verdict(
            contrast.is_not_worse and epochs[0] < earliest.epochs,
            _speaks_against(contrast) or (contrast.repeats > 1 and epochs[0] == earliest.epochs),
        ),
        details=[
            Detail(
                f"fine epochs of {earliest.label} that are enough, of {earliest.fine}",
                float(np.mean(epochs)) - earliest.transfer,
                float(epochs[0] - earliest.transfer),
                float(epochs[-1] - earliest.transfer),
            )
        ],
    )


def _to(low: int, high: int) -> str:
    return f"{low} to {high}" if low < high else str(low)


def _short(
    study: Study, earliest: Variant, curves: dict[str, list[np.ndarray]], places: Sequence[np.ndarray]
) -> tuple[int, str]:
    """The epoch after which to stop `earliest`, and the variant with the best final loss, both by `places`.

    `places` are the pictures of each repeat that choose. The epoch is the first fine one that is shown to be
    non-inferior to the best final loss; if none is, the one with the lowest loss.
    """

    def sample(name: str, epoch: int) -> Sample:
        values = [losses[epoch, at] for losses, at in zip(curves[name], places, strict=True)]
        return study.sample(earliest.dataset, values, places=places)

    best = min(curves, key=lambda name: sample(name, -1).estimate().value)
    end = sample(best, -1)
    differences = [
        (sample(earliest.name, epoch) - end).estimate() for epoch in range(earliest.transfer, earliest.epochs)
    ]
    for epoch, difference in enumerate(differences, start=earliest.transfer + 1):
        if study.contrast(earliest.dataset, difference, "loss").is_not_worse:
            return epoch, best
    return earliest.transfer + 1 + int(np.argmin([difference.value for difference in differences])), best


def _family(
    study: Study, pairs: Sequence[Pair], samples: Sequence[Sample], measure: str, primary: Pair, least_error: float = 0
) -> tuple[Contrast, list[tuple[Pair, Contrast]]]:
    """The contrast of the `primary` pair, and simultaneous ones of the others; errors are at least `least_error`."""
    rest = [place for place, pair in enumerate(pairs) if pair != primary]
    factor = simultaneous.factor([samples[place] for place in rest], study.statistics)

    def contrast(place: int, factor: float) -> Contrast:
        return study.contrast(primary[0].dataset, samples[place].estimate().at_least(least_error), measure, factor)

    return contrast(pairs.index(primary), 1), [(pairs[place], contrast(place, factor)) for place in rest]


def _monotone(primary: Contrast, others: Sequence[tuple[Pair, Contrast]]) -> str:
    """The verdict on a claim that every difference is on the better side.

    The claim does not hold if any is significantly worse, perhaps by more than the margin. Else it holds if the primary
    contrast is significantly better, and there is no difference if that is shown to be smaller than the margin.
    """
    if any(_speaks_against(contrast) for contrast in (primary, *(contrast for _, contrast in others))):
        return DOES_NOT
    return EQUIVALENT if primary.is_equivalent and not primary.is_better else _verdict(primary.is_better, False)


def _speaks_against(contrast: Contrast) -> bool:
    return contrast.is_worse and contrast.matters


def _verdict(holds: bool, does_not: bool) -> str:
    if does_not:
        return DOES_NOT
    return HOLDS if holds else CANNOT_TELL


def _until(study: Study, aim: Target, variant: Variant, unit: str) -> Sample:
    return costs.spent_until(study, aim, variant, costs.of_epoch(variant, unit))


def _whole(study: Study, variant: Variant) -> float:
    """The rounding error of a mean difference of two whole numbers of epochs."""
    return float(np.sqrt(2 / 12 / study.repeat_count(variant.dataset)))


def _epochs(study: Study, aim: Target, variant: Variant) -> Detail:
    """The mean over repeats, with minimum and maximum; without a number if a repeat does not reach the target."""
    first, what = costs.epochs_to(study, aim, variant), f"epochs to the target, {variant.label}"
    reached = int((first <= variant.epochs).sum())
    if reached < len(first):
        return Detail(what, None, None, None, note=costs.reaching(reached, len(first), variant.epochs))
    range_ = " (minimum to maximum over repeats)" if len(first) > 1 else ""
    return Detail(what + range_, float(first.mean()), float(first.min()), float(first.max()))


def _is_reached(study: Study, aim: Target, pair: Pair) -> bool:
    """Whether in each repeat at least one of two schedules reaches the target."""
    return bool(np.any([costs.epochs_to(study, aim, variant) <= variant.epochs for variant in pair], axis=0).all())


def _stand_ins(study: Study, aim: Target, pair: Pair) -> str:
    """Which of two schedules have a repeat that does not reach the target, and what the difference takes instead."""
    return "; ".join(
        f"where {variant.label} takes more than {variant.epochs} epochs, it counts as {variant.epochs + 1}"
        for variant in sorted(pair, key=lambda variant: -variant.transfer)
        if (costs.epochs_to(study, aim, variant) > variant.epochs).any()
    )


def _gap(study: Study, variant: Variant) -> Sample:
    clean = variant.by_repeat("train_clean_loss").iloc[-1]
    losses = zip(study.losses(variant), clean, strict=True)
    return study.sample(variant.dataset, [curve[-1] - loss for curve, loss in losses])


def _detail(what: str, contrast: Contrast, note: str = "") -> Detail:
    return Detail(what, contrast.estimate.value, *contrast.interval, contrast.remark or contrast.word, note)


def _minus(variant: Variant, other: Variant) -> str:
    return f"{variant.label} minus {other.label}"


def _or(words: Iterable[str]) -> str:
    return " or ".join(words)


def _final_losses(paper: Paper, smallest: Variant, largest: Variant) -> str | None:
    both = [paper.variants.get(variant.name, PaperVariant()).val for variant in (smallest, largest)]
    before, after = (values.loss for values in both)
    if before is None or after is None:
        return None
    which = ", each at its best" if both[0].at == "best" else ""
    return f"≈ {after - before:+.2f}: from {before:g} to {after:g}{which}"


def _settled(paper: Paper, earliest: Variant, latest: Variant) -> str | None:
    early, late = (paper.variants.get(variant.name, PaperVariant()).settles.loss for variant in (earliest, latest))
    if early is None or late is None:
        return None
    return f"≈ {early - late:+d}: loss looks settled from epoch {early} instead of {late}"
