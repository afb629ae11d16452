"""Take cases out of a project: they are set aside, and nothing is deleted.

They take part in no training, prediction or ranking any more. Their images,
labels and all former versions stay, and --undo brings them back.

  metassl remove liver case_07 case_12
  metassl remove liver case_07 --undo
"""

from __future__ import annotations

import argparse
from pathlib import Path

from metassl.project.words import count as counted

from ..shared.console import Console, command_line, listing
from ..shared.options import add_json_option

SUMMARY = "take cases out of a project; they can come back"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", type=Path, metavar="PROJECT")
    parser.add_argument("cases", nargs="+", metavar="CASE", help="as `metassl status --cases` names them")
    parser.add_argument("--undo", action="store_true", help="bring them back")
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.project import Project

    project = Project.open(arguments.project)
    changed = project.set_aside(arguments.cases, undo=arguments.undo)
    what = "brought back" if arguments.undo else "set aside"
    console.say(f"{project.name}: {counted(len(changed), 'case')} {what}{f' ({listing(changed)})' if changed else ''}")
    if same := [case for case in dict.fromkeys(arguments.cases) if case not in changed]:
        console.say(f"  unchanged   {listing(same)}")
    if changed and not arguments.undo:
        console.say(f"back again: {command_line('remove', arguments.project, *changed[:5], '--undo')}")
    console.result({"project": project.path, "changed": changed, "undo": arguments.undo})
    return 0
