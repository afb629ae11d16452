"""A job is followed over a slow network share: nothing breaks meanwhile, and in the end all of it is told."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
from metassl.files import MetaSSLError, write_json
from metassl.inference.predictor import CasePrediction, write_prediction
from metassl.jobs import EventReader, JobRecord, JobStatus, JobWriter, job_status, read_events
from metassl.jobs.round_summary import round_summaries
from metassl.project import Project, Round
from MetaSSLSlicerLib.Logic.Case.CaseFiles import readCase

from .campaigns import Outcome
from .sample_project import GRID, label, make_project, state_of, write_images
from .share_view import ShareView

STEPS = 12


def run(times: int, folder: Path, seed: int) -> Outcome:
    """Follow `times` jobs over the share."""
    dice, problems, said = random.Random(seed), [], ""
    images = write_images(folder / "images")
    for number in range(times):
        here = folder / str(number)
        here.mkdir()
        project = make_project(here / "project", images)
        view = ShareView(here, folder / f"seen {number}", dice)
        problem, words = _problem(project, view, dice)
        said = said or words
        if problem:
            problems.append(f"job {number}: {problem}")
    message = problems[0] if problems else said
    return Outcome("project on a slow share", times, len(problems), times - len(problems), message)


def _problem(project: Project, view: ShareView, dice: random.Random) -> tuple[str, str]:
    """What is wrong in the eyes of the other machine, and what it is told meanwhile."""
    found = project.new_round({"labels": {}})
    view.catch_up()
    seen = Project.open(view.seen / "project")
    watched, said = seen.round(found.number), ""
    history = EventReader(watched.events_path)
    written = []
    for _ in job(project, found, written):
        view.refresh()
        try:
            job_status(watched)
            history.read_new()
        except MetaSSLError as error:
            said = said or str(error)
        except Exception as error:
            return f"the follower broke: {type(error).__name__}: {error}", said
        problem, words = _look_round(seen)
        said = said or words
        if problem:
            return problem, said
    view.catch_up()
    if [event.seq for event in read_events(watched.events_path)] != written:
        return f"of the events {written} others are there in the end", said
    if _facts(job_status(watched)) != (told := _facts(job_status(found))):
        return f"in the end it says {_facts(job_status(watched))} in place of {told}", said
    if state_of(seen.path) != state_of(project.path):
        return "in the end the project is another", said
    return "", said


def _facts(status: JobStatus) -> tuple:
    return status.state, status.step, status.predicted, status.warnings, status.device


def job(project: Project, found: Round, written: list[int]):
    """A job at work; yields after everything that it writes. `written`: the numbers of its events."""
    events = JobWriter(found, every_s=0.0)
    JobRecord("local", os.getpid(), "x", "another machine").write(found.job_path)

    def tell(event: str, **fields: object) -> None:
        written.append(events.write(event, **fields).seq)

    tell("started", device="cpu")
    yield
    write_json(found.plan_path, {"classes": 3})
    for step in range(1, STEPS):
        tell("progress", stage="training", step=step, total=STEPS)
        if step % 3 == 0:
            tell("warning", message=f"warning {step}")
        yield
    for case in ("scan_1", "scan_2"):
        uncertainty = np.zeros(GRID.shape_zyx, np.float32)
        maps = CasePrediction(label(1), label(2) + np.uint8(1), uncertainty, uncertainty, GRID, None, None)
        write_prediction(found.prediction(case), maps, {"case": case})
        yield
        project.mark_predicted([case])
        tell("predicted", case=case)
        yield
    write_json(found.ranking_path, {"cases": []})
    tell("finished")
    yield


def _look_round(seen: Project) -> tuple[str, str]:
    """What breaks when the project is looked at now, and what is said of what is not there yet."""
    said = ""
    for look in (
        lambda: [readCase(seen, case).warnings for case in seen.cases],
        lambda: round_summaries(seen),
        lambda: seen.predictions(),
        lambda: Project.open(seen.path),
    ):
        try:
            look()
        except MetaSSLError as error:
            said = said or str(error)
        except Exception as error:
            return f"{type(error).__name__}: {error}", said
    return "", said
