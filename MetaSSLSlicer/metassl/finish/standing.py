"""Where the audit stands, and what it says of the cases that nobody looked at."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from metassl.files.errors import LabelError, MetaSSLError
from metassl.imaging.images import IGNORE, read_labels
from metassl.project.cases import Case
from metassl.project.effort.depth import error_depth_mm, tolerance_of
from metassl.project.project import Project
from metassl.project.rounds import Round

from .audit import Audit, Audits, Depth, audited_round, change_audits, is_too_small, read_audits, waiting
from .bound import Bound, bound_on_rest

CONFIDENCE = 0.95
RIGHT, WRONG, UNKNOWN = "right", "wrong", "unknown"
"""What came of a case: `unknown` when nobody said so of all of it, or looked at all of it. It then counts as wrong
where it was drawn.
"""
_MORE = (5, 10, 20, 40)

Report = Callable[[int, int, str], object]


@dataclass(frozen=True)
class Standing:
    """The audit of the round `round` as it is now; `begun` is "" before it began.

    `total` cases are audited. `looks`: what came of each that was drawn so far, in order. `outside`: {case: what came
    of it} of those that were reviewed before their turn. `remaining`: the ids of the others, which nobody has looked
    at, as they will be drawn; `unseen` of them are accepted all the same, `outdated` of these before the round was
    made. `outlook`: (so many more, what the bound is then if all of them are right), where that says more than now.
    `uncovered`: cases that the round predicted later, of which the audit says nothing. `notes`: sentences on cases that
    could not be measured.
    """

    round: int
    begun: str
    tolerance_mm: float
    total: int
    looks: tuple[str, ...]
    outside: Mapping[str, str]
    remaining: list[str]
    unseen: int
    outdated: int
    bound: Bound
    outlook: list[tuple[int, Bound]] = field(default_factory=list)
    uncovered: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def next_case(self) -> str | None:
        """The case to look at next."""
        return self.remaining[0] if self.remaining else None

    @property
    def wrong(self) -> int:
        """How many of the drawn cases count as in need of correction."""
        return sum(look != RIGHT for look in self.looks)


def read_standing(
    project: Project,
    tolerance_mm: float | None = None,
    confidence: float = CONFIDENCE,
    report: Report = lambda done, total, case: None,
) -> Standing:
    """Where the audit of the round under review stands; measures what was reviewed since, and keeps that.

    `tolerance_mm`: None for the project's own. Before the audit began it tells what there is to be audited.
    ProjectError when there are no predictions, or a file is damaged.
    """
    found = audited_round(project)
    audits, predicted = read_audits(project), waiting(project, found)
    audit, cases = audits.of_round(found.number), project.cases
    if audit is None or is_too_small(audit, cases, predicted):
        audit = Audit(found.number, 0, "", tuple(sorted(predicted)))
    audit, notes = _measured(project, found, audit, cases, report)
    tolerance = tolerance_of(project) if tolerance_mm is None else tolerance_mm
    results = {case_id: _result(cases.get(case_id), audit.depths.get(case_id), tolerance) for case_id in audit.order}
    open_ = [case_id for case_id in audit.order if results[case_id] is None]
    drawn = audit.order.index(open_[0]) if open_ else len(audit.order)
    looks = [results[case_id] or UNKNOWN for case_id in audit.order[:drawn]]
    outside = {case_id: result for case_id in audit.order[drawn:] if (result := results[case_id]) is not None}
    known = sum(result == WRONG for result in results.values())
    unseen = [cases[case_id] for case_id in open_ if cases[case_id].unseen]
    partly = [
        case_id for case_id in audit.order if results[case_id] == UNKNOWN and _is_seen_in_part(cases.get(case_id))
    ]
    notes += [_seen_in_part(case_id) for case_id in partly]
    made = found.record.get("created") or ""

    def bound(more: int) -> Bound:
        wrong = [look != RIGHT for look in looks] + [False] * more
        return bound_on_rest(len(audit.order), wrong, len(open_) - more, known, confidence)

    now, later = bound(0), [(more, bound(more)) for more in _MORE if more < len(open_)]
    return Standing(
        round=found.number,
        begun=audit.begun,
        tolerance_mm=tolerance,
        total=len(audit.order),
        looks=tuple(looks),
        outside=outside,
        remaining=open_,
        unseen=len(unseen),
        outdated=sum(case.annotated < made for case in unseen),
        bound=now,
        outlook=[(more, then) for more, then in later if then.says_something and then.wrong < now.wrong],
        uncovered=sorted(set(predicted) - set(audit.order)),
        notes=notes,
    )


def _result(case: Case | None, depth: Depth | None, tolerance_mm: float) -> str | None:
    """None as long as the case is to be looked at."""
    if case is None:
        return UNKNOWN
    if case.state == "rejected":
        return WRONG
    if case.unseen or not case.is_done:
        return None if case.split == "pool" else UNKNOWN
    if depth is None:
        return UNKNOWN
    if depth.mm is None or depth.mm > tolerance_mm:
        return WRONG
    return UNKNOWN if case.has_gaps or case.looked is not None else RIGHT


def _is_seen_in_part(case: Case | None) -> bool:
    return case is not None and case.is_reviewed and case.looked is not None


def _seen_in_part(case_id: str) -> str:
    return (
        f"case {case_id} was accepted after a look at some of its slices: it counts as in need of correction until the "
        "others are looked at, too, and it is accepted again"
    )


def _measured(
    project: Project, found: Round, audit: Audit, cases: Mapping[str, Case], report: Report
) -> tuple[Audit, list[str]]:
    """The audit with the depths of what was labelled since, which are kept; and what could not be measured."""
    reviewed = {case_id: cases[case_id] for case_id in audit.order if case_id in cases and cases[case_id].is_reviewed}
    kept = {case_id: each for case_id, each in audit.depths.items() if case_id in reviewed}
    kept = {case_id: each for case_id, each in kept.items() if each.label == reviewed[case_id].label_version}
    todo = [case for case in reviewed.values() if case.is_done and case.id not in kept]
    notes: list[str] = []
    new: dict[str, Depth] = {}
    for place, case in enumerate(todo, start=1):
        try:
            new[case.id] = Depth(case.label_version or "", _finite(_depth_of(project, found, case)))
        except MetaSSLError as error:
            notes.append(f"{error}; case {case.id} counts as in need of correction")
        report(place, len(todo), case.id)

    def keep(audits: Audits) -> Audits:
        known = audits.of_round(audit.round)
        return audits if known is None else audits.having(replace(known, depths={**known.depths, **new}))

    if audit.begun and new:
        change_audits(project, keep)
    return replace(audit, depths={**kept, **new}), notes


def _depth_of(project: Project, found: Round, case: Case) -> float:
    """Raises LabelError when the label or the prediction cannot be read, or they are not on one grid."""
    label, grid = project.read_label(case.id, case.label_version)
    prediction, own = read_labels(found.prediction(case.id).segmentation, case.id)
    if difference := own.difference(grid):
        raise LabelError(f"case {case.id}: its label and its prediction are not on one grid: {difference}")
    missing = case.missing(project.values)
    if missing:  # its background may be one of these
        label = np.where((label == 0) & np.isin(prediction, missing), np.uint8(IGNORE), label)
    return error_depth_mm(prediction, label, grid.spacing_xyz[::-1], project.values[1:])


def _finite(depth: float) -> float | None:
    return round(depth, 3) if math.isfinite(depth) else None
