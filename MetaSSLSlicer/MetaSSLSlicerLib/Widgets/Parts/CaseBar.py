"""The line above everything that belongs to the open case: which one it is, and the way to the next one."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import qt

from ...Logic.Case.OpenCase import OpenCase
from ...Logic.Case.Session import Session
from ...Logic.Review.PredictionWords import expectedDice, expectedDiceDetails
from ...Translation import _
from ..Section import Section, onClick
from ..Shortcuts import KEYS


class CaseBar(Section):
    """`openNext()` goes on to the case that is recommended."""

    def __init__(self, session: Session, openNext: Callable[[], None]) -> None:
        super().__init__(session)
        self.widget = qt.QWidget()
        layout = qt.QHBoxLayout(self.widget)
        layout.setContentsMargins(0, 0, 0, 0)
        self.label = qt.QLabel()
        self.label.setWordWrap(True)
        self.label.setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Preferred)
        layout.addWidget(self.label, 1)
        self.nextButton, self.closeButton = qt.QPushButton(_("Next case")), qt.QPushButton(_("Close case"))
        self.nextButton.toolTip = _("Open the recommended case (key {key})").format(key=KEYS["nextCase"])
        self.closeButton.toolTip = _("Unsaved work is kept and comes back with the case")
        for button, action in ((self.nextButton, openNext), (self.closeButton, session.closeCase)):
            onClick((button, action))
            layout.addWidget(button)
        self.listen((session.caseChanged, self.refresh))
        self.refresh()

    def refresh(self) -> None:
        """Say which case is open, or being opened."""
        case = self._session.case
        if case is not None:
            self.label.text = _title(case)
            self.label.toolTip = _details(case)
        elif self._session.loadingCase:
            self.label.text = _("Opening {case} ...").format(case=escape(self._session.loadingCase))
            self.label.toolTip = ""


def _title(case: OpenCase) -> str:
    parts = [f"<b>{escape(case.id)}</b>"]
    if case.showsLabel:
        parts.append(_("its saved label"))
    elif case.hasPrediction:
        parts.append(_("predicted by round {round}").format(round=case.data.prediction.round))
    else:
        parts.append(_("no label yet: draw its structures"))
    words = [", ".join(parts)]
    if case.hasPrediction and not case.showsLabel:
        words.append(expectedDice(case.data.prediction.summary))
    if case.isModified:
        words.append(_("not saved yet"))
    return " · ".join(filter(None, words))


def _details(case: OpenCase) -> str:
    if not case.hasPrediction:
        return case.id
    return "\n".join([case.id, *expectedDiceDetails(case.data.prediction.summary)])
