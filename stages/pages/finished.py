"""A finished run, the input of the report and of the recorded page."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from stages.common import manifest, params, tables
from stages.common.command import ThawError
from stages.common.manifest import Manifest
from stages.common.params import Params
from stages.study import costs, evidence, paper, variants
from stages.study.evidence import Study
from stages.study.paper import Paper


@dataclass(frozen=True)
class FinishedRun:
    """A run, read from its files.

    `claims` is metrics/claims.json; `summary` plots/tables/summary.csv and `spent` plots/costs/costs.csv, both indexed
    by variant; `recommendation` plots/costs/recommendation.csv.
    """

    source: Manifest
    params: Params
    paper: Paper
    study: Study
    claims: Mapping[str, Any]
    summary: pd.DataFrame
    spent: pd.DataFrame
    recommendation: pd.DataFrame


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the paths that `read` reads to a command line."""
    parser.add_argument("--source", type=Path, required=True, help="manifest of the inputs")
    parser.add_argument("--params", type=Path, required=True, help="params.yaml of the run")
    parser.add_argument("--paper", type=Path, required=True, help="the thesis's numbers and claims")
    parser.add_argument("--results", type=Path, required=True, help="folder of <variant>/, with its repeats")
    parser.add_argument("--metrics", type=Path, required=True, help="folder of <variant>.json and claims.json")
    parser.add_argument("--plots", type=Path, required=True, help="folder of the csvs and PNGs")


def read(arguments: argparse.Namespace) -> FinishedRun:
    """Read the files of the command line; raises ThawError if one is missing, wrong or of another run."""
    settings, thesis = params.load(arguments.params), paper.load(arguments.paper)
    members = variants.read_all(settings.names, arguments.metrics, arguments.plots, arguments.results, arguments.source)
    margins = thesis.margins_of(settings.statistics.margin)
    summary_path, spent_path = arguments.plots / "tables/summary.csv", arguments.plots / "costs/costs.csv"
    source = manifest.load(arguments.source)
    run = FinishedRun(
        source=source,
        params=settings,
        paper=thesis,
        study=evidence.read(members, arguments.results, settings.statistics, margins, source),
        claims=tables.read_json(arguments.metrics / "claims.json"),
        summary=tables.read_table(summary_path, ["variant"]).set_index("variant"),
        spent=costs.read(spent_path),
        recommendation=tables.read_table(
            arguments.plots / "costs/recommendation.csv", ("dataset", "budget", "sentence")
        ),
    )
    for path, rows in ((summary_path, run.summary), (spent_path, run.spent)):
        if missing := [name for name in settings.names if name not in rows.index]:
            raise ThawError(f"{path}: has no {', '.join(missing)}; run `dvc repro`")
    return run
