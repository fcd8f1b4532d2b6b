"""Copy a finished run into a folder of the repository, with a page that lays it beside the paper.

Reads the run's params, csvs, jsons and figures, its downloads and the paper's numbers; writes the folder.
"""

import argparse
import os
import shutil
from pathlib import Path

from stages.common import files, manifest, params, tables
from stages.common.command import ThawError, run
from stages.common.manifest import Manifest
from stages.common.params import Params
from stages.pages import record_page, report_page
from stages.pages.record_page import Page
from stages.results.repeats import EPOCHS_FILE, LOGITS_FILE
from stages.study import evidence, paper, summary, variants
from stages.study.variants import Variant

TABLES = (
    "tables/summary",
    "tables/claims",
    "tables/comparisons",
    "tables/curves",
    "tables/final",
    "costs/costs",
    "costs/recommendation",
)


def main() -> None:
    arguments = _arguments()
    page = Page(
        source=manifest.load(arguments.source),
        settings=params.load(arguments.params),
        paper=paper.load(arguments.paper),
        paper_link=Path(os.path.relpath(arguments.paper, arguments.out)).as_posix(),
    )
    study = read_study(arguments, page)
    check_settings(study, page.settings, arguments.params)
    claims = tables.read_json(arguments.metrics / "claims.json")
    copies = run_files(study, arguments.metrics, arguments.histories, arguments.results, arguments.params)
    downloads = read_downloads(arguments.raw, page.source)
    write(arguments.out, copies, record_page.compose(page, study, downloads, claims))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, required=True, help="manifest of the inputs")
    parser.add_argument("--paper", type=Path, required=True, help="the paper's numbers and claims")
    parser.add_argument("--metrics", type=Path, required=True, help="folder of the run's jsons")
    parser.add_argument("--histories", type=Path, required=True, help="folder of the run's csvs and PNGs")
    parser.add_argument("--results", type=Path, required=True, help="folder of the run's repeats")
    parser.add_argument("--params", type=Path, required=True, help="params.yaml of the run")
    parser.add_argument("--raw", type=Path, required=True, help="folder of the downloads")
    parser.add_argument("--out", type=Path, required=True, help="folder of the record, replaced whole")
    return parser.parse_args()


def read_study(arguments: argparse.Namespace, page: Page) -> list[Variant]:
    """The variants of the run's table; raises ThawError where the paper has more or a file is stale."""
    metrics, histories, source = arguments.metrics, arguments.histories, page.source
    table = histories / "tables" / "summary.csv"
    names = list(tables.read_table(table, ["variant"])["variant"])
    missing = [name for name in page.paper.variants if name not in names]
    if missing:
        raise ThawError(f"{table}: has no {', '.join(missing)}; run `dvc repro`")
    study = variants.read_all(names, metrics, histories, arguments.results, source.path)
    told = summary.summary(source.title, evidence.read(study, arguments.results, page.settings.statistics))
    if tables.read_json(metrics / "summary.json") != told:
        raise ThawError(f"{metrics / 'summary.json'}: differs from the variants' own jsons; run `dvc repro`")
    return study


def check_settings(study: list[Variant], settings: Params, path: Path) -> None:
    """Raise ThawError where a variant did not run with the settings of the params file `path`."""
    for variant in study:
        seeds = [repeat.seed for repeat in settings.repeats_of(variant.dataset)]
        now = {"source": settings.source, "seeds": seeds, "batch_norm": settings.fine.batch_norm}
        for key, value in now.items():
            if key == "batch_norm" and variant.kind == "style":  # a style may be just that
                continue
            ran = variant.record[key]
            if ran != value:
                raise ThawError(f"{path}: {key} is {value}, but {variant.name} ran with {ran}; run `dvc repro`")


def run_files(study: list[Variant], metrics: Path, histories: Path, results: Path, settings: Path) -> dict[Path, Path]:
    """Where each file of the run lies, by its place in the record; raises ThawError where one is missing."""
    names = [variant.name for variant in study]
    pictures = [*names, *variants.of_datasets(study), *report_page.OVERALL_FIGURES]
    kept = [*names, *(f"{dataset}-converged" for dataset in variants.of_datasets(study))]
    copies = {
        Path("params.yaml"): settings,
        **{Path("metrics", f"{name}.json"): metrics / f"{name}.json" for name in (*names, "summary", "claims")},
        **{Path("plots", f"{name}.csv"): histories / f"{name}.csv" for name in (*names, *TABLES)},
        **{Path("plots/figures", f"{name}.png"): histories / "figures" / f"{name}.png" for name in pictures},
        Path("plots/costs/costs.png"): histories / "costs/costs.png",
        # Of every repeat, so that a reader can compute each number and interval of the page again.
        **{Path("results", name, LOGITS_FILE): results / name / LOGITS_FILE for name in kept},
        **{Path("results", name, EPOCHS_FILE): results / name / EPOCHS_FILE for name in names},
    }
    for path in copies.values():
        if not path.is_file():
            raise ThawError(f"{path}: no such file; run `dvc repro`")
    return copies


def read_downloads(raw: Path, source: Manifest) -> dict[str, Path]:
    """The one file of each download: of the known copies, the one that was used; raises ThawError."""
    downloads = {}
    for name in source.downloads:
        found = [path for path in (raw / name).glob("*") if path.is_file()]
        if len(found) != 1:
            raise ThawError(f"{raw / name}: holds {len(found)} files, not the download; run `dvc repro`")
        downloads[name] = found[0]
    return downloads


def write(out: Path, copies: dict[Path, Path], page: str) -> None:
    """Write the record's folder whole: the run's files, and the page as README.md."""
    with files.folder_written_whole(out) as beside:
        for place, path in copies.items():
            (beside / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, beside / place)
        tables.write_text(page, beside / "README.md")


if __name__ == "__main__":
    run(main)
