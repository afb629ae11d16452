"""Predict with the model that is reviewed, or the newest: cases of a project, or images from anywhere.

Training predicts cases without a label by itself, and so does the first `predict` of
a project that began with a model (`metassl new --model`). Those that were left out
(`metassl train --predict`), or that were added since:

  metassl predict liver

and the maps that `metassl clean` has removed from an older round:

  metassl predict liver/rounds/0001

or have tasks on another machine share them (`metassl machines`):

  metassl predict liver --on cluster --tasks 64

Images that belong to no project are files, folders (also of DICOM), or tables of
cases (CSV), and the model is a project's, a round's or a bundle's (`metassl export
--format bundle`). DIR gets CASE.nii.gz on the image's own grid; with --maps also
CASE_regions.nii.gz and CASE_uncertainty.nii.gz. Nothing is overwritten, and no case
of the project is touched.

  metassl predict liver --images ~/more_scans --out ~/predicted
  metassl predict liver/rounds/0002 --images a.nii.gz b.nii.gz --out ~/predicted --maps
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from metassl.files.errors import ProjectError
from metassl.project.words import count

from .shared.bar import ProgressBar
from .shared.console import Console, command_line, listing
from .shared.options import add_device_option, add_json_option
from .shared.options import count as number

if TYPE_CHECKING:
    from metassl.inference.outside import PredictedImages
    from metassl.project import Project, Round

SUMMARY = "predict cases of the project, or images from anywhere"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL", help="a project, a round or (with --images) a bundle")
    parser.add_argument("--cases", nargs="+", metavar="CASE", help="these only (default: all that wait for one)")
    parser.add_argument("--images", nargs="+", type=Path, metavar="IMAGE", help="files, folders or tables of images")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where their predictions go")
    parser.add_argument("--maps", action="store_true", help="with --images: also the maps of regions and uncertainty")
    parser.add_argument("--overwrite", action="store_true", help="with --images: also what is there already")
    parser.add_argument("--on", metavar="NAME", help="the machine to predict on, or local; see `metassl machines`")
    parser.add_argument("--tasks", type=number, metavar="N", help="with --on: how many tasks share the cases")
    parser.add_argument("--detach", action="store_true", help="with --on: do not watch; see `metassl status`")
    add_device_option(parser)
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    if arguments.on == "local":
        arguments.on = None
    _check(arguments)
    if arguments.images is None:
        return _predict_project(arguments, console)
    return _predict_images(arguments, console)


def _check(arguments: argparse.Namespace) -> None:
    if (arguments.images is None) != (arguments.out is None):
        raise ProjectError("--images and --out go together: where the images are, and where to write")
    if arguments.images is not None and arguments.cases is not None:
        raise ProjectError("--cases are of the project and --images are not: give one of the two")
    if arguments.images is not None and arguments.on is not None:
        raise ProjectError("--on predicts cases of the project, and --images are none: leave one out")
    if arguments.on is None and (arguments.tasks is not None or arguments.detach):
        raise ProjectError("--tasks and --detach go with --on: on this computer one process predicts")
    if arguments.images is None and (arguments.maps or arguments.overwrite):
        raise ProjectError("--maps and --overwrite go with --images: cases of the project always get their maps")


def _predict_project(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.jobs.source_round import source_round_to_run
    from metassl.project import Project

    if not _is_project(arguments.model) and _is_bundle(arguments.model):
        raise ProjectError(f"{arguments.model} is no project: say with --images and --out what to predict by it")
    is_round = _is_round(arguments.model)
    project = Project.open(arguments.model.resolve().parents[1] if is_round else arguments.model)
    for case_id in arguments.cases or []:
        project.case(case_id)
    if not is_round and arguments.cases is None and (waiting := source_round_to_run(project)) is not None:
        return _run_source_round(project, arguments.model, waiting, console)
    found = _round_of(arguments.model)  # complains before anything is shown, and before the engine is loaded
    if arguments.on is not None and found is not None:
        return _predict_elsewhere(arguments, project, found, console)
    cases = arguments.cases
    if is_round and cases is None and found is not None:
        cases = [paths.folder.name for paths in found.thinned_or_predicted() if not paths.complete] or None
    from metassl.inference.predict import predict_project

    with PredictionProgress() as progress:
        done = predict_project(project, cases, arguments.device, progress, progress.failed, found)
    if done:
        console.say(f"{len(done)} predicted, in {done[0][1].folder.parent}")
    elif not progress.failures:
        console.say("nothing to predict: every case has a label, or a prediction by this model")
    console.result({"predicted": {case: paths.folder for case, paths in done}, "failed": progress.failures})
    return 1 if progress.failures else 0


def _predict_elsewhere(arguments: argparse.Namespace, project: Project, found: Round, console: Console) -> int:
    from .shared.sharing import launch, watch

    share = launch(project, found, arguments.cases, arguments.on, arguments.tasks or 1, arguments.device)
    tasks = count(share.tasks, "task")
    console.say(f"{count(len(share.cases), 'case')} shared by {tasks} of the job {share.job} on {share.machine}")
    if not arguments.detach:
        return watch(project, found, share, arguments.model, console)
    console.commands([(command_line("status", project.path), "look at it")])
    console.result({"share": share.number, "job": share.job, "cases": len(share.cases), "tasks": share.tasks})
    return 0


def _run_source_round(project: Project, shown: Path, found: Round, console: Console) -> int:
    """Watch round 0 predict all cases with the model that the project began with; the exit code."""
    from metassl.jobs.source_round import run_source_round

    from .shared.follow import follow, last_seq
    from .train import conclude

    told = last_seq(found)
    run_source_round(project, found)
    try:
        status = follow(found, console, after=told)
    except KeyboardInterrupt:
        console.say("no longer watching; the cases are predicted in the background")
        return 130
    return conclude(project, shown, found, status, console)


def _predict_images(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.project import Project

    found = _round_of(arguments.model)
    from metassl.inference.outside import ModelForImages, predict_images

    with PredictionProgress() as progress:
        if found is None:
            source = ModelForImages.of_bundle(arguments.model, arguments.device)
        else:
            source = ModelForImages.of_round(Project.open(found.project_path), found, arguments.device)
        done = predict_images(
            source,
            arguments.images,
            arguments.out,
            maps=arguments.maps,
            overwrite=arguments.overwrite,
            report=progress,
            failed=progress.failed,
            tell=progress.note,
        )
    _tell_left_out(done, console)
    console.say(f"{count(len(done.predicted), 'image')} predicted by {source.title}, in {arguments.out}")
    if done.kept:
        names = listing(list(done.kept))
        console.say(f"{len(done.kept)} not predicted, as they are there already: {names}; --overwrite replaces them")
    if done.failed:
        console.say(f"{len(done.failed)} not predicted, for the reasons above: {listing(list(done.failed))}")
    console.result(
        {
            "model": source.title,
            "predicted": done.predicted,
            "kept": done.kept,
            "failed": done.failed,
            "left_out": [{"file": path, "reason": reason} for path, reason in done.left_out],
        }
    )
    return 1 if done.failed or done.kept else 0


def _tell_left_out(done: PredictedImages, console: Console) -> None:
    by_reason: dict[str, list[str]] = {}
    for path, reason in done.left_out:
        by_reason.setdefault(reason, []).append(path.name)
    for reason, names in by_reason.items():
        console.say(f"{count(len(names), 'file')} left out: {reason} ({listing(names, 3)})")


def _round_of(path: Path) -> Round | None:
    """The round whose model is meant; None where the path is a bundle.

    Raises ProjectError, before the engine is loaded, when the path is neither, nor a project, or has no model.
    """
    from metassl.project import Project, Round
    from metassl.project.round_choice import model_round

    if _is_round(path):
        found = Round(path.resolve())
        if not found.model_path.is_file():
            raise ProjectError(f"{found.title} of {found.project_path} has no finished model")
        return found
    if _is_project(path) or not path.is_dir():
        return model_round(Project.open(path))
    if not _is_bundle(path):
        raise ProjectError(f"{path} is neither a project nor a round of one nor a bundle: give the folder of one")
    return None


def _is_project(path: Path) -> bool:
    return (path / "project.json").is_file()


def _is_round(path: Path) -> bool:
    path = path.resolve()
    return path.parent.name == "rounds" and path.name.isdecimal() and (path / "round.json").is_file()


def _is_bundle(path: Path) -> bool:
    return (path / "configs" / "metadata.json").is_file()


class PredictionProgress:
    """The bar of a prediction; called as `report(done, total, case)`. Collects what failed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.bar = ProgressBar(sys.stderr)  # stdout is for what comes of it
        self.failures: dict[str, str] = {}
        self._clock = clock
        self._begin = clock()

    def __enter__(self) -> PredictionProgress:
        self.bar.show("predicting")
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def __call__(self, done: int, total: int, case: str) -> None:
        eta = (self._clock() - self._begin) / done * (total - done) if done else None
        self.bar.show("predicting", done, total, eta, case)

    def note(self, text: str) -> None:
        """What the user should know of an image that is predicted all the same."""
        self.bar.line(f"note: {text}")

    def failed(self, case: str, reason: str) -> None:
        """A case that could not be predicted; the rest go on."""
        self.failures[case] = reason
        self.bar.line(f"left out: {reason}")
