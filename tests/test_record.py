"""The record of a small finished run: the files it copies, the page beside the paper, and what it refuses."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import finished_run
import numpy as np
import pytest
import yaml
from scipy import stats

from stages import record
from stages.common import params, tables
from stages.common.command import ThawError
from stages.pages import render
from stages.results import repeats
from stages.study import claims, comparisons, evidence, paper, variants

LINES = [
    "# The study on small things, compared with the thesis",
    "- Every schedule ran once (seed 1), so differences between schedules may be chance.",
    "| backbone | MobileNetV2, alpha 0.35, 96 by 96 pixels |",
    "| versions | keras 3.1.2, python 3.11.0 |",
    "| machine | cores 2, cpu abacus |",
    "The thesis gives 3 of these numbers. Ours is worse in 2 of them. The median difference, in accuracy or loss, is "
    "0.10; the largest is 0.10, in training accuracy of animals-2-1.",
    "| animals-2-1 | 0.850 | 0.400 | 0.400 (3) | > 3 | 4,000 | 6 |",
    "| trial (roses and tulips, 0 + 1) | 0.700 | 0.610 | 0.610 (1) | > 1 | 2,000 | 3 |",
]


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory, source):
    """A finished run with its params, downloads and the paper's numbers; no test changes it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        return finished(tmp_path_factory.mktemp("finished"), source, monkeypatch)


@pytest.fixture
def run(unchanged, tmp_path):
    """A copy of the finished run, for a test to change."""
    return shutil.copytree(unchanged, tmp_path / "run")


def finished(folder, source, monkeypatch, **options):
    for name in ("animals", "flowers", "weights"):
        (folder / "raw" / name).mkdir(parents=True)
        (folder / "raw" / name / f"{name}.bin").write_bytes(b"abc")
    finished_run.finish(folder, source, monkeypatch, **options)
    return folder


def call(folder, source, monkeypatch):
    finished_run.call(record.main, monkeypatch, finished_run.record_options(folder, source))


def refusal(folder, source, monkeypatch):
    with pytest.raises(ThawError) as caught:
        call(folder, source, monkeypatch)
    assert not (folder / "docs" / "paper").exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_record_holds_the_run_and_a_page_beside_the_paper(run, source, monkeypatch):
    call(run, source, monkeypatch)
    out = run / "docs" / "paper"
    page = (out / "README.md").read_text(encoding="utf-8")
    lines = page.splitlines()
    assert [line for line in LINES if line not in lines] == []
    for name in ("animals", "flowers", "weights"):
        digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # of abc, as in FIPS 180
        assert f"| {name} | `{name}.bin` | 3 | `{digest}` |" in lines
    copied = {path.relative_to(out): content(path) for path in out.rglob("*") if path.is_file()}
    del copied[Path("README.md")]
    assert copied == {path: content(run / path) for path in copied}
    names = list(finished_run.SCHEDULES)
    pictures = [*names, "animals", "flowers", "fine_share", "dip", "styles", "switch"]
    logits = [*names, "animals-converged", "flowers-converged"]
    assert sorted(map(str, copied)) == sorted(
        ["paper.yaml", "params.yaml"]
        + [f"metrics/{name}.json" for name in (*names, "summary", "claims")]
        + [f"plots/{name}.csv" for name in (*names, *finished_run.TABLES)]
        + [f"plots/figures/{name}.png" for name in pictures]
        + ["plots/costs/costs.png"]
        + [f"results/{name}/epochs.csv" for name in names]
        + [f"results/{name}/logits.npz" for name in logits]
    )


def content(path):
    """The bytes of a file; of logits each array, since the record has them compressed."""
    if path.suffix != ".npz":
        return path.read_bytes()
    with np.load(path) as arrays:
        return {name: arrays[name].tobytes() for name in arrays.files}


def test_every_link_of_the_page_leads_to_a_file(run, source, monkeypatch):
    call(run, source, monkeypatch)
    out = run / "docs" / "paper"
    links = re.findall(r"\]\(([^)]+)\)", (out / "README.md").read_text(encoding="utf-8"))
    assert len(links) == len(finished_run.SCHEDULES) + 2 + 5 + 3  # data sets, figures of the study, yaml files
    assert [link for link in links if not (out / link).is_file()] == []


def test_a_variant_of_the_paper_that_did_not_run_is_refused(run, source, monkeypatch):
    told = yaml.safe_load((run / "paper.yaml").read_text(encoding="utf-8"))
    told["variants"]["animals-1-2"] = {}
    (run / "paper.yaml").write_text(yaml.safe_dump(told), encoding="utf-8")
    assert refusal(run, source, monkeypatch) == (
        f"{run / 'plots' / 'tables' / 'summary.csv'}: has no animals-1-2; run `dvc repro`"
    )


@pytest.mark.parametrize(
    "path", ["metrics/trial.json", "plots/animals-0-3.csv", "plots/figures/switch.png", "results/trial/logits.npz"]
)
def test_a_missing_file_of_the_run_is_refused(run, source, monkeypatch, path):
    (run / path).unlink()
    assert refusal(run, source, monkeypatch).startswith(f"{run / path}: no such file; run ")


def test_a_missing_download_is_refused(run, source, monkeypatch):
    (run / "raw" / "weights" / "weights.bin").unlink()
    assert refusal(run, source, monkeypatch) == (
        f"{run / 'raw' / 'weights'}: holds 0 files, not the one downloaded; run `dvc repro`"
    )


def test_other_params_than_the_run_had_are_refused(run, source, monkeypatch):
    finished_run.write_params(run, source, seeds=[2])
    assert refusal(run, source, monkeypatch) == (
        f"{run / 'params.yaml'}: seeds is [2], but animals-2-1 ran with [1]; run `dvc repro`"
    )


def test_a_summary_of_other_results_is_refused(run, source, monkeypatch):
    path = run / "metrics" / "trial.json"
    changed = tables.read_json(path)
    changed["val"]["final"]["loss"] = 0.1
    tables.write_json(changed, path)
    assert refusal(run, source, monkeypatch) == (
        f"{run / 'metrics' / 'summary.json'}: differs from the variants' own jsons; run `dvc repro`"
    )


def jitter(folder):
    """Noise of repeats, and of pictures in each, in all logits: a run without it has intervals of no width."""
    draws = np.random.default_rng(1)
    for name in finished_run.SCHEDULES:
        validations = repeats.read_logits(folder / "results" / name)
        noisy = {number: replace(each, logits=noise(each.logits, draws)) for number, each in validations.items()}
        repeats.write_logits(noisy, folder / "results" / name)


def noise(logits, draws):
    return logits + draws.normal(0, 0.3) + draws.normal(0, 0.1, size=logits.shape)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, source):
    """The record of a run of two arms and three repeats, and nothing else of it; no test changes it."""
    folder = tmp_path_factory.mktemp("recorded")
    with pytest.MonkeyPatch.context() as monkeypatch:
        finished_run.add_arm(monkeypatch)
        run = finished(folder / "run", source, monkeypatch, seeds=(1, 2, 3), change=jitter)
        call(run, source, monkeypatch)
    shutil.move(run / "docs" / "paper", folder / "paper")
    shutil.rmtree(run)
    return folder / "paper"  # with params.yaml as it was recorded


@pytest.mark.parametrize("place", ["made up", "docs/paper"])
def test_every_interval_and_verdict_of_the_claims_is_computed_again_from_the_record_alone(place, request):
    record = request.getfixturevalue("recorded") if place == "made up" else Path(place)
    settings, told = params.load(record / "params.yaml"), paper.load(record / "paper.yaml")
    written = tables.read_json(record / "metrics" / "claims.json")
    folders = [record / name for name in ("metrics", "plots", "results")]
    members = variants.read_all(settings.names, *folders, Path(settings.source))
    margins = told.margins_of(settings.statistics.margin)
    study = evidence.read(members, record / "results", settings.statistics, margins)
    again = claims.content(written["source"], study, comparisons.compare(study), told)
    assert again == written
    rows = [line.split(" | ") for line in (record / "README.md").read_text(encoding="utf-8").splitlines()]
    for name, claim in again["claims"].items():
        (row,) = [row for row in rows if row[0] == f"| {getattr(told.claims, name).short}"]
        assert row[4] == f"**{claim['verdict']}**"
        for cell, dataset in zip(row[2:4], variants.of_datasets(members), strict=True):
            found = claim["datasets"].get(dataset)
            shown = f"{render.interval(found) or 'no estimate'}: {found['verdict']}" if found else "not measured"
            note = f" ({found['note']})" if found and found["note"] and found["value"] is not None else ""
            assert cell == shown + note


def test_the_interval_of_a_claim_follows_from_the_recorded_logits_by_the_formulas_of_the_method(recorded):
    """Plain arithmetic on the files, as docs/method.md has it: two random factors and Satterthwaite's degrees."""
    losses = {}
    for name in ("animals-0-3", "animals-2-1"):
        with np.load(recorded / "results" / name / "logits.npz") as kept:
            losses[name] = np.array([np.log1p(np.exp(-kept[f"logits_{r}"][-1, :, 0].astype(float))) for r in (1, 2, 3)])
    values = losses["animals-0-3"] - losses["animals-2-1"]
    count, pictures = values.shape
    of_repeats, of_pictures = values.mean(axis=1), values.mean(axis=0)
    rest = values - of_repeats[:, None] - of_pictures + values.mean()
    repeat, picture = of_repeats.var(ddof=1) / count, of_pictures.var(ddof=1) / pictures
    both = (rest**2).sum() / ((count - 1) * (pictures - 1)) / values.size
    variance, enlarged = repeat + picture - both, repeat * (count + 1) / (count - 1)
    assert variance > 0
    spread = enlarged**2 / (count - 1) + picture**2 / (pictures - 1) + both**2 / ((count - 1) * (pictures - 1))
    degrees = max(min(count, pictures) - 1, (enlarged + picture - both) ** 2 / spread)
    half = stats.t.ppf(0.975, degrees) * variance**0.5
    told = tables.read_json(recorded / "metrics" / "claims.json")["claims"]["share"]["datasets"]["animals"]
    expected = [values.mean(), values.mean() - half, values.mean() + half]
    assert [told[key] for key in ("value", "low", "high")] == pytest.approx(expected, abs=1e-6)  # as rounded there


def test_the_papers_own_numbers():
    told = paper.load(Path("data/paper.yaml"))
    final = {
        name: (variant.train.accuracy, variant.train.loss, variant.val.accuracy, variant.val.loss)
        for name, variant in told.variants.items()
    }
    assert final == {
        "cats_dogs-30-1": (0.94, 0.14, None, 0.07),
        "cats_dogs-20-11": (None, None, None, None),
        "cats_dogs-10-21": (None, None, None, None),
        "cats_dogs-0-31": (0.98, 0.05, None, 0.04),
        "roses_tulips-50-1": (None, None, 0.89, 0.26),
        "roses_tulips-40-11": (None, None, None, None),
        "roses_tulips-30-21": (None, None, None, None),
        "roses_tulips-20-31": (None, None, None, None),
        "roses_tulips-10-41": (None, None, None, None),
        "roses_tulips-0-51": (None, None, 0.93, 0.15),
    }
    settles = {name: (variant.settles.accuracy, variant.settles.loss) for name, variant in told.variants.items()}
    assert {name: epochs for name, epochs in settles.items() if any(epochs)} == {
        "roses_tulips-50-1": (20, 35),
        "roses_tulips-0-51": (45, 30),
    }
