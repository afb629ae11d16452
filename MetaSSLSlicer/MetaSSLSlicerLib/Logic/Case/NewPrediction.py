"""The open case has got another prediction: the user is told, and may look at it without losing a stroke."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from ...Translation import _
from .CaseFiles import Prediction, readPrediction
from .OpenCase import OpenCase


class NewPrediction:
    """Looks, in a task, whenever the session says that rounds or cases changed. Tells of each round once a case."""

    def __init__(self, session) -> None:
        self._session = session
        self._told: tuple[OpenCase, int] | None = None
        session.roundsChanged.connect(self._look)
        session.casesChanged.connect(self._look)

    def _look(self, caseIds: Collection[str] | None = None) -> None:
        case = self._session.case
        if case is None or (caseIds is not None and case.id not in caseIds):
            return
        self._session.tasks.run(
            lambda: case.project.prediction(case.id), lambda found: self._tell(case, found), self._session.fail
        )

    def _tell(self, case: OpenCase, found) -> None:
        if found is None or case is not self._session.case:
            return
        number = found[0].number
        if number == case.data.predictedBy or self._told == (case, number):
            return
        self._told = case, number
        text = (
            _("Round {number} has predicted {case}, too.")
            if case.hasPrediction
            else _("Round {number} has predicted {case}.")
        )
        if case.isModified:
            text += " " + _("What you have drawn stays as it is.")
        action = _("Show the prediction of round {number}").format(number=number)
        self._session.ask(case, text.format(number=number, case=case.id), action, partial(self._show, case), "info")

    def _show(self, case: OpenCase) -> None:
        session = self._session

        def read(prediction: Prediction | None) -> None:
            if prediction is not None and case is session.case:
                case.exchangePrediction(prediction)
                session.predictionChanged.emit(case)

        session.tasks.run(lambda: readPrediction(case.project, case.data), read, session.fail)
