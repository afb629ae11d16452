"""Labels of the open case that come in from elsewhere, such as from the command line or another Slicer."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from functools import partial

from metassl.project import Case

from ...Translation import _
from .OpenCase import OpenCase

_EVERY_S = 3.0


class OutsideLabels:
    """Looks now and then, in a task, and says of each such label once that it is there."""

    def __init__(self, session, clock: Callable[[], float] = time.monotonic) -> None:
        self._session, self._clock = session, clock
        self._due = 0.0
        self._isLooking = False
        self._told: tuple[OpenCase, str] | None = None
        session.casesChanged.connect(self._onCasesChanged)

    def tick(self) -> None:
        """Look, if it is time to."""
        if self._clock() >= self._due:
            self._look()

    def _onCasesChanged(self, caseIds: Collection[str] | None = None) -> None:
        case = self._session.case
        if case is not None and (caseIds is None or case.id in caseIds):
            self._look()

    def _look(self) -> None:
        case = self._session.case
        self._due = self._clock() + _EVERY_S
        if case is None or self._isLooking:
            return
        self._isLooking = True
        read = partial(case.project.case, case.id)
        self._session.tasks.run(read, partial(self._onRead, case), self._onNotRead)

    def _onNotRead(self, _error: Exception) -> None:
        self._isLooking = False  # it is told where the cases are listed

    def _onRead(self, case: OpenCase, now: Case) -> None:
        self._isLooking = False
        session, version = self._session, now.label_version
        if case is not session.case or session.writes.isWriting(case.id) or version is None:
            return
        if version in (case.data.labelVersion, *session.writes.ours) or self._told == (case, version):
            return
        self._told = case, version
        who = now.annotator or _("somebody else")
        text = _("{case} got another label meanwhile, by {who}. You see it as it was when you opened it.")
        text = text.format(case=case.id, who=who)
        if case.isModified:
            session.say(
                "warning", text + " " + _("What you drew is kept: when you save it, you are asked which counts.")
            )
        else:
            session.ask(case, text, _("Show that label"), lambda: self._openAgain(case.id))

    def _openAgain(self, caseId: str) -> None:
        self._session.closeCase()
        self._session.openCase(caseId)
