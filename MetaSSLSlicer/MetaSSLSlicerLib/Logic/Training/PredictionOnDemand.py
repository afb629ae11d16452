"""A case that is opened and has no prediction gets one: from the training at work, or from a process of its own."""

from __future__ import annotations

from metassl.files import MetaSSLError
from metassl.project import Project

from ...Translation import _
from ..Case.OpenCase import OpenCase
from ..Engine.EngineProcess import EngineProcess
from ..Engine.EnginePython import EnginePython
from .TrainingJob import TrainingJob


class PredictionOnDemand:
    """Call `poll` now and then. Only the case that was opened last is predicted."""

    def __init__(self, session, job: TrainingJob, python: EnginePython) -> None:
        self._session, self._job, self._python = session, job, python
        self._process: EngineProcess | None = None
        self._caseId = ""

    @property
    def isBusy(self) -> bool:
        return self._process is not None

    def want(self, case: OpenCase) -> None:
        """Somebody looks at this case."""
        self.close()
        if self._job.isRunning:
            self._job.want(case.id)
            return
        project, caseId = case.project, case.id
        self._session.tasks.run(
            lambda: waits(project, caseId),
            lambda does: self._start(project, caseId) if does else None,
            lambda _error: None,  # what is wrong with the project is told elsewhere
        )

    def poll(self) -> None:
        """Take in the end of a prediction. Returns at once."""
        result = self._process.poll() if self._process is not None else None
        if result is None:
            return
        self._process = None
        if result.code:
            text = _("{case} could not be predicted: {reason}").format(case=self._caseId, reason=result.text)
            self._session.say("error", text)
        self._session.casesChanged.emit([self._caseId])

    def close(self) -> None:
        """End a prediction that is under way."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def _start(self, project: Project, caseId: str) -> None:
        isOpen = self._session.case is not None and self._session.case.id == caseId
        if project is not self._session.project or not isOpen or self._job.isRunning:
            return
        try:
            self._process = self._python.start(["predict", project.path, "--cases", caseId, "--json"])
        except MetaSSLError as error:
            self._session.fail(error)
            return
        self._caseId = caseId
        self._session.say("info", _("{case} is being predicted, as it was left out so far.").format(case=caseId))


def waits(project: Project, caseId: str) -> bool:
    """Whether a case has no label and no prediction, and there is a model to predict it. For a thread."""
    case = project.case(caseId)
    found = project.shown_round() or project.start_round()
    if found is None or not found.model_path.exists() or project.prediction(caseId) is not None:
        return False
    return case.id in {each.id for each in project.unlabelled_cases()} and not case.is_done
