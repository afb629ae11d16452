"""The place of the open case at the top of the panel: while there is one, the panel is about it and all else folds."""

from __future__ import annotations

from collections.abc import Sequence

import qt
import slicer.util

from ...Logic.Case.Session import Session
from ..Tools import bringToTop
from .Folding import Folding

_SETTLE_MS = 50  # so long it takes until everything that was shown or folded has its place
_DATA_PROBE = "DataProbeCollapsibleWidget"


class CaseSeat:
    """`parts`: the widgets of the case, from top to bottom; `others`: ctkCollapsibleButtons that fold meanwhile.

    `showNext()` is called when a training has ended and no case is open, with the panel as it was; it returns the
    widget that is to be in view then. Slicer's Data Probe, which takes room under the panel, folds with the others.
    """

    def __init__(self, session: Session, parts: Sequence, others: Sequence, showNext) -> None:
        self._session, self._showNext = session, showNext
        self._isEntered = self._isNextWanted = False
        self._shown: tuple[str, bool] = ("", False)
        self.widget = qt.QFrame()
        self.widget.setFrameShape(qt.QFrame.StyledPanel)
        layout = qt.QVBoxLayout(self.widget)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(4)
        for part in parts:
            layout.addWidget(part)
        for button in others:
            button.collapsedHeight = 0  # CTK leaves 14 pixels of frame under a folded heading
        self._others, self._dataProbe = Folding(others), Folding(_dataProbe())
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SETTLE_MS)
        self._timer.connect("timeout()", self._onSettled)
        session.caseChanged.connect(self.refresh)
        self.refresh()

    def cleanup(self) -> None:
        """Give everything back as it was."""
        self._timer.stop()
        self._session.caseChanged.disconnect(self.refresh)
        self._others.cleanup()
        self._dataProbe.cleanup()

    def enter(self) -> None:
        """The module is shown."""
        self._isEntered = True
        self.refresh()
        if self._isNextWanted:
            self._timer.start()

    def exit(self) -> None:
        """Another module is shown: the Data Probe is its own again."""
        self._isEntered = False
        self._dataProbe.unfold()

    def trainingEnded(self, *_ignored: object) -> None:
        """The next thing to do is the next case, now or when the open one is closed."""
        self._isNextWanted = True
        self._timer.start()

    def refresh(self) -> None:
        """Make room for a case; between two cases nothing is given back."""
        case = self._session.case
        shown = (self._session.loadingCase or "", False) if case is None else (case.id, case.isEditing)
        self.widget.setVisible(bool(shown[0]))
        if shown[0]:
            self._others.fold()
            if self._isEntered:
                self._dataProbe.fold()
        if shown != self._shown:
            self._shown = shown
            self._timer.start()

    def _onSettled(self) -> None:
        if self._shown[0]:
            bringToTop(self.widget)
        elif self._others.isFolded:
            self._others.unfold()
            self._dataProbe.unfold()
            self._timer.start()
        elif self._isNextWanted and self._isEntered:
            self._isNextWanted = False
            bringToTop(self._showNext())


def _dataProbe() -> list:
    window = slicer.util.mainWindow()
    found = None if window is None else window.findChild("QWidget", _DATA_PROBE)
    return [] if found is None else [found]
