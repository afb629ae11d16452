"""The open case at the top of the panel: which one it is, and its place.

While there is one, the panel is about it, and all else folds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from html import escape

import qt
import slicer.util

from ...Logic.Case.OpenCase import OpenCase
from ...Logic.Case.Session import Session
from ...Logic.Review.PredictionWords import expectedDice, expectedDiceDetails
from ...Translation import _
from ..Section import Section, onClick, scrollAreaOf
from ..Shortcuts import KEYS

_SETTLE_MS = 50  # so long it takes until everything that was shown or folded has its place
_MARGIN = 2
_DATA_PROBE = "DataProbeCollapsibleWidget"


class CaseBar(Section):
    """The line above everything that belongs to the open case. `openNext()` goes on to the case that is recommended."""

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
        case = self._session.case
        if case is not None:
            self.label.text = _title(case)
            self.label.toolTip = _details(case)
        elif self._session.loadingCase:
            self.label.text = _("Opening {case} ...").format(case=escape(self._session.loadingCase))
            self.label.toolTip = ""


class CaseSeat(Section):
    """`parts`: the widgets of the case, from top to bottom; `others`: ctkCollapsibleButtons that fold meanwhile.

    `showNext()` is called when a training has ended and no case is open, with the panel as it was; it returns the
    widget that is to be in view then. Slicer's Data Probe, which takes room under the panel, folds with the others.
    """

    def __init__(self, session: Session, parts: Sequence, others: Sequence, showNext) -> None:
        super().__init__(session)
        self._showNext = showNext
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
        self._timer = self.makeTimer(_SETTLE_MS, self._onSettled, once=True)
        self.listen((session.caseChanged, self.refresh))
        self.refresh()

    def cleanup(self) -> None:
        """Give everything back as it was."""
        super().cleanup()
        self._others.cleanup()
        self._dataProbe.cleanup()

    def enter(self) -> None:
        """Make room, and go on with what waits for it."""
        self._isEntered = True
        self.refresh()
        if self._isNextWanted:
            self._timer.start()

    def exit(self) -> None:
        """The Data Probe is Slicer's own again."""
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


class Folding:
    """Folds ctkCollapsibleButtons and gives them back as they were; one that the user has touched stays as it is."""

    def __init__(self, buttons: Sequence) -> None:
        self._buttons = tuple(buttons)
        self._wasOpen: set[int] = set()
        self.isFolded = False
        """True from `fold` to `unfold`."""
        self._isOurs = False
        self._slots = [partial(self._onFolded, index) for index in range(len(self._buttons))]
        for button, slot in zip(self._buttons, self._slots):
            button.connect("contentsCollapsed(bool)", slot)

    def fold(self) -> None:
        """Fold what is open. Called again, it leaves alone what was opened meanwhile."""
        if not self.isFolded:
            self.isFolded = True
            self._wasOpen = {index for index, button in enumerate(self._buttons) if not button.collapsed}
            self._setCollapsed(True)

    def unfold(self) -> None:
        """Open again what was folded here."""
        if self.isFolded:
            self.isFolded = False
            self._setCollapsed(False)
            self._wasOpen = set()

    def cleanup(self) -> None:
        """Give everything back; the buttons may be gone, with the main window."""
        with suppress(ValueError):
            self.unfold()
            for button, slot in zip(self._buttons, self._slots):
                button.disconnect("contentsCollapsed(bool)", slot)
        self._buttons = ()

    def _setCollapsed(self, collapsed: bool) -> None:
        self._isOurs = True
        for index in sorted(self._wasOpen):
            self._buttons[index].collapsed = collapsed
        self._isOurs = False

    def _onFolded(self, index: int, _collapsed: bool) -> None:
        if not self._isOurs:
            self._wasOpen.discard(index)


def bringToTop(widget) -> None:
    """Scroll the area that holds a widget until its top is at the top, as far as there is anything to scroll."""
    area = scrollAreaOf(widget)
    if area is not None:
        place = widget.mapTo(area.widget(), qt.QPoint(0, 0))
        area.verticalScrollBar().value = max(place.y() - _MARGIN, 0)


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
