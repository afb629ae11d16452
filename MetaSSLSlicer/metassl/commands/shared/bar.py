"""Progress: a bar that redraws itself on a terminal, a plain line now and then in a pipe."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import TextIO

from metassl.project.words import brief_duration

from .console import harmless

PLAIN_EVERY_S = 5.0
BAR_WIDTH = 24


class ProgressBar:
    """One line of progress at the foot of the output.

    In a pipe a line is written when the stage changes, when it is complete, and otherwise at
    most every five seconds.
    """

    def __init__(self, stream: TextIO, tty: bool | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream = stream
        self.tty = stream.isatty() if tty is None else tty
        self._clock = clock
        self._drawn = ""
        self._stage = ""
        self._last = ("", 0, 0)
        self._written = float("-inf")

    def show(
        self,
        stage: str,
        done: int = 0,
        total: int = 0,
        eta_s: float | None = None,
        details: str = "",
    ) -> None:
        """Say that `done` of `total` steps of `stage` are done (0: nobody knows how many)."""
        if self.tty:
            self._draw(_cut(self._as_bar(stage, done, total, eta_s, details)))
            return
        if (stage, done, total) == self._last:
            return
        complete = 0 < total <= done
        due = self._clock() - self._written >= PLAIN_EVERY_S
        if stage != self._stage or complete or due:
            self._stage, self._last, self._written = stage, (stage, done, total), self._clock()
            self._write(_as_words(stage, done, total, eta_s, details) + "\n")

    def line(self, text: str) -> None:
        """A line that stays, above the bar."""
        bar = self._drawn
        self._wipe()
        self._write(harmless(text) + "\n")
        if bar:
            self._draw(bar)

    def close(self) -> None:
        """Take the bar away; lines that stay are kept."""
        self._wipe()

    def _as_bar(self, stage: str, done: int, total: int, eta_s: float | None, details: str) -> str:
        if total:
            share = min(done / total, 1.0)
            full, empty = ("█", "░") if self._is_unicode() else ("#", "-")
            filled = int(share * BAR_WIDTH)
            bar = full * filled + empty * (BAR_WIDTH - filled)
            place = f"{bar} {share:4.0%}  {done}/{total}"
        else:
            place = f"step {done}" if done else "..."
        left = "" if eta_s is None else f"{brief_duration(eta_s)} left"
        return "  ".join(filter(None, [f"{stage:<11}", place, left, details]))

    def _is_unicode(self) -> bool:
        return (getattr(self.stream, "encoding", None) or "").lower().startswith("utf")

    def _draw(self, text: str) -> None:
        text = harmless(text)
        self._write("\r" + text + " " * (len(self._drawn) - len(text)))
        self._drawn = text

    def _wipe(self) -> None:
        if self._drawn:
            self._write("\r" + " " * len(self._drawn) + "\r")
            self._drawn = ""

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


def _as_words(stage: str, done: int, total: int, eta_s: float | None, details: str) -> str:
    place = f"{done}/{total} ({min(done / total, 1.0):.0%})" if total else f"step {done}" if done else ""
    left = "" if eta_s is None else f"{brief_duration(eta_s)} left"
    rest = ", ".join(filter(None, [left, details.replace("  ", ", ")]))
    words = f"{stage} {place}".strip()
    return f"{words}, {rest}" if rest else words


def _cut(text: str) -> str:
    # One column less than there are: a full last column makes some terminals begin a new line.
    return text[: max(shutil.get_terminal_size().columns - 1, 20)]
