"""Measures how long callbacks keep the event loop waiting."""

from __future__ import annotations

from contextlib import contextmanager

from .Callbacks import Timing, timed


class Watch:
    """What was measured so far."""

    def __init__(self) -> None:
        self.longest_ms = 0.0
        """The longest callback by the clock, less the time in which other programs had all cores."""
        self.slowest = ""
        """Its name."""
        self.longest_work_ms = 0.0
        """The longest callback by its own computing time, which a busy machine does not stretch."""

    def call(self, function, *arguments):
        """Call something directly, measured as if Qt had called it."""
        return timed(function, *arguments)

    def _note(self, took_ms: float, worked_ms: float, name: str) -> None:
        self.longest_work_ms = max(self.longest_work_ms, worked_ms)
        if took_ms > self.longest_ms:
            self.longest_ms, self.slowest = took_ms, name


@contextmanager
def watchdog():
    """`with watchdog() as watch: ...`, then `watch.longest_ms` and `watch.slowest` (its name)."""
    watch = Watch()
    Timing.listeners.append(watch._note)
    try:
        yield watch
    finally:
        Timing.listeners.remove(watch._note)
