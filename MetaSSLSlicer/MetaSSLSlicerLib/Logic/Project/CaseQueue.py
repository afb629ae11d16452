"""Which case comes next in this sitting: the recommended one, but none that was just decided on or passed over."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..Case.Session import Session
from .CaseTable import CaseRow
from .Ranking import recommend


class CaseQueue:
    """A decision may not be written yet, and the rows not be read again: until they are, its case is not offered."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._decided: set[str] = set()
        self._passed: set[str] = set()
        session.projectChanged.connect(self.forget)
        session.roundsChanged.connect(self._passed.clear)

    def forget(self) -> None:
        """Another project is open."""
        self._decided.clear()
        self._passed.clear()

    def decided(self, caseId: str) -> None:
        """The user has said what becomes of a case."""
        self._decided.add(caseId)

    def passed(self, caseId: str) -> None:
        """The user went on from a case without a decision: the others come first."""
        self._passed.add(caseId)

    def settled(self, caseIds: Collection[str] | None) -> set[str]:
        """Those that were decided on, and whose rows tell it when they are read from now on; None: all are read."""
        isWriting = self._session.writes.isWriting
        return {each for each in self._decided if (caseIds is None or each in caseIds) and not isWriting(each)}

    def arrived(self, settled: Collection[str]) -> None:
        """The rows of these were read."""
        self._decided -= set(settled)

    def next(self, rows: Sequence[CaseRow], exclude: Collection[str] = ()) -> tuple[str, str] | None:
        """(case id, reason) of the case to look at next, or None when every one is done."""
        session = self._session
        open_ = {session.loadingCase or "", "" if session.case is None else session.case.id}
        out = {*exclude, *self._decided, *open_}
        return recommend(rows, out | self._passed) or recommend(rows, out)
