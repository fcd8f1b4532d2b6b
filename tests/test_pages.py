"""The two pages of one run: that they tell the same, and the same as the run's own files; how numbers are written."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import finished_run
import pandas as pd
import pytest
import yaml
from conftest import SMALL_MANIFEST
from PIL import Image

from stages import record, report
from stages.common import tables
from stages.pages import facts, render
from stages.study import equivalence, paper
from stages.study.paper import Claims

NAMES = {"animals": "Cats and dogs", "flowers": "Roses and tulips"}


class Tables(HTMLParser):
    """All rows of all tables of a page, each cell's text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.in_cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self.in_cell &= tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.in_cell:
            self.rows[-1][-1] += data


def clean(rows):
    return [[" ".join(cell.split()) for cell in row] for row in rows]


def rows_of_markdown(page):
    lines = [line for line in page.splitlines() if line.startswith("|") and not line.startswith("| ---")]
    return clean([line.replace("**", "").strip("|").split("|") for line in lines])


@pytest.fixture(scope="module", params=[(1,), (1, 2, 3)], ids=["one repeat", "three repeats"])
def run(request, tmp_path_factory):
    """A finished run of two arms with its two pages; no test changes it."""
    folder = tmp_path_factory.mktemp("pages")
    source = folder / "small.yaml"
    source.write_text(SMALL_MANIFEST)
    for dataset in ("animals", "flowers"):
        (folder / "images" / dataset).mkdir(parents=True)
        for number in range(len(finished_run.IMAGES)):
            Image.new("RGB", (8, 4), "olive").save(folder / "images" / dataset / f"{number}.png")
    for name in ("animals", "flowers", "weights"):
        (folder / "raw" / name).mkdir(parents=True)
        (folder / "raw" / name / f"{name}.bin").write_bytes(b"abc")
    with pytest.MonkeyPatch.context() as monkeypatch:
        finished_run.add_arm(monkeypatch)
        finished_run.finish(folder, source, monkeypatch, request.param)
        finished_run.add_answer(folder, source, monkeypatch)
        finished_run.call(report.main, monkeypatch, finished_run.report_options(folder, source))
        finished_run.call(record.main, monkeypatch, finished_run.record_options(folder, source))
    return folder


@pytest.fixture
def pages(run):
    """The rows of all tables of the report and of the recorded page."""
    html = (run / "plots" / "report.html").read_text(encoding="utf-8")
    markdown = (run / "docs" / "paper" / "README.md").read_text(encoding="utf-8")
    return clean(Tables(html).rows), rows_of_markdown(markdown)


def rows_named(rows, names, width):
    return [row for row in rows if row[0].split(" (")[0] in names and len(row) == width]


def test_both_pages_have_the_same_line_for_each_claim(run, pages):
    claims = tables.read_json(run / "metrics" / "claims.json")["claims"]
    shorts = [finished_run.PAPER["claims"][name]["short"] for name in Claims.model_fields]
    html, markdown = (rows_named(rows, shorts, 6) for rows in pages)
    assert html == markdown
    assert [row[0] for row in html] == shorts
    for row, name in zip(html, Claims.model_fields, strict=True):
        claim = claims[name]
        assert row[4] == claim["verdict"]
        for cell, dataset in zip(row[2:4], NAMES, strict=True):
            told = claim["datasets"].get(dataset)
            assert cell.rpartition(": ")[2].partition(" (")[0] == (told["verdict"] if told else "not measured")
        open_ones = [told for told in claim["datasets"].values() if told["settle"]]
        assert all(told["settle"] in row[5] for told in open_ones)


def test_each_claim_is_said_in_about_seven_words():
    claims = paper.load(Path("data/paper.yaml")).claims
    shorts = [getattr(claims, name).short for name in Claims.model_fields]
    assert [short for short in shorts if not 5 <= len(short.split()) <= 8] == []


def test_both_pages_have_the_same_results_and_they_are_those_of_the_tables(run, pages):
    html, markdown = (rows_named(rows, set(summary_of(run).index), 7) for rows in pages)
    html, markdown = ([row for row in rows if "(" in row[3]] for rows in (html, markdown))
    assert html == markdown
    summary, spent = summary_of(run), pd.read_csv(run / "plots/costs/costs.csv").set_index("variant")
    assert {row[0].split(" (")[0] for row in html} == set(summary.index)
    for row in html:
        name = row[0].split(" (")[0]
        assert row[3].endswith(f"({summary.loc[name, 'best_val_loss_epoch']})")
        told = spent.loc[name]
        if told["reached"] == told["repeats"]:
            assert int(row[4].split(" ")[0]) == round(told["epochs_to_target"])
        else:
            some = f"{told['reached']} of {told['repeats']} repeats reach it"
            assert row[4] == (some if told["reached"] else f"> {told['epochs']}")


def summary_of(run: Path) -> pd.DataFrame:
    return pd.read_csv(run / "plots/tables/summary.csv").set_index("variant")


def test_the_arms_stand_apart_the_papers_first_and_by_the_epoch_of_the_switch(pages):
    for rows in pages:
        order = [row[0] for row in rows_named(rows, finished_run.EPOCHS, 7) if "(" in row[3]]
        arm = [row[0] for row in rows if len(row) == 7 and row[0].endswith("-quick")]
        assert order[:3] == ["animals-0-3", "animals-2-1", "flowers-1-1"]
        assert arm == ["animals-0-3-quick", "animals-2-1-quick"]


def test_ours_stand_beside_the_papers_numbers_at_the_same_place(pages):
    for rows in pages:
        beside = [row for row in rows if row[0] == "animals-2-1" and row[1] == "1.1"]
        assert beside == [
            [
                *("animals-2-1", "1.1", "0.700 (≈ 0.8, \u22120.100, last transfer epoch)", "0.600", "0.850"),
                *("0.400 (≈ 0.35, +0.050)", ""),
            ]
        ]
        beside = [row for row in rows if row[0] == "animals-0-3" and row[1] == "1.2"]
        assert beside[0][5] == "0.300 (≈ 0.4, \u22120.100, best epoch)"
        assert beside[0][6] == "the best; loss looks settled from epoch ≈ 2"


def test_both_pages_tell_the_converged_head_s_level(run):
    for page in ("plots/report.html", "docs/paper/README.md"):
        text = (run / page).read_text(encoding="utf-8")
        found = re.findall(
            r"([A-Z][a-z ]+): a converged head on the frozen backbone has a validation loss of ([\d.]+)", text
        )
        assert [(title, float(loss)) for title, loss in found] == [
            (title, pytest.approx(finished_run.CONVERGED, abs=1e-3)) for title in NAMES.values()
        ]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ((-0.054617, -0.074534, -0.0347), "\u22120.0546 (\u22120.0745 to \u22120.0347)"),
        ((-20.0, None, None), "\u221220"),
        ((31, float("nan"), float("nan")), "31"),
        ((0.9, 0.25, 0.912345), "0.900 (0.250 to 0.912)"),
        ((123.45, None, None), "123"),
        ((24800.0, 24800.0, 25000.5), "24,800 (24,800 to 25,000)"),
        ((-1.25e11, None, 0.0), "\u2212125 billion"),
        ((-7.68e11, -5.94e12, 4.41e12), "\u22120.768 (\u22125.94 to 4.41) trillion"),
        ((None, None, None), ""),
    ],
)
def test_an_interval_stands_behind_its_value(told, expected):
    assert render.interval(dict(zip(("value", "low", "high"), told, strict=True))) == expected


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("epochs to the target, 0 + 3 minus 2 + 1", "\u221237 (\u221251 to \u221224)"),
        ("fine epochs of 0-3 that are enough, of 3", "\u221237 (\u221251 to \u221224)"),
        ("validation loss, 0-3 stopped after 2 epochs", "\u221237.3 (\u221251.0 to \u221223.7)"),
    ],
)
def test_epochs_are_whole_numbers(what, expected):
    assert render.interval({"what": what, "value": -37.333, "low": -51.015, "high": -23.652}) == expected


def test_a_certain_number_of_epochs_has_no_interval():
    assert render.interval({"what": "epochs to the target", "value": 12.0, "low": 12.0, "high": 12.0}) == "12"


def test_a_text_ends_no_cell_of_a_table_in_markdown(tmp_path, monkeypatch):
    monkeypatch.setattr(render, "FOLDER", tmp_path)
    for name in ("page.md.jinja", "page.html.jinja"):
        (tmp_path / name).write_text("{% for each in texts %}| {{ each.text }} |{% endfor %}")
    content = {"texts": [{"text": "a|b <i>"}]}
    assert render.render("page.md.jinja", content) == "| a\\|b <i> |"
    assert render.render("page.html.jinja", content) == "| a|b &lt;i&gt; |"


def test_every_verdict_has_a_style(run):
    page = (run / "plots" / "report.html").read_text(encoding="utf-8")
    styled = set(re.findall(r"\.([a-z-]+)[ ,]", page[page.index("<style>") : page.index("</style>")]))
    words = (*get_args(equivalence.Word), "holds", "does not")
    assert {word.replace(" ", "-") for word in words} <= styled
    shown = set(re.findall(r'class="verdict ([^"]*)"', page))
    assert shown
    assert shown <= styled


def test_texts_that_all_data_sets_have_stand_once():
    assert facts._once({"Cats": "more", "Roses": "more"}) == "more"
    assert facts._once({"Cats": "more", "Roses": "less"}) == "Cats: more; Roses: less"
    assert facts._once({"Cats": "", "Roses": "less"}) == "Roses: less"
    assert facts._once({"Cats": None}) == ""


def test_the_words_of_a_claim_are_those_of_its_file(run):
    told = yaml.safe_load((run / "paper.yaml").read_text(encoding="utf-8"))["claims"]
    for page in ("plots/report.html", "docs/paper/README.md"):
        text = (run / page).read_text(encoding="utf-8")
        places = [text.find(told[name]["text"]) for name in Claims.model_fields]
        assert -1 not in places
        assert places == sorted(places)
        assert all(told[name]["primary"] in text for name in Claims.model_fields)
