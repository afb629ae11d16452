"""What the minutes of a training are counted on."""

from __future__ import annotations

import time
from collections.abc import Callable

from metassl.project.errors import MetaSSLError

CLOCKS = ("wall", "processor")


def clock(name: str, threads: int) -> Callable[[], float]:
    """A function that returns seconds; only differences of them mean anything.

    wall: the time that passes. processor: the processor time of this process, per thread. Other programs take nothing
    of it, so that trainings on a busy machine stay comparable; waiting, as for a GPU, does not count either.
    MetaSSLError for another name.
    """
    if name not in CLOCKS:
        raise MetaSSLError(f"there is no clock {name!r}: use {' or '.join(CLOCKS)}")
    return time.monotonic if name == "wall" else lambda: time.process_time() / threads
