"""The switch for the 3-D views: what the surface of the prediction shows, with the places to review as marks on it."""

from __future__ import annotations

import qt

from ...Logic.Case.Session import Session
from ...Logic.Review.CaseSurface import SURFACE_MODES, CaseSurface
from ...Logic.Review.PlaceMarks import PlaceMarks
from ...Logic.Review.PlaceNavigator import PlaceNavigator
from ...Translation import _
from ..Section import Section, withoutSignals


class SurfaceControl(Section):
    """Fills an empty widget, and shows each predicted case that is opened in 3-D."""

    def __init__(self, widget, session: Session, navigator: PlaceNavigator) -> None:
        super().__init__(session)
        self.surface = CaseSurface(session.services, session.tasks)
        self.marks = PlaceMarks(session.services, navigator)
        self.combo, self.missingLabel = qt.QComboBox(), qt.QLabel()
        self._build(widget)
        self.listen(
            (session.caseOpened, self.surface.setCase),
            (session.predictionChanged, self.surface.setCase),
            (session.caseAboutToClose, lambda _case: self.surface.setCase(None)),
            (self.surface.changed, self.refresh),
            (self.surface.failed, session.fail),
        )
        if session.case is not None:
            self.surface.setCase(session.case)
        self.refresh()

    def cleanup(self) -> None:
        super().cleanup()
        self.surface.setCase(None)
        self.marks.cleanup()

    def refresh(self) -> None:
        surface = self.surface
        with withoutSignals(self.combo):
            self.combo.setCurrentIndex(SURFACE_MODES.index(surface.mode))
        self.missingLabel.setVisible(surface.isMissing)
        self.marks.setVisible(surface.mode != "off")

    def _build(self, widget) -> None:
        for name in (_("Structures"), _("Uncertainty"), _("Chance to be wrong"), _("Nothing")):
            self.combo.addItem(name)
        self.combo.toolTip = _(
            "The prediction in the 3-D view. Dark is sure, bright is unsure. "
            "The dots are the places to review: click one to go there"
        )
        self.combo.connect("currentIndexChanged(int)", lambda index: self.surface.setMode(SURFACE_MODES[index]))
        self.missingLabel.text = _("This round has not learnt it: train with three validation cases or more.")
        self.missingLabel.wordWrap = True
        self.missingLabel.hide()
        layout = qt.QVBoxLayout(widget)
        layout.setContentsMargins(0, 0, 0, 0)
        row = qt.QHBoxLayout()
        layout.addLayout(row)  # before it is filled: a widget without a parent would be gone at once
        row.addWidget(qt.QLabel(_("In 3-D")))
        row.addWidget(self.combo, 1)
        layout.addWidget(self.missingLabel)
