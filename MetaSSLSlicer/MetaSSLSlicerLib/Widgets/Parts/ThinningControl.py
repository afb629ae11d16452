"""The button that frees the disk: what can go is counted, shown and asked about first."""

from __future__ import annotations

from collections.abc import Callable

from metassl.jobs.thinning import Thinning, plan_thinning
from metassl.project.words import bytes_as_text, plural

from ...Logic.Case.Session import Session
from ...Translation import _
from ..Section import Section, onClick


class ThinningControl(Section):
    """`confirm(question)` asks the user. Counting and removing are tasks."""

    def __init__(self, session: Session, button, confirm: Callable[[str], bool]) -> None:
        super().__init__(session)
        self._button, self._confirm = button, confirm
        onClick((button, self.start))

    def start(self) -> None:
        """Count what can go, ask, and remove it."""
        project = self._session.project
        if project is not None:
            self._button.setEnabled(False)
            self._session.tasks.run(lambda: plan_thinning(project), self._ask, self._failed)

    def _ask(self, plan: Thinning) -> None:
        self._button.setEnabled(True)
        if plan.project is not self._session.project:
            return
        if not plan.spare:
            self._session.say("info", _("Nothing can go: there are only labels, models, records and the newest maps."))
            return
        maps = plural(
            len(plan.predictions),
            _("the maps of 1 prediction of older rounds"),
            _("the maps of {count} predictions of older rounds"),
        )
        resumable = any(each.state == "finished" and each.checkpoint for each in plan.rounds)
        parts = {
            maps: plan.predictions,
            _("what finished rounds kept to be resumed"): resumable,
            _("preprocessed images"): plan.spare_cache,
        }
        question = _("Free {size}? This goes: {parts}. All of it can be made again. Labels, models and records stay.")
        listed = ", ".join(text for text, goes in parts.items() if goes)
        if self._confirm(question.format(size=bytes_as_text(plan.spare), parts=listed)):
            self._button.setEnabled(False)
            self._session.tasks.run(plan.apply, lambda _none: self._freed(plan), self._failed)

    def _freed(self, plan: Thinning) -> None:
        self._button.setEnabled(True)
        if plan.project is self._session.project:
            self._session.say("info", _("{size} freed.").format(size=bytes_as_text(plan.spare)))
            self._session.roundsChanged.emit()

    def _failed(self, error: Exception) -> None:
        self._button.setEnabled(True)
        self._session.fail(error)
