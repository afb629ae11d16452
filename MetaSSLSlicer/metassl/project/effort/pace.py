"""How fast a person works, by the times that were recorded: what scales the assumed costs."""

from __future__ import annotations

from dataclasses import dataclass

from metassl.files.errors import MetaSSLError

from ..annotations import login_name
from ..cases import Case
from ..project import Project
from ..round_files import read_summary
from ..rounds import Round

LEAST_CASES = 8
MOST_CASES = 40
"""The newest: a person gets faster."""
LEAST_S = 1.0
SLOWEST = 10.0


@dataclass(frozen=True)
class Pace:
    """So many times as long as assumed this person takes, as `cases` have shown (0: not known, 1.0 is assumed)."""

    factor: float = 1.0
    cases: int = 0


def pace_of(project: Project) -> Pace:
    """What was recorded of who is logged in, over what was expected of the same predictions; for a thread.

    Only cases count all of which was reviewed, with the panel open on them: it stops the time. Eight are the least.
    """
    me = login_name()
    known = [case for case in project.cases.values() if _counts(case, me)]
    known.sort(key=lambda case: case.annotated, reverse=True)
    recorded, expected, cases = 0.0, 0.0, 0
    rounds = list(reversed(project.rounds()))
    for case in known[:MOST_CASES]:
        seconds = _expected(rounds, case)
        if seconds is not None:
            recorded, expected, cases = recorded + case.seconds_spent, expected + seconds, cases + 1
    if cases < LEAST_CASES:
        return Pace()
    return Pace(min(max(recorded / expected, 1 / SLOWEST), SLOWEST), cases)


def _counts(case: Case, me: str) -> bool:
    reviewed = case.is_reviewed and case.is_done and case.state in ("accepted", "corrected")
    return reviewed and case.looked is None and case.seconds_spent >= LEAST_S and case.annotator in ("", me)


def _expected(rounds: list[Round], case: Case) -> float | None:
    """Of the prediction that it was made of: the newest that is older than the annotation. `rounds`: newest first."""
    try:
        for found in rounds:
            paths = found.prediction(case.id)
            kept = next((path for path in (paths.summary, paths.thinned) if path.is_file()), None)
            if kept is not None and str(found.record.get("created") or "") < case.annotated:
                effort = read_summary(kept, case.id).effort
                return None if effort is None else effort.seconds()
    except MetaSSLError:
        pass
    return None
