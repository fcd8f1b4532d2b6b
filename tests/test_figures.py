"""The figures of a small finished run: what they show, that they name their source, the same bytes twice."""

import finished_run
import matplotlib.image
import matplotlib.pyplot as plt
import pytest

from stages import figures, summarize
from stages.lib import manifest
from stages.lib.command import ThawError

PICTURES = [*finished_run.SCHEDULES, "animals", "flowers", "fine_share", "costs", "dip", "styles"]


@pytest.fixture
def source(small_manifest, write_manifest):
    return write_manifest(small_manifest)


@pytest.fixture
def run(tmp_path, source, monkeypatch):
    finished_run.write(tmp_path, source)
    finished_run.call(summarize.main, monkeypatch, finished_run.summarize_options(tmp_path, source))
    return tmp_path


@pytest.fixture
def study(run):
    yield figures.read_study(list(finished_run.SCHEDULES), run / "plots" / "summary.csv", run / "plots", run / "models")
    plt.close("all")


def curves(axes):
    """The points of each curve, by its name in the legend."""
    return {
        line.get_label(): list(zip(line.get_xdata(), line.get_ydata(), strict=True))
        for line in axes.get_lines()
        if not line.get_label().startswith("_")
    }


def texts(figure):
    return [text.get_text() for text in figure.texts]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_the_whole_stage_writes_every_picture_with_the_same_bytes_twice(run, source, monkeypatch):
    options = finished_run.figures_options(run, source)
    finished_run.call(figures.main, monkeypatch, options)
    first = {path.stem: path.read_bytes() for path in (run / "plots").glob("*.png")}
    assert sorted(first) == sorted(PICTURES)
    finished_run.call(figures.main, monkeypatch, options)
    assert {path.stem: path.read_bytes() for path in (run / "plots").glob("*.png")} == first


def test_a_picture_is_wide_enough_for_a_readme_and_carries_no_version(run, source, monkeypatch):
    finished_run.call(figures.main, monkeypatch, finished_run.figures_options(run, source))
    path = run / "plots" / "animals.png"
    height, width, _ = matplotlib.image.imread(path).shape
    assert 1200 <= width <= 2000
    assert width > height
    assert b"Software" not in path.read_bytes()


def test_a_variant_shows_training_and_validation(study, source):
    figure = figures.draw_variant(study[0], manifest.load(source), 0.95)
    accuracy, loss = figure.axes
    assert curves(accuracy) == {
        "training": [(1, 0.5), (2, 0.7), (3, 0.6)],
        "validation": [(1, 0.6), (2, 0.8), (3, 0.85)],
    }
    assert curves(loss) == {
        "training": [(1, 0.7), (2, 0.5), (3, 0.6)],
        "validation": [(1, 0.65), (2, 0.45), (3, 0.4)],
    }
    assert texts(figure) == ["Cats and dogs: 2 transfer + 1 fine epochs", "images: small things; one seed"]
    assert legend(figure) == ["training", "validation"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["epoch", "epoch"]


@pytest.mark.parametrize(("number", "border"), [(0, 2.5), (1, 0.5), (2, 1.5)])
def test_the_start_of_fine_tuning_is_marked_before_its_first_epoch(study, source, number, border):
    for axes in figures.draw_variant(study[number], manifest.load(source), 0.95).axes:
        lines = [line for line in axes.get_lines() if line.get_label().startswith("_")]
        assert [list(line.get_xdata()) for line in lines] == [[border, border]]
        assert [text.get_text() for text in axes.texts] == ["fine-tuning starts"]


def test_a_variant_without_fine_tuning_has_no_mark(study, source):
    history = study[0].history.assign(phase="transfer")
    plain = figures.Variant("trial", {"dataset": "animals", "transfer": 3, "fine": 0}, history, study[0].runs)
    figure = figures.draw_variant(plain, manifest.load(source), 0.95)
    assert texts(figure)[0] == "Cats and dogs: trial, 3 transfer + 0 fine epochs"
    assert [(len(axes.get_lines()), len(axes.texts)) for axes in figure.axes] == [(2, 0), (2, 0)]


def test_a_data_set_shows_all_its_variants_and_the_trial(study, source):
    figure = figures.draw_dataset("flowers", study[2:4], manifest.load(source), 0.95)
    assert curves(figure.axes[1]) == {"1 + 1": [(1, 0.6), (2, 0.55)], "trial: 0 + 1": [(1, 0.61)]}
    assert [line.get_markevery() for line in figure.axes[1].get_lines()] == [[1], [0]]
    assert legend(figure) == ["1 + 1", "trial: 0 + 1", "fine-tuning starts"]
    assert texts(figure) == ["Roses and tulips: validation under every schedule", "images: small things; one seed"]


def test_curves_of_a_data_set_darken_with_the_share_of_fine_tuning(study, source):
    figure = figures.draw_dataset("animals", study[:2], manifest.load(source), 0.95)
    light, dark = (line.get_color() for line in figure.axes[0].get_lines())
    assert sum(light[:3]) > sum(dark[:3])


def test_final_values_stand_over_the_share_of_fine_tuning(study, source):
    figure = figures.draw_fine_share(study, manifest.load(source), 0.95)
    assert curves(figure.axes[1]) == {
        "Cats and dogs": [(0.333333, 0.4), (1.0, 0.35)],
        "Roses and tulips": [(0.5, 0.55)],
        "Roses and tulips, trial: 0 + 1": [(1.0, 0.61)],
    }
    assert legend(figure) == list(curves(figure.axes[0]))


def test_a_variant_that_the_table_lacks_is_refused(run, source):
    table = run / "plots" / "summary.csv"
    with pytest.raises(ThawError) as caught:
        figures.read_study(["animals-9-9", "trial"], table, run / "plots", run / "models")
    assert str(caught.value) == f"{table}: has no animals-9-9; run the stage that writes it, `summarize`"


def test_a_table_of_another_run_is_refused(run):
    table = run / "plots" / "summary.csv"
    table.write_text(table.read_text().replace("animals-2-1,animals,2,1", "animals-2-1,animals,1,2"))
    with pytest.raises(ThawError, match="animals-2-1 there has other epochs than in its csv"):
        figures.read_study(["animals-2-1"], table, run / "plots", run / "models")
