"""How long somebody really worked on a case: pauses do not count."""

from __future__ import annotations

import time
from collections.abc import Callable

LONGEST_PAUSE_S = 60.0


class ActivityClock:
    """Adds up the time between signs of life that are at most a minute apart."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()
        self._seconds = 0.0

    def tick(self, *_: object) -> None:
        """Somebody did something. It takes anything, so that an observer may call it."""
        now = self._clock()
        self._seconds += min(now - self._last, LONGEST_PAUSE_S)
        self._last = now

    def take(self) -> float:
        """The seconds since the last `take`, up to the last sign of life."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds
