"""Mixed precision in the fine phase, against the same training in float32."""

from pathlib import Path

import numpy as np
import pytest
import tiny_study

from stages import train
from stages.common.params import Schedule

FINE = 2
LOSSES = ("loss", "val_loss", "train_clean_loss")
# Halves of the distance between two numbers near 1: https://en.wikipedia.org/wiki/Bfloat16_floating-point_format
ROUNDING = {"mixed_bfloat16": 2**-8, "mixed_float16": 2**-11}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("study")


def trained(folder: Path, work: Path, engine: str, precision: str, fine: int = FINE) -> tuple[train.Run, train.Trained]:
    study = tiny_study.small_inputs(folder, tiny_study.params(fine={"engine": engine, "precision": precision}))
    tiny_study.train_head(study, 0, work / "transfer")
    return tiny_study.trained(study, Schedule(dataset="tiny", transfer=0, fine=fine), work / "transfer", work / "work")


def losses(run: train.Run) -> np.ndarray:
    return np.array([[row[name] for name in LOSSES] for row in run.rows])


@pytest.mark.parametrize(
    ("engine", "precision"), [("fused", "mixed_bfloat16"), ("fused", "mixed_float16"), ("keras", "mixed_bfloat16")]
)
def test_losses_differ_by_what_rounding_explains(folder, tmp_path, engine, precision):
    (exact, of_exact), (mixed, of_mixed) = (
        trained(folder, tmp_path / name, engine, name) for name in ("float32", precision)
    )
    difference = np.abs(losses(mixed) - losses(exact))
    # A rounding in each of some fifty layers, of which most average out: as much as a tenth of them in one direction.
    assert difference.max() < 5 * ROUNDING[precision] * FINE
    assert difference.max() > 0
    weights = [trained.last.backbone for trained in (of_exact, of_mixed)]
    assert {weight.dtype for weight in weights[1]} == {np.dtype("float32")}
    assert any((one != other).any() for one, other in zip(*weights, strict=True))


def test_the_saved_model_computes_in_float32(folder, tmp_path):
    _, of_mixed = trained(folder, tmp_path, "fused", "mixed_bfloat16")
    study = tiny_study.small_inputs(folder, tiny_study.params())
    saved = train.whole_model(study, of_mixed.network, of_mixed.last)
    assert {layer.compute_dtype for layer in saved._flatten_layers()} == {"float32"}


def test_what_is_taken_up_again_in_float16_goes_on_with_the_same_scale_of_losses(folder, tmp_path):
    trained(folder, tmp_path / "interrupted", "fused", "mixed_float16", fine=1)
    resumed, _ = trained(folder, tmp_path / "interrupted", "fused", "mixed_float16")
    np.testing.assert_array_equal(losses(resumed), losses(trained(folder, tmp_path, "fused", "mixed_float16")[0]))
