"""Lengths of time in the user's language."""

from __future__ import annotations

from metassl.project.words import NO_BREAK, TimeWords
from metassl.project.words import duration as _duration

from .Translation import _


def duration(seconds: float) -> str:
    """ "40 seconds", "1 minute", "3 minutes 7 seconds" or "2 hours 5 minutes"."""
    words = TimeWords(
        *(_("1 second"), _("{count} seconds")),
        *(_("1 minute"), _("{count} minutes")),
        *(_("1 hour"), _("{count} hours")),
        _("{large} {small}"),
    )
    return _duration(seconds, words)


def briefDuration(seconds: float) -> str:
    """ "42 s", "3 min 7 s" or "2 h 5 min"; for tables, and lines that say much."""
    units = _("{count} s"), _("{count} min"), _("{count} h")
    texts = [unit.replace(" ", NO_BREAK) for unit in units for _number in range(2)]
    return _duration(seconds, TimeWords(*texts))
