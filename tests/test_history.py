"""Histories come back as they were written, and wrong ones are refused by name."""

import math
import re

import pytest

from stages.common.command import ThawError
from stages.results import history

TEXT = """\
epoch,phase,accuracy,loss,val_accuracy,val_loss
1,transfer,0.5,0.7,0.6,0.65
2,transfer,0.7,0.5,0.8,0.45
3,fine,0.6,0.6,0.85,0.4
"""
COLUMNS = ("epoch", "phase", "accuracy", "loss", "val_accuracy", "val_loss")
ROWS = [
    dict(zip(COLUMNS, row, strict=True))
    for row in [
        (1, "transfer", 0.5, 0.7, 0.6, 0.65),
        (2, "transfer", 0.7, 0.5, 0.8, 0.45),
        (3, "fine", 0.6, 0.6, 0.85, 0.4),
    ]
]


def changed(key, value):
    rows = [dict(row) for row in ROWS]
    rows[1][key] = value
    return rows


def test_a_history_is_written_as_a_csv_of_the_known_columns(tmp_path):
    path = tmp_path / "plots" / "variant.csv"
    history.write(ROWS, path)
    assert path.read_text() == TEXT


def test_a_history_keeps_further_columns_behind_the_known_ones(tmp_path):
    path = tmp_path / "variant.csv"
    history.write([{"seconds": 3, **ROWS[2], "epoch": 1}], path)
    assert path.read_text() == "epoch,phase,accuracy,loss,val_accuracy,val_loss,seconds\n1,fine,0.6,0.6,0.85,0.4,3\n"


def test_a_history_is_rounded_to_six_decimals(tmp_path):
    path = tmp_path / "variant.csv"
    history.write(changed("loss", 1 / 3), path)
    assert path.read_text().splitlines()[2] == "2,transfer,0.7,0.333333,0.8,0.45"


def test_clean_columns_alone_may_lack_numbers(tmp_path):
    path = tmp_path / "variant.csv"
    rows = [row | {"train_clean_loss": loss} for row, loss in zip(ROWS, (0.5, math.nan, 0.4), strict=True)]
    history.write(rows, path)
    assert path.read_text().splitlines()[2] == "2,transfer,0.7,0.5,0.8,0.45,NaN"
    assert history.read(path)["train_clean_loss"].isna().tolist() == [False, True, False]
    with pytest.raises(ThawError, match="train_clean_loss of epoch 3 is inf, no finite number"):
        history.write([*rows[:2], rows[2] | {"train_clean_loss": math.inf}], path)


def test_a_history_comes_back_with_its_types(tmp_path):
    path = tmp_path / "variant.csv"
    path.write_text(TEXT.replace("0.5,0.7,0.6,0.65", "0,1,0,1"))
    read = history.read(path)
    assert read["epoch"].tolist() == [1, 2, 3]
    assert read["phase"].tolist() == ["transfer", "transfer", "fine"]
    numbers = ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert read[numbers].to_numpy().tolist() == [[0, 1, 0, 1], [0.7, 0.5, 0.8, 0.45], [0.6, 0.6, 0.85, 0.4]]
    assert set(read[numbers].dtypes.astype(str)) == {"float64"}


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        ("val_loss", "loss_val", "columns are epoch,phase,accuracy,loss,val_accuracy,loss_val, expected"),
        ("3,fine", "4,fine", "epochs are not 1 to 3"),
        ("1,transfer", "2,transfer", "epochs are not 1 to 3"),
        ("1,transfer", "1,fine", "phases are not `transfer` epochs and then `fine` epochs"),
        ("3,fine", "3,finer", "phases are not"),
        ("0.45", "nan", "val_loss of epoch 2 is nan"),
        ("0.45", "", "val_loss of epoch 2 is nan"),
        ("0.45", "inf", "val_loss of epoch 2 is inf"),
        ("0.45", "low", "val_loss of epoch 2 is low"),
        (TEXT[TEXT.index("1,") :], "", "epochs are not 1 to 1"),
        (TEXT, "", "no readable csv"),
        ("0.45", "0.45,1,2", "no readable csv"),
    ],
)
def test_a_wrong_history_is_refused_by_name(tmp_path, old, new, cause):
    path = tmp_path / "variant.csv"
    path.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(ThawError) as caught:
        history.read(path)
    assert str(caught.value).startswith(f"{path}: {cause}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rows", [[], changed("epoch", 1), changed("phase", "warm"), changed("val_loss", math.nan)])
def test_a_wrong_history_is_not_written(tmp_path, rows):
    with pytest.raises(ThawError, match=re.escape(str(tmp_path / "variant.csv"))):
        history.write(rows, tmp_path / "variant.csv")
    assert list(tmp_path.iterdir()) == []
