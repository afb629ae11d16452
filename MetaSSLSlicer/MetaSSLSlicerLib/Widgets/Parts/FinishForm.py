"""When to stop, folded away in the section "Cases": what the audit says, its next case, and the rest in one step."""

from __future__ import annotations

from collections.abc import Callable

import qt

from ...Logic.Case.Session import Session
from ...Logic.Project.Finish import Finish, details, statement
from ...Translation import _
from ..Section import Section, onClick, withoutSignals
from ..Shortcuts import withKey

_SETTLE_MS = 600


class FinishForm(Section):
    """`ui` has its widgets. `confirm(question)` asks before anything is accepted unseen."""

    def __init__(self, session: Session, ui, confirm: Callable[[str], bool]) -> None:
        super().__init__(session)
        self.ui, self._confirm = ui, confirm
        self.finish = Finish(session)
        self._toleranceTimer = self.makeTimer(_SETTLE_MS, self._setTolerance, once=True)
        ui.auditButton.text = withKey(_("Next audit case"), "nextAuditCase")
        ui.finishToggle.connect("toggled(bool)", self._onToggled)
        ui.toleranceSpin.connect("valueChanged(double)", lambda _value: self._toleranceTimer.start())
        onClick(
            (ui.auditButton, self.openNext),
            (ui.acceptRestButton, self.acceptRest),
            (ui.takeBackButton, self.finish.takeBack),
        )
        self.listen(
            (session.projectChanged, self.finish.forget),
            (session.casesChanged, lambda _cases: self.finish.refresh()),
            (session.roundsChanged, self.finish.refresh),
            (self.finish.changed, self.refresh),
        )
        self._onToggled(False)

    def enter(self) -> None:
        """Another program may have worked on the project meanwhile."""
        self.finish.refresh()

    def openNext(self, after: str = "") -> None:
        """Open the next case of the audit."""
        self.finish.openNext(after)

    def goesOnAfter(self, caseId: str) -> bool:
        """True when the case that is done was opened for the audit: the next one is of the audit, too."""
        return bool(caseId) and caseId == self.finish.auditing

    def nextAfter(self, caseId: str) -> str:
        """The case of the audit that comes after this one of it; "" for none, or for one that is not of it."""
        return self.finish.nextAfter(caseId) if self.goesOnAfter(caseId) else ""

    def acceptRest(self) -> None:
        """Ask, and accept."""
        standing = self.finish.standing
        if standing is None or not standing.remaining:
            return
        question = _(
            "Accept the predictions of {count} cases that nobody looked at? {statement} They are marked as accepted "
            "unseen and never trained on. Take back undoes it."
        )
        if self._confirm(question.format(count=len(standing.remaining), statement=statement(standing))):
            self.finish.acceptRest()

    def refresh(self) -> None:
        ui, finish = self.ui, self.finish
        if not ui.finishToggle.checked:
            return
        standing = finish.standing
        ui.finishLabel.text = self._text()
        ui.finishLabel.toolTip = "" if standing is None else "\n".join(standing.notes)
        waits = standing is not None and not finish.isBusy
        ui.auditButton.setEnabled(waits and bool(standing.remaining))
        ui.acceptRestButton.setEnabled(waits and len(standing.remaining) > standing.unseen - standing.outdated)
        ui.takeBackButton.setEnabled(waits and standing.unseen > 0)
        ui.toleranceSpin.setEnabled(waits)
        if standing is not None and not self._toleranceTimer.isActive():
            with withoutSignals(ui.toleranceSpin):
                ui.toleranceSpin.value = standing.tolerance_mm

    def _text(self) -> str:
        finish = self.finish
        if finish.isBusy:
            return _("One moment ...")
        if finish.standing is None:
            return _("Reading ...") if finish.isReading else _("Nothing is predicted yet: train first.")
        return f"{statement(finish.standing)} {details(finish.standing)}"

    def _onToggled(self, shown: bool) -> None:
        self.finish.isWanted = shown
        self.ui.finishToggle.setArrowType(qt.Qt.DownArrow if shown else qt.Qt.RightArrow)
        self.ui.finishFrame.setVisible(shown)
        if shown:
            self.finish.refresh()

    def _setTolerance(self) -> None:
        self.finish.setTolerance(self.ui.toleranceSpin.value)
