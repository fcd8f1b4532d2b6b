"""The network where it is thawed, by both forms of batch normalisation on the same batches, against plain Keras."""

import numpy as np
import pytest
import tiny_study

from stages import batch_statistics
from stages.common.params import Schedule
from stages.network import backbones
from stages.training import transfer_phase

SWITCH = 2


def schedule(**changes: object) -> Schedule:
    return Schedule(dataset="tiny", **{"transfer": SWITCH, "fine": 1} | changes)


def test_the_switches_are_those_of_the_plain_head_s_schedules_with_both_phases():
    variants = {
        "tiny-3-1": schedule(transfer=3),
        "tiny-2-1": schedule(),
        "tiny-0-4": schedule(transfer=0),
        "tiny-1-1-tuned": schedule(transfer=1, head_rate=1e-3),
        "tiny-auto-rest": schedule(transfer="auto", fine="rest"),
        "other-1-1": Schedule(dataset="other", transfer=1, fine=1),
    }
    settings = tiny_study.params().model_copy(update={"variants": variants})
    assert batch_statistics.switches(settings, "tiny") == [2, 3]


def test_each_form_is_what_keras_says_of_the_same_pictures(tmp_path):
    settings = tiny_study.params(head={"dropout": 0.0}, features={"engine": "keras", "dtype": "float32"})
    settings = settings.model_copy(update={"variants": {"tiny-2-1": schedule()}})
    study = tiny_study.small_inputs(tmp_path, settings)
    tiny_study.train_head(study, SWITCH, tmp_path / "transfer")
    rows = batch_statistics.rows_of(
        study, "tiny", tiny_study.fingerprint(study), tiny_study.ON_SPLIT, tmp_path / "transfer"
    )
    assert [row[:4] for row in rows] == [("tiny", 1, SWITCH, "moving"), ("tiny", 1, SWITCH, "batch")]

    data, backbone = tiny_study.data(study), study.backbone()
    stored = transfer_phase.path_in(tmp_path / "transfer", settings.transfer, 1)
    head = transfer_phase.read(stored).head_after(SWITCH, data, settings)
    top = backbones.top_part(backbone, backbones.cut_layer(backbone, study.params.fine.from_layer))
    for layer in backbone.layers[backbones.layer_index(backbone, study.params.fine.from_layer) :]:
        layer.trainable = True  # one that is not normalises by moving statistics whatever it is called with
    batches = list(data.training(SWITCH + 1, lambda entry: entry.activations))
    for (*_, loss, accuracy), by_batch in zip(rows, (False, True), strict=True):
        logits = np.concatenate([head(top(inputs, training=by_batch)).numpy()[:, 0] for inputs, _ in batches])
        labels = np.concatenate([labels[:, 0] for _, labels in batches])
        expected = np.logaddexp(0, np.where(labels == 1, -logits, logits)).mean()
        assert loss == pytest.approx(expected, rel=1e-4)  # the fused kernel sums a variance in another order
        assert accuracy == pytest.approx(np.mean((logits > 0) == (labels == 1)))
    assert rows[0][4] != pytest.approx(rows[1][4], rel=1e-3)  # or nothing would tell the forms apart
