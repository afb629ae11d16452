"""What a reviewer decides on a predicted case. Each decision is one call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from metassl.files import LabelError

from ...Signal import Signal
from ...Translation import _
from ..Case.OpenCase import OpenCase
from ..Case.PartialAnnotation import confidentPart
from ..Case.Session import Session


class ReviewActions:
    """Decides on the open case of the session; does nothing when none is open."""

    def __init__(self, session: Session) -> None:
        self.decided = Signal()
        """(case id) it is decided, and nothing is missing but the writing: the panel may go on to the next case."""
        self._session = session

    def accept(self, allowEmpty: bool = False) -> None:
        """Make the prediction, or what was made of it in the editor, the label of the case."""
        case = self._session.case
        if case is None:
            return
        if case.isEditing:
            self._session.writes.saveLabel(
                allowEmpty=allowEmpty,
                kept=lambda: self.decided.emit(case.id),
                done=lambda: self._tell(case, _("{case} is accepted.")),
            )
        elif case.hasPrediction:
            segmentation = case.data.prediction.segmentation
            retry = partial(self.accept, allowEmpty=True)
            options = {"allowEmpty": allowEmpty, "prediction": segmentation, "retryAsEmpty": retry}
            self._store(case, lambda: segmentation, _("{case} is accepted."), **options)

    def correct(self) -> None:
        """Open the editor on a copy of the prediction."""
        case = self._session.case
        if case is not None and case.hasPrediction and not case.isEditing:
            case.startEditing(case.data.prediction.segmentation.copy())

    def acceptConfident(self) -> None:
        """Make a label of the part where both networks agree and are sure; the rest is "not annotated"."""
        case = self._session.case
        if case is None or not case.hasPrediction:
            return
        prediction = case.data.prediction

        def confident() -> np.ndarray:
            part = confidentPart(prediction.segmentation, prediction.regions)
            if not ((part != 0) & (part != 255)).any():
                text = _("case {case} has no structure that the model is sure of; correct it instead")
                raise LabelError(text.format(case=case.id))
            return part

        def store() -> None:
            case.stopEditing()
            self._store(case, confident, _("The confident part of {case} is accepted."))

        self._unlessUnsaved(case, store, _("Throw them away and keep the confident part"))

    def reject(self) -> None:
        """Say that the prediction is of no use. The case is not trained on, and its segments are flagged."""
        case = self._session.case
        if case is None or not case.hasPrediction:
            return
        session = self._session

        def decided(_result: object) -> None:
            if session.case is case:
                case.setSegmentStatus("Flagged")
            if session.project is case.project:
                session.casesChanged.emit([case.id])
                self._tell(case, _("The prediction of {case} is rejected."))

        def failed(error: Exception) -> None:
            session.failOf(case, error)
            if session.project is case.project and session.case is not case:
                session.casesChanged.emit([case.id])

        waitForWrites, before = session.writes.waiter(case.id), case.data.labelVersion

        def rejected() -> None:
            waitForWrites()  # what was decided last is what counts
            found = case.project.case(case.id)
            if found.is_partial and found.label_version == before:  # not by a decision that this one takes back
                case.project.set_done([case.id])  # what is annotated of it stays
            else:
                case.project.update_case(case.id, former=case.data.labelVersion, state="rejected")

        def store() -> None:
            case.stopEditing()
            session.writes.add(case.id, session.tasks.run(rejected, decided, failed))
            self.decided.emit(case.id)

        self._unlessUnsaved(case, store, _("Throw them away and reject the prediction"))

    def _store(self, case: OpenCase, makeArray: Callable[[], np.ndarray], text: str, **options) -> None:
        def done() -> None:
            if self._session.case is case:
                case.setSegmentStatus("Completed")
            self._tell(case, text)

        kept = partial(self.decided.emit, case.id)
        self._session.writes.storeLabel(case, makeArray, lambda _array: "accepted", kept=kept, done=done, **options)

    def _tell(self, case: OpenCase, text: str) -> None:
        self._session.say("info", text.format(case=case.id))

    def _unlessUnsaved(self, case: OpenCase, decide: Callable[[], None], anyway: str) -> None:
        """Corrections that are not saved are thrown away only if the user says so."""
        if not case.isModified:
            decide()
            return

        def throwAway() -> None:
            self._session.writes.discardEdits()
            decide()

        text = _("Case {case} has corrections that are not saved yet. Accept them, or throw them away.")
        self._session.ask(case, text.format(case=case.id), anyway, throwAway)
