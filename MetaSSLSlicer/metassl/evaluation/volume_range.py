"""The range in which the volume of a structure lies, measured on validation cases.

It begins as the volumes of what has more than 70 % and of what has more than 30 % of the mean probability, and is
widened on both sides by one factor per structure, so that it holds the true volume of as many cases as it claims
(split conformal prediction: Papadopoulos et al., ECML 2002; Lei et al., JASA 2018, doi:10.1080/01621459.2017.1307116).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LEVEL = 0.9


@dataclass(frozen=True)
class MeasuredVolume:
    """A structure of a validation case in voxels: above both thresholds, as segmented, and true."""

    inner: int
    outer: int
    segmented: int
    true: int


def fit_volume_model(cases: Mapping[str, Sequence[MeasuredVolume]]) -> dict[str, Any] | None:
    """{"widening": {structure: factor >= 1}, "level", "cases"} for `volume_range`; None without a case.

    `cases`: per structure. A case in which a structure is neither true nor segmented says nothing. A structure that was
    missed or invented as a whole in more cases than the level allows has no factor, and so no measured range. "level":
    90 %, or n / (n + 1) with fewer than 9 cases; "cases": of the structure with the fewest.
    """
    known = {name: [each for each in volumes if each.true or each.segmented] for name, volumes in cases.items()}
    known = {name: volumes for name, volumes in known.items() if volumes}
    if not known:
        return None
    fewest = min(map(len, known.values()))
    level = min(LEVEL, fewest / (fewest + 1))
    widening = {}
    for name, volumes in known.items():
        needed = sorted(map(_needed, volumes))
        place = min(math.ceil(level * (len(needed) + 1)), len(needed))
        if math.isfinite(needed[place - 1]):
            widening[name] = needed[place - 1]
    return {"widening": widening, "level": level, "cases": fewest}


def volume_range(
    model: Mapping[str, Any] | None, name: str, inner: float, outer: float, segmented: float
) -> list[float] | None:
    """The range of a volume in the unit of `inner`, `outer` and `segmented`; as it began where nothing was measured.

    None where it was measured, and no factor is enough.
    """
    widening = 1.0 if model is None else model["widening"].get(name)
    return None if widening is None else [min(inner, segmented) / widening, max(outer, segmented) * widening]


def _needed(volume: MeasuredVolume) -> float:
    """The factor by which the range has to be widened to hold the true volume."""
    low, high = min(volume.inner, volume.segmented), max(volume.outer, volume.segmented)
    if low <= volume.true <= high:
        return 1.0
    if not volume.true or not high:
        return math.inf
    return max(low / volume.true, volume.true / high)
