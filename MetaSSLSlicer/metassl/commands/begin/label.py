"""Take an annotation file as the label of a case.

The file may be NIfTI, NRRD, MHA, a segmentation of Slicer (.seg.nrrd) or a
DICOM segmentation, whose voxels coincide with the image's. Where it names its
segments, they are matched with the project's structures by name; else it must
hold the project's values (0 is background, 255 means not annotated and is
ignored in training). The former label of the case, if there is one, is kept in
the project's history.

--from DIR takes the label files of many cases at once, each by its name;
a case that has a label keeps it unless --replace is given.

A case of which only a part is annotated is trained on with that part, and is
predicted and asked about again, until --done says that the rest stays without.

--slices takes only these slices of the file, as whole slices that somebody has
looked at; what was annotated before stays. They are counted from 0, across the
thickest side of the voxels (of even ones, in the order of the file); which ones
are worth it says `metassl rank PROJECT --slices CASE`.

--looked takes all of the file, and says that somebody looked at these slices
alone: the others are no evidence of how right the prediction was, and `metassl
finish` counts the case as open. Without a file it says so of the label that is
there ("--looked all": of all of it).

A prediction of a model that did not know a structure says nothing about it; nor
does a file of which --about says so. What such a label calls background may be
that structure, and is trained so.

  metassl label liver case_07 case_07_liver.nii.gz
  metassl label liver case_07 mask.nii.gz --values 255=Liver
  metassl label liver case_08 livers_alone.nii.gz --about Liver
  metassl label liver case_08 corrected.nii.gz --slices 12 30-34
  metassl label liver case_08 corrected.nii.gz --looked 12 30-34
  metassl label liver --from ~/labels
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from metassl.files.errors import LabelError, ProjectError
from metassl.imaging.annotations import read_annotation
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import read_geometry
from metassl.imaging.matching import key_of_name, listed
from metassl.project import Case, Project
from metassl.project.coverage import unknown_in
from metassl.project.effort.expected import review_axis
from metassl.project.effort.slices import with_slices
from metassl.project.words import count as counted

from ..shared.advice import next_steps
from ..shared.console import Console, listing
from ..shared.options import add_json_option, add_values_option, names_of

SUMMARY = "take an annotation file as the label of a case"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", type=Path, metavar="PROJECT")
    parser.add_argument("case", nargs="?", metavar="CASE", help="the case, as `metassl status --cases` names it")
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="NIfTI, NRRD, MHA, .seg.nrrd or DICOM SEG")
    parser.add_argument("--from", dest="source", type=Path, metavar="DIR", help="label files of many cases")
    done = parser.add_mutually_exclusive_group()
    done.add_argument("--done", action="store_true", help="nothing more is to be annotated in the case")
    done.add_argument("--not-done", action="store_true", help="take that back")
    looks = parser.add_mutually_exclusive_group()
    looks.add_argument("--slices", nargs="+", type=slice_numbers, metavar="N|N-M", help="take only these slices")
    looks.add_argument(
        "--looked",
        nargs="+",
        type=lambda text: None if text == "all" else slice_numbers(text),
        metavar="N|N-M|all",
        help="only these slices were looked at",
    )
    parser.add_argument("--replace", action="store_true", help="with --from: also where there is a label")
    add_values_option(parser)
    parser.add_argument(
        "--about", nargs="+", metavar="NAME", help="the structures that it speaks about, besides those that it shows"
    )
    parser.add_argument(
        "--allow-empty",
        action="store_true",
        help="accept a label that shows none of the structures",
    )
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    project = Project.open(arguments.project)
    if arguments.source is not None and arguments.case is None:
        if arguments.about:
            raise ProjectError("--about goes with one CASE and its FILE")
        if arguments.slices or arguments.looked:
            raise ProjectError("--slices and --looked go with one CASE and its FILE")
        return _many(project, arguments, console)
    says_done = arguments.done or arguments.not_done
    before = None if arguments.case is None else project.case(arguments.case)
    if before and arguments.file is None and arguments.source is None and (says_done or arguments.looked):
        changed = project.set_done([arguments.case], undo=arguments.not_done) if says_done else []
        if arguments.looked:
            looked = _looked(project, arguments)
            changed += project.change_cases([arguments.case], partial(_with_looks, looked=looked))
        return _tell(project, arguments, console, before, changed=bool(changed))
    if before is None or arguments.file is None or arguments.source is not None:
        raise ProjectError("name a case and its file, or --from and a folder of label files")
    reviewed = before.state in ("predicted", "accepted", "corrected")
    told = _spoken_about(project, arguments)
    version = project.add_label(
        before.id,
        arguments.file if arguments.slices is None else _slices_of(project, arguments, console),
        state="corrected" if reviewed else "labelled",
        allow_empty=arguments.allow_empty or arguments.slices is not None,
        former=before.label_version,
        names=names_of(arguments),
        tell=console.warn,
        coverage=told,
        looked=_looked(project, arguments),
    )
    if says_done:
        project.set_done([before.id], undo=arguments.not_done)
    return _tell(project, arguments, console, before, changed=before.label_version != version)


def _tell(project: Project, arguments: argparse.Namespace, console: Console, before: Case, changed: bool) -> int:
    case = project.case(arguments.case)
    version = case.label_version or ""
    what = f"{case.state}, version {version[:16]}" if changed else "the same label as before"
    if case.is_partial:
        what += "; a part is annotated, and it will be predicted and asked about again (--done: not any more)"
    if case.looked is not None:
        what += f"; {counted(len(case.looked), 'slice')} looked at (--looked all: all of it)"
    elif before.looked is not None:
        what += f"; all of it counts as looked at, no longer {counted(len(before.looked), 'slice')} alone"
    console.say(f"{case.id}: {what}")
    silent = [label.name for label in project.labels if case.missing([label.value])]
    if silent:
        console.say(f"  says nothing about {', '.join(silent)}")
    console.say(f"next: {next_steps(project, arguments.project)[0].command}")
    console.result(
        {
            "case": case.id,
            "state": case.state,
            "split": case.split,
            "version": version,
            "partial": case.is_partial,
            "looked": case.looked,
            "changed": changed,
            "silent": silent,
        }
    )
    return 0


def _slices_of(project: Project, arguments: argparse.Namespace, console: Console) -> tuple[np.ndarray, Geometry]:
    """The slices of the file that are taken, with what was annotated before."""
    case = project.case(arguments.case)
    image = project.image_paths(case)[0]
    grid = read_geometry(image, case.id)
    slices = sorted(_numbers(arguments.slices, grid, case))
    read = read_annotation(arguments.file, grid, project.labels, case.id, names_of(arguments), image)
    console.warn_all(read.notes)
    former = project.read_label(case.id, case.label_version)[0] if case.is_reviewed else None
    axis = review_axis(grid)
    console.say(f"{case.id}: {counted(len(slices), 'slice')} across {'zyx'[axis]} of {grid.shape_zyx[axis]}")
    return with_slices(read.array, former, axis, slices), grid


def _looked(project: Project, arguments: argparse.Namespace) -> list[int] | None:
    """The slices that were looked at, with those of before where only some are taken; None for all. LabelError for one
    that there is not.
    """
    case, given = project.case(arguments.case), arguments.slices or arguments.looked or [None]
    if None in given or (arguments.slices and case.looked is None):
        return None
    numbers = _numbers(given, read_geometry(project.image_paths(case)[0], case.id), case)
    return sorted(numbers.union((case.looked or []) if arguments.slices else []))


def _numbers(given: Sequence[range], grid: Geometry, case: Case) -> set[int]:
    """All of these numbers of slices. LabelError for one that there is not."""
    last, count = max(numbers[-1] for numbers in given), grid.shape_zyx[review_axis(grid)]
    if last >= count:
        raise LabelError(f"case {case.id}: there is no slice {last}: they are numbered from 0 to {count - 1}")
    return {each for numbers in given for each in numbers}


def _with_looks(case: Case, looked: list[int] | None) -> Case:
    if not case.is_reviewed:
        raise ProjectError(f"case {case.id} has no label that anybody looked at: name the file, too")
    return replace(case, looked=looked)


def slice_numbers(text: str) -> range:
    """ "12" or "30-34", for argparse."""
    first, dash, last = text.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()) or (dash and int(last) < int(first)):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of a slice, such as 12, nor a range, such as 30-34")
    return range(int(first), int(last or first) + 1)


def _spoken_about(project: Project, arguments: argparse.Namespace) -> list[int] | None:
    """The values of the structures that the file speaks about; None for all."""
    if arguments.about is None:
        unknown = unknown_in(project, arguments.file)
        return [label.value for label in project.labels if label not in unknown] if unknown else None
    known = {key_of_name(label.name): label.value for label in project.labels}
    for name in arguments.about:
        if key_of_name(name) not in known:
            raise LabelError(f"--about {name}: the project's structures are {listed(project.labels)}")
    return [known[key_of_name(name)] for name in arguments.about]


def _many(project: Project, arguments: argparse.Namespace, console: Console) -> int:
    from metassl.intake import add_labels

    added = add_labels(project, arguments.source, replace=arguments.replace, names=names_of(arguments))
    console.warn_all(added.warnings)
    console.say(f"{project.name}: {counted(len(added.labelled), 'label')} taken ({listing(added.labelled)})")
    if added.known:
        console.say(f"  kept        {len(added.known)} ({listing(added.known)}); --replace takes the new ones")
    console.say(f"next: {next_steps(project, arguments.project)[0].command}")
    console.result(
        {"project": project.path, "labelled": added.labelled, "kept": added.known, "warnings": added.warnings}
    )
    return 0
