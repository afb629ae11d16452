"""One line of the panel that says what is under the mouse in the slice views."""

from __future__ import annotations

import slicer

from ...Logic.Case.OpenCase import OpenCase
from ...Logic.Case.Session import Session
from ...Logic.Review.UnderMouse import Percents, UnderMouse, segmentAt
from ...Signal import Observers
from ..Section import Section

_REST_MS = 33


class MouseLine(Section):
    """Writes into `label` while a predicted case is open and the module is shown: at most 30 times a second."""

    def __init__(self, label, session: Session) -> None:
        super().__init__(session)
        self._label = label
        self._isEntered = False
        self._under: UnderMouse | None = None
        self._crosshair, self._observers = None, Observers()
        self._timer = self.makeTimer(_REST_MS, self._show, once=True)

    def enter(self) -> None:
        self._isEntered = True
        self._watch()

    def exit(self) -> None:
        self._isEntered = False
        self._watch()

    def setCase(self, case: OpenCase | None) -> None:
        """Look at another case; one without a prediction has nothing to say."""
        predicted = case is not None and case.hasPrediction
        self._under = UnderMouse(case.project, case.data) if predicted else None
        self._watch()

    def setPercents(self, percents: Percents | None) -> None:
        """What is known of each voxel of the case, as soon as it was read."""
        if self._under is not None:
            self._under.percents = percents
            self._onMoved()

    def cleanup(self) -> None:
        super().cleanup()
        self.exit()

    def _watch(self) -> None:
        """Observe the mouse when there is something to say, and only then."""
        self._observers.remove()
        self._timer.stop()
        self._label.text = ""
        self._crosshair = None
        if not self._isEntered or self._under is None:
            return
        self._crosshair = self._session.services.scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        if self._crosshair is not None:
            event = slicer.vtkMRMLCrosshairNode.CursorPositionModifiedEvent
            self._observers.add(self._crosshair, event, self._onMoved)

    def _onMoved(self, *_ignored: object) -> None:
        if not self._timer.active:
            self._timer.start()

    def _show(self) -> None:
        case, ras = self._session.case, [0.0] * 3
        if case is None or self._under is None or self._crosshair is None:
            return
        text = ""
        if self._crosshair.GetCursorPositionRAS(ras):
            inside = [0.0] * 3
            case.nodes.volumeNode.TransformPointFromWorld(ras, inside)
            edited = segmentAt(case.nodes.annotationNode, ras) if case.isEditing else None
            text = self._under.text(inside, edited)
        if text != self._label.text:
            self._label.text = self._label.toolTip = text
