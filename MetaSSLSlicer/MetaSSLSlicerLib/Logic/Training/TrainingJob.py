"""The training of the open project: starts it, follows it wherever it was started, stops it.

The job lives in a process of its own and tells its story in the round's folder. So this only reads,
a little at each tick, and a panel that is opened later finds the same job again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from metassl.files import ErrorCode, MetaSSLError
from metassl.jobs import JobFollower, JobStatus, get_launcher
from metassl.project import Project, Round

from MetaSSLSlicerLib.Logic.Engine.EngineProcess import EngineProcess, Result
from MetaSSLSlicerLib.Logic.Engine.EnginePython import EnginePython
from MetaSSLSlicerLib.Logic.Training.Curve import Curve
from MetaSSLSlicerLib.Logic.Training.TrainingAdvice import TrainingAdvice
from MetaSSLSlicerLib.Signal import Signal

from .TrainingOptions import TrainingOptions

TICK_BYTES = 64 << 10
LOOK_SECONDS = 2.0
PATIENCE = 10
"""So often in a row the job may be unreadable, as while its files are being replaced."""
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
        self._follower: JobFollower | None = None
        self._starter: EngineProcess | None = None
        self._handedOver = False
        self._looking = self._lookAgain = False
        self._looked = 0.0
        self._unreadable = 0
        session.projectChanged.connect(self.attach)

    # What it says

    @property
    def isStarting(self) -> bool:
        """True from the start until the job has its round."""
        return self._starter is not None or self._handedOver

    @property
    def isRunning(self) -> bool:
        """True while the job is at work, here or elsewhere."""
        return self.isStarting or (self.status is not None and self.status.state == "running")

    @property
    def canGoOn(self) -> bool:
        """True when the last round was not finished and can go on where it was."""
        if self.isRunning or self.status is None or self.status.state not in _RESUMABLE:
            return False
        return self.status.state != "failed" or self.round.last_checkpoint_path.exists()

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
        if self.session.project is None or self.isRunning:
            return
        self.problem, self.isStopping = None, False
        going_on = self.canGoOn and not options.newRound
        arguments = ["train", str(self.session.project.path), "--detach", "--json"]
        self._starter = self.python.start([*arguments, *([] if going_on else options.arguments())])
        self.statusChanged.emit(self.status)

    def stop(self) -> None:
        """Ask the job to end after its present step. What it has learnt is kept. Raises MetaSSLError."""
        if self.round is None or self.status is None or self.status.state != "running":
            return
        get_launcher(self.round.record.get("launcher", "local")).stop(self.round)
        self.isStopping = True
        self.statusChanged.emit(self.status)

    def attach(self) -> None:
        """Follow the last round of the project that is open now."""
        self._starter, self._handedOver = None, False  # a start goes on, unobserved, in its own project
        self.problem = None
        self._follow(None)
        self._look()

    def tick(self) -> None:
        """Take in what is new."""
        if self.session.project is None:
            return
        if self._starter is not None:
            self._takeStart()
        due = time.monotonic() - self._looked > LOOK_SECONDS
        if self._follower is not None and (due or self.isRunning):
            self._takeEvents()
        if due and not self.isRunning:
            self._look()

    def cleanup(self) -> None:
        """Follow no more. The job itself goes on."""
        self.session.projectChanged.disconnect(self.attach)
        self._follower = None

    # Inside

    def _takeStart(self) -> None:
        result = self._starter.poll()
        if result is None:
            return
        self._starter = None
        self._handedOver = result.code == 0
        if result.code != 0:
            self.problem = _adviceOn(result)
            self.statusChanged.emit(self.status)
        self._look()

    def _takeEvents(self) -> None:
        before = self.status
        try:
            events, status = self._follower.poll(TICK_BYTES)
            self._unreadable = 0
        except MetaSSLError as error:
            self._unreadable += 1
            if self._unreadable >= PATIENCE:
                self._follower = None
                self.session.fail(error)
            return
        self._draw(events)
        ids = [event["case"] for event in events if event["event"] == "predicted" and "case" in event]
        if ids:
            self.predicted.emit(ids)
            self.session.casesChanged.emit(ids)
        self._become(before, status)

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
                self._follow(glance, isNews=known is not None or self._handedOver or glance.status.state == "running")
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
        self.round, self._follower, self.status = None, None, None
        if glance is not None:
            self.round, self._follower = glance.round, glance.follower
            self._draw(glance.events)
            self.status = glance.status
        self.curveChanged.emit()
        self.statusChanged.emit(self.status)
        if isNews:
            self.session.roundsChanged.emit()
            self.session.casesChanged.emit(None)
            if self._handedOver and self.status.is_over:
                self.ended.emit(self.round, self.status)

    def _draw(self, events: list[dict]) -> None:
        added = False
        for event in events:
            if event["event"] == "progress" and event.get("stage") == "training":
                added |= self._loss.add(event.get("step"), (event.get("loss") or {}).get("total"))
            elif event["event"] == "validation":
                added |= self._dice.add(event.get("step"), (event.get("dice") or {}).get("mean"))
        if added:
            self.curveChanged.emit()

    def _become(self, before: JobStatus | None, status: JobStatus) -> None:
        self.status = status
        if status == before:
            return
        was = "" if before is None else before.state
        if status.is_over:
            self.isStopping = False
        if status.state == "running":
            self.problem = None
        self.statusChanged.emit(status)
        if status.is_over and was in ("running", "created"):
            self.ended.emit(self.round, status)
        if status.state != was:
            self.session.roundsChanged.emit()
            self.session.casesChanged.emit(None)


def _adviceOn(result: Result) -> TrainingAdvice:
    error = (result.json or {}).get("error") or {}
    return TrainingAdvice.ofFailure(ErrorCode.of(error.get("code")), result.text)


@dataclass(frozen=True)
class JobGlance:
    """A round, its events as far as they were read, where it stands, and what follows it from here on."""

    round: Round
    follower: JobFollower
    events: list[dict]
    status: JobStatus

    @staticmethod
    def of(project: Project, known: Round | None) -> JobGlance | None:
        """The latest round of a project, unless that is `known`. For a thread."""
        latest = project.latest_round()
        if latest is None or latest == known:
            return None
        follower = JobFollower(latest)
        return JobGlance(latest, follower, *follower.attach())
