"""The whole panel: the open case on top, the sections in the order in which a user needs them, what connects them."""

from __future__ import annotations

from contextlib import suppress

import qt
import slicer

from ..Logic.Case.Session import Session
from ..Logic.Engine.EnginePython import EnginePython
from ..Logic.Training.TrainingJob import TrainingJob
from .AnnotateWidget import AnnotateWidget
from .Banner import Banner
from .CasesWidget import CasesWidget
from .EngineWidget import EngineWidget
from .Parts.CaseSeat import CaseBar, CaseSeat
from .ProjectWidget import ProjectWidget
from .ReviewWidget import ReviewWidget
from .RoundsWidget import RoundsWidget
from .Section import Section
from .Shortcuts import Shortcuts
from .TrainWidget import TrainWidget

_PUMP_MS = 10
_TICK_MS = 200
_SETTLE_MS = 50


class PanelWidget(Section):
    """Owns the session, the sections, the keys and the two timers that keep the session alive."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.session = session
        self.engine = EnginePython()
        self.job = TrainingJob(session, self.engine)
        self.banner = Banner()
        self.projectWidget = ProjectWidget(session)
        self.casesWidget = CasesWidget(session, self.engine)
        self.reviewWidget = ReviewWidget(session)
        self.annotateWidget = AnnotateWidget(session)
        self.annotateWidget.shift.beginEditing = self.reviewWidget.decisions.correct
        self.annotateWidget.shift.structureAtPlace = self.reviewWidget.structureAtPlace
        self.engineWidget = EngineWidget(session, self.engine)
        self.trainWidget = TrainWidget(session, self.job, self.engineWidget)
        self.roundsWidget = RoundsWidget(session, self.engine)
        self.caseBar = CaseBar(session, self.casesWidget.openNext)
        caseParts = (self.caseBar, self.reviewWidget, self.annotateWidget)
        below = (self.projectWidget, self.casesWidget, self.trainWidget, self.roundsWidget, self.engineWidget)
        self.caseSeat = CaseSeat(
            session,
            [part.widget for part in caseParts],
            [
                self.projectWidget.ui.projectButton,
                self.casesWidget.ui.casesButton,
                self.trainWidget.ui.section,
                self.roundsWidget.ui.roundsButton,
                self.engineWidget.ui.section,
            ],
            self.casesWidget.showNext,
        )
        self.sections = (*caseParts, self.caseSeat, *below)
        for section in (*self.sections, self.banner):
            self.addPart(section)
        self.widget = qt.QWidget()
        layout = qt.QVBoxLayout(self.widget)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.engineWidget.notice.widget)
        layout.addWidget(self.banner.widget)
        for section in (self.caseSeat, *below):
            layout.addWidget(section.widget)
        layout.addStretch(1)
        self.shortcuts = Shortcuts(
            {
                **self.reviewWidget.actions,
                **self.annotateWidget.shift.actions,
                "saveLabel": self.annotateWidget.save,
                "nextCase": self.casesWidget.openNext,
                "nextAuditCase": self.casesWidget.finish.openNext,
            }
        )
        self._settleTimer = self.makeTimer(_SETTLE_MS, self._showInNewViews, once=True)
        self._pumpTimer = self.makeTimer(_PUMP_MS, self._pump)
        self._tickTimer = self.makeTimer(_TICK_MS, session.tick)
        self.listen(
            (session.said, self.banner.show),
            (session.caseClosed, self.banner.caseClosed),
            (session.projectChanged, self._onProjectChanged),
            (session.caseChanged, self._onCaseChanged),
            (session.sceneLoaded, self._showInNewViews),
            (session.tasks.started, self._startPump),
            (self.job.ended, self.caseSeat.trainingEnded),
            (self.reviewWidget.nextCaseWanted, self._goOn),
            (self.annotateWidget.labelKept, self._goOn),
            (self.reviewWidget.placesSeen, self._passOn),
            (self.annotateWidget.editorBound, self.reviewWidget.display.apply),
        )
        self._layoutManager = slicer.app.layoutManager()
        if self._layoutManager is not None:
            self._layoutManager.connect("layoutChanged(int)", self._onLayoutChanged)
        self._tickTimer.start()
        if session.tasks.busy:
            self._startPump()
        self._onProjectChanged()
        try:
            session.resume()
        except Exception as error:  # a scene can name anything; the panel is there all the same
            session.fail(error)

    def cleanup(self) -> None:
        """Save what is unsaved, stop the timers and let go of the scene. A training goes on by itself."""
        self._tickTimer.stop()
        self.session.shutdown()  # before all else: nothing that goes wrong below may cost unsaved work
        with suppress(ValueError):  # they went with the main window
            self.shortcuts.remove()
        if self._layoutManager is not None:
            with suppress(ValueError):
                self._layoutManager.disconnect("layoutChanged(int)", self._onLayoutChanged)
            self._layoutManager = None
        super().cleanup()

    def enter(self) -> None:
        """The module is shown: its keys work."""
        self.shortcuts.install()
        super().enter()

    def exit(self) -> None:
        """Another module is shown, and has its keys."""
        self.shortcuts.remove()
        super().exit()

    def _onProjectChanged(self) -> None:
        opened = self.session.project is not None
        for section in (self.casesWidget, self.trainWidget, self.roundsWidget):
            section.widget.setVisible(opened)

    def _onCaseChanged(self) -> None:
        """While a case is open the panel is about that case; what training lacks waits."""
        self.engineWidget.notice.setWelcome(self.session.case is None)

    def _onLayoutChanged(self, _layout: int) -> None:
        """Its new views have their places, and their sliders have set them to 0 mm, a moment later."""
        self._settleTimer.start()

    def _showInNewViews(self) -> None:
        """New slice views show the open case, too."""
        if self.session.case is not None:
            self.session.case.nodes.fillViews()
            self.reviewWidget.display.apply()

    def _goOn(self, caseId: str) -> None:
        """After a case is done: on to the next one, if the user wants that and has not gone on already."""
        case = self.session.case
        if self.reviewWidget.goesOn and case is not None and case.id == caseId:
            self.casesWidget.goOn(caseId)

    def _passOn(self, caseId: str) -> None:
        """All places of a case were shown."""
        if not self.casesWidget.passOn(caseId):
            self.reviewWidget.navigator.next()

    def _startPump(self) -> None:
        self._pumpTimer.start()

    def _pump(self) -> None:
        self.session.services.pauseRender()  # what several results bring is drawn once
        try:
            self.session.tasks.pump()
        except Exception as error:
            self.session.fail(error)
        finally:
            self.session.services.resumeRender()
        if not self.session.tasks.busy:
            self._pumpTimer.stop()
