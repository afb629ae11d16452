"""A rising map from uncertainty to P(error): isotonic regression on the histograms of `UncertaintyScore`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .uncertainty import BINS, RELIABILITY_BINS

LEAST_CASES = 3
CENTRES = ((np.arange(BINS) + 0.5) / BINS) ** 4
"""The uncertainty in the middle of each bin."""

Calibration = dict[str, list[float]]
"""{"uncertainty": rising, "error": not falling}: knots, linear between them and constant beyond."""


def fit_isotonic(counts: np.ndarray) -> Calibration | None:
    """Pool adjacent violators. `counts` (2, bins): right and wrong voxels; None without any voxel."""
    voxels = counts.sum(axis=0).astype(float)
    filled = np.flatnonzero(voxels)
    if not filled.size:
        return None
    blocks: list[list[float]] = []  # voxels, errors, sum of uncertainty
    for bin_ in filled:
        blocks.append([voxels[bin_], float(counts[1, bin_]), voxels[bin_] * CENTRES[bin_]])
        while len(blocks) > 1 and blocks[-2][1] * blocks[-1][0] >= blocks[-1][1] * blocks[-2][0]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    return {
        "uncertainty": [doubt / count for count, _, doubt in blocks],
        "error": [errors / count for count, errors, _ in blocks],
    }


def apply_calibration(calibration: Calibration, uncertainty: np.ndarray) -> np.ndarray:
    """P(error) of each uncertainty, in the shape and type of the array."""
    found = np.interp(uncertainty, calibration["uncertainty"], calibration["error"])
    return found.astype(np.asarray(uncertainty).dtype)


def calibration_error(counts: np.ndarray, probability: np.ndarray = CENTRES) -> float | None:
    """ECE over 15 equal bins when a voxel of histogram bin i is given probability[i]."""
    voxels = counts.sum(axis=0)
    if not voxels.any():
        return None
    coarse = np.minimum((probability * RELIABILITY_BINS).astype(int), RELIABILITY_BINS - 1)
    gaps = np.bincount(coarse, counts[1] - voxels * probability, RELIABILITY_BINS)
    return float(np.abs(gaps).sum() / voxels.sum())


def calibration_error_on_unseen(cases: Sequence[np.ndarray]) -> float | None:
    """The ECE when each case's map is fitted on the others; `cases`: histograms (2, bins).

    None with fewer than 3 cases: a map fitted on one or two says nothing yet.
    """
    if len(cases) < LEAST_CASES:
        return None
    total = np.sum(cases, axis=0)
    gaps, voxels = np.zeros(RELIABILITY_BINS), 0
    for own in cases:
        fitted = fit_isotonic(total - own)
        if fitted is None:
            return None
        probability = apply_calibration(fitted, CENTRES)
        amount = own.sum(axis=0)
        coarse = np.minimum((probability * RELIABILITY_BINS).astype(int), RELIABILITY_BINS - 1)
        gaps += np.bincount(coarse, own[1] - amount * probability, RELIABILITY_BINS)
        voxels += int(amount.sum())
    return float(np.abs(gaps).sum() / voxels) if voxels else None
