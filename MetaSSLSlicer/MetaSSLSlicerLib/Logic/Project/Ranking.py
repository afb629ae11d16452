"""Which case to look at next, and why; by which strategy cases are ranked, and the engine at work on it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from metassl.choices.strategies import DEFAULT_STRATEGY as DEFAULT
from metassl.choices.strategies import STRATEGY_CATALOG
from metassl.files import MetaSSLError
from metassl.project import Project
from metassl.project.words import ended, sentence

from ...Signal import Signal
from ...Translation import _
from ..Case.Session import Session
from ..Engine.EnginePython import EnginePython
from ..Engine.EngineRun import EngineRun
from .CaseTable import CaseRow


def STRATEGIES() -> list[tuple[str, str]]:
    """The ways of ranking, and what to call them; those of other packages by their own summary."""
    ours = [
        ("combined", _("where the networks differ, unlike the others")),
        ("entropy", _("where the model is unsure")),
        ("random", _("at random")),
        ("discrepancy", _("where the two networks differ")),
        ("deep_errors", _("most deep errors per second of work")),
        ("diversity", _("unlike the labelled cases")),
        ("clasp_pe", _("one structure after the other")),
        ("foreground_random", _("at random, each structure alike")),
    ]
    return ours + [(each.name, each.summary) for each in STRATEGY_CATALOG if each.name not in dict(ours)]


class Ranking:
    """`choose` saves another strategy in the project and ranks again; call `poll` now and then while `isBusy`."""

    def __init__(self, session: Session, engine: EnginePython) -> None:
        self.changed = Signal()
        """() ranking began, or ended."""
        self._session, self._run = session, EngineRun(engine)
        self._saving = False

    @property
    def strategy(self) -> str:
        project = self._session.project
        return DEFAULT if project is None else str(project.settings.get("strategy", DEFAULT))

    @property
    def isBusy(self) -> bool:
        """True while the choice is saved and the cases are ranked again."""
        return self._saving or self._run.isBusy

    def choose(self, strategy: str) -> None:
        project = self._session.project
        if project is None or self.isBusy or strategy == self.strategy:
            return
        self._saving = True

        def save() -> bool:
            project.update_settings(strategy=strategy)
            return project.start_round() is not None

        self._session.tasks.run(save, lambda trained: self._saved(project, strategy, trained), self._failed)
        self.changed.emit()

    def poll(self) -> None:
        """Take in the end of the ranking. Returns at once."""
        result = self._run.poll()
        if result is None:
            return
        if result.code:
            self._session.say("error", _("The cases could not be ranked: {reason}").format(reason=result.text))
        self._session.casesChanged.emit(None)
        self.changed.emit()

    def close(self) -> None:
        """End a ranking that is under way; the choice stays."""
        self._saving = False
        if self._run.close():
            self.changed.emit()

    def _saved(self, project: Project, strategy: str, trained: bool) -> None:
        asked, self._saving = self._saving, False
        if trained and asked and project is self._session.project:
            try:
                self._run.start(["rank", project.path, "--strategy", strategy, "--json"])
            except MetaSSLError as error:
                self._session.fail(error)
        self.changed.emit()

    def _failed(self, error: Exception) -> None:
        self._saving = False
        self._session.fail(error)
        self.changed.emit()


def recommend(rows: Iterable[CaseRow], exclude: Collection[str] = ()) -> tuple[str, str] | None:
    """(case id, reason) of the case to look at next, or None when every one is done.

    The first of the ranking; cases that are predicted but not ranked yet by their uncertainty; then those without a
    prediction, in the order of their names. A prediction that was rejected comes last.
    """
    open_ = [row for row in rows if row.split == "pool" and row.isWaiting and row.id not in exclude]
    usable = [row for row in open_ if not row.failed] or open_
    fresh = [row for row in usable if row.state != "rejected"]
    for candidates in (fresh, usable):
        if candidates:
            best = min(candidates, key=_place)
            return best.id, _reason(best)
    return None


def _place(row: CaseRow) -> tuple:
    if row.place is not None:
        return 0, row.place, row.id
    if row.uncertainty is not None:
        # as the usual ranking does: where the networks differ counts more than where they are unsure
        return 1, -(row.uncertainty["DC"] + row.uncertainty["DS"] + 0.5 * row.uncertainty["US"]), row.id
    return 2, 0.0, row.id


def _reason(row: CaseRow) -> str:
    parts = []
    if row.autosaved or row.state == "in_progress":
        parts.append(_("Your work on it is not finished."))
    if row.failed:
        parts.append(_("The last training could not use it: {reason}").format(reason=ended(row.failed)))
    elif row.state == "rejected":
        parts.append(_("You rejected its prediction; label it by hand, or train again."))
    elif row.place is not None:
        parts.append(sentence(row.reason) or _("The ranking puts it first."))
    elif row.uncertainty is not None:
        parts.append(_("Its prediction is new, and the most uncertain of those that are not ranked yet."))
    else:
        parts.append(_("Nothing is predicted yet: cases come in the order of their names."))
    return " ".join(parts)
