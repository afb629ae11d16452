"""Intensities on a scale that a network can learn from, whatever the scanner wrote."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

SAMPLE = 1_000_000
BACKGROUND_SHARE = 0.1
"""Voxels in the lowest tenth of the range count as background (air, or a stripped skull)."""

MIN_RELATIVE_SCALE = 0.05
"""Smallest scale as a share of the clipped range, so that no value ever leaves -20..20."""


def sample_of(values: np.ndarray, size: int = SAMPLE) -> np.ndarray:
    """At most `size` values as float32, the same ones on every call, spread over the array."""
    flat = values.reshape(-1)
    if flat.size > size:
        flat = flat[np.random.default_rng(0).integers(0, flat.size, size)]
    return flat.astype(np.float32)


@dataclass(frozen=True)
class Scaling:
    """clip to low..high, subtract centre, divide by scale."""

    low: float
    high: float
    centre: float
    scale: float

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """The scaled values; changes the tensor in place."""
        return values.clamp_(self.low, self.high).sub_(self.centre).div_(self.scale)


def robust_zscore(channel: np.ndarray) -> Scaling:
    """Scaling of one channel (z, y, x) of one case from its own tissue voxels.

    The mean and deviation of the clipped tissue, not of the whole image, so that more or less air
    in the field of view does not shift the tissue. On cropped brain MRI this brings a structure
    to a steadier value over the cases than the median and interquartile range do.
    """
    values = sample_of(channel)
    low, high = np.percentile(values, (0.5, 99.5))
    if high <= low:  # nearly constant: the percentiles see none of what differs
        low, high = float(channel.min()), float(channel.max())
    if high <= low:
        return Scaling(float(low), float(low), float(low), 1.0)
    tissue = values[values > low + BACKGROUND_SHARE * (high - low)]
    if tissue.size >= 0.01 * values.size:
        high = np.percentile(tissue, 99.5)
        values = tissue
    clipped = np.clip(values, low, high).astype(np.float64)
    scale = max(float(clipped.std()), MIN_RELATIVE_SCALE * float(high - low))
    return Scaling(float(low), float(high), float(clipped.mean()), scale)


def scaling_of(channel: np.ndarray, scheme: dict) -> Scaling:
    """The scaling of one channel (z, y, x) under one entry of `Plan.intensity`."""
    if scheme["scheme"] == "robust_zscore":
        return robust_zscore(channel)
    return Scaling(scheme["low"], scheme["high"], scheme["mean"], scheme["std"])
