"""What the table of cases shows, and how far the project is, read from its folder.

Runs in a thread; 10,000 cases take about a second.
"""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from metassl.files import MetaSSLError
from metassl.files.json_kinds import share, whole_of
from metassl.jobs import last_status
from metassl.project import LABELLED_STATES, Case, Project, Round
from metassl.project.cases import ASIDE
from metassl.project.former_names import renamed
from metassl.project.records import RankedCase
from metassl.project.regions import FLAGGED
from metassl.project.round_files import read_notes, read_ranking
from metassl.project.words import plural

from ...Translation import _
from ..Autosave.AutosaveFile import rescuedAutosaves
from ..Autosave.AutosaveFormat import autosaves

_SHARES = whole_of(**dict.fromkeys(FLAGGED, share))


@dataclass(frozen=True)
class CaseRow:
    """One case.

    `uncertainty`: the shares 0..1 of US, DC and DS in and round the predicted structures. `place`: where the ranking
    puts it, from 1, and `reason` why, in a line. `dice`: of the prediction with the label that came of it.
    `autosaved`: there are edits that were never saved. `failed`: why the last round had to leave it out. `isPartial`:
    a part of it is annotated, and nobody has said that it is done; `isSaidDone`: of such a case somebody has;
    `isLearnt`: the round that predicted such a case has learnt from that part. `isUnseen`: its prediction was accepted
    with many others, and nobody looked at it. `looked`: how many of its slices were looked at before all of it was
    accepted, None for all. `work`: the seconds that it is expected to take, where that is known.
    """

    id: str
    split: str = "pool"
    state: str = "unlabelled"
    uncertainty: dict[str, float] | None = None
    reason: str = ""
    place: int | None = None
    dice: float | None = None
    seconds: float = 0.0
    autosaved: bool = False
    failed: str = ""
    round: int | None = None
    isPartial: bool = False
    isLearnt: bool = True
    isSaidDone: bool = False
    isUnseen: bool = False
    looked: int | None = None
    work: float | None = None

    @property
    def isDone(self) -> bool:
        """Nothing is to be annotated in it any more."""
        return self.state in LABELLED_STATES and not self.isPartial

    @property
    def isWaiting(self) -> bool:
        """It is to be looked at now; one of which a part is annotated not before it is predicted again."""
        return not self.isDone and (not self.isPartial or self.isLearnt)

    @property
    def totalUncertainty(self) -> float | None:
        return None if self.uncertainty is None else min(1.0, sum(self.uncertainty.values()))


def readRows(project: Project, caseIds: Iterable[str] | None = None) -> list[CaseRow]:
    """The rows of these cases (None: of all) in the order of their names. MetaSSLError when the list is damaged."""
    cases = project.cases
    if caseIds is not None:
        cases = {caseId: cases[caseId] for caseId in caseIds if caseId in cases}
    rounds = _inOrderOfReview(project)
    uncertainties = _uncertainties(rounds, cases)
    learnt = _Learnt(rounds)
    ranked = _ranking(project, rounds)
    latest = project.latest_round()
    failures, notes = _failures(latest, uncertainties), _notes(latest)
    unsaved = {*autosaves(project), *rescuedAutosaves(project).values()}
    rows = [
        _row(
            case, uncertainties.get(case.id), ranked.get(case.id), case.id in unsaved, failures.get(case.id, ""), learnt
        )
        for case in cases.values()
    ]
    return [replace(row, reason=_joined(row.reason, notes[row.id])) if row.id in notes else row for row in rows]


@contextmanager
def collectorAtRest() -> Iterator[None]:
    """For making thousands of small objects: Python's garbage collector would stop Slicer's windows each time."""
    wasAtWork = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if wasAtWork:
            gc.enable()


class _Learnt:
    """Which labels each round has learnt from; read when it is asked for, as only partly annotated cases need it."""

    def __init__(self, rounds: list[Round]) -> None:
        self._rounds = {found.number: found for found in rounds}

    def hasLearnt(self, number: int | None, case: Case) -> bool:
        try:
            return number is not None and case.is_known_to(self._rounds[number].record.get("labels") or {})
        except MetaSSLError:
            return False


def _row(
    case: Case,
    found: tuple | None,
    ranked: tuple[int, RankedCase] | None,
    autosave: bool,
    failed: str,
    learnt: _Learnt,
) -> CaseRow:
    number, uncertainty = found or (None, None)
    row = CaseRow(
        id=case.id,
        split=case.split,
        state=case.state,
        uncertainty=uncertainty,
        dice=case.dice,
        seconds=float(case.seconds_spent),
        autosaved=autosave,
        failed=failed,
        round=number,
        isPartial=case.is_partial,
        isLearnt=not case.is_partial or learnt.hasLearnt(number, case),
        isSaidDone=case.done,
        isUnseen=case.unseen,
        looked=None if case.looked is None else len(case.looked),
    )
    if ranked is None or not row.isWaiting or case.split == ASIDE:
        return row
    place, entry = ranked
    return replace(row, reason=entry.reason, place=place, work=entry.seconds)


def _inOrderOfReview(project: Project) -> list[Round]:
    """The chosen round, if any, and then the newest first."""
    chosen = project.shown_round()
    rounds = [found for found in reversed(project.rounds()) if found != chosen]
    return rounds if chosen is None else [chosen, *rounds]


def _uncertainties(rounds: list[Round], cases: dict[str, Case]) -> dict[str, tuple[int, dict[str, float] | None]]:
    """For each predicted case its round and uncertainty. Bare file names and plain reads, as there may be thousands."""
    found: dict[str, tuple[int, dict[str, float] | None]] = {}
    waiting = set(cases)
    for source in rounds:
        folder = str(source.predictions)
        try:
            names = waiting.intersection(os.listdir(folder))
        except OSError:
            continue
        for name in names:
            try:
                with open(f"{folder}/{name}/summary.json", "rb") as stream:
                    content = stream.read()
            except OSError:
                continue  # not complete yet
            found[name] = source.number, _uncertaintyIn(content)
            waiting.discard(name)
    return found


def _uncertaintyIn(content: bytes) -> dict[str, float] | None:
    try:
        uncertainty = renamed(json.loads(content), 1)["uncertainty"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return {region: float(uncertainty[region]) for region in FLAGGED} if _SHARES(uncertainty) else None


def _ranking(project: Project, rounds: list[Round]) -> dict[str, tuple[int, RankedCase]]:
    """The ranking of the round that is reviewed, or of the newest one that has any: {case: (place, entry)}."""
    for source in rounds:
        try:
            if source.ranking_path.exists():
                ranked = read_ranking(source, project.labels).cases
                return {each.case: (place, each) for place, each in enumerate(ranked, start=1)}
        except MetaSSLError:
            continue
    return {}


def _notes(latest: Round | None) -> dict[str, str]:
    """What the latest round found odd about images."""
    try:
        return {} if latest is None else read_notes(latest)[0]
    except MetaSSLError:
        return {}


def _joined(reason: str, note: str) -> str:
    return "; ".join(filter(None, (reason, note)))


def _failures(latest: Round | None, uncertainties: dict[str, tuple]) -> dict[str, str]:
    """Why the latest round left cases out, unless it has predicted them after all."""
    if latest is None:
        return {}
    try:
        reasons = last_status(latest).failed_cases
    except MetaSSLError:
        return {}
    return {case: reason for case, reason in reasons.items() if uncertainties.get(case, (None,))[0] != latest.number}


@dataclass(frozen=True)
class ProjectSummary:
    """Numbers of cases. `toLabel` to `rejected` are those to train on that have no label, by their state.

    `measured` have a label to measure with; `unmeasured` are of the validation part, too, but have none yet.

    `cases` counts all but those that were set aside, `aside`. `labelled` are none of those that nobody looked at,
    `unseen`, nor of those that are annotated in part, `partly`.
    """

    cases: int
    labelled: int
    toLabel: int
    inProgress: int
    toReview: int
    rejected: int
    measured: int
    unmeasured: int
    test: int
    aside: int = 0
    unseen: int = 0
    partly: int = 0

    @staticmethod
    def read(project: Project) -> ProjectSummary:
        """Count, for a thread. Raises ProjectError."""
        cases = list(project.cases.values())
        aside = sum(case.split == ASIDE for case in cases)
        pool = [case for case in cases if case.split == "pool"]
        waiting = [case.state for case in pool if not case.is_labelled]
        validation = [case.is_labelled for case in cases if case.split == "validation"]
        return ProjectSummary(
            cases=len(cases) - aside,
            labelled=sum(case.is_reviewed and not case.is_partial for case in pool),
            toLabel=sum(state not in ("in_progress", "predicted", "rejected") for state in waiting),
            inProgress=waiting.count("in_progress"),
            toReview=waiting.count("predicted"),
            rejected=waiting.count("rejected"),
            measured=sum(validation),
            unmeasured=len(validation) - sum(validation),
            test=sum(case.split == "test" for case in cases),
            aside=aside,
            unseen=sum(case.unseen for case in pool),
            partly=sum(case.is_partial for case in pool),
        )

    @property
    def text(self) -> str:
        """ "24 cases: 3 labelled, 13 without a label, 2 to measure with"; what is zero is left out."""
        parts = [
            (self.labelled, _("{number} labelled")),
            (self.partly, _("{number} partly done")),
            (self.unseen, _("{number} accepted unseen")),
            (self.toReview, _("{number} to review")),
            (self.inProgress, _("{number} begun")),
            (self.rejected, _("{number} rejected")),
            (self.toLabel, _("{number} without a label")),
            (self.measured, _("{number} to measure with")),
            (self.unmeasured, _("{number} for validation without a label")),
            (self.test, _("{number} kept for a test")),
            (self.aside, _("{number} set aside")),
        ]
        counts = ", ".join(text.format(number=number) for number, text in parts if number)
        total = plural(self.cases, _("1 case"), _("{count} cases"))
        return f"{total}: {counts}" if counts else total
