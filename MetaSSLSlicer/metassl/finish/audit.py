"""The audit of a round's predictions: in which order cases are looked at, and how wrong those proved; audit.json.

The order is drawn once, by a seed that is written down with it. A new round, whose predictions are others, gets a new
audit; those of former rounds stay in the file, and count again when such a round is reviewed again.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from metassl.files.errors import ProjectError
from metassl.files.json_files import read_json, write_json
from metassl.files.json_kinds import by_name, list_of, maybe, number, text, texts, whole, whole_of
from metassl.jobs.liveness import job_status
from metassl.project.cases import Case, now
from metassl.project.project import Project
from metassl.project.rounds import Round

_DEPTH = whole_of(label=text, mm=maybe(number))
_AUDIT = whole_of(round=whole, seed=whole, begun=text, order=texts, depths=by_name(_DEPTH))
_KINDS = {"audits": list_of(_AUDIT)}


@dataclass(frozen=True)
class Depth:
    """How deep the errors of a case's prediction are, by its label of this version; None: beyond all measure."""

    label: str
    mm: float | None


@dataclass(frozen=True)
class Audit:
    """`order`: the ids of the cases that nobody had looked at, as the seed has shuffled them. `begun`: ISO 8601, UTC.

    `depths`: of those that were looked at since.
    """

    round: int
    seed: int
    begun: str
    order: tuple[str, ...]
    depths: Mapping[str, Depth] = field(default_factory=dict)

    @staticmethod
    def of(document: Mapping[str, Any]) -> Audit:
        """From its entry in audit.json."""
        depths = {case: Depth(each["label"], each["mm"]) for case, each in document["depths"].items()}
        return Audit(document["round"], document["seed"], document["begun"], tuple(document["order"]), depths)

    def to_json(self) -> dict[str, Any]:
        """Its entry in audit.json."""
        depths = {case: {"label": each.label, "mm": each.mm} for case, each in sorted(self.depths.items())}
        return {
            "round": self.round,
            "seed": self.seed,
            "begun": self.begun,
            "order": list(self.order),
            "depths": depths,
        }


@dataclass(frozen=True)
class Audits:
    """What audit.json says."""

    audits: tuple[Audit, ...] = ()

    def of_round(self, number: int) -> Audit | None:
        """The audit of that round's predictions, or None."""
        return next((each for each in self.audits if each.round == number), None)

    def having(self, audit: Audit) -> Audits:
        """The same with this audit, in the place of the former one of its round."""
        others = [each for each in self.audits if each.round != audit.round]
        return replace(self, audits=tuple(sorted([*others, audit], key=lambda each: each.round)))


def read_audits(project: Project) -> Audits:
    """ProjectError when audit.json is damaged or of a newer version."""
    path = _file(project)
    if not path.exists():
        return Audits()
    document = read_json(path, "the audit", _KINDS)
    audits = tuple(Audit.of(each) for each in document.get("audits") or ())
    return Audits(audits)


def change_audits(project: Project, change: Callable[[Audits], Audits]) -> Audits:
    """Write what `change` makes of the audits as they are now, and return it."""
    with project.lock():
        former = read_audits(project)
        changed = change(former)
        if changed != former:
            audits = [each.to_json() for each in changed.audits]
            write_json(_file(project), {"audits": audits})
    return changed


def audited_round(project: Project) -> Round:
    """The round whose predictions are reviewed: the chosen one, or the newest with any. ProjectError for none."""
    for found in (project.shown_round(), *reversed(project.rounds())):
        if found is not None and found.predicted_cases():
            return found
    raise ProjectError(f"project {project.path} has no predictions yet: run `metassl train {project.path}`")


def waiting(project: Project, found: Round) -> list[str]:
    """The cases of the pool, by id, whose prediction by that round is under review and nobody has looked at."""
    sources = project.predictions()
    return [case.id for case in project.cases.values() if sources.get(case.id) == found and is_waiting(case)]


def is_waiting(case: Case) -> bool:
    """Whether its prediction was neither made a label by anybody, nor rejected."""
    return case.split == "pool" and not case.is_reviewed and case.state != "rejected"


def begin(project: Project, seed: int | None = None) -> Audit:
    """The audit of the round under review, which begins now if it has not.

    As long as its first case was not looked at, it begins anew when others were predicted since. ProjectError when
    nothing is predicted, the round is still at work, or no case waits.
    """
    found = audited_round(project)
    cases = waiting(project, found)
    known = read_audits(project).of_round(found.number)
    if known is not None and not is_too_small(known, project.cases, cases):
        return known
    if job_status(found).is_going_on:
        raise ProjectError(f"{found.title} is still at work: the audit begins when all its predictions are there")
    if not cases:
        raise ProjectError(f"no prediction of {found.title} waits for a look: there is nothing to audit")
    number = secrets.randbits(32) if seed is None else seed
    order = sorted(cases)
    random.Random(number).shuffle(order)
    begun = Audit(found.number, number, now(), tuple(order))
    change_audits(project, lambda audits: audits.having(begun))
    return begun


def is_too_small(audit: Audit, cases: Mapping[str, Case], predicted: list[str]) -> bool:
    """Whether cases were `predicted` that are not in the audit, of which nothing is known yet, so that it can begin
    anew with them."""
    first = cases.get(audit.order[0]) if audit.order else None
    return (first is None or is_waiting(first)) and not set(predicted) <= set(audit.order)


def _file(project: Project) -> Path:
    return project.path / "audit.json"
