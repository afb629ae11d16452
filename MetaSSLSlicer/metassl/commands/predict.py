"""Predict with the newest model, or the chosen one: segmentation, region map and uncertainty.

Training does this by itself for every case without a label. Predict again
after adding cases, or predict images that do not belong to the project:

  metassl predict liver --images ~/more_scans --out ~/more_scans/predicted
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from metassl.files.errors import ProjectError

from .shared.bar import ProgressBar
from .shared.console import Console
from .shared.options import add_device_option, add_json_option

SUMMARY = "predict cases of the project, or any folder of images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", type=Path, metavar="PROJECT")
    parser.add_argument("--cases", nargs="+", metavar="CASE", help="these only (default: all without a label)")
    parser.add_argument("--images", type=Path, metavar="DIR", help="images outside the project")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where their predictions go")
    add_device_option(parser)
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.project import Project

    if (arguments.images is None) != (arguments.out is None):
        raise ProjectError("--images and --out go together: where the images are, and where to write")
    if arguments.images is not None and arguments.cases is not None:
        raise ProjectError("--cases are of the project and --images are not: give one of the two")
    project = Project.open(arguments.project)
    for case_id in arguments.cases or []:
        project.case(case_id)
    from metassl.project.round_choice import model_round

    model_round(project)  # complains before anything is shown, and before the engine is loaded
    from metassl.inference.predict import predict_folder, predict_project

    with PredictionProgress() as progress:
        if arguments.images is not None:
            done = predict_folder(
                project,
                arguments.images,
                arguments.out,
                arguments.device,
                progress,
                progress.failed,
                progress.note,
            )
        else:
            done = predict_project(project, arguments.cases, arguments.device, progress, progress.failed)
    if done:
        console.say(f"{len(done)} predicted, in {done[0][1].folder.parent}")
    elif not progress.failures:
        console.say("nothing to predict: every case has a label")
    console.result(
        {
            "predicted": {case: paths.folder for case, paths in done},
            "failed": progress.failures,
        }
    )
    return 1 if progress.failures else 0


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
