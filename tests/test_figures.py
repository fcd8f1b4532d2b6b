"""The figures of a small finished run: what they show, that they name their source, the same bytes twice."""

import shutil
from dataclasses import replace

import finished_run
import made_up_study
import matplotlib.image
import matplotlib.pyplot as plt
import numpy as np
import pytest

from stages import costs as costs_stage
from stages import figures, summarize
from stages.common import manifest, params, tables
from stages.common.command import ThawError
from stages.drawing import cost_figure, dip_figure, drawing, style_figure, switch_figure
from stages.study import costs

PICTURES = [*finished_run.SCHEDULES, "animals", "flowers", "fine_share", "dip", "styles", "switch"]


def summarized(folder, source, monkeypatch, seeds=(1,)):
    finished_run.write(folder, source, seeds)
    finished_run.call(summarize.main, monkeypatch, finished_run.summarize_options(folder, source))
    finished_run.call(costs_stage.main, monkeypatch, finished_run.costs_options(folder, source))
    return folder


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory, source):
    """A run with its tables and costs; no test changes it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        return summarized(tmp_path_factory.mktemp("run"), source, monkeypatch)


@pytest.fixture
def run(unchanged, tmp_path):
    """A copy of the run, for a test to change."""
    return shutil.copytree(unchanged, tmp_path / "run")


@pytest.fixture(scope="module")
def study(unchanged):
    return read(unchanged)


@pytest.fixture(autouse=True)
def figures_closed():
    yield
    plt.close("all")


def read(folder):
    settings = params.load(folder / "params.yaml")
    table, source = folder / "plots/tables/summary.csv", manifest.load(folder / settings.source)
    return figures.read_study(settings, table, folder / "plots", folder / "results", source)


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


@pytest.fixture(scope="module")
def drawn(tmp_path_factory, unchanged, source):
    """The folder of all pictures of the run."""
    folder = shutil.copytree(unchanged, tmp_path_factory.mktemp("drawn") / "run")
    with pytest.MonkeyPatch.context() as monkeypatch:
        finished_run.call(figures.main, monkeypatch, finished_run.figures_options(folder, source))
    return folder / "plots/figures"


def test_the_whole_stage_writes_every_picture_with_the_same_bytes_twice(drawn, run, source, monkeypatch):
    first = {path.stem: path.read_bytes() for path in drawn.glob("*.png")}
    assert sorted(first) == sorted(PICTURES)
    finished_run.call(figures.main, monkeypatch, finished_run.figures_options(run, source))
    assert {path.stem: path.read_bytes() for path in (run / "plots/figures").glob("*.png")} == first


def test_a_picture_is_wide_enough_for_a_readme_and_carries_no_version(drawn):
    path = drawn / "animals.png"
    height, width, _ = matplotlib.image.imread(path).shape
    assert 1200 <= width <= 2000
    assert width > height
    assert b"Software" not in path.read_bytes()


def test_a_variant_shows_training_and_validation(study, source):
    figure = figures.draw_variant(study, study.variants[0], manifest.load(source))
    accuracy, loss = figure.axes
    assert curves(accuracy) == {
        "training": [(1, 0.5), (2, 0.7), (3, 0.6)],
        "validation": [(1, 0.6), (2, 0.8), (3, 0.85)],
    }
    assert curves(loss) == {
        "training": [(1, 0.7), (2, 0.5), (3, 0.6)],
        "validation": [(1, 0.65), (2, 0.45), (3, 0.4)],
    }
    assert texts(figure) == ["Cats and dogs: 2 transfer + 1 fine epochs", "images: small things; one repeat"]
    assert legend(figure) == ["training", "validation"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["epoch", "epoch"]


@pytest.mark.parametrize(("number", "border"), [(0, 2.5), (1, 0.5), (2, 1.5)])
def test_the_start_of_fine_tuning_is_marked_before_its_first_epoch(study, source, number, border):
    for axes in figures.draw_variant(study, study.variants[number], manifest.load(source)).axes:
        lines = [line for line in axes.get_lines() if line.get_label().startswith("_")]
        assert [list(line.get_xdata()) for line in lines] == [[border, border]]
        assert [text.get_text() for text in axes.texts] == ["fine-tuning starts"]


def test_a_variant_without_fine_tuning_has_no_mark(study, source):
    first = study.variants[0]
    history = first.history.assign(phase="transfer")
    frozen = figures.Variant("trial", {"dataset": "animals", "transfer": 3, "fine": 0}, history, first.runs)
    figure = figures.draw_variant(study, frozen, manifest.load(source))
    assert texts(figure)[0] == "Cats and dogs: schedule under trial, 3 transfer + 0 fine epochs"
    assert [(len(axes.get_lines()), len(axes.texts)) for axes in figure.axes] == [(2, 0), (2, 0)]


def test_a_data_set_shows_all_its_variants_and_the_trial(study, source):
    figure = figures.draw_dataset(study, "flowers", [study.variants[2], study.variants[4]], manifest.load(source))
    assert curves(figure.axes[1]) == {"1 + 1": [(1, 0.6), (2, 0.55)], "schedule under trial: 0 + 1": [(1, 0.61)]}
    assert [line.get_markevery() for line in figure.axes[1].get_lines()] == [[1], [0]]
    assert legend(figure) == ["1 + 1", "schedule under trial: 0 + 1", "fine-tuning starts"]
    assert texts(figure) == [
        "Roses and tulips: validation results of every schedule",
        "images: small things; one repeat",
    ]


def test_curves_of_a_data_set_darken_with_the_share_of_fine_tuning(study, source):
    figure = figures.draw_dataset(study, "animals", study.variants[:2], manifest.load(source))
    light, dark = (line.get_color() for line in figure.axes[0].get_lines())
    assert sum(light[:3]) > sum(dark[:3])


def test_final_values_stand_over_the_share_of_fine_tuning(study, source):
    figure = figures.draw_fine_share(study, manifest.load(source))
    assert curves(figure.axes[1]) == {
        "Cats and dogs": [(0.333333, 0.4), (1.0, 0.35)],
        "Roses and tulips": [(0.5, 0.55)],
        "Roses and tulips, schedule under trial: 0 + 1": [(1.0, 0.61)],
    }
    assert legend(figure) == list(curves(figure.axes[0]))


def test_a_variant_that_the_table_lacks_is_refused(run):
    table = run / "plots" / "tables" / "summary.csv"
    table.write_text("".join(line for line in table.open() if not line.startswith("animals-0-3,")))
    with pytest.raises(ThawError) as caught:
        read(run)
    assert str(caught.value) == f"{table}: has no animals-0-3; run the stage that writes it, `summarize`"


def test_a_table_of_another_run_is_refused(run):
    table = run / "plots" / "tables" / "summary.csv"
    table.write_text(table.read_text().replace("animals-2-1,animals,2,1", "animals-2-1,animals,1,2"))
    with pytest.raises(ThawError, match="animals-2-1 there has other epochs than in its csv"):
        read(run)


@pytest.fixture(scope="module")
def repeated(tmp_path_factory, source):
    """The study of two arms with three repeats, the claims that were made of it, and its costs."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        finished_run.add_arm(monkeypatch)
        folder = summarized(tmp_path_factory.mktemp("repeated"), source, monkeypatch, seeds=(1, 2, 3))
    claims = tables.read_json(folder / "metrics" / "claims.json")
    return read(folder), claims, costs.read(folder / "plots" / "costs" / "costs.csv")


def band(collection):
    """Lower and upper edge of a band, by its place on the x axis."""
    points = collection.get_paths()[0].vertices
    return {
        float(x): (points[points[:, 0] == x, 1].min(), points[points[:, 0] == x, 1].max()) for x in set(points[:, 0])
    }


def test_bands_are_the_intervals_that_they_are_said_to_be(repeated, source):
    study, *_ = repeated
    figure = figures.draw_variant(study, study.variants[0], manifest.load(source))
    accuracy, loss = figure.axes
    half = 4.302653 * finished_run.SHIFT / 3**0.5  # Student's t of three repeats that lie SHIFT apart
    training, validation = accuracy.collections[0], loss.collections[1]
    assert band(training) == {x: pytest.approx((y - half, y + half)) for x, y in ((1, 0.5), (2, 0.7), (3, 0.6))}
    summary = interval_of(study.variants[0])
    assert band(validation)[3] == pytest.approx(summary, abs=1e-6)
    assert texts(figure)[1].endswith("\nbands: 95% intervals over repeats, for validation also over pictures")
    shares = figures.draw_fine_share(study, manifest.load(source))
    assert band(shares.axes[1].collections[0])[0.333333] == pytest.approx(summary, abs=1e-6)
    assert texts(shares)[1].endswith("\nbands: 95% intervals over repeats and pictures")


def interval_of(variant):
    """The interval of the final validation loss as plots/tables/summary.csv has it."""
    return variant.metrics["final_val_loss_low"], variant.metrics["final_val_loss_high"]


def test_no_band_reaches_above_an_accuracy_of_1(tmp_path, source, monkeypatch):
    monkeypatch.setitem(finished_run.EPOCHS, "trial", [(0.99, 0.62, 0.99, 0.61)])
    finished_run.write(tmp_path, source, seeds=(1, 2, 3))
    finished_run.call(summarize.main, monkeypatch, finished_run.summarize_options(tmp_path, source))
    study = read(tmp_path)
    accuracy, _ = figures.draw_variant(study, study.variants[-1], manifest.load(source)).axes
    # Student's t reaches to 1.015; the repeats themselves lie between 0.98 and 1.
    assert band(accuracy.collections[0]) == {1.0: pytest.approx((0.98, 1.0))}


def test_one_repeat_has_no_band(study, source):
    for figure in (
        figures.draw_variant(study, study.variants[0], manifest.load(source)),
        figures.draw_fine_share(study, manifest.load(source)),
        switch_figure.draw(study, manifest.load(source)),
    ):
        assert {len(axes.collections) for axes in figure.axes} == {0}
        assert texts(figure)[1] == "images: small things; one repeat"


def test_a_figure_without_bands_speaks_of_none(repeated, source):
    study, *_ = repeated
    figure = figures.draw_dataset(study, "animals", study.variants[:2], manifest.load(source))
    assert texts(figure)[1] == "images: small things; means of 3 repeats"


def test_the_switch_is_shown_with_a_line_for_each_head_and_the_converged_head_s_level(repeated, source):
    study, *_ = repeated
    accuracy, loss, *_ = switch_figure.draw(study, manifest.load(source)).axes
    near = {"abs": 1e-3}  # half precision
    found = curves(loss)
    assert list(found) == ["default head", "head learning rate 0.001", "converged head"]
    assert np.array(found["default head"]) == pytest.approx(np.array([(0, 0.35), (2, 0.4)]), **near)
    assert np.array(found["head learning rate 0.001"]) == pytest.approx(np.array([(0, 0.33), (2, 0.38)]), **near)
    assert found["converged head"][0][1] == pytest.approx(finished_run.CONVERGED, **near)
    edges = band(loss.collections[0])
    assert edges[2.0] == pytest.approx(interval_of(study.variants[0]), abs=1e-6)
    assert list(curves(accuracy)) == list(found)


def test_each_arm_of_a_data_set_has_a_row_of_its_own(repeated, source):
    study, *_ = repeated
    members = [variant for variant in study.variants if variant.dataset == "animals"]
    figure = figures.draw_dataset(study, "animals", members, manifest.load(source))
    assert [axes.get_title(loc="left") for axes in figure.axes[::2]] == ["default head", "head learning rate 0.001"]
    assert curves(figure.axes[3])["0 + 3"][-1] == pytest.approx((3, 0.33))
    assert legend(figure) == ["2 + 1", "0 + 3", "fine-tuning starts"]


def test_an_arm_without_a_schedule_that_starts_fine_tuning_shows_the_thesis_s_on_the_same_axes(repeated, source):
    study, *_ = repeated
    animals = [variant for variant in study.variants if variant.dataset == "animals"]
    members = [variant for variant in animals if variant.transfer or variant.in_grid]
    figure = figures.draw_dataset(study, "animals", members, manifest.load(source))
    default, tuned = figure.axes[1], figure.axes[3]
    assert len(curves(tuned)) == 2
    assert curves(tuned)["0 + 3"] == curves(default)["0 + 3"]
    assert tuned.get_ylim() == default.get_ylim()


def test_a_further_arm_that_never_thaws_has_no_row(repeated, source):
    study, *_ = repeated
    animals = [variant for variant in study.variants if variant.dataset == "animals"]
    never = {"transfer": 3, "fine": 0}
    members = [replace(each, metrics={**each.metrics, **never}) if each.kind == "tuned" else each for each in animals]
    figure = figures.draw_dataset(study, "animals", members, manifest.load(source))
    assert len(figure.axes) == 2  # the default head's accuracy and loss
    assert set(curves(figure.axes[1])) == {"2 + 1", "0 + 3"}


def test_costs_grow_from_epoch_to_epoch_and_the_frontier_is_the_lowest(repeated, source):
    study, _, spent = repeated
    figure = cost_figure.draw(study.variants, spent, manifest.load(source), 0.95)
    adds, seconds, *_ = figure.axes
    lines = [list(zip(*line.get_data(), strict=True)) for line in adds.get_lines()]
    slow = [(1000, 0.65), (2000, 0.45), (4000, 0.4)]
    fast = [(2000, 0.5), (4000, 0.3), (6000, 0.35)]
    frontier = [(1000, 0.63), (2000, 0.43), (4000, 0.28)]  # of the other arm, whose losses are the lower
    assert [line for line in (slow, fast) if line not in lines] == []
    assert np.array(lines[-1]) == pytest.approx(np.array(frontier))
    assert sorted(text.get_text() for text in adds.texts) == ["0 + 3", "2 + 1"]  # each once, for both arms
    assert (6, 0.4) in [tuple(line.get_xydata()[-1]) for line in seconds.get_lines()]


def test_a_schedule_has_the_colour_of_its_data_set_s_figure(repeated, source):
    study, _, spent = repeated
    costs_of = cost_figure.draw(study.variants, spent, manifest.load(source), 0.95)
    members = [variant for variant in study.variants if variant.dataset == "animals"]
    curves_of = figures.draw_dataset(study, "animals", members, manifest.load(source))
    ends = {tuple(line.get_xydata()[-1])[1]: line.get_color() for line in costs_of.axes[0].get_lines()[:-1]}
    shown = {tuple(line.get_xydata()[-1])[1]: line.get_color() for line in curves_of.axes[1].get_lines()}
    assert shown.items() <= ends.items()


def test_eight_looks_differ_in_colour_mark_and_dashes():
    assert [len(set(part)) for part in zip(*drawing.LOOKS, strict=True)] == [8, 8, 8]


def test_the_dip_is_shown_with_its_parts(repeated, source):
    study, claims, _ = repeated
    figure = dip_figure.draw(study, claims["dip_parts"], manifest.load(source))
    border, parts, *_ = figure.axes
    assert curves(border) == {
        "training, batch statistics": [(1, 0.7), (2, 0.5), (3, 0.6)],
        "training, moving statistics": [(1, 0.7), (2, 0.5), (3, 0.4)],
        "training, clean": [(1, 0.65), (2, 0.45), (3, 0.55)],
        "validation": [(1, 0.65), (2, 0.45), (3, 0.4)],
    }
    # Reported: 0.6 - 0.5. Batch statistics: 0.6 - 0.4. Clean: 0.55 - 0.45. The rest: 0.1 - 0.2 - 0.1.
    assert [bar.get_width() for bar in parts.patches] == pytest.approx([0.1, 0.2, -0.2, 0.1])


def test_a_data_set_without_moving_statistics_shows_the_dip_alone(repeated, source):
    study, *_ = repeated
    figure = dip_figure.draw(replace(study, variants=study.variants[2:3]), {}, manifest.load(source))
    (border,) = figure.axes
    assert "training, moving statistics" not in curves(border)
    assert texts(figure)[0] == "Loss where fine-tuning starts"


def test_styles_are_shown_beside_the_plain_schedule(repeated, source):
    study, claims, _ = repeated
    figure = style_figure.draw(study, claims["styles"], manifest.load(source))
    losses, differences = figure.axes
    assert curves(losses) == {
        "plain": [(1, 0.65), (2, 0.45), (3, 0.4)],
        "batch norm moving": [(1, 0.65), (2, 0.45), (3, 0.38)],
    }
    assert [label.get_text() for label in differences.get_yticklabels()] == ["2 + 1 moving"]
    assert differences.get_lines()[1].get_xdata()[0] == pytest.approx(-0.02, abs=1e-4)  # half precision


def test_the_same_style_of_several_schedules_is_told_apart_by_their_epochs(source):
    adam = {"fine_optimizer": "adam", "fine_rate": 1e-5}
    losses = {"val_loss": [[0.9, 0.8, 0.4], [0.9, 0.8, 0.5]]}
    plain = [made_up_study.variant(f"animals-{epochs}", **losses) for epochs in ("2-1", "0-3")]
    own = [made_up_study.variant(f"animals-{epochs}-adam", own_keys=adam, **losses) for epochs in ("2-1", "0-3")]
    styles = {each.name: {"value": 0.1, "low": 0.0, "high": 0.2} for each in own}
    figure = style_figure.draw(made_up_study.study(*plain, *own), styles, manifest.load(source))
    assert [label.get_text() for label in figure.axes[1].get_yticklabels()] == [
        "2 + 1 adam",
        "0 + 3 adam",
    ]
    assert "fine optimizer adam, fine learning rate 1e-5" in curves(figure.axes[0])


def test_a_data_set_with_and_one_without_moving_statistics_leave_no_panel_empty(repeated, source):
    study, claims, _ = repeated
    figure = dip_figure.draw(study, claims["dip_parts"], manifest.load(source))
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["Cats and dogs, 2 + 1", "", "Roses and tulips, 1 + 1"]
    assert all(axes.has_data() for axes in figure.axes)


def test_a_picture_with_nothing_to_show_is_not_drawn(tmp_path, source, monkeypatch):
    # A new mapping: undoing the removal of items would put them back in another order, for all later tests.
    few = {name: schedule for name, schedule in finished_run.SCHEDULES.items() if name in ("animals-0-3", "trial")}
    monkeypatch.setattr(finished_run, "SCHEDULES", few)
    finished_run.finish(tmp_path, source, monkeypatch, seeds=(1, 2, 3))
    drawn = sorted(path.stem for path in (tmp_path / "plots/figures").iterdir())
    assert drawn == ["animals", "animals-0-3", "fine_share", "flowers", "switch", "trial"]


def test_a_style_of_one_repeat_has_no_interval(study, source, run):
    claims = tables.read_json(run / "metrics" / "claims.json")
    _, differences = style_figure.draw(study, claims["styles"], manifest.load(source)).axes
    assert [len(line.get_xdata()) for line in differences.get_lines()[:-1]] == [1]


@pytest.mark.parametrize(("epochs", "fine"), [(3, 3), (2, 2)], ids=["the same", "stopped early"])
def test_a_trial_that_repeats_a_schedule_is_not_drawn_over_it(tmp_path, source, monkeypatch, epochs, fine):
    monkeypatch.setitem(finished_run.EPOCHS, "trial", finished_run.EPOCHS["animals-0-3"][:epochs])
    monkeypatch.setitem(finished_run.SCHEDULES, "trial", {"dataset": "animals", "transfer": 0, "fine": fine})
    finished_run.write(tmp_path, source)
    finished_run.call(summarize.main, monkeypatch, finished_run.summarize_options(tmp_path, source))
    study = read(tmp_path)
    members = [variant for variant in study.variants if variant.dataset == "animals"]
    figure = figures.draw_dataset(study, "animals", members, manifest.load(source))
    assert list(curves(figure.axes[1])) == ["2 + 1", "0 + 3"]
    shares = curves(figures.draw_fine_share(study, manifest.load(source)).axes[1])
    assert ("Cats and dogs, schedule under trial: 0 + 2" in shares) == (epochs == 2)
    assert "Cats and dogs, schedule under trial: 0 + 3" not in shares


@pytest.mark.parametrize("own_keys", [{}, {"head_rate": 0.001}], ids=["above", "below"])
def test_the_names_of_schedules_that_cost_about_the_same_do_not_overlap(source, own_keys):
    losses = [[0.5 - epoch / 100 for epoch in range(40)]]
    members = [
        made_up_study.variant(f"animals-{transfer}-{40 - transfer}", own_keys=own_keys, val_loss=losses * 3)
        for transfer in (0, 1, 2, 3, 20)
    ]
    spent = costs.table(made_up_study.study(*members), made_up_study.seconds(*members)).set_index("variant")
    figure = cost_figure.draw(members, spent, manifest.load(source), 0.95)
    for axes in figure.axes:
        inked = [ink(figure, text) for text in axes.texts]
        assert len(inked) == 5
        assert all(each.any() for each in inked)
        assert sum(each.astype(int) for each in inked).max() == 1


def ink(figure, text):
    """Where the text alone leaves ink: a boolean for each pixel of the figure."""
    for artist in figure.findobj():
        artist.set_visible(artist in (figure, figure.patch, text.axes, text))
    figure.canvas.draw()
    return (np.asarray(figure.canvas.buffer_rgba())[..., :3] < 200).any(axis=-1)
