"""What the table of cases shows, read from the project folder. Runs in a thread; 10,000 cases take about a second."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from metassl.jobs.round_summary import find_events
from metassl.project import LABELLED_STATES, Case, MetaSSLError, Project, Round
from metassl.project.kinds import share, whole_of
from metassl.project.round_files import read_ranking

from .Journal import journals
from .RescuedJournals import rescuedJournals

DOUBTFUL = ("US", "DC", "DS")
_SHARES = whole_of(**dict.fromkeys(DOUBTFUL, share))


@dataclass(frozen=True)
class CaseRow:
    """One case.

    `doubt`: the shares 0..1 of US, DC and DS in and round the predicted structures. `gain`: how much the ranking
    expects to learn from it, `place` where that puts it, from 1, and `reason` why, in a line. `dice`: of the
    prediction with the label that came of it. `journal`: there are edits that were never saved. `failed`: why the
    last round had to leave it out.
    """

    id: str
    split: str = "pool"
    state: str = "unlabelled"
    doubt: dict[str, float] | None = None
    gain: float | None = None
    reason: str = ""
    place: int | None = None
    dice: float | None = None
    seconds: float = 0.0
    journal: bool = False
    failed: str = ""
    round: int | None = None

    @property
    def isLabelled(self) -> bool:
        """True when somebody has labelled, accepted or corrected it."""
        return self.state in LABELLED_STATES

    @property
    def totalDoubt(self) -> float | None:
        """The share of US, DC and DS together."""
        return None if self.doubt is None else min(1.0, sum(self.doubt.values()))


def readRows(project: Project, caseIds: Iterable[str] | None = None) -> list[CaseRow]:
    """The rows of these cases (None: of all) in the order of their names. MetaSSLError when the list is damaged."""
    cases = project.cases
    if caseIds is not None:
        cases = {caseId: cases[caseId] for caseId in caseIds if caseId in cases}
    rounds = _inOrderOfReview(project)
    doubts = _doubts(rounds, cases)
    gains = _gains(rounds)
    failures = _failures(project.latest_round(), doubts)
    unsaved = {*journals(project), *rescuedJournals(project).values()}
    return [
        _row(case, doubts.get(case.id), gains.get(case.id), case.id in unsaved, failures.get(case.id, ""))
        for case in cases.values()
    ]


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


def _row(case: Case, found: tuple | None, entry: dict | None, journal: bool, failed: str) -> CaseRow:
    number, doubt = found or (None, None)
    entry = {} if entry is None or case.is_labelled else entry
    return CaseRow(
        id=case.id,
        split=case.split,
        state=case.state,
        doubt=doubt,
        gain=entry.get("score"),
        reason=str(entry.get("reason", "")),
        place=entry.get("place"),
        dice=case.dice,
        seconds=float(case.seconds_spent),
        journal=journal,
        failed=failed,
        round=number,
    )


def _inOrderOfReview(project: Project) -> list[Round]:
    """The chosen round, if any, and then the newest first."""
    chosen = project.shown_round()
    rounds = [found for found in reversed(project.rounds()) if found != chosen]
    return rounds if chosen is None else [chosen, *rounds]


def _doubts(rounds: list[Round], cases: dict[str, Case]) -> dict[str, tuple[int, dict[str, float] | None]]:
    """For each predicted case its round and doubt. Bare file names and plain reads, as there may be thousands."""
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
            found[name] = source.number, _doubtIn(content)
            waiting.discard(name)
    return found


def _doubtIn(content: bytes) -> dict[str, float] | None:
    try:
        doubt = json.loads(content)["doubt"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return {region: float(doubt[region]) for region in DOUBTFUL} if _SHARES(doubt) else None


def _gains(rounds: list[Round]) -> dict[str, dict[str, Any]]:
    """The ranking of the round that is reviewed, or of the newest one that has any."""
    for source in rounds:
        try:
            if source.ranking_path.exists():
                ranked = enumerate(read_ranking(source)["cases"], start=1)
                return {entry["case"]: {**entry, "place": place} for place, entry in ranked}
        except MetaSSLError:
            continue
    return {}


def _failures(latest: Round | None, doubts: dict[str, tuple]) -> dict[str, str]:
    """Why the latest round left cases out, unless it has predicted them after all."""
    if latest is None:
        return {}
    told = [event for event in find_events(latest.events_path, ("case_failed",)) if event["event"] == "case_failed"]
    reasons = {str(event.get("case", "")): str(event.get("reason", "")) for event in told}
    return {case: reason for case, reason in reasons.items() if doubts.get(case, (None,))[0] != latest.number}
