"""The slider "smaller ... larger" of the structure that is selected in the segment editor."""

from __future__ import annotations

from collections.abc import Callable

import qt

from ...Logic.Case.Session import Session
from ...Logic.Review.StructureShift import MOST_STEPS, StructureShift
from ...Logic.Scene.Segments import valueOf
from ...Translation import _
from ..Section import Section, withoutSignals
from ..Shortcuts import KEYS


class ShiftControl(Section):
    """Fills an empty widget. `editor`: the segment editor. `beginEditing()` opens it where only a prediction is shown;
    `structureAtPlace()` names the structure of the place that is shown, or "", to begin with that one."""

    def __init__(self, widget, session: Session, editor) -> None:
        super().__init__(session)
        self.widget, self._editor = widget, editor
        self.shift = StructureShift(session, editor.saveStateForUndo)
        self.beginEditing: Callable[[], None] = lambda: None
        self.structureAtPlace: Callable[[], str] = lambda: ""
        self.slider, self.label = qt.QSlider(qt.Qt.Horizontal), qt.QLabel()
        self._build()
        editor.connect("currentSegmentIDChanged(QString)", self._onSegmentChosen)
        self.listen(
            (session.caseOpened, self.shift.setCase),
            (session.caseAboutToClose, lambda _case: self.shift.setCase(None)),
            (session.caseChanged, self.refresh),
            (self.shift.changed, self.refresh),
        )
        self.actions = {"larger": lambda: self.step(1), "smaller": lambda: self.step(-1)}
        """What the panel's keys call, by name."""
        if session.case is not None:
            self.shift.setCase(session.case)
        self.refresh()

    def cleanup(self) -> None:
        super().cleanup()
        self.shift.setCase(None)

    def step(self, steps: int) -> None:
        """So many steps larger; below 0: smaller."""
        if self._isReady():
            self.shift.move(self.shift.steps + steps)

    def refresh(self, *_ignored: object) -> None:
        """Show the structure and how far it was moved."""
        shift, case = self.shift, self._session.case
        self.widget.setVisible(case is not None and (case.isEditing or case.hasPrediction))
        with withoutSignals(self.slider):
            self.slider.setValue(shift.steps)
        self.slider.setTracking(shift.isLive)
        self.label.text = self._text()
        self.label.setVisible(shift.steps != 0)  # which structure it is says the table of segments, or the place

    def _isReady(self) -> bool:
        """Begin to edit where that is not so yet, and take the structure that is selected."""
        case = self._session.case
        if case is None:
            return False
        if not case.isEditing:
            wanted = self.structureAtPlace()
            self.beginEditing()
            value = next((label.value for label in case.project.labels if label.name == wanted), None)
            if value is not None:
                self._editor.setCurrentSegmentID(f"Label_{value}")
        self._onSegmentChosen()
        return case.isEditing

    def _onMoved(self, steps: int) -> None:
        if self._isReady():
            self.shift.move(steps)
        else:
            self.refresh()

    def _onSegmentChosen(self, *_ignored: object) -> None:
        self.shift.choose(valueOf(self._editor.currentSegmentID() or ""))

    def _text(self) -> str:
        shift, case = self.shift, self._session.case
        if case is None:
            return ""
        names = {label.value: label.name for label in case.project.labels}
        name = names.get(shift.value, "") if case.isEditing else self.structureAtPlace()
        if not shift.steps:
            return name
        text = _("{name}: {distance:+.2f} mm").format(name=name, distance=shift.steps * shift.stepMm)
        growth = shift.growth
        return text if growth is None else _("{text}, volume {percent:+.0f} %").format(text=text, percent=100 * growth)

    def _build(self) -> None:
        self.slider.setMinimum(-MOST_STEPS)
        self.slider.setMaximum(MOST_STEPS)
        self.slider.setPageStep(4)
        hint = _(
            "Move the boundary of the structure that is selected below, by a distance. No other structure is touched, "
            "and one undo takes it back (keys {smaller} and {larger})"
        )
        self.slider.toolTip = hint.format(smaller=KEYS["smaller"], larger=KEYS["larger"])
        self.slider.accessibleName = _("Smaller or larger")
        self.slider.connect("valueChanged(int)", self._onMoved)
        self.label.setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Preferred)
        layout = qt.QVBoxLayout(self.widget)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        row = qt.QHBoxLayout()
        layout.addLayout(row)  # before it is filled: a widget without a parent would be gone at once
        row.addWidget(qt.QLabel(_("Smaller")))
        row.addWidget(self.slider, 1)
        row.addWidget(qt.QLabel(_("Larger")))
        layout.addWidget(self.label)
