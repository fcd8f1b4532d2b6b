"""The inputs of every stage that compares schedules: the variants with their repeats, and the thesis's claims."""

import argparse
from pathlib import Path

from stages.common import manifest
from stages.common.params import Params
from stages.study import evidence, paper, variants
from stages.study.evidence import Study
from stages.study.paper import Paper


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the paths that `read` takes to a stage's command line."""
    parser.add_argument("--source", type=Path, required=True, help="manifest of the inputs")
    parser.add_argument("--paper", type=Path, required=True, help="the thesis's numbers and claims")
    parser.add_argument("--results", type=Path, required=True, help="folder of <variant>/, with its repeats")
    parser.add_argument("--metrics", type=Path, required=True, help="folder of <variant>.json")
    parser.add_argument("--histories", type=Path, required=True, help="folder of <variant>.csv")


def read(arguments: argparse.Namespace, settings: Params) -> tuple[Study, Paper]:
    """The finished study and the thesis's claims, read from the paths of the command line; raises ThawError."""
    thesis = paper.load(arguments.paper)
    members = variants.read_all(
        settings.names, arguments.metrics, arguments.histories, arguments.results, arguments.source
    )
    margins = thesis.margins_of(settings.statistics.margin)
    source = manifest.load(arguments.source)
    return evidence.read(members, arguments.results, settings.statistics, margins, source), thesis
