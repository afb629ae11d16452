"""The ramp-up of the consistency weight lambda(t) (METHOD.md, section 4)."""

from __future__ import annotations

import math


def consistency_ramp(iteration: float, maximum: float = 0.1, length: float = 30_000, step: float = 150) -> float:
    """lambda(t) = maximum * exp(-5 (1 - t/length)^2), in steps of `step`, flat after `length`.

    `iteration` is counted from 0, before its increment. A `length` of 0 means no ramp.
    """
    if length <= 0:
        return maximum
    steps = length / step
    phase = 1.0 - min(iteration // step, steps) / steps
    return maximum * math.exp(-5.0 * phase * phase)
