"""Measures how long callbacks keep the event loop waiting."""

from __future__ import annotations

from contextlib import contextmanager

from machine import slowness

from .Callbacks import Timing, timed

LONGEST_WORK_MS = 50
LONGEST_MS = 1000
"""By the clock: a busy machine's disk may stretch a callback, one that waits for another program takes longer."""


class Watch:
    """What was measured so far."""

    def __init__(self) -> None:
        self.longest_ms = 0.0
        """The longest callback by the clock, less the time in which other programs had all cores."""
        self.slowest = ""
        """Its name."""
        self.longest_work_ms = 0.0
        """The longest callback by its own computing time, which a busy machine does not stretch."""
        self.busiest = ""
        """Its name."""

    def call(self, function, *arguments):
        """Call something directly, measured as if Qt had called it."""
        return timed(function, *arguments)

    def assertShort(self) -> None:
        """No callback computed for longer than a user notices, or waited."""
        assert self.longest_work_ms < LONGEST_WORK_MS * slowness(), self.busiest
        assert self.longest_ms < LONGEST_MS, self.slowest

    def _note(self, took_ms: float, worked_ms: float, name: str) -> None:
        if worked_ms > self.longest_work_ms:
            self.longest_work_ms, self.busiest = worked_ms, name
        if took_ms > self.longest_ms:
            self.longest_ms, self.slowest = took_ms, name


@contextmanager
def watchdog():
    """`with watchdog() as watch: ...`, then `watch.assertShort()`."""
    watch = Watch()
    Timing.listeners.append(watch._note)
    try:
        yield watch
    finally:
        Timing.listeners.remove(watch._note)
