"""What stands in the cells of one row of the table of cases: texts, hints, and what is sorted and searched by."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from metassl.project.cases import ASIDE
from metassl.project.effort.words import roundly
from metassl.project.words import percent

from ...Durations import briefDuration
from ...Logic.Project.CaseTable import CaseRow
from ...Logic.Project.RoundTable import timeText
from ...Translation import _

COLUMNS = NAME, STATE, UNCERTAINTY, ORDER, DICE, TIME = range(6)

_ORDER = ("in_progress", "predicted", "unlabelled", "rejected", "labelled", "corrected", "accepted")
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class Cells:
    """One row, ready to be shown. `keys`: what each column is sorted by; None stands behind all others."""

    row: CaseRow
    texts: tuple[str, ...]
    keys: tuple
    hint: str
    groups: frozenset[str]
    search: str


class CaseCells:
    """Makes the cells. Words are translated once, as there may be thousands of rows; `of` may run in a task."""

    def __init__(self) -> None:
        self.headings = [_("Case"), _("State"), _("Uncertainty"), _("Order"), _("Dice"), _("Work")]
        self.headingHints = [
            _("The case; double-click a row to open it"),
            _("How far its annotation has come"),
            _(
                "Uncertain voxels in and round the predicted structures: high and orange or blue where the two "
                "networks "
                "differ, low and yellow where they agree without confidence. A full bar is half of the voxels."
            ),
            _("In which order to label, by the chosen way of recommending: 1 comes first"),
            _("Dice between the prediction and the label that you made of it"),
            _("How long you worked on it; after ≈, how long it is expected to take"),
        ]
        self._words = {
            "unlabelled": _("to label"),
            "in_progress": _("in progress"),
            "labelled": _("labelled"),
            "predicted": _("to review"),
            "accepted": _("accepted"),
            "corrected": _("corrected"),
            "rejected": _("rejected"),
        }
        self._unsaved, self._failed = _("unsaved"), _("failed")
        self._unseen = _("accepted unseen")
        self._partly, self._again = _("partly done"), _("to review again")
        self._splits = {"validation": _("validation"), "test": _("test"), ASIDE: _("set aside")}
        self._stateLine = _("State: {state}")
        self._unsavedLine = _("It holds work that is not saved as a label; it comes back when you open the case.")
        self._uncertaintyLine = _("Uncertain voxels of round {round}: {shares}")
        self._orderLine = _("Why: {reason}")
        self._lookedLine = _("Slices that were looked at before all of it was accepted: {count}")
        self._failedLine = _("The last training could not use it: {reason}")

    def of(self, row: CaseRow) -> Cells:
        word = self._stateWord(row)
        texts = (
            row.id,
            word,
            "",
            "" if row.place is None else str(row.place),
            "" if row.dice is None else f"{row.dice:.2f}",
            timeText(row.seconds) or workText(row.work),
        )
        keys = (
            naturalKey(row.id),
            _stateKey(row),
            row.totalUncertainty,
            row.place,
            row.dice,
            row.seconds if row.seconds >= 1 else row.work,
        )
        return Cells(row, texts, keys, self._hint(row, word), _groups(row), f"{row.id}\t{word}".casefold())

    def _stateWord(self, row: CaseRow) -> str:
        if row.autosaved and row.split != ASIDE:
            return self._unsaved
        if row.split in self._splits:
            return self._splits[row.split]
        if row.failed and not row.isDone:
            return self._failed
        if row.isPartial:
            return self._again if row.isWaiting else self._partly
        return self._unseen if row.isUnseen else self._words.get(row.state, row.state)

    def _hint(self, row: CaseRow, word: str) -> str:
        lines = [row.id, self._stateLine.format(state=word)]
        if row.autosaved:
            lines.append(self._unsavedLine)
        if row.looked is not None:
            lines.append(self._lookedLine.format(count=row.looked))
        if row.uncertainty is not None:
            shares = ", ".join(f"{region} {percent(share, 1)}" for region, share in row.uncertainty.items())
            lines.append(self._uncertaintyLine.format(round=row.round, shares=shares))
        if row.reason:
            lines.append(self._orderLine.format(reason=row.reason))
        if row.failed:
            lines.append(self._failedLine.format(reason=row.failed))
        return "\n".join(lines)


def workText(seconds: float | None) -> str:
    """ "≈ 40 s" or "≈ 3 min"; nothing where it is not known."""
    return "" if seconds is None else _about(roundly(seconds))


@cache
def _about(seconds: int) -> str:
    return _("≈ {duration}").format(duration=briefDuration(seconds if seconds < 60 else 60 * round(seconds / 60)))


def naturalKey(caseId: str) -> str:
    """A key that puts case_2 before case_10."""
    return _DIGITS.sub(lambda found: found.group().zfill(12), caseId.casefold())


def _stateKey(row: CaseRow) -> float:
    """Unsaved work first, then what waits for somebody, then what is done; what is kept out of training last."""
    if row.autosaved:
        return -1
    known = _ORDER.index(row.state) if row.state in _ORDER else len(_ORDER)
    return known + (0 if row.split == "pool" else 100)


def _groups(row: CaseRow) -> frozenset[str]:
    """The groups of cases, as the filter above the table names them, that this one is in."""
    if row.split == ASIDE:
        return _shared((ASIDE,))
    inPool = row.split == "pool"
    belongs = (
        ("todo", inPool and not row.isDone),
        ("partly", inPool and row.isPartial and not row.isWaiting),
        ("review", inPool and (row.state == "predicted" or (row.isPartial and row.isWaiting))),
        ("done", inPool and row.isDone and not row.isUnseen),
        ("unseen", inPool and row.isUnseen),
        ("unfinished", row.autosaved or row.state == "in_progress"),
        ("failed", bool(row.failed)),
        ("held", not inPool),
    )
    return _shared(tuple(group for group, here in belongs if here))


@cache
def _shared(names: tuple[str, ...]) -> frozenset[str]:
    """One set for all rows that are in the same groups."""
    return frozenset(names)
