"""Write labels and predictions as plain files for other programs.

DIR, which must be new or empty, gets labels/CASE.nii.gz and predictions/CASE.nii.gz
on each image's own grid, a table summary.csv of all cases, and structures.csv,
which says what the values mean. Nothing is ever overwritten.

  metassl export liver ~/liver_masks --only labels
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from metassl.choices.exporters import EXPORTERS, WHAT, export_project

from .shared.bar import ProgressBar
from .shared.console import Console
from .shared.options import add_json_option

SUMMARY = "write labels and predictions as NIfTI files and a table"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", type=Path, metavar="PROJECT")
    parser.add_argument("out", type=Path, metavar="DIR", help="a new or empty folder")
    parser.add_argument("--format", choices=tuple(EXPORTERS), default="nifti", help="default: nifti")
    parser.add_argument("--only", choices=("labels", "predictions"), help="leave out the others")
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.project import Project

    project = Project.open(arguments.project)
    bar = ProgressBar(sys.stderr)
    try:
        result = export_project(
            project,
            arguments.out,
            (arguments.only,) if arguments.only else WHAT,
            lambda done, total, case: bar.show("exporting", done, total, None, case),
            format=arguments.format,
        )
    finally:
        bar.close()
    for reason in result.failed.values():
        console.warn(f"left out: {reason}")
    console.say(f"{len(result.labels)} labels and {len(result.predictions)} predictions, in {result.folder}")
    console.result(result.to_json())
    return 1 if result.failed else 0
