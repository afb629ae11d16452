"""How fast this machine is, and how long to wait for it: limits were set on one that is not slow."""

from __future__ import annotations

import time

LOOP_S = 0.005

PATIENCE_S = 300.0
"""For what must come, sooner or later: a test that passes waits no longer than it has to."""


def slowness() -> float:
    """How many times as long as that machine this one takes for plain Python just now; at least 1."""
    return max(1.0, min(_loop() for _ in range(5)) / LOOP_S)


def _loop() -> float:
    begin, total = time.thread_time(), 0
    for number in range(100_000):
        total += number * number % 7
    return time.thread_time() - begin
