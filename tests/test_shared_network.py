"""Repeats that train one network in turn end as if each had one of its own."""

import numpy as np
import pytest
import tiny_study
from test_reference import values

from stages.common.params import Repeat, Schedule

REPEATS = [Repeat(number=number, seed=number, fold=number, draw=number) for number in (1, 2)]
TRANSFER, FINE = 1, 2


@pytest.mark.parametrize(
    ("fine", "own_keys"),
    [
        ({"optimizer": "adam", "warm_up_epochs": 1, "batch_norm": "moving"}, {"decay": "cosine"}),
        ({"optimizer": "rmsprop", "unfreezing": "gradual", "groups": 2, "epochs_a_group": 1, "layer_decay": 0.5}, {}),
        ({"precision": "mixed_float16"}, {}),
    ],
    ids=str,
)
def test_a_repeat_is_the_same_after_another_one(tmp_path, fine, own_keys):
    schedule = Schedule(dataset="tiny", transfer=TRANSFER, fine=FINE, **own_keys)
    study = tiny_study.small_inputs(tmp_path, tiny_study.params(fine=fine).of(schedule))
    for repeat in REPEATS:
        tiny_study.train_head(study, TRANSFER, tmp_path / "transfer", repeat)

    def trained(repeat, folder, network=None):
        return tiny_study.trained(study, schedule, tmp_path / "transfer", tmp_path / folder / "work", repeat, network)

    _, first = trained(REPEATS[0], "first")
    kept = [*first.last.backbone, *first.best.head]
    before = [array.copy() for array in kept]
    shared_run, shared = trained(REPEATS[1], "shared", first.network)
    alone_run, alone = trained(REPEATS[1], "alone")

    np.testing.assert_array_equal(values(shared_run.rows), values(alone_run.rows))
    np.testing.assert_array_equal(shared_run.validation.logits, alone_run.validation.logits)
    for ours, theirs in ((shared.last, alone.last), (shared.best, alone.best)):
        for one, other in zip([*ours.backbone, *ours.head], [*theirs.backbone, *theirs.head], strict=True):
            np.testing.assert_array_equal(one, other)
    for now, then in zip(kept, before, strict=True):  # the first repeat's weights are saved last
        np.testing.assert_array_equal(now, then)
