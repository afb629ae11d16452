"""Add a structure to a project that is there, give one another name, or say what it is.

A structure's value means the same for life. Labels that were drawn before a
structure existed say nothing about it: what they call background may be the
new structure, and is trained so. A case that is labelled again (`metassl
label`, or accepted or corrected in Slicer) speaks about all structures. The
next round starts from the former round's weights, with a new output.

What a structure is, other programs and archives are told by a standard term with
its code: the name of a common one (liver, left kidney, hippocampus ...), or any
as CATEGORY~TYPE or CATEGORY~TYPE~MODIFIER, each SCHEME^CODE^MEANING.

  metassl structure liver add 3=Tumour
  metassl structure liver rename 3=Lesion
  metassl structure liver term 3=neoplasm
  metassl structure liver term "1=SCT^123037004^Anatomical Structure~SCT^10200004^Liver"
"""

from __future__ import annotations

import argparse
from pathlib import Path

from metassl.files.errors import BusyError, LabelError
from metassl.project.words import count as counted

from ..shared.console import Console, command_line, listing
from ..shared.options import add_json_option

SUMMARY = "add a structure to a project, rename one, or say what it is"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", type=Path, metavar="PROJECT")
    parser.add_argument("action", choices=("add", "rename", "term"), help="what to do")
    parser.add_argument(
        "structure",
        metavar="VALUE=NAME",
        help="as in 3=Tumour; a colour may follow: 3=Tumour=#56B4E9; for `term` the term in place of the name",
    )
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.jobs.lock import TrainingLock
    from metassl.project import Project
    from metassl.project.structure_changes import add_structure, rename_structure, set_term
    from metassl.project.structures import parse_labels
    from metassl.project.terms import entry_of, term_name

    (given,) = parse_labels([arguments.structure])
    project = Project.open(arguments.project)
    holder = None if arguments.action == "term" else TrainingLock(project.path).busy()
    if holder:
        raise BusyError(f"the project is in use ({holder.purpose}): wait until it has ended, or stop it first")
    silent: list[str] = []
    if arguments.action == "add":
        silent = add_structure(project, given)
        console.say(f"{project.name}: {given.value} {given.name} added")
        if silent:
            console.say(f"  {counted(len(silent), 'label')} of before say nothing about it ({listing(silent)})")
        console.say(f"next: label cases with it, then {command_line('train', arguments.project, '--new-round')}")
    elif arguments.action == "term":
        entry = entry_of(given.name)
        former = set_term(project, given.value, entry)
        told = f", not {term_name(former.terminology)}" if term_name(former.terminology) else ""
        console.say(f"{project.name}: {given.value} {former.name} is {term_name(entry)} by its term now{told}")
    else:
        if arguments.structure.count("=") > 1:
            raise LabelError("a new name has no colour: write VALUE=NAME, such as 3=Lesion")
        name = rename_structure(project, given.value, given.name)
        console.say(f"{project.name}: {given.value} is {given.name} now, not {name}")
    structures = {label.name: label.value for label in project.labels}
    console.result({"project": project.path, "structures": structures, "silent": silent})
    return 0
