"""Measure the model against true annotations: the newest, or that of the round that `metassl rounds --use` chose.

Dice, HD95 and ASSD in mm, how often each region of the map is wrong, and how
well the uncertainty finds the errors, all with 95 % bootstrap intervals over
the cases. The truth of CASE is DIR/CASE.nii.gz (or .nii, .nrrd, .mha, ...).
Predictions that are missing are made first. What the model has learnt of its
own errors on the validation cases (the error probability, the predicted Dice)
is not judged on them.

  metassl evaluate hippocampus --truth Task04_Hippocampus/labelsTr
  metassl evaluate hippocampus --images other_hospital/images --truth other_hospital/labels
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metassl.files.errors import ProjectError
from metassl.project.words import plural

from .shared.console import Console, command_line
from .shared.options import add_device_option, add_json_option

if TYPE_CHECKING:
    from metassl.project import Project, Round

SUMMARY = "measure the predictions against true annotations"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", type=Path, metavar="PROJECT")
    parser.add_argument(
        "--truth",
        type=Path,
        metavar="DIR",
        help="true annotations, a file for each case (default: the project's own, of its validation cases)",
    )
    parser.add_argument(
        "--cases",
        metavar="test|validation|unlabelled|all|FILE",
        help="which cases (default: the test cases if there are any, else all without a label); "
        "FILE has one case name a line; cases that were trained on are left out",
    )
    parser.add_argument("--images", type=Path, metavar="DIR", help="measure on these images instead")
    parser.add_argument("--out", type=Path, metavar="DIR", help="with --images: keep the predictions")
    add_device_option(parser)
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.evaluation.table import format_table
    from metassl.project import Project
    from metassl.project.round_choice import model_round

    from .shared.measuring import choose, evaluate_project

    _check(arguments)
    project = Project.open(arguments.project)
    choice = None if arguments.images is not None else choose(project, arguments.truth, arguments.cases)
    found = model_round(project)  # complains before the engine is loaded
    if choice is None:
        result = _evaluate_images(project, found, arguments, console)
    else:
        result = evaluate_project(project, found, choice, arguments.device, console)
    console.say(format_table(result))
    if arguments.images is None and result["n_cases"]:
        console.say(f"\nnext: {command_line('report', arguments.project)}")
    console.result(result)
    return 0 if result["n_cases"] and not result["failed"] else 1


def _check(arguments: argparse.Namespace) -> None:
    if arguments.images is None:
        if arguments.out is not None:
            raise ProjectError("--out goes with --images")
        return
    if arguments.truth is None:
        raise ProjectError("--images needs --truth DIR: where the true annotations are")
    if arguments.cases is not None:
        raise ProjectError("--cases are of the project and --images are not: give one of the two")


def _evaluate_images(project: Project, found: Round, arguments: argparse.Namespace, console: Console) -> dict[str, Any]:
    from metassl.evaluation.pairs import pair_with_truth, trained_on_images, truth_files
    from metassl.inference.predict import predict_folder
    from metassl.project.round_files import read_summary

    from .predict import PredictionProgress
    from .shared.measuring import measure, new_to_the_model

    truth_files(arguments.truth)  # a wrong folder is told before the long work, not after it
    with tempfile.TemporaryDirectory(prefix="metassl-") as temporary:
        out = arguments.out or Path(temporary)
        with PredictionProgress() as progress:
            done = predict_folder(
                project, arguments.images, out, arguments.device, progress, progress.failed, progress.note
            )
        seen = trained_on_images(project, found)
        known = {
            case for case, paths in done if seen.intersection(read_summary(paths.summary, case).image_hashes or ())
        }
        new, trained = new_to_the_model(dict(done), known, found, console)
        items, without = pair_with_truth(new, arguments.truth)
        if without:
            console.warn(
                plural(len(without), "one image has", "{count} images have")
                + f" no true annotation in {arguments.truth}"
            )
        result = measure(items, project, progress.failures, console)
    return {"round": found.number, "group": "images", "without_truth": without, "trained_on": trained, **result}
