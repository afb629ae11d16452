"""Numbers, times and shares as people read them: the filters of the template."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from metassl.project.places.words import volume_text
from metassl.project.words import NO_BREAK, brief_duration

NONE = "–"
_CONTROL = {code: None for code in range(32) if chr(code) not in "\t\n"} | {127: None}


def shown(value: Any) -> Any:
    """What stands in the page: a dash for nothing, and no control characters. What is markup stays markup."""
    if value is None:
        return NONE
    return value.translate(_CONTROL) if isinstance(value, str) else value


def number(value: float | None, digits: int = 3) -> str:
    """A number with fixed digits, or a dash."""
    return NONE if value is None else f"{value:.{digits}f}"


def percent(share: float | None) -> str:
    """A share as a percentage, with more digits the smaller it is."""
    if share is None:
        return NONE
    value = 100.0 * share
    if value == 0 or value >= 99.95:
        return f"{value:.0f}{NO_BREAK}%"
    if value < 0.01:
        return f"< 0.01{NO_BREAK}%"
    return f"{value:.{1 if value >= 1 else 2}f}{NO_BREAK}%"


def interval(ends: Sequence[float | None] | None, digits: int = 3) -> str:
    """A 95 % interval, or nothing when it is not defined."""
    return f"{ends[0]:.{digits}f} to {ends[1]:.{digits}f}" if ends and None not in ends else ""


def percent_interval(ends: Sequence[float | None] | None) -> str:
    """A 95 % interval of a share, or nothing when it is not defined."""
    return f"{percent(ends[0])} to {percent(ends[1])}" if ends and None not in ends else ""


def duration(seconds: float | None) -> str:
    """ "42 s", "3 min 52 s" or "2 h 5 min", or a dash."""
    return NONE if seconds is None else brief_duration(seconds)


def volume(ml: float | None) -> str:
    """A volume with its unit, or a dash."""
    return NONE if ml is None else volume_text(ml)


def moment(text: Any) -> str:
    """An ISO time as "24 Nov 2026, 10:42 UTC"; anything else as it is."""
    try:
        time = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return str(text or NONE)
    return f"{time.astimezone(UTC):%d %b %Y, %H:%M} UTC".lstrip("0")


def words(name: Any) -> str:
    """An identifier as words."""
    return str(name).replace("_", " ")
