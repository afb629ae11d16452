"""The training of the open project: starts it, follows it wherever it was started, stops it.

The job lives in a process of its own and says in the round's folder where it stands. So this only reads, a little at
each tick, and a panel that is opened later finds the same job again.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path

from metassl.files import MetaSSLError, code_of
from metassl.jobs import Event, EventReader, JobStatus, job_status, launcher_of
from metassl.jobs.start import (
    GIVING_WAY_SECONDS,
    LEAVING_SECONDS,
    ask_to_give_way,
    can_give_way,
    is_leaving,
    start_training,
)
from metassl.project import Project, Round

from ...Signal import Signal
from ..Engine.EnginePython import EnginePython
from .TrainingAdvice import TrainingAdvice
from .TrainingOptions import TrainingOptions

HEAD_BYTES, TAIL_BYTES = 64 << 10, 512 << 10
"""Of a long history, for the curve."""
TICK_BYTES = 32 << 10
LOOK_SECONDS = 2.0
PATIENCE = 10
"""So often in a row the job may be unreadable, as while its files are being replaced."""
_NAP_SECONDS = 0.2
_RESUMABLE = ("created", "paused", "interrupted", "failed")


class TrainingJob:
    """Used on the GUI thread. Call `tick` twice a second; each call takes a few milliseconds."""

    def __init__(self, session, enginePython: EnginePython) -> None:
        self.session, self.python = session, enginePython
        self.round: Round | None = None
        self.status: JobStatus | None = None
        self.problem: TrainingAdvice | None = None
        """Why the last start failed, until the next one."""
        self.isStopping = False
        self.statusChanged = Signal()
        """(JobStatus or None)"""
        self.predicted = Signal()
        """(ids) these cases have got a prediction."""
        self.ended = Signal()
        """(Round, JobStatus)"""
        self.curveChanged = Signal()
        """()"""
        self._loss, self._dice = Curve(), Curve(200)
        self._history: EventReader | None = None
        self._start: StartingUp | None = None
        self._handedOver = False
        self._looking = self._lookAgain = False
        self._looked = 0.0
        self._unreadable = 0
        session.projectChanged.connect(self.attach)

    # What it says

    @property
    def isStarting(self) -> bool:
        """True from the start until the job has its round."""
        return self._start is not None or self._handedOver

    @property
    def isRunning(self) -> bool:
        """True while the job is at work, here or elsewhere."""
        return self.isStarting or (self.status is not None and self.status.is_going_on)

    @property
    def canGoOn(self) -> bool:
        """True when the last round was not finished and can go on where it was."""
        if self.isRunning or self.status is None or self.status.state not in _RESUMABLE:
            return False
        return self.status.state != "failed" or self.round.last_checkpoint_path.exists()

    @property
    def canGiveWay(self) -> bool:
        """True while the job only predicts what is left: a new round may begin, and ends it."""
        if self.isStarting or self.status is None or self.status.ranked is None:
            return False
        return (self.status.state, self.status.stage) == ("running", "predicting")

    def want(self, caseId: str) -> None:
        """Somebody waits for this case: the job predicts it before the others."""
        found = self.round
        if self.isRunning and found is not None:
            self.session.tasks.run(lambda: found.want(caseId), failed=lambda _error: None)

    @property
    def curve(self) -> list[tuple[int, float]]:
        """(step, loss) of this round."""
        return self._loss.points

    @property
    def dice(self) -> list[tuple[int, float]]:
        """(step, Dice on the validation cases) of this round."""
        return self._dice.points

    @property
    def logPath(self) -> Path | None:
        """The log of the round that is followed, if there is one."""
        return None if self.round is None or not self.round.log_path.is_file() else self.round.log_path

    def lastLog(self, size: int = 8192) -> str:
        """The last `size` bytes of the log, from the beginning of a line."""
        if self.round is None:
            return ""
        try:
            with open(self.round.log_path, "rb") as stream:
                length = stream.seek(0, 2)
                stream.seek(max(length - size, 0))
                text = stream.read(size).decode("utf-8", "replace")
        except OSError:
            return ""
        return text if length <= size else text.partition("\n")[2]

    # What it does

    def start(self, options: TrainingOptions) -> None:
        """Start a training, or let the last round go on when it can. Raises MetaSSLError."""
        if self.session.project is None or (self.isRunning and not (options.newRound and self.canGiveWay)):
            return
        self.problem, self.isStopping = None, False
        goesOn = self.canGoOn and not options.newRound
        asked = options.asked() if not goesOn or self.round.has_source else options.where()
        python = self.python if options.machine is None else EnginePython()  # there another one trains
        self._start = StartingUp(self.session.project, {"python": python.worker(), **asked})
        self._goOnStarting(self._start)
        self.statusChanged.emit(self.status)

    def stop(self) -> None:
        """Ask the job to end after its present step. What it has learnt is kept. Raises MetaSSLError."""
        if self.round is None or self.status is None or not self.status.is_going_on:
            return
        found = self.round
        if self.status.machine:  # which may have to be asked
            self.session.tasks.run(lambda: launcher_of(found).stop(found), failed=self.session.fail)
        else:
            launcher_of(found).stop(found)
        self.isStopping = True
        self.statusChanged.emit(self.status)

    def attach(self) -> None:
        """Follow the last round of the project that is open now."""
        self._start, self._handedOver = None, False  # a start goes on, unobserved, in its own project
        self.problem = None
        self._follow(None)
        self._look()

    def tick(self) -> None:
        """Take in what is new."""
        if self.session.project is None:
            return
        due = time.monotonic() - self._looked > LOOK_SECONDS
        if due or self.isRunning:
            self._takeNews(due)
        if due and not self.isRunning:
            self._look()

    def cleanup(self) -> None:
        """Follow no more. The job itself goes on."""
        self.session.projectChanged.disconnect(self.attach)
        self._history = None

    # Inside

    def _goOnStarting(self, start: StartingUp) -> None:
        def done(isStarted: bool) -> None:
            if not isStarted:
                self._goOnStarting(start)  # also when another project is open by now
            elif start is self._start:
                self._start, self._handedOver = None, True
                self._takeNews(due=True)
                self._look()

        def failed(error: Exception) -> None:
            if start is not self._start:
                return
            self._start = None
            self.problem = TrainingAdvice.ofFailure(code_of(error), str(error))
            self.statusChanged.emit(self.status)
            self._look()

        self.session.tasks.run(start.goOn, done, failed)

    def _takeNews(self, due: bool) -> None:
        found = self.round
        if found is None or self._history is None:
            return
        if found.status_path.exists():
            try:
                self._take(found, job_status(found, patient=False))
            except MetaSSLError as error:
                self._failToRead(found, error)
        elif due:  # of an older version, or about to begin: in a task, for its history may be long
            self._looked = time.monotonic()
            self.session.tasks.run(
                lambda: job_status(found),
                lambda status: self._take(found, status),
                lambda error: self._failToRead(found, error),
            )

    def _failToRead(self, found: Round, error: Exception) -> None:
        if found == self.round and self._history is not None:
            self._unreadable += 1
            if self._unreadable >= PATIENCE:
                self._history = None
                self.session.fail(error)

    def _take(self, found: Round, status: JobStatus) -> None:
        if found != self.round or self._history is None:
            return
        self._unreadable = 0
        events = self._history.read_new(TICK_BYTES)
        self._draw(events)
        ids = [event.case for event in events if event.event == "predicted" and event.case]
        isRanked = any(event.event == "ranked" for event in events)
        if ids:
            self.predicted.emit(ids)
        if ids or isRanked:
            self.session.casesChanged.emit(None if isRanked else ids)
        self._become(self.status, status)

    def _look(self) -> None:
        """Look, in a task, for a round that is newer than ours."""
        if self.session.project is None:
            return
        if self._looking:
            self._lookAgain = True
            return
        self._looking, self._looked = True, time.monotonic()
        project, known = self.session.project, self.round

        def done(glance: JobGlance | None) -> None:
            self._looking = False
            if project is self.session.project and glance is not None:
                self._follow(glance, isNews=known is not None or self._handedOver or glance.status.is_going_on)
            self._afterLook()

        def failed(error: Exception) -> None:
            self._looking = False
            if project is self.session.project and not self._unreadable:
                self._unreadable = 1
                self.session.fail(error)
            self._afterLook()

        self.session.tasks.run(lambda: JobGlance.of(project, known), done, failed)

    def _afterLook(self) -> None:
        if self._lookAgain:
            self._lookAgain = False
            self._look()
        elif self._handedOver:
            self._handedOver = False
            self.statusChanged.emit(self.status)

    def _follow(self, glance: JobGlance | None, isNews: bool = False) -> None:
        self._loss.clear()
        self._dice.clear()
        self.isStopping = False
        self.round, self._history, self.status = None, None, None
        if glance is not None:
            self.round, self._history = glance.round, glance.history
            self._draw(glance.events)
            self.status = glance.status
        self.curveChanged.emit()
        self.statusChanged.emit(self.status)
        if isNews:
            self.session.roundsChanged.emit()
            self.session.casesChanged.emit(None)
            if self._handedOver and self.status.is_over:
                self.ended.emit(self.round, self.status)

    def _draw(self, events: list[Event]) -> None:
        added = False
        for event in events:
            if event.event == "progress" and event.stage == "training":
                added |= self._loss.add(event.step, (event.loss or {}).get("total"))
            elif event.event == "validation":
                added |= self._dice.add(event.step, (event.dice or {}).get("mean"))
        if added:
            self.curveChanged.emit()

    def _become(self, before: JobStatus | None, status: JobStatus) -> None:
        self.status = status
        if status == before:
            return
        was = "" if before is None else before.state
        if status.is_over:
            self.isStopping = False
        if status.is_going_on:
            self.problem = None
        self.statusChanged.emit(status)
        if status.is_over and was in ("running", "queued", "created"):
            self.ended.emit(self.round, status)
        if status.state != was:
            self.session.roundsChanged.emit()
            self.session.casesChanged.emit(None)


class StartingUp:
    """A training that is about to be started, in tasks of moments."""

    def __init__(self, project: Project, asked: dict) -> None:
        self._project, self._asked = project, asked
        self._deadline = time.monotonic() + LEAVING_SECONDS
        self._isAsked = False

    def goOn(self) -> bool:
        """Whether it is started now; False while a former job is about to end. MetaSSLError when it cannot be."""
        if not self._isAsked and ask_to_give_way(self._project):
            self._deadline = time.monotonic() + GIVING_WAY_SECONDS
        self._isAsked = True
        leaves = is_leaving(self._project) or can_give_way(self._project)
        if leaves and time.monotonic() < self._deadline:
            time.sleep(_NAP_SECONDS)
            return False
        start_training(self._project, patience_s=0.0, **self._asked)
        return True


@dataclass(frozen=True)
class JobGlance:
    """A round, where it stands, the events for its curve, and what reads those to come."""

    round: Round
    status: JobStatus
    history: EventReader
    events: list[Event]

    @staticmethod
    def of(project: Project, known: Round | None) -> JobGlance | None:
        """The latest round of a project, unless that is `known`. For a thread."""
        latest = project.latest_round()
        if latest is None or latest == known:
            return None
        status, history = job_status(latest), EventReader(latest.events_path)
        events = history.read_new(HEAD_BYTES)
        history.skip_middle(TAIL_BYTES)
        return JobGlance(latest, status, history, events + history.read_new())


class Curve:
    """Points (step, value) in order of their steps. When there are too many, every other one is left out."""

    def __init__(self, limit: int = 600) -> None:
        self._limit = limit
        self._points: list[tuple[int, float]] = []
        self._stride = 1
        self._seen = 0
        self._last: tuple[int, float] | None = None

    @property
    def points(self) -> list[tuple[int, float]]:
        """The points, with the latest one always among them."""
        last = [self._last] if self._last is not None and self._last not in self._points[-1:] else []
        return [*self._points, *last]

    def add(self, step: object, value: object) -> bool:
        """Append a point; returns whether it is one. A step back takes away what was learnt beyond it."""
        if not _isNumber(step) or not _isNumber(value):
            return False
        point = (int(step), float(value))
        while self._points and self._points[-1][0] >= point[0]:
            self._points.pop()
        self._last = point
        if self._seen % self._stride == 0:
            self._points.append(point)
        self._seen += 1
        if len(self._points) > self._limit:
            self._points = self._points[::2]
            self._stride *= 2
            self._seen = 1
        return True

    def clear(self) -> None:
        """Begin anew."""
        self._points, self._stride, self._seen, self._last = [], 1, 0, None


def _isNumber(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
