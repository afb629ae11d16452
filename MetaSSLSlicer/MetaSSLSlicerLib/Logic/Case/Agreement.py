"""How well two segmentations of one case agree."""

from __future__ import annotations

import numpy as np
from metassl.imaging import IGNORE


def diceOfValues(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Dice of each value in two uint8 arrays (z, y, x): float (256,), NaN for a value that neither holds.

    A voxel that is 255, "not annotated", in either array counts nowhere. A value that only one of them holds has 0.
    """
    if first.shape != second.shape:
        raise ValueError(f"shapes {first.shape} and {second.shape} are not one grid")
    sizes, common = np.zeros(256, np.int64), np.zeros(256, np.int64)
    for a, b in zip(first, second):  # plane by plane: little memory
        counted = (a != IGNORE) & (b != IGNORE)
        a, b = a[counted], b[counted]
        sizes += np.bincount(a, minlength=256) + np.bincount(b, minlength=256)
        common += np.bincount(a[a == b], minlength=256)
    return np.where(sizes > 0, 2.0 * common / np.maximum(sizes, 1), np.nan)


def meanDice(first: np.ndarray, second: np.ndarray) -> float | None:
    """The mean Dice over the structures in either of two uint8 arrays (z, y, x); None when there are none."""
    found = diceOfValues(first, second)[1:]
    return float(np.nanmean(found)) if np.isfinite(found).any() else None
