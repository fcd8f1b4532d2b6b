"""Tables and jsons come back as they were written, and what is missing or wrong is told by name."""

import math
import re

import pandas as pd
import pytest

from stages.common import tables
from stages.common.command import ThawError


def test_a_missing_file_is_named_with_the_remedy(tmp_path):
    for read in (lambda path: tables.read_table(path, ("epoch",)), tables.read_json):
        with pytest.raises(ThawError) as caught:
            read(tmp_path / "none")
        assert str(caught.value) == f"{tmp_path}/none: no such file; run the stage that writes it (dvc repro)"


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


def test_a_table_of_other_columns_is_refused_by_name(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("epoch,trial\n1,0.5\n")
    assert tables.read_table(path, ("epoch",)).to_dict("list") == {"epoch": [1], "trial": [0.5]}
    with pytest.raises(ThawError) as caught:
        tables.read_table(path, ("epoch", "repeat"))
    assert str(caught.value) == (
        f"{path}: columns are epoch,trial, expected epoch,repeat first; run the stage that writes it again"
    )
