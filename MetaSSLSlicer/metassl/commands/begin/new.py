"""Begin a project from a folder of images.

The folder may hold NIfTI, NRRD or MHA files, DICOM series, pictures, or a data
set in a known layout (`metassl scan --help` lists them, and `metassl scan DIR`
shows what is found); a table of cases (CSV) does for all others. The images
stay where they are and are never written to.

All labels that are found are taken, and of nine or more a few are kept for
validation: they measure, and are never trained on. --labelled changes that.

A project can begin with a model: of nnU-Net v2 (the folder with plans.json), another project, a round of one, or a
bundle; two folders give a network each. Its spacing, intensities and patch are taken over, and so are its structures
unless --structures names some of them, or new ones. No label is needed to predict with it, see `metassl predict`.

  metassl new liver --from ~/scans --labels 1=Liver 2=Tumour
  metassl new hippocampus --from Task04_Hippocampus --labelled 3
  metassl new mine --from ~/scans --model nnUNet_results/Dataset003_Liver/nnUNetTrainer__nnUNetPlans__3d_fullres
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from metassl.files.errors import ProjectError
from metassl.project.words import count as counted

from ..shared.console import Console, command_line, listing
from ..shared.options import add_json_option, add_values_option, count, names_of, read_names

if TYPE_CHECKING:
    from metassl.intake import StartModel

SUMMARY = "make a project from a folder of images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", type=Path, metavar="PROJECT", help="the new folder")
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        required=True,
        metavar="DIR",
        help="where the images are: a folder, a table (CSV) or a single image",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--labelled",
        type=labelled_count,
        default="all",
        metavar="N|all|none",
        help="import the labels of the first N cases and hide all others (default: all)",
    )
    which.add_argument(
        "--labelled-cases",
        type=Path,
        metavar="FILE",
        help="import the labels of the cases in FILE, one name a line",
    )
    parser.add_argument(
        "--validation",
        type=int,
        metavar="N",
        help="import the labels of N more cases, to measure with and never to train on "
        "(default: a few of many labels, none with --labelled N)",
    )
    parser.add_argument(
        "--labels",
        nargs="+",
        metavar="VALUE=NAME",
        help="the structures, such as 1=Liver 2=Tumour (default: what dataset.json says)",
    )
    add_values_option(parser)
    parser.add_argument("--model", nargs="+", type=Path, metavar="FOLDER", help="begin with this model, or with a pair")
    parser.add_argument(
        "--structures", nargs="+", metavar="NAME", help="with --model: these, known to it or new (default: all of it)"
    )
    parser.add_argument("--name", help="the project's name (default: the data set's)")
    add_json_option(parser)


def labelled_count(text: str) -> int | None:
    """N, all (None) or none (0), for argparse."""
    return {"all": None, "none": 0}[text] if text in ("all", "none") else count(text)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.intake import Scan, find_cases, new_project

    chosen = arguments.labelled_cases
    model = _start_model(arguments)
    found = find_cases(arguments.source)
    project, warnings = new_project(
        arguments.project,
        found,
        labelled=arguments.labelled,
        labelled_cases=None if chosen is None else read_names(chosen),
        validation=arguments.validation,
        labels=arguments.labels,
        name=arguments.name,
        names=names_of(arguments),
        model=model,
    )
    console.warn_all(warnings)
    labelled = [case.id for case in project.labelled_cases()]
    validation = [case.id for case in project.validation_cases()]
    console.say(f"{project.name}: {counted(len(project.cases), 'case')} in {arguments.project}")
    scan = Scan.of(arguments.source, found)
    console.say(f"  found as    {scan.layout}: {counted(scan.cases, 'case')}, {counted(scan.labelled, 'label')}")
    for line in scan.told():
        console.say(line)
    console.say(f"  structures  {', '.join(f'{label.value} {label.name}' for label in project.labels)}")
    console.say(f"  labelled    {len(labelled)}{f' ({listing(labelled)})' if labelled else ''}")
    if validation:
        console.say(f"  validation  {len(validation)} ({listing(validation)}): to measure with, never trained on")
    if model is not None:
        models = " and ".join(str(source.folder) for source in model.sources)
        console.say(f"  model       {models} ({model.sources[0].kind})")
        console.say(f"next: {command_line('predict', arguments.project)}")
    elif labelled:
        console.say(f"next: {command_line('train', arguments.project)}")
    else:
        console.say(f"next: {command_line('label', arguments.project, 'CASE', 'FILE')}")
    console.result(
        {
            "project": project.path,
            "name": project.name,
            "labels": {label.name: label.value for label in project.labels},
            "cases": len(project.cases),
            "labelled": labelled,
            "validation": validation,
            "test": [case.id for case in project.test_cases()],
            "model": [] if model is None else [source.folder for source in model.sources],
            "warnings": warnings,
        }
    )
    return 0


def _start_model(arguments: argparse.Namespace) -> StartModel | None:
    """The model to begin with. It is read at once: what cannot be used makes no project."""
    if arguments.model is None:
        if arguments.structures:
            raise ProjectError("--structures goes with --model: name new structures with --labels 1=NAME 2=NAME")
        return None
    if arguments.structures and arguments.labels:
        raise ProjectError("give the structures by --structures or by --labels, not both")
    from metassl.intake import StartModel

    model = StartModel.at(arguments.model, arguments.structures)
    from metassl.training.bring_in import model_of

    return replace(model, made=model_of)
