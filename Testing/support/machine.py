"""How fast this machine is: limits on computing time were set on one that is not slow."""

from __future__ import annotations

import time

LOOP_S = 0.005


def slowness() -> float:
    """How many times as long as that machine this one takes for plain Python just now; at least 1."""
    return max(1.0, min(_loop() for _ in range(5)) / LOOP_S)


def _loop() -> float:
    begin, total = time.thread_time(), 0
    for number in range(100_000):
        total += number * number % 7
    return time.thread_time() - begin
