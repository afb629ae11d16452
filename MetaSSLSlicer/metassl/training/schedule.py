"""How long to train and at which learning rate."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from metassl.files.errors import MetaSSLError


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


def learning_rate(base: float, step: int, total: int, warmup: int = 20) -> float:
    """Linear warm-up, then the polynomial decay of the paper's recipes (power 0.9)."""
    fraction = min(step / max(total, 1), 1.0)
    return base * min(1.0, (step + 1) / warmup) * (1.0 - fraction) ** 0.9


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
