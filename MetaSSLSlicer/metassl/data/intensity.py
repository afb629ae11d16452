"""Intensities on a scale that a network can learn from, whatever the scanner wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from metassl.imaging.images import CaseImage

SAMPLE = 1_000_000
BACKGROUND_SHARE = 0.1
"""Voxels in the lowest tenth of the range count as background (air, or a stripped skull)."""

MIN_RELATIVE_SCALE = 0.05
"""Smallest scale as a share of the clipped range, so that no value ever leaves -20..20."""


PADDING_SHARE = 0.002
"""From so many voxels on of exactly the lowest (or highest) value that one may be padding."""

FAR = 20.0
"""Times the range of the middle 95 %: no tissue lies so far outside of it. Padding does, and wild voxels do."""

LONELY = 0.5
"""Wild voxels lie alone: of those far outside so many at most touch another. A bladder in a PET does not."""


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


@dataclass(frozen=True)
class Believable:
    """The values from `low` to `high` that can be those of a body; `padding` and `wild`: shares of the others.

    lost: the share of voxels that are NaN or infinite in the file.
    """

    low: float = -np.inf
    high: float = np.inf
    padding: float = 0.0
    wild: float = 0.0
    lost: float = 0.0

    def of(self, values: np.ndarray) -> np.ndarray:
        """Those of `values` that can be believed."""
        return values if self.padding == self.wild == 0 else values[(values >= self.low) & (values <= self.high)]

    @property
    def told(self) -> str:
        """What was found, in words; "" where all can be believed."""
        shares = (self.padding, "padding"), (self.wild, "wild voxels")
        parts = [f"{100 * share:.2g} % {what}" for share, what in shares if share]
        told = [f"{' and '.join(parts)} outside of {self.low:.4g} to {self.high:.4g} count as the nearest value"]
        lost = [f"{100 * self.lost:.2g} % of the voxels are NaN or infinite, and count as the lowest or highest value"]
        return "; ".join(told * bool(parts) + lost * bool(self.lost))


def believed_of(image: CaseImage) -> list[Believable]:
    """What of each channel of an image can be believed, see `believable`; with the share of what is no number."""
    lost = image.lost or (0.0,) * len(image.array)
    return [replace(believable(channel), lost=share) for channel, share in zip(image.array, lost, strict=True)]


def without_padded_faces(channel: np.ndarray, kept: Believable) -> np.ndarray:
    """The channel (z, y, x) with planes at its faces that are padding alone replaced by the nearest plane that is not.

    As at the true edge of an image: a network has not learnt what an edge of black inside of it means. The channel
    itself where there is no such plane.
    """
    if not kept.padding:
        return channel
    outside = (channel < kept.low) | (channel > kept.high)
    inner, margins = [], []
    for axis in range(channel.ndim):
        shown = np.flatnonzero(~outside.all(axis=tuple(other for other in range(channel.ndim) if other != axis)))
        if not shown.size:
            return channel
        inner.append(slice(int(shown[0]), int(shown[-1]) + 1))
        margins.append((int(shown[0]), channel.shape[axis] - 1 - int(shown[-1])))
    return channel if not np.any(margins) else np.pad(channel[tuple(inner)], margins, mode="edge")


def believable(channel: np.ndarray) -> Believable:
    """What of one channel (z, y, x) is padding outside of the field of view, or single wild voxels.

    An image without such is not touched: the range is open then.
    """
    values = sample_of(channel)
    inner, padding = values, 0.0
    for _ in range(2):  # some pad with two values at one end
        ends = [end for end in (inner.min(), inner.max()) if _is_at_the_border(channel, end)]
        rest = inner[~np.isin(inner, ends)]
        padded = np.isin(inner, [end for end in ends if rest.size and _is_no_body(end, rest)])
        padding += float(padded.sum() / values.size)
        inner = inner[~padded]
    low, high = _limits(inner)
    outside = (channel < low) | (channel > high)
    far = float(outside.mean())
    if far == 0 and padding == 0:
        return Believable()
    wild = max(far - padding, 0.0)
    if padding == 0 and not _is_lonely(outside):
        return Believable()
    kept = inner[(inner >= low) & (inner <= high)]
    return Believable(float(kept.min()), float(kept.max()), padding, wild)


def _is_at_the_border(channel: np.ndarray, value: float) -> bool:
    """Whether so many voxels have just this value as padding has, and more at the faces of the image than within."""
    share = np.mean(channel == value)
    faces = [np.mean(channel.take(end, axis) == value) for axis in range(channel.ndim) for end in (0, -1)]
    return bool(PADDING_SHARE <= share < 1 and np.mean(faces) >= share)


def _limits(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values, (2.5, 97.5))
    room = FAR * (high - low)
    return (low - room, high + room) if room > 0 else (-np.inf, np.inf)


def _is_no_body(value: float, others: np.ndarray) -> bool:
    """Whether a value at the border is none of a body's: far from all others, or negative where no other value is."""
    return bool(value < 0 <= others.min()) or _is_far(value, others)


def _is_far(value: float, others: np.ndarray) -> bool:
    low, high = _limits(others)
    return bool(value < low or value > high)


def _is_lonely(outside: np.ndarray) -> bool:
    touching = np.zeros(outside.shape, bool)
    for axis in range(outside.ndim):
        first = [slice(None)] * outside.ndim
        second = list(first)
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        both = outside[tuple(first)] & outside[tuple(second)]
        touching[tuple(first)] |= both
        touching[tuple(second)] |= both
    return bool(np.count_nonzero(touching) <= LONELY * np.count_nonzero(outside))


def robust_zscore(channel: np.ndarray, kept: Believable | None = None) -> Scaling:
    """Scaling of one channel (z, y, x) of one case from its own tissue voxels.

    kept: what `believable` says of it, where that is known already.

    The mean and deviation of the clipped tissue, not of the whole image, so that more or less air
    in the field of view does not shift the tissue. On cropped brain MRI this brings a structure
    to a steadier value over the cases than the median and interquartile range do.
    """
    kept = kept or believable(channel)
    values = kept.of(sample_of(channel))
    low, high = np.percentile(values, (0.5, 99.5))
    if high <= low:  # nearly constant: the percentiles see none of what differs
        low, high = max(float(channel.min()), kept.low), min(float(channel.max()), kept.high)
    if high <= low:
        return Scaling(float(low), float(low), float(low), 1.0)
    tissue = values[values > low + BACKGROUND_SHARE * (high - low)]
    if tissue.size >= 0.01 * values.size:
        high = np.percentile(tissue, 99.5)
        values = tissue
    clipped = np.clip(values, low, high).astype(np.float64)
    scale = max(float(clipped.std()), MIN_RELATIVE_SCALE * float(high - low))
    return Scaling(float(low), float(high), float(clipped.mean()), scale)


def scaling_of(channel: np.ndarray, scheme: Mapping[str, Any], kept: Believable | None = None) -> Scaling:
    """The scaling of one channel (z, y, x) under one entry of `Plan.intensity`; kept: see `robust_zscore`."""
    if scheme["scheme"] == "robust_zscore":
        return robust_zscore(channel, kept)
    return Scaling(scheme["low"], scheme["high"], scheme["mean"], scheme["std"])
