"""When to stop: the audit of the open project, read and changed in tasks; the rest accepted unseen, or taken back."""

from __future__ import annotations

from collections.abc import Callable

from metassl.finish.audit import begin
from metassl.finish.bound import Bound
from metassl.finish.rest import Accepted, accept_unseen, take_back
from metassl.finish.standing import UNKNOWN, Standing, read_standing
from metassl.project import Project
from metassl.project.words import percent, plural

from ...Signal import Signal
from ...Translation import _
from ..Case.Session import Session
from .ProjectReader import ProjectReader

_NAMED = 3


class Finish:
    """`standing`: None before it is read, and as long as nothing is predicted. `auditing`: the case that was opened for
    the audit last. As long as neither it nor `isWanted` is set, nothing is read."""

    def __init__(self, session: Session) -> None:
        self.changed = Signal()
        """() the audit was read, or something is under way or over."""
        self.standing: Standing | None = None
        self.auditing = ""
        self.isWanted = self.isBusy = False
        self._decided: set[str] = set()  # what was read of the audit may not know of them yet
        self._session = session
        self._reader = ProjectReader(session, self._prepare, self._onRead)

    @property
    def isReading(self) -> bool:
        return self._reader.isBusy

    def forget(self) -> None:
        """Another project is open."""
        self.standing, self.auditing, self.isBusy = None, "", False
        self._decided = set()
        self.refresh()

    def refresh(self) -> None:
        """Read the audit again, if anybody wants to see it."""
        if self.isWanted or self.auditing:
            self._reader.ask()
        self.changed.emit()

    def openNext(self, after: str = "") -> None:
        """Open the next case of the audit, which begins now if it has not; not `after`, about which all is said."""
        project, standing = self._session.project, self.standing
        if project is None or self.isBusy:
            return
        self._decided.add(after)
        if standing is not None and standing.begun:
            self._openFirst(standing)
            return

        def first() -> Standing:
            begin(project)
            return read_standing(project)

        def found(read: Standing) -> None:
            self._onRead(read)
            self._openFirst(read)

        self._run(project, first, found)

    def nextAfter(self, caseId: str) -> str:
        """The case of the audit that comes after this one, as far as the audit was read; "" for none."""
        remaining = [] if self.standing is None else self.standing.remaining
        return next((each for each in remaining if each not in self._decided and each != caseId), "")

    def setTolerance(self, millimetres: float) -> None:
        """Errors that are no deeper need no correction; kept with the project."""
        project = self._session.project
        if project is None or self.standing is None or self.standing.tolerance_mm == millimetres:
            return

        def change() -> Standing:
            project.update_settings(tolerance_mm=millimetres)
            return read_standing(project)

        self._run(project, change, self._onRead)

    def acceptRest(self) -> None:
        """Accept what nobody looked at; an open case of these is closed first."""
        project, standing = self._session.project, self.standing
        if project is None or standing is None or self.isBusy:
            return
        self._closeIfOneOf(standing)

        def accept() -> Accepted:
            begin(project)
            rest = read_standing(project)
            return accept_unseen(project, project.round(rest.round), rest.remaining)

        self._run(project, accept, self._onAccepted)

    def takeBack(self) -> None:
        """Let all that was accepted unseen wait for a look again."""
        project, standing = self._session.project, self.standing
        if project is None or self.isBusy:
            return
        if standing is not None:
            self._closeIfOneOf(standing)

        def told(cases: list[str]) -> None:
            text = plural(len(cases), _("1 case waits for a look again."), _("{count} cases wait for a look again."))
            self._session.say("info", text if cases else _("No case is accepted unseen."))
            self._session.casesChanged.emit(cases)

        self._run(project, lambda: take_back(project), told)

    def _prepare(self, project: Project) -> Callable[[], Standing | None]:
        return lambda: read_standing(project) if project.predictions() else None

    def _onRead(self, standing: Standing | None) -> None:
        self.standing = standing
        self.changed.emit()

    def _openFirst(self, standing: Standing) -> None:
        session, waiting = self._session, [case for case in standing.remaining if case not in self._decided]
        if not waiting:
            session.say("info", _("No other prediction is left for the audit."))
            self._decided = set()  # a part of one may still be without a label
        elif session.case is not None and session.case.id == waiting[0]:
            session.say("info", _("{case} is the next one: accept it, or correct it.").format(case=waiting[0]))
        self.auditing = waiting[0] if waiting else ""
        if waiting and (session.case is None or session.case.id != waiting[0]):
            session.openCase(waiting[0])

    def _onAccepted(self, accepted: Accepted) -> None:
        session, count = self._session, len(accepted.cases)
        text = plural(count, _("1 prediction is accepted unseen."), _("{count} predictions are accepted unseen."))
        session.say("info", text)
        if accepted.left:
            text = _("{count} could not be accepted: {reasons}")
            reasons = "; ".join(list(accepted.left.values())[:_NAMED])
            session.say("warning", text.format(count=len(accepted.left), reasons=reasons))
        session.casesChanged.emit(accepted.cases)

    def _closeIfOneOf(self, standing: Standing) -> None:
        case = self._session.case
        if case is not None and case.id in standing.remaining:
            self._session.closeCase()

    def _run(self, project: Project, work: Callable, done: Callable) -> None:
        self.isBusy = True
        self.changed.emit()

        def over(take: Callable, result: object) -> None:
            if project is self._session.project:
                self.isBusy = False
                take(result)
                self.changed.emit()

        self._session.tasks.run(work, lambda result: over(done, result), lambda error: over(self._session.fail, error))


def statement(standing: Standing) -> str:
    """What the audit says of the rest, in a sentence."""
    bound = standing.bound
    if not bound.remaining:
        return _("Every prediction was looked at.")
    if not bound.says_something:
        text = _("Nothing can be said yet of the {count} predictions that nobody looked at.")
        return text.format(count=bound.remaining)
    text = _(
        "With {confidence} confidence at most {amount} of the remaining {count} need correction (deeper than {mm} mm)."
    )
    mm = f"{standing.tolerance_mm:g}"
    return text.format(confidence=percent(bound.confidence), amount=amount(bound), count=bound.remaining, mm=mm)


def details(standing: Standing) -> str:
    """What the statement is made of, and what more looks would give."""
    if not standing.begun and standing.bound.remaining:
        text = _("Round {number}: look at some in a random order, to know how many of the rest need correction.")
        return text.format(number=standing.round)
    text = _("Of {count} drawn at random {wrong} needed correction.")
    looks = len(standing.looks)
    parts = [text.format(count=looks, wrong=standing.wrong) if looks else _("None drawn at random was looked at yet.")]
    if unknown := standing.looks.count(UNKNOWN):
        one = _("1 of these could not be judged, and counts as such.")
        parts.append(plural(unknown, one, _("{count} of these could not be judged, and count as such.")))
    for more, bound in standing.outlook[:1]:
        text = _("{count} more that are right: at most {amount}.")
        parts.append(text.format(count=more, amount=amount(bound)))
    if standing.unseen:
        parts.append(_("{count} are accepted unseen.").format(count=standing.unseen))
    if standing.outdated:
        parts.append(_("{count} of these as an older round predicted them.").format(count=standing.outdated))
    if standing.uncovered:
        parts.append(_("{count} were predicted later and are not in it.").format(count=len(standing.uncovered)))
    return " ".join(parts)


def amount(bound: Bound) -> str:
    """ "7 % (4)" """
    return f"{percent(bound.share)} ({bound.wrong})"
