"""Lengths of time, numbers of things, shares and sentences as a person writes them; for the engine and for Slicer.

The words are English; a translation hands in its own, see `TimeWords`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

NO_BREAK = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class TimeWords:
    """Each unit for one and for several; `both`: how a large and a small one are put together."""

    second: str = "1 second"
    seconds: str = "{count} seconds"
    minute: str = "1 minute"
    minutes: str = "{count} minutes"
    hour: str = "1 hour"
    hours: str = "{count} hours"
    both: str = "{large} {small}"


LONG = TimeWords()
BRIEF = TimeWords(*(f"{{count}}{NO_BREAK}{unit}" for unit in ("s", "min", "h") for _number in range(2)))
"""For tables and lines that say much: "3 min 7 s"."""


def duration(seconds: float, words: TimeWords = LONG) -> str:
    """ "40 seconds", "1 minute", "3 minutes 7 seconds" or "2 hours 5 minutes"; nothing shorter than no time."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        large, small = (minutes, words.minute, words.minutes), (rest, words.second, words.seconds)
    else:
        hours, minutes = divmod(round(whole / 60), 60)
        large, small = (hours, words.hour, words.hours), (minutes, words.minute, words.minutes)
    if not large[0]:
        return plural(*small)
    if not small[0]:
        return plural(*large)
    return words.both.format(large=plural(*large), small=plural(*small))


def brief_duration(seconds: float) -> str:
    """ "42 s", "3 min 7 s" or "2 h 5 min"."""
    return duration(seconds, BRIEF)


def count(amount: int, one: str, many: str = "") -> str:
    """ "1 case", "3 cases"; `many`: where it is not `one` with an s."""
    return plural(amount, f"1 {one}", f"{{count}} {many or one + 's'}")


def plural(amount: int, one: str, many: str) -> str:
    """The text for one thing, or the one for none or several; "{count}" in it stands for how many."""
    return (one if amount == 1 else many).format(count=amount)


def percent(share: float, digits: int = 0) -> str:
    """A share, 0..1, as "12 %"."""
    return f"{100 * share:.{digits}f}{NO_BREAK}%"


def bytes_as_text(size: int) -> str:
    """A number of bytes as "0 kB", "0.3 MB", "42 MB" or "1.2 GB"."""
    amount, unit = next(
        (size / each, name)
        for each, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
        if size >= 0.1 * each or name == "kB"
    )
    return f"{amount:.{1 if 0.05 < amount < 9.95 else 0}f}{NO_BREAK}{unit}"


def sentence(text: object) -> str:
    """A text, such as an error's, beginning with a capital and ending with a full stop; nothing for an empty one."""
    words = str(text).strip()
    return ended(words[:1].upper() + words[1:])


def ended(text: str) -> str:
    """A text with a full stop at its end; nothing for an empty one."""
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def listing(names: Sequence[str], limit: int = 5) -> str:
    """ "a, b, c and 12 more"."""
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


_OF_A_FILE = re.compile(r"case ([^:]+): \S.*?: (.+)", re.DOTALL)
_OF_A_CASE = re.compile(r"case ([^:]+): (.+)", re.DOTALL)
_MANY = 4
"""Of so many cases no files are named any more."""


def said_once(texts: Sequence[str]) -> list[str]:
    """Sentences "case ID: what" and "case ID: FILE: what" with the same `what` as one, "3 cases (a, b, c): what"."""
    told = [_case_and_what(text) for text in texts]
    cases: dict[tuple[str, int], list[str]] = {}
    for case, what, fewest in told:
        cases.setdefault((what, fewest), []).append(case)
    said = []
    for text, (_case, what, fewest) in zip(texts, told):
        same = list(dict.fromkeys(cases[what, fewest]))
        if not fewest or 0 < len(same) < fewest:
            said.append(text)
        elif same:
            said.append(f"{len(same)} cases ({listing(same)}): {what}")
            cases[what, fewest] = []
    return said


def _case_and_what(text: str) -> tuple[str, str, int]:
    """And from how many cases on it is said once; 0 for what is not about a case."""
    for pattern, fewest in ((_OF_A_FILE, _MANY), (_OF_A_CASE, 2)):
        if found := pattern.fullmatch(text):
            return found[1], found[2], fewest
    return "", text, 0
