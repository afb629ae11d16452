"""The step that predicts every unlabelled case, those likely to be opened next first, and marks them as predicted."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping

from metassl.files.errors import MetaSSLError, ProjectError
from metassl.inference.model import TrainedModel
from metassl.inference.predict import known_voxels, predict_into, predicted_by
from metassl.project.cases import Case
from metassl.project.effort.depth import tolerance_of
from metassl.project.project import Project
from metassl.project.records import ErrorRates
from metassl.project.round_files import read_ranking, read_summary
from metassl.project.rounds import Round
from metassl.project.words import count as counted
from metassl.training.eta import time_left
from metassl.training.job import Job
from metassl.training.passes import Passes
from metassl.training.screening import FIRST_SECONDS, SHARE, Screening

MARKING_SHARE = 0.1
"""Of the time of predicting: every time, all cases are read and written."""

LONGEST_UNMARKED_SECONDS = 10.0


def predict(
    job: Job, model: TrainedModel, measured: ErrorRates | None, passes: Passes, rank: Callable[[], object]
) -> None:
    """Cases that this very model has predicted are left as they are; one that fails is reported, and the rest go on.

    What a quick look makes likely to be worth most comes first, see `Screening`. With the first prediction, and
    whenever twice as many are there, `rank` is called: whoever reviews need not wait for the last case. A case that
    somebody opens comes before the others; where another training waits, the rest is left to it. The config may say how
    many are predicted; the others are when somebody asks for them.
    """
    marks = PredictedMarks(job.project, job.emit)
    try:
        cases = _to_predict(job, model, marks)
        wait = len(cases)
        total = min(job.config.get("predict") or wait, wait)
        job.emit("stage", stage="predicting", total=total)
        screening = Screening(job, model, passes, cases)
        screening.go_on(FIRST_SECONDS)
        due, begin = 1, time.monotonic()
        for done in range(1, total + 1):
            job.stop_if_requested()
            if job.gives_way:
                break
            began = time.monotonic()
            _predict_case(job, screening.take(job.round.wanted()), model, measured, marks, passes)
            if done == due < total:
                marks.write()
                rank()
                due *= 2
            job.progress("predicting", done, total, time_left(time.monotonic() - begin, done, total))
            if done < total:
                screening.go_on(SHARE * (time.monotonic() - began))
        if total < wait:
            job.warn(_left_words(len(screening), screening.looked_at, wait))
    finally:
        marks.write()


def _left_words(left: int, looked_at: int, wait: int) -> str:
    return (
        f"{counted(left, 'case')} {'is' if left == 1 else 'are'} not predicted yet, as asked for: a quick look at "
        f"{looked_at} of {wait} chose those that are; `metassl predict` predicts the rest"
    )


def _predict_case(
    job: Job,
    case: Case,
    model: TrainedModel,
    measured: ErrorRates | None,
    marks: PredictedMarks,
    passes: Passes,
) -> None:
    try:
        summary = predict_into(
            model,
            case.id,
            job.project.image_paths(case),
            job.round.prediction(case.id),
            job.project.labels,
            job.round.number,
            measured,
            job.tell_of_memory,
            job.reader.images.get,
            known_voxels(job.project, case.id),
            passes.take(case.id),
            tolerance_of(job.project),
        )
    except MetaSSLError as error:
        job.reader.report_failure(case.id, error)
    else:
        marks.add(case.id, summary.uncertainty)


def _to_predict(job: Job, model: TrainedModel, marks: PredictedMarks) -> list[Case]:
    """The cases without a prediction by this model. Of those with one, a killed run may have left some unmarked."""
    cases = []
    for case in _reading_order(job):
        paths = job.round.prediction(case.id)
        if not predicted_by(paths, model.step):  # a paused round may hold predictions of a half-trained model
            cases.append(case)
        elif case.state == "unlabelled":  # a rejected one may have been rejected since
            marks.add(case.id, read_summary(paths.summary, case.id).uncertainty)
    marks.write()
    return cases


def _reading_order(job: Job) -> list[Case]:
    """Unlabelled cases, those likely to be opened next first: open ones, then the former ranking's order."""
    cases = job.project.unlabelled_cases()
    former = {}
    parent = job.round.record.get("parent")
    if parent is not None:
        with contextlib.suppress(ProjectError):
            entries = read_ranking(Round(job.round.path.with_name(f"{parent:04d}"))).cases
            former = {entry.case: place for place, entry in enumerate(entries)}
    cases.sort(key=lambda c: (c.state != "in_progress", former.get(c.id, len(former)), c.id))
    return cases


class PredictedMarks:
    """Marks cases as predicted, and then tells so: the first at once, others some at a time where it takes long.

    The project's list of cases is read and written whole.
    """

    def __init__(self, project: Project, emit: Callable[..., object]):
        self.project, self.emit = project, emit
        self._waiting: dict[str, Mapping[str, float] | None] = {}
        self._due = 0.0

    def add(self, case_id: str, uncertainty: Mapping[str, float] | None) -> None:
        self._waiting[case_id] = uncertainty
        if time.monotonic() >= self._due:
            self.write()

    def write(self) -> None:
        waiting, self._waiting = self._waiting, {}
        if not waiting:
            return
        begin = time.monotonic()
        self.project.mark_predicted(waiting)
        end = time.monotonic()
        self._due = end + min((end - begin) / MARKING_SHARE, LONGEST_UNMARKED_SECONDS)
        for case_id, uncertainty in waiting.items():
            self.emit("predicted", case=case_id, uncertainty=uncertainty)
