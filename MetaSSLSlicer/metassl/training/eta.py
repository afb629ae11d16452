"""How long a training takes: its budget, the clock that it is counted on, and what is left of it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from metassl.files.errors import MetaSSLError

REMEMBERED_STEPS = 200


@dataclass
class Budget:
    """Either a number of iterations, or seconds from the start of the job until the model is ready.

    With seconds, `total` is planned from measured step times; it changes only in `replan`, whose result goes
    into the checkpoint, so that a resumed run follows the same schedule.
    """

    iterations: int | None = None
    seconds: float | None = None
    total: int = 0

    def __post_init__(self) -> None:
        if self.iterations is not None:
            self.total = self.iterations

    def replan(self, step: int, elapsed: float, seconds_per_step: float) -> bool:
        """True when the total changed by more than 3 %."""
        if self.seconds is None:
            return False
        remaining = max(self.seconds - elapsed, 0.0)
        planned = max(step + int(remaining / max(seconds_per_step, 1e-6)), step + 1)
        if self.total and abs(planned - self.total) <= 0.03 * self.total:
            return False
        self.total = planned
        return True


class StepTimes:
    """Of the last steps: their seconds, the same had they been of the dearest kind, and those spent on waiting."""

    def __init__(self) -> None:
        self._own, self._full, self._waits = (deque[float](maxlen=REMEMBERED_STEPS) for _ in range(3))

    def add(self, seconds: float, cost: float, waited: float) -> None:
        """cost: of this step, as a share of the dearest kind; waited: for its batch, in seconds."""
        self._own.append(seconds)
        self._full.append(seconds / cost)
        self._waits.append(waited)

    def left(self, steps: int, cost: float, afterwards: float = 0.0) -> float:
        """The seconds that so many more steps take, of that cost on average, and what comes after the last one."""
        return round(steps * self.median_full * cost + afterwards, 1)

    @property
    def median(self) -> float:
        return median(self._own)

    @property
    def median_full(self) -> float:
        return median(self._full)

    @property
    def mean_full(self) -> float:
        return sum(self._full) / len(self._full)

    @property
    def wait_share(self) -> float:
        spent = sum(self._own)
        return sum(self._waits) / spent if spent else 0.0


def time_left(seconds: float, done: int, total: int) -> float:
    """The seconds that the rest takes, at the pace of what is done."""
    return round(seconds / done * (total - done), 1)


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
