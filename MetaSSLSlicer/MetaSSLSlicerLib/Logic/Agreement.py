"""How well two segmentations of one case agree."""

from __future__ import annotations

import numpy as np
from metassl.project import IGNORE


def meanDice(first: np.ndarray, second: np.ndarray) -> float | None:
    """The mean Dice over the structures in either of two uint8 arrays (z, y, x); None when there are none.

    A voxel that is 255, "not annotated", in either array counts nowhere. A structure that only one of them has counts
    as 0.
    """
    if first.shape != second.shape:
        raise ValueError(f"shapes {first.shape} and {second.shape} are not one grid")
    sizes, common = np.zeros(256, np.int64), np.zeros(256, np.int64)
    for a, b in zip(first, second, strict=True):  # plane by plane: little memory
        counted = (a != IGNORE) & (b != IGNORE)
        a, b = a[counted], b[counted]
        sizes += np.bincount(a, minlength=256) + np.bincount(b, minlength=256)
        common += np.bincount(a[a == b], minlength=256)
    found = sizes[1:] > 0
    return float((2.0 * common[1:][found] / sizes[1:][found]).mean()) if found.any() else None
