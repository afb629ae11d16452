"""What the list of rounds shows, and what the choice of one does. Everything here reads files: call it in a task."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from metassl.jobs.round_summary import RoundSummary, summarise_round
from metassl.project import Project, Round
from metassl.project.words import plural, sentence

from ...Durations import briefDuration
from ...Translation import _


@dataclass(frozen=True)
class RoundRow:
    """A round. `isShown`: its predictions are reviewed; `isStart`: the next training starts from its model."""

    summary: RoundSummary
    isShown: bool = False
    isStart: bool = False
    isNewest: bool = False

    @property
    def number(self) -> int:
        return self.summary.number


@dataclass(frozen=True)
class RoundList:
    """All rounds, the newest first. `isChosen`: the user went back to an older one."""

    rows: tuple[RoundRow, ...] = ()
    isChosen: bool = False


class RoundTable:
    """Reads the rounds of a project; those that are over are read once."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple, RoundSummary]] = {}

    def rows(self, project: Project) -> RoundList:
        rounds = project.rounds()
        predicted = [found for found in rounds if found.predicted_cases()]
        shown = project.shown_round() or (predicted or [None])[-1]
        start = project.start_round()
        rows = [
            RoundRow(self._summary(found), found == shown, found == start, found == rounds[-1])
            for found in reversed(rounds)
        ]
        chosen = {"shown_round", "start_round"} & project.settings.keys()
        return RoundList(tuple(rows), bool(chosen))

    def _summary(self, found: Round) -> RoundSummary:
        changing = found.status_path, found.events_path, found.predictions, found.path, found.checkpoints
        stamp = tuple(map(_stamp, changing))
        known = self._known.get(found.path)
        if known is not None and known[0] == stamp and known[1].state not in ("running", "queued"):
            return known[1]
        summary = summarise_round(found)
        self._known[found.path] = stamp, summary
        return summary


def stateText(state: str) -> str:
    """A round's state in a word."""
    words = {
        "created": _("not begun"),
        "running": _("training"),
        "queued": _("waiting"),
        "paused": _("stopped"),
        "failed": _("failed"),
        "finished": _("finished"),
        "interrupted": _("interrupted"),
    }
    return words.get(state, state)


def dateText(created: str, style: str = "%d %b %H:%M") -> str:
    """A time of the project folder (ISO, UTC) on this computer's clock."""
    try:
        return datetime.fromisoformat(created).astimezone().strftime(style)
    except ValueError:
        return ""


def timeText(seconds: float) -> str:
    """ "3 min 7 s" for tables; nothing for no time at all."""
    return briefDuration(seconds) if round(seconds) > 0 else ""


def describe(row: RoundRow) -> str:
    """A round in a few sentences."""
    found = row.summary
    parts = [_title(found)]
    if found.message:
        parts.append(sentence(found.message))
    if found.dice is not None:
        each = ", ".join(f"{name} {value:.2f}" for name, value in found.dice_per_structure.items() if value is not None)
        text = _("Validation Dice {mean:.2f} ({each}).") if each else _("Validation Dice {mean:.2f}.")
        parts.append(text.format(mean=found.dice, each=each))
    parts += [text for wanted, text in _facts(row) if wanted]
    return " ".join(parts)


def _title(found: RoundSummary) -> str:
    start = (
        _("from the model of round {parent}").format(parent=found.parent)
        if isinstance(found.parent, int)
        else _("from scratch")
    )
    labels = plural(found.labels, _("1 label"), _("{count} labels"))
    text = _("Round {number} of {date}: {labels}, {start}").format(
        number=found.number, date=dateText(found.created), labels=labels, start=start
    )
    return ", ".join(filter(None, [text, found.device, timeText(found.seconds), stateText(found.state)])) + "."


def _facts(row: RoundRow) -> list[tuple[bool, str]]:
    found = row.summary
    cases = plural(found.predicted, _("1 case"), _("{count} cases"))
    point = found.operating_point
    return [
        (found.predicted > 0, _("It predicted {cases}.").format(cases=cases)),
        (found.error_rates, _("Its error rates were measured.")),
        (found.predicted > 0 and not found.error_rates, _("Its error rates are not yet measured.")),
        (point is not None and point.used, _("Its predictions are made at an operating point of its own.")),
        (point is not None and bool(point.one_piece), _("What is one piece in all labels is shown as one.")),
        (row.isShown, _("Its predictions are shown.")),
        (row.isStart, _("The next training starts from it.")),
    ]


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
