"""What the stages that compare schedules read in common: every variant with its repeats, and the paper's claims."""

import argparse
from pathlib import Path

from stages.common.params import Params
from stages.study import evidence, paper, variants
from stages.study.evidence import Study
from stages.study.paper import Paper


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the paths that `read` takes to a stage's command line."""
    parser.add_argument("--source", type=Path, required=True, help="manifest of the inputs")
    parser.add_argument("--paper", type=Path, required=True, help="the paper's numbers and claims")
    parser.add_argument("--results", type=Path, required=True, help="folder of <variant>/, with its repeats")
    parser.add_argument("--metrics", type=Path, required=True, help="folder of <variant>.json")
    parser.add_argument("--histories", type=Path, required=True, help="folder of <variant>.csv")


def read(arguments: argparse.Namespace, settings: Params) -> tuple[Study, Paper]:
    """The finished study that the command line names, with the paper's margins; raises ThawError where one is wrong."""
    told = paper.load(arguments.paper)
    members = variants.read_all(
        settings.names, arguments.metrics, arguments.histories, arguments.results, arguments.source
    )
    margins = told.margins_of(settings.statistics.margin)
    return evidence.read(members, arguments.results, settings.statistics, margins), told
