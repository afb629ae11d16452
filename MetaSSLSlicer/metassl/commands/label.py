"""Take an annotation file as the label of a case.

The file may be NIfTI, NRRD, MHA, a segmentation of Slicer (.seg.nrrd) or a
DICOM segmentation, whose voxels coincide with the image's. Where it names its
segments, they are matched with the project's structures by name; else it must
hold the project's values (0 is background, 255 means not annotated and is
ignored in training). The former label of the case, if there is one, is kept in
the project's history.

  metassl label liver case_07 case_07_liver.nii.gz
  metassl label liver case_07 mask.nii.gz --values 255=Liver
"""

from __future__ import annotations

import argparse
from pathlib import Path

from .shared.advice import next_steps
from .shared.console import Console
from .shared.options import add_json_option

SUMMARY = "take an annotation file as the label of a case"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", type=Path, metavar="PROJECT")
    parser.add_argument("case", metavar="CASE", help="the case, as `metassl status --cases` names it")
    parser.add_argument("file", type=Path, metavar="FILE", help="NIfTI, NRRD, MHA, .seg.nrrd or DICOM SEG")
    parser.add_argument(
        "--values",
        nargs="+",
        action="extend",
        type=_value,
        metavar="VALUE=NAME",
        help="what a value (or a segment's name) in the file means: a structure, background, or ignore (not annotated)",
    )
    parser.add_argument(
        "--allow-empty",
        action="store_true",
        help="accept a label that shows none of the structures",
    )
    add_json_option(parser)


def _value(text: str) -> tuple[str, str]:
    value, equals, name = text.rpartition("=")
    if not equals or not value.strip() or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not VALUE=NAME, such as 255=Liver")
    return value.strip(), name.strip()


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.project import Project

    project = Project.open(arguments.project)
    before = project.case(arguments.case)
    reviewed = before.state in ("predicted", "accepted", "corrected")
    version = project.add_label(
        before.id,
        arguments.file,
        state="corrected" if reviewed else "labelled",
        allow_empty=arguments.allow_empty,
        former=before.label_version,
        names=dict(arguments.values) if arguments.values else None,
        tell=console.warn,
    )
    after = project.case(before.id)
    if before.label_version == version:
        console.say(f"{after.id}: the same label as before")
    else:
        console.say(f"{after.id}: {after.state}, version {version[:16]}")
    console.say(f"next: {next_steps(project, arguments.project)[0].command}")
    console.result(
        {
            "case": after.id,
            "state": after.state,
            "split": after.split,
            "version": version,
            "changed": before.label_version != version,
        }
    )
    return 0
