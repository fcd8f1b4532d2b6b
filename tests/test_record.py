"""The record of a small finished run: the files it copies, the page beside the paper, and what it refuses."""

import re
from pathlib import Path

import finished_run
import pytest
import yaml

from stages import costs, figures, record, summarize
from stages.common import params, tables
from stages.common.command import ThawError
from stages.study import paper

PAPER = {
    "variants": {
        "animals-2-1": {"figure": "1.1", "train": {"accuracy": 0.7}, "val": {"loss": 0.35}},
        "animals-0-3": {"figure": "1.2", "val": {"loss": 0.4}, "settles": {"loss": 2}, "remark": "the best"},
        "flowers-1-1": {},
    },
    "margins": {},
    "claims": {
        name: {"text": f"Claim {name}.", "rests_on": "a figure", "primary": "a contrast"}
        for name in paper.Claims.model_fields
    },
}
LINES = [
    "# The study on small things, beside the paper",
    "| backbone | MobileNetV2, alpha 0.35, 96 by 96 pixels |",
    "| seeds | 1 |",
    "| versions | keras 3.1.2, python 3.11.0 |",
    "| machine | cores 2, cpu abacus |",
    "| 1.1 | animals-2-1 | 0.600 (≈ 0.7, -0.100) | 0.600 | 0.850 | 0.400 (≈ 0.35, +0.050) |  |",
    "| 1.2 | animals-0-3 | 0.900 | 0.200 | 0.900 | 0.350 (≈ 0.4, -0.050) | the best |",
    "|  | flowers-1-1 | 0.600 | 0.650 | 0.700 | 0.550 |  |",
    "|  | trial (flowers, 0 + 1) | 0.600 | 0.620 | 0.700 | 0.610 |  |",
    "Of these numbers the paper gives 3. Ours differ from them by 0.050 in the median,",
    "and most in training accuracy of animals-2-1, by 0.100.",
    "| animals-2-1 | 33% | 0.400 | -0.200 | -0.250 |",
    "| animals-0-3 | 100% | 0.350 | +0.150 | +0.000 |",
    "- Cats and dogs: of 1 steps to a larger share, final validation loss falls at 1 and rises at 0. "
    "It is lowest for 0-3: 0.350.",
    "- Roses and tulips: of 0 steps to a larger share, final validation loss falls at 0 and rises at 0. "
    "It is lowest for 1-1: 0.550.",
    "| animals-2-1 | 3 | 3 | 3 | 3 |  |",
    "| animals-0-3 | 2 | 2 | 2 | 2 | loss ≈ 2 |",
    "| trial (flowers, 0 + 1) | 1 | never | 1 | 1 |  |",
    "| animals-2-1 | 0.700 → 0.600 (-0.100) | 0.500 → 0.600 (+0.100) "
    "| 0.800 → 0.850 (+0.050) | 0.450 → 0.400 (-0.050) |",
    "| flowers-1-1 | 0.600 → 0.600 (+0.000) | 0.650 → 0.650 (+0.000) "
    "| 0.650 → 0.700 (+0.050) | 0.600 → 0.550 (-0.050) |",
    "- Training accuracy rises in 0 and falls in 1 of 2 variants.",
    "- Training loss rises in 1 and falls in 0 of 2 variants.",
    "- Validation accuracy rises in 2 and falls in 0 of 2 variants.",
    "- Validation loss rises in 0 and falls in 2 of 2 variants.",
]


@pytest.fixture
def source(small_manifest, write_manifest):
    return write_manifest(small_manifest)


@pytest.fixture
def run(tmp_path, source, monkeypatch):
    """A finished run with its params, downloads and the paper's numbers."""
    finished_run.write(tmp_path, source)
    finished_run.call(summarize.main, monkeypatch, finished_run.summarize_options(tmp_path, source))
    finished_run.call(costs.main, monkeypatch, finished_run.costs_options(tmp_path, source))
    finished_run.call(figures.main, monkeypatch, finished_run.figures_options(tmp_path, source))
    write_params(tmp_path, source=source.as_posix(), seeds=[1])
    write_paper(tmp_path, PAPER)
    for name in ("animals", "flowers", "weights"):
        (tmp_path / "raw" / name).mkdir(parents=True)
        (tmp_path / "raw" / name / f"{name}.bin").write_bytes(b"abc")
    return tmp_path


def write_params(folder, **changes):
    content = params.load().model_dump() | changes
    content["fine"] |= {"batch_norm": "batch"}
    (folder / "params.yaml").write_text(yaml.safe_dump(content))


def write_paper(folder, content):
    (folder / "paper.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def call(folder, source, monkeypatch):
    options = {
        "source": source,
        "paper": folder / "paper.yaml",
        "metrics": folder / "metrics",
        "histories": folder / "plots",
        "results": folder / "results",
        "params": folder / "params.yaml",
        "raw": folder / "raw",
        "out": folder / "docs" / "paper",
    }
    finished_run.call(record.main, monkeypatch, options)


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
    copied = {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    del copied[Path("README.md")]
    assert copied == {path: (run / path).read_bytes() for path in copied}
    names = list(finished_run.SCHEDULES)
    pictures = [*names, "animals", "flowers", "fine_share", "dip", "styles"]
    logits = [*names, "animals-converged", "flowers-converged"]
    assert sorted(map(str, copied)) == sorted(
        ["params.yaml"]
        + [f"metrics/{name}.json" for name in (*names, "summary", "claims")]
        + [f"plots/{name}.csv" for name in (*names, *finished_run.TABLES)]
        + [f"plots/figures/{name}.png" for name in pictures]
        + ["plots/costs/costs.png"]
        + [f"results/{name}/epochs.csv" for name in names]
        + [f"results/{name}/logits.npz" for name in logits]
    )


def test_every_link_of_the_page_leads_to_a_file(run, source, monkeypatch):
    call(run, source, monkeypatch)
    out = run / "docs" / "paper"
    links = re.findall(r"\]\(([^)]+)\)", (out / "README.md").read_text(encoding="utf-8"))
    assert len(links) == 14
    assert [link for link in links if not (out / link).is_file()] == []


def test_a_variant_of_the_paper_that_did_not_run_is_refused(run, source, monkeypatch):
    write_paper(run, PAPER | {"variants": PAPER["variants"] | {"animals-1-2": {}}})
    assert refusal(run, source, monkeypatch) == (
        f"{run / 'plots' / 'tables' / 'summary.csv'}: has no animals-1-2; run `dvc repro`"
    )


@pytest.mark.parametrize("path", ["metrics/trial.json", "plots/animals-0-3.csv", "plots/figures/fine_share.png"])
def test_a_missing_file_of_the_run_is_refused(run, source, monkeypatch, path):
    (run / path).unlink()
    assert refusal(run, source, monkeypatch).startswith(f"{run / path}: no such file; run ")


def test_a_missing_download_is_refused(run, source, monkeypatch):
    (run / "raw" / "weights" / "weights.bin").unlink()
    assert refusal(run, source, monkeypatch) == (
        f"{run / 'raw' / 'weights'}: holds 0 files, not the download; run `dvc repro`"
    )


def test_other_params_than_the_run_had_are_refused(run, source, monkeypatch):
    write_params(run, source=source.as_posix(), seeds=[2])
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
