"""Does the uncertainty point at the errors? Streaming, so that any number of voxels fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

BINS = 4096
RELIABILITY_BINS = 15
TOP_SHARES = (1, 5, 10, 15)
"""Percentages of the voxels, the most uncertain first."""

_PLANE = 1 << 22  # voxels that are binned at a time


class UncertaintyScore:
    """Histograms of the uncertainty of right and of wrong voxels.

    The bins are equal steps of the fourth root of the uncertainty, so that the tiny values of
    confident background are told apart too; AUROC and AUPRC depend on the order alone.
    """

    def __init__(self) -> None:
        self.counts = np.zeros((2, BINS), np.int64)
        """[0 right | 1 wrong, bin], from certain to uncertain"""
        self._reliability = np.zeros((3, RELIABILITY_BINS))  # voxels, errors, sum of uncertainty

    def add(self, uncertainty: np.ndarray, wrong: np.ndarray, valid: np.ndarray) -> None:
        """Count one case; uncertainty in 0..1, wrong voxels, voxels that count: one shape.

        ValueError when the shapes differ or an uncertainty that counts is not in 0..1.
        """
        if not uncertainty.shape == wrong.shape == valid.shape:
            raise ValueError(f"shapes {uncertainty.shape}, {wrong.shape}, {valid.shape} differ")
        valid = valid.astype(bool, copy=False)
        values, errors = uncertainty[valid], wrong[valid].astype(bool, copy=False)
        if values.size and not (values.min() >= 0 and values.max() <= 1):  # NaN fails both
            raise ValueError("an uncertainty lies outside 0..1")
        for first in range(0, values.size, _PLANE):
            part = slice(first, first + _PLANE)
            self._count(values[part].astype(np.float64), errors[part])

    def merge(self, other: UncertaintyScore) -> None:
        """Add all that `other` has counted."""
        self.counts += other.counts
        self._reliability += other._reliability

    @property
    def auroc(self) -> float | None:
        """P(a wrong voxel is more uncertain than a right one), ties half; None without both."""
        return auroc(self.counts)

    @property
    def auprc(self) -> float | None:
        """Average precision of finding the wrong voxels by their uncertainty; None without any."""
        right, wrong = self.counts[:, ::-1]
        if not wrong.any():
            return None
        precision = np.cumsum(wrong) / np.maximum(np.cumsum(wrong + right), 1)
        return float((precision * wrong).sum() / wrong.sum())

    @property
    def ece(self) -> float | None:
        """Uncertainty calibration error: mean |error rate - uncertainty| over 15 equal bins."""
        voxels, errors, uncertainty = self._reliability
        return float(np.abs(errors - uncertainty).sum() / voxels.sum()) if voxels.any() else None

    def reliability(self) -> list[dict[str, float]]:
        """Per non-empty bin {"uncertainty", "error_rate", "voxels"}; ideal is the diagonal."""
        return [
            {"uncertainty": uncertainty / count, "error_rate": errors / count, "voxels": int(count)}
            for count, errors, uncertainty in self._reliability.T.tolist()
            if count
        ]

    def errors_in_flagged_share(self) -> dict[str, float | None]:
        """Per percentage of TOP_SHARES, the share of all errors in that part of the voxels."""
        right, wrong = self.counts[:, ::-1]
        if not wrong.any():
            return {str(percent): None for percent in TOP_SHARES}
        voxels = np.concatenate([[0], np.cumsum(right + wrong)])
        errors = np.concatenate([[0], np.cumsum(wrong)])
        wanted = voxels[-1] * np.array(TOP_SHARES) / 100.0
        found = np.interp(wanted, voxels, errors) / errors[-1]
        return dict(zip(map(str, TOP_SHARES), found.tolist(), strict=True))

    def summary(self) -> dict[str, Any]:
        """{"auroc", "auprc", "ece", "voxels", "errors"}."""
        right, wrong = (int(n) for n in self.counts.sum(axis=1))
        return {
            "auroc": self.auroc,
            "auprc": self.auprc,
            "ece": self.ece,
            "voxels": right + wrong,
            "errors": wrong,
        }

    def _count(self, values: np.ndarray, errors: np.ndarray) -> None:
        bins = np.minimum((np.sqrt(np.sqrt(values)) * BINS).astype(np.int64), BINS - 1)
        self.counts[0] += np.bincount(bins[~errors], minlength=BINS)
        self.counts[1] += np.bincount(bins[errors], minlength=BINS)
        coarse = np.minimum((values * RELIABILITY_BINS).astype(np.int64), RELIABILITY_BINS - 1)
        for row, weights in enumerate((None, errors, values)):
            self._reliability[row] += np.bincount(coarse, weights, RELIABILITY_BINS)


def auroc(counts: np.ndarray) -> float | None:
    """AUROC from histograms (2, bins) of right and wrong voxels; None without both."""
    right, wrong = np.asarray(counts, float)
    if not right.any() or not wrong.any():
        return None
    below = np.cumsum(right) - right
    return float((wrong * (below + right / 2)).sum() / (wrong.sum() * right.sum()))


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
        "uncertainty": [uncertainty / count for count, _, uncertainty in blocks],
        "error": [errors / count for count, errors, _ in blocks],
    }


def apply_calibration(calibration: Calibration, uncertainty: np.ndarray) -> np.ndarray:
    """P(error) of each uncertainty, in the shape and type of the array."""
    found = np.interp(uncertainty, calibration["uncertainty"], calibration["error"])
    values: np.ndarray = found.astype(np.asarray(uncertainty).dtype)
    return values


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
