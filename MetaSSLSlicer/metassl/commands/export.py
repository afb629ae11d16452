"""Write labels, predictions or the model for other programs.

DIR, which must be new or empty, gets all of it or, when the export is cut short,
nothing. Nothing is ever overwritten. A case whose files are damaged is named, and
the rest go on.

  metassl export liver ~/liver_masks --only labels
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from metassl.choices.exporters import EXPORTER_CATALOG, EXPORTERS, WHAT, Exported, export_project
from metassl.project.words import count

from .shared.bar import ProgressBar
from .shared.console import Console
from .shared.options import add_json_option

SUMMARY = "write labels, predictions or the model for other programs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    formats = "; ".join(f"{each.name}: {each.summary or each.title}" for each in EXPORTER_CATALOG)
    parser.add_argument("project", type=Path, metavar="PROJECT")
    parser.add_argument("out", type=Path, metavar="DIR", help="a new or empty folder")
    parser.add_argument(
        "--format", choices=tuple(EXPORTERS), default="nifti", help=f"{formats} (default: nifti)".replace("%", "%%")
    )
    parser.add_argument("--only", choices=WHAT, help="leave out the others")
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.project import Project

    project = Project.open(arguments.project)
    what = (arguments.only,) if arguments.only else EXPORTERS[arguments.format].takes
    bar = ProgressBar(sys.stderr)
    try:
        result = export_project(
            project,
            arguments.out,
            what,
            lambda done, total, case: bar.show("exporting", done, total, None, case),
            format=arguments.format,
        )
    finally:
        bar.close()
    console.warn_all(result.notes)
    for reason in result.failed.values():
        console.warn(f"left out: {reason}")
    console.say(f"{_written(result, what)}, in {result.folder}")
    console.result(result.to_json())
    return 1 if result.failed else 0


def _written(result: Exported, what: tuple[str, ...]) -> str:
    parts = [result.made] if result.made else []
    if "labels" in what:
        parts.append(count(len(result.labels), "label"))
    if "predictions" in what:
        parts.append(count(len(result.predictions), "prediction"))
    return " and ".join(parts)
