"""Add cases to a project, with their labels where there are any.

DIR is anything that `metassl new --from` takes. Cases that the project has
already are left as they are; structures are matched by their names.

  metassl add liver ~/more_scans
  metassl add liver ~/more_scans --labelled none
"""

from __future__ import annotations

import argparse
from pathlib import Path

from metassl.project.words import count as counted

from ..shared.console import Console, command_line, listing
from ..shared.options import add_json_option
from .new import labelled_count

SUMMARY = "add cases to a project"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", type=Path, metavar="PROJECT")
    parser.add_argument("source", type=Path, metavar="DIR", help="a folder, a table (CSV) or a single image")
    parser.add_argument(
        "--labelled",
        type=labelled_count,
        default="all",
        metavar="N|all|none",
        help="import the labels of the first N cases and hide all others (default: all)",
    )
    parser.add_argument(
        "--validation", type=int, default=0, metavar="N", help="import the labels of N more cases, to measure with"
    )
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.intake import Scan, add_cases, find_cases
    from metassl.project import Project

    project = Project.open(arguments.project)
    found = find_cases(arguments.source)
    added = add_cases(project, found, labelled=arguments.labelled, validation=arguments.validation)
    console.warn_all(added.warnings)
    console.say(f"{project.name}: {counted(len(added.cases), 'case')} added ({listing(added.cases)})")
    for line in Scan.of(arguments.source, found).told():
        console.say(line)
    if added.known:
        console.say(f"  known       {len(added.known)}, left as they are ({listing(added.known)})")
    console.say(f"  labelled    {len(added.labelled)}{f' ({listing(added.labelled)})' if added.labelled else ''}")
    if added.validation:
        console.say(f"  validation  {len(added.validation)} ({listing(added.validation)})")
    console.say(f"next: {command_line('status', arguments.project)}")
    console.result({"project": project.path, **vars(added)})
    return 0
