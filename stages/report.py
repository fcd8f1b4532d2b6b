"""Stage `report`: the study as one page, with all that it shows inside.

Reads the claims, the tables, the figures, the variants' jsons and epochs, the best variants' predictions with their
images, and the params; writes one HTML file, by the template beside this module. The page asks no network for
anything, and its policy forbids it to.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from stages.common import manifest, params, tables
from stages.common.command import ThawError, run
from stages.common.manifest import Manifest
from stages.pages import data_address, report_page
from stages.pages.data_address import Picture
from stages.results import repeats
from stages.study import costs, hardest, variants
from stages.study.variants import Variant

TEMPLATE = Path(__file__).with_name("report.html.jinja")
HARDEST = 8  # images of each data set: two rows of a wide page


def main() -> None:
    arguments = _arguments()
    source = manifest.load(arguments.source)
    names = params.load(arguments.params).names
    study = variants.read_all(names, arguments.metrics, arguments.plots, arguments.results, arguments.source)
    claims = tables.read_json(arguments.metrics / "claims.json")
    content = {
        "source": source,
        "source_path": arguments.source.as_posix(),
        "study": study,
        "datasets": report_page.datasets(study, source),
        "claims": claims,
        "told_claims": report_page.in_order(claims["claims"]),
        "rows": read_rows(study, arguments.plots),
        "sentences": read_sentences(study, arguments.plots),
        "hardest": read_hardest(study, source, arguments.results, arguments.images),
        "pictures": read_pictures(study, arguments.plots),
        "params": arguments.params.read_text(encoding="utf-8"),
        "versions": report_page.distinct(study, "versions"),
        "machines": report_page.distinct(study, "machine"),
    }
    tables.write_text(render(content), arguments.out)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, required=True, help="manifest of the inputs")
    parser.add_argument("--metrics", type=Path, required=True, help="folder of <variant>.json and claims.json")
    parser.add_argument("--plots", type=Path, required=True, help="folder of the csvs and PNGs")
    parser.add_argument("--results", type=Path, required=True, help="folder of <variant>/, with its repeats")
    parser.add_argument("--images", type=Path, required=True, help="folder of <dataset>/, with its images")
    parser.add_argument("--params", type=Path, required=True, help="params.yaml of the run")
    parser.add_argument("--out", type=Path, required=True, help="html, written")
    return parser.parse_args()


def render(content: dict[str, Any]) -> str:
    """The page of `content`, all of whose texts are escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATE.parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": report_page.number, "interval": report_page.interval}
    return environment.get_template(TEMPLATE.name).render(content)


def read_rows(study: Sequence[Variant], plots: Path) -> list[dict[str, Any]]:
    """The table of all variants; raises ThawError where a table lacks one."""
    table = tables.read_table(plots / "tables" / "summary.csv", ("variant",)).set_index("variant")
    spent = costs.read(plots / "costs" / "costs.csv")
    for path, rows in ((plots / "tables" / "summary.csv", table), (plots / "costs" / "costs.csv", spent)):
        if missing := [variant.name for variant in study if variant.name not in rows.index]:
            raise ThawError(f"{path}: has no {', '.join(missing)}; run `dvc repro`")
    return report_page.variant_rows(study, table, spent)


def read_sentences(study: Sequence[Variant], plots: Path) -> dict[str, dict[str, list[str]]]:
    """The recommendation by budget and data set."""
    table: pd.DataFrame = tables.read_table(plots / "costs" / "recommendation.csv", ("dataset", "budget", "sentence"))
    names = variants.of_datasets(list(study))
    return {
        budget: {name: told for name in names if (told := report_page.sentences(table, name, budget))}
        for budget in ("multiply_adds", "seconds")
    }


def read_hardest(study: Sequence[Variant], source: Manifest, results: Path, images: Path) -> dict[str, list[dict]]:
    """By data set, the hardest validation images of its best schedule, each with its picture."""
    found = {}
    for name, members in variants.of_datasets(list(study)).items():
        if best := report_page.best(members):
            hard = hardest.of_predictions(repeats.final_predictions(results / best.name), HARDEST)
            classes = list(source.dataset(name).classes)
            found[name] = [
                {**report_page.hard_image(each, classes), "picture": data_address.of_image(images / name / each.image)}
                for each in hard
            ]
    return found


def read_pictures(study: Sequence[Variant], plots: Path) -> dict[str, Picture]:
    """The figures by name: of each data set, of the study, of each variant."""
    names = [*variants.of_datasets(list(study)), *report_page.OVERALL_FIGURES, *(variant.name for variant in study)]
    return {
        **{name: data_address.of_figure(plots / "figures" / f"{name}.png") for name in names},
        "costs": data_address.of_figure(plots / "costs/costs.png"),
    }


if __name__ == "__main__":
    run(main)
