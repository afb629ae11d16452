"""Separable linear interpolation between two grids that cover the same box, slab by slab.

Voxel i of n along a box has its centre at (i + 0.5) / n. Where the result is coarser than the
source, the triangle is widened, so fine detail is averaged instead of aliased.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F

Volume = np.ndarray | torch.Tensor
Shape = tuple[int, int, int]

SLAB_VOXELS = 6_000_000
"""Voxels (times channels) held as float32 at once: about 25 MB, a few such copies at peak."""


def slab_ranges(shape_in: Shape, shape_out: Shape, channels: int = 1) -> Iterator[tuple[int, int]]:
    """Cut the first axis of the result so that source and result of one slab stay small."""
    n_in, n_out = shape_in[0], shape_out[0]
    plane = max(
        shape_out[1] * shape_out[2],
        shape_in[1] * shape_in[2] * max(1.0, n_in / n_out),
        shape_out[1] * shape_out[2] * n_in / n_out,
    )
    step = max(1, int(SLAB_VOXELS / max(1.0, plane * channels)))
    for start in range(0, n_out, step):
        yield start, min(n_out, start + step)


def linear_weights(n_in: int, n_out: int, start: int, stop: int) -> tuple[int, torch.Tensor]:
    """Weights of rows start..stop of the result: (first source row, (rows, source rows))."""
    scale = n_in / n_out
    width = max(1.0, scale)
    centre = (np.arange(start, stop) + 0.5) * scale - 0.5
    first = max(0, int(np.floor(centre[0] - width)))
    last = min(n_in, int(np.ceil(centre[-1] + width)) + 1)
    distance = np.abs(np.arange(first, last)[None, :] - centre[:, None]) / width
    weights = np.clip(1.0 - distance, 0.0, None)
    weights /= weights.sum(axis=1, keepdims=True)
    return first, torch.from_numpy(weights.astype(np.float32))


def _as_float(volume: Volume, start: int, stop: int) -> torch.Tensor:
    part = volume[:, start:stop]
    if isinstance(part, torch.Tensor):
        # Apple's backend lacks the antialiased filter
        return part.to("cpu" if part.device.type == "mps" else part.device, torch.float32)
    return torch.from_numpy(np.array(part, dtype=np.float32, order="C"))


def _in_plane(block: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    if tuple(block.shape[2:]) == size:
        return block
    return F.interpolate(block, size=size, mode="bilinear", align_corners=False, antialias=True)


def linear_slab(
    volume: Volume,
    shape: Shape,
    start: int,
    stop: int,
    prepare: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> torch.Tensor:
    """Rows start..stop (first spatial axis) of `volume` (C, z, y, x) brought to `shape`.

    `prepare` is applied to the source rows, as float32, before they are interpolated. Axes of
    equal length are copied, not interpolated. Returns float32 (C, stop - start, y, x).
    """
    n_in, n_out = volume.shape[1], shape[0]
    if n_in == n_out:
        block = _as_float(volume, start, stop)
        return _in_plane(block if prepare is None else prepare(block), shape[1:])
    first, weights = linear_weights(n_in, n_out, start, stop)
    block = _as_float(volume, first, first + weights.shape[1])
    block = block if prepare is None else prepare(block)
    weights = weights.to(block.device)
    if n_out > n_in:  # whichever makes the data smaller comes first
        block = _in_plane(block, shape[1:])
    channels, rows, *plane = block.shape
    block = torch.matmul(weights, block.reshape(channels, rows, -1))
    return _in_plane(block.reshape(channels, stop - start, *plane), shape[1:])


def label_slab(labels: np.ndarray, shape: Shape, start: int, stop: int) -> np.ndarray:
    """Rows start..stop of `labels` (z, y, x) uint8 at `shape`: the value with the largest share.

    Shares are the linear interpolation of each value's mask (without widening, so that small
    objects outlive a coarser grid as far as possible). On a tie the lower value wins, so an
    annotated value goes before 255.
    """
    axes = [two_taps(n, m) for n, m in zip(labels.shape, shape, strict=True)]
    low, high, weight = (part[start:stop] for part in axes[0])
    first, last = int(low.min()), int(high.max()) + 1
    axes[0] = (low - first, high - first, weight)
    band = np.ascontiguousarray(labels[first:last])
    values = np.unique(band)
    if len(values) == 1:
        return np.full((stop - start, *shape[1:]), values[0], dtype=np.uint8)
    best = np.zeros((stop - start, *shape[1:]), dtype=np.float32)
    result = np.full(best.shape, values[0], dtype=np.uint8)
    for value in values:
        share = torch.from_numpy((band == value).astype(np.float32))
        for axis, (low, high, weight) in enumerate(axes):
            if len(low) == share.shape[axis] and not weight.any():
                continue
            view = [1, 1, 1]
            view[axis] = -1
            lower = share.index_select(axis, torch.from_numpy(low))
            upper = share.index_select(axis, torch.from_numpy(high))
            share = torch.lerp(lower, upper, torch.from_numpy(weight).view(view))
        wins = share.numpy() > best + 1e-6
        result[wins] = value
        np.maximum(best, share.numpy(), out=best)
    return result


def two_taps(n_in: int, n_out: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Between which two of n_in voxels each of n_out lies, and the weight of the second: (n_out,) each."""
    centre = np.clip((np.arange(n_out) + 0.5) * (n_in / n_out) - 0.5, 0, n_in - 1)
    low = np.floor(centre).astype(np.int64)
    weight = (centre - low).astype(np.float32)
    return low, np.minimum(low + 1, n_in - 1), weight
