"""Numbers, times and shares as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from metassl.project.regions import REGIONS
from metassl.project.words import NO_BREAK, brief_duration

NONE = "–"
_PERCENT = f"{NO_BREAK}%"
REGION_TITLES = {region.key: region.name for region in REGIONS}


def number(value: float | None, digits: int = 3) -> str:
    """A number with fixed digits, or a dash."""
    return NONE if value is None else f"{value:.{digits}f}"


def percent(share: float | None) -> str:
    """A share as a percentage, with more digits the smaller it is."""
    if share is None:
        return NONE
    value = 100.0 * share
    if value == 0 or value >= 99.95:
        return f"{value:.0f}{_PERCENT}"
    if value < 0.01:
        return f"< 0.01{_PERCENT}"
    return f"{value:.{1 if value >= 1 else 2}f}{_PERCENT}"


def interval(ends: Sequence[float | None] | None, digits: int = 3) -> str:
    """A 95 % interval, or nothing when it is not defined."""
    if not ends or None in ends:
        return ""
    return f"{ends[0]:.{digits}f} to {ends[1]:.{digits}f}"


def percent_interval(ends: Sequence[float | None] | None) -> str:
    """A 95 % interval of a share, or nothing when it is not defined."""
    if not ends or None in ends:
        return ""
    return f"{percent(ends[0])} to {percent(ends[1])}"


def duration(seconds: float | None) -> str:
    """ "42 s", "3 min 52 s" or "2 h 5 min", or a dash."""
    return NONE if seconds is None else brief_duration(seconds)


def moment(text: str) -> str:
    """An ISO time as "24 Nov 2026, 10:42 UTC"; anything else as it is."""
    try:
        time = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return str(text or NONE)
    return f"{time.astimezone(UTC):%d %b %Y, %H:%M} UTC".lstrip("0")


def words(name: Any) -> str:
    """An identifier as words."""
    return str(name).replace("_", " ")
