"""Records: histories and jsons come back as they were written, and wrong ones are refused by name."""

import json
import math
import re

import finished_run
import pandas as pd
import pytest

from stages.common import tables
from stages.common.command import ThawError
from stages.results import environment, history, record

HISTORY_TEXT = """\
epoch,phase,accuracy,loss,val_accuracy,val_loss
1,transfer,0.5,0.7,0.6,0.65
2,transfer,0.7,0.5,0.8,0.45
3,fine,0.6,0.6,0.85,0.4
"""
STYLE = {"batch_norm": "batch", "unfreezing": "at_once"}
SETTINGS = {
    "seeds": [4, 2],
    "source": "data/some.yaml",
    "images": {"training": 8, "validation": 4},
    "multiply_adds": {"transfer": 10, "fine": 20},
    "versions": {},
    "machine": {},
}


def changed(key, value):
    rows = finished_run.rows("animals-2-1")
    rows[1][key] = value
    return rows


def test_a_history_is_written_as_a_csv_of_the_known_columns(tmp_path):
    path = tmp_path / "plots" / "variant.csv"
    history.write(finished_run.rows("animals-2-1"), path)
    assert path.read_text() == HISTORY_TEXT


def test_a_history_keeps_further_columns_behind_the_known_ones(tmp_path):
    path = tmp_path / "variant.csv"
    history.write([{"seconds": 3, **finished_run.rows("trial")[0]}], path)
    assert path.read_text() == ("epoch,phase,accuracy,loss,val_accuracy,val_loss,seconds\n1,fine,0.6,0.62,0.7,0.61,3\n")


def test_a_history_is_rounded_to_six_decimals(tmp_path):
    path = tmp_path / "variant.csv"
    history.write(changed("loss", 1 / 3), path)
    assert path.read_text().splitlines()[2] == "2,transfer,0.7,0.333333,0.8,0.45"


def test_a_history_comes_back_with_its_types(tmp_path):
    path = tmp_path / "variant.csv"
    path.write_text(HISTORY_TEXT.replace("0.5,0.7,0.6,0.65", "0,1,0,1"))
    history = history.read(path)
    assert history["epoch"].tolist() == [1, 2, 3]
    assert history["phase"].tolist() == ["transfer", "transfer", "fine"]
    numbers = ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert history[numbers].to_numpy().tolist() == [
        [0, 1, 0, 1],
        [0.7, 0.5, 0.8, 0.45],
        [0.6, 0.6, 0.85, 0.4],
    ]
    assert set(history[numbers].dtypes.astype(str)) == {"float64"}


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
        (HISTORY_TEXT[HISTORY_TEXT.index("1,") :], "", "epochs are not 1 to 1"),
        (HISTORY_TEXT, "", "no readable csv"),
        ("0.45", "0.45,1,2", "no readable csv"),
    ],
)
def test_a_wrong_history_is_refused_by_name(tmp_path, old, new, cause):
    path = tmp_path / "variant.csv"
    path.write_text(HISTORY_TEXT.replace(old, new, 1))
    with pytest.raises(ThawError) as caught:
        history.read(path)
    assert str(caught.value).startswith(f"{path}: {cause}")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named_with_the_remedy(tmp_path):
    for read in (history.read, tables.read_json):
        with pytest.raises(ThawError) as caught:
            read(tmp_path / "none")
        assert str(caught.value) == f"{tmp_path}/none: no such file; run the stage that writes it (dvc repro)"


@pytest.mark.parametrize("rows", [[], changed("epoch", 1), changed("phase", "warm"), changed("val_loss", math.nan)])
def test_a_wrong_history_is_not_written(tmp_path, rows):
    with pytest.raises(ThawError, match=re.escape(str(tmp_path / "variant.csv"))):
        history.write(rows, tmp_path / "variant.csv")
    assert list(tmp_path.iterdir()) == []


def test_the_record_of_a_variant():
    record = record.of_variant(
        pd.DataFrame(finished_run.rows("animals-0-3")), dataset="animals", transfer=0, fine=3, style=STYLE, **SETTINGS
    )
    assert record == {
        "dataset": "animals",
        "transfer": 0,
        "fine": 3,
        "seed": 4,
        **STYLE,
        **SETTINGS,
        "train": {
            "final": {"accuracy": 0.9, "loss": 0.2},
            "best": {"accuracy": 0.9, "accuracy_epoch": 3, "loss": 0.2, "loss_epoch": 3},
        },
        "val": {  # 0.9 twice: the first of equal epochs is the best
            "final": {"accuracy": 0.9, "loss": 0.35},
            "best": {"accuracy": 0.9, "accuracy_epoch": 2, "loss": 0.3, "loss_epoch": 2},
        },
    }


@pytest.mark.parametrize(("transfer", "fine"), [(2, 2), (3, 0), (0, 3), (1, 1)])
def test_other_epochs_than_asked_for_are_refused(transfer, fine):
    with pytest.raises(ThawError) as caught:
        record.of_variant(
            pd.DataFrame(finished_run.rows("animals-2-1")),
            dataset="animals",
            transfer=transfer,
            fine=fine,
            style=STYLE,
            **SETTINGS,
        )
    assert str(caught.value) == (
        f"animals-{transfer}-{fine}: ran 2 transfer and 1 fine epochs, "
        f"asked for {transfer} and {fine}; run the variant again"
    )


def test_a_json_is_sorted_and_comes_back(tmp_path):
    path = tmp_path / "metrics" / "variant.json"
    tables.write_json({"b": 1.5, "a": {"d": "é", "c": 2}}, path)
    assert path.read_text() == '{\n  "a": {\n    "c": 2,\n    "d": "\\u00e9"\n  },\n  "b": 1.5\n}\n'
    assert tables.read_json(path) == {"a": {"c": 2, "d": "é"}, "b": 1.5}


def test_a_number_that_json_does_not_have_is_refused(tmp_path):
    with pytest.raises(ThawError, match="a number is not finite"):
        tables.write_json({"loss": math.nan}, tmp_path / "variant.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("text", "cause"), [("{", "no readable json"), ("[1]", "holds no json object")])
def test_a_wrong_json_is_refused_by_name(tmp_path, text, cause):
    path = tmp_path / "variant.json"
    path.write_text(text)
    with pytest.raises(ThawError, match=f"{re.escape(str(path))}: {cause}"):
        tables.read_json(path)


def test_a_table_says_nan_where_it_has_no_number(tmp_path):
    path = tmp_path / "table.csv"
    tables.write_table(pd.DataFrame({"epoch": [1, 2], "trial": [0.5, None]}), path)
    assert path.read_text() == "epoch,trial\n1,0.5\n2,NaN\n"


def test_versions_and_machine_can_be_recorded():
    assert list(environment.versions()) == ["python", "tensorflow", "keras", "numpy", "dvc"]
    assert set(environment.machine()) == {"cpu", "cores", "system", "architecture"}
    assert json.loads(json.dumps(environment.machine())) == environment.machine()
    assert environment.machine()["cores"] >= 1
