"""Which case to look at next, and why, in one line."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from metassl.project.words import ended, sentence

from ...Translation import _
from .CaseTable import CaseRow

Recommendation = tuple[str, str]


def recommend(rows: Iterable[CaseRow], exclude: Collection[str] = ()) -> Recommendation | None:
    """(case id, reason) of the case to look at next, or None when every one is done.

    The first of the ranking; cases that are predicted but not ranked yet by their uncertainty; then those without a
    prediction, in the order of their names. A prediction that was rejected comes last.
    """
    open_ = [row for row in rows if row.split == "pool" and not row.isLabelled and row.id not in exclude]
    usable = [row for row in open_ if not row.failed] or open_
    fresh = [row for row in usable if row.state != "rejected"]
    for candidates in (fresh, usable):
        if candidates:
            best = min(candidates, key=_place)
            return best.id, _reason(best)
    return None


def _place(row: CaseRow) -> tuple:
    if row.gain is not None:
        return 0, -row.gain, row.id
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
    elif row.gain is not None:
        parts.append(sentence(row.reason) or _("The ranking puts it first."))
    elif row.uncertainty is not None:
        parts.append(_("Its prediction is new, and the most uncertain of those that are not ranked yet."))
    else:
        parts.append(_("Nothing is predicted yet: cases come in the order of their names."))
    return " ".join(parts)
