"""The step after training: thresholds of the region map, and how often the map is right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from metassl.data.streams import PreparedCase
from metassl.files.errors import ProjectError
from metassl.files.json_files import write_json
from metassl.inference.calibration import calibrate_thresholds
from metassl.inference.error_model import ErrorModel
from metassl.inference.measured import measured_error_rates
from metassl.inference.model import ELSEWHERE, TrainedModel
from metassl.inference.one_pass import fitting_pass
from metassl.inference.operating_point.point import AS_IT_IS, Point
from metassl.project.records import ErrorRates
from metassl.training.inputs import Inputs
from metassl.training.job import Job
from metassl.training.operating_point import choose_operating_point
from metassl.training.passes import Passes

if TYPE_CHECKING:
    from metassl.training.train import Trained

CALIBRATION_CASES = 16
CALIBRATION_CASES_WHEN_STOPPED = 4
CALIBRATION_VOXELS, LEAST_CASES = 40_000_000, 3
"""Large images say more each, and nobody waits for sixteen of them."""


def calibrate(job: Job, trained: Trained, inputs: Inputs, passes: Passes) -> TrainedModel:
    """The operating point, and thresholds from one pass over unlabelled cases at it, kept with the model: from fewer
    where a stop is asked for.

    The passes are kept in `passes`.
    """
    job.emit("stage", stage="calibrating", total=None)
    networks, plan, step = trained
    point = choose_operating_point(job, trained, inputs, passes)
    chosen = calibration_cases(inputs, CALIBRATION_CASES_WHEN_STOPPED if job.stop_requested else CALIBRATION_CASES)
    thresholds = calibrate_thresholds(_softmaxes(job, trained, chosen, passes, point), plan, job.definition)
    framework, values = ELSEWHERE if job.round.has_source else job.config["framework"], job.project.values
    learnt = learnt_before(job, step, point)
    model = TrainedModel(networks, plan, thresholds, values, framework, step, job.device, learnt, job.definition, point)
    model.save(job.round.model_path)
    job.stop_if_requested()
    return model


def calibration_cases(inputs: Inputs, most: int = CALIBRATION_CASES) -> list[PreparedCase]:
    """The cases to look at, from all over the list."""
    pool = inputs.unlabelled or inputs.labelled
    if not pool:
        return []
    enough = max(CALIBRATION_VOXELS // pool[0].image[0].size, LEAST_CASES)
    cases = min(enough, most)
    return pool[:: max(1, len(pool) // cases)][:cases]


def measure(job: Job, model: TrainedModel, passes: Passes) -> ErrorRates | None:
    """What error_rates.json holds; None where there is nothing to measure with. Takes its cases out of `passes`."""
    begun = False

    def report(done: int, total: int) -> None:
        nonlocal begun
        job.stop_if_requested()
        if not begun:
            job.emit("stage", stage="measuring", total=total)
        begun = True
        job.progress("measuring", done, total)

    measured = measured_error_rates(job.project, job.round, model, report, job.reader.images.get, passes.take)
    if measured is not None:
        write_json(job.round.error_rates_path, measured.to_json())
    return measured


def learnt_before(job: Job, step: int, point: Point = AS_IT_IS) -> ErrorModel | None:
    """What this very model knew of its errors when it was stopped later on; error_rates.json goes with it."""
    try:
        former = TrainedModel.load(job.round.model_path, job.device)
    except ProjectError:
        return None
    return former.error_model if (former.step, former.point) == (step, point) else None


def _softmaxes(
    job: Job, trained: Trained, cases: list[PreparedCase], passes: Passes, point: Point
) -> Iterator[np.ndarray]:
    """Of one case after the other; who asks for a stop waits for a few only."""
    for done, case in enumerate(cases):
        if done >= CALIBRATION_CASES_WHEN_STOPPED and job.stop_requested:
            return
        sized = trained.plan, job.device, job.tell_of_memory
        made = fitting_pass(trained.networks, case.image, case.id, *sized, point)
        passes.keep(case.id, made)
        yield made.pair
        job.progress("calibrating", done + 1, len(cases))
