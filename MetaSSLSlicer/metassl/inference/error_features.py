"""What is known of a voxel without its annotation, for the learned P(error): the prediction and the image round it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F

PREDICTION_SIGMAS = (1.0, 2.0, 4.0)
IMAGE_SIGMAS = (1.0, 2.0)
GRADIENT_SIGMAS = (0.7, 1.5)
REACH = 3.0  # of the Gaussians, in sigmas
HALO = int(np.ceil(REACH * max(PREDICTION_SIGMAS))) + 1
"""Voxels round a box that its features depend on."""

BOX_VOXELS = 1 << 21  # that are computed at a time


def feature_count(classes: int, channels: int) -> int:
    """Features of one voxel."""
    maps = 3 + len(PREDICTION_SIGMAS)
    return maps * classes + 1 + channels * (1 + len(IMAGE_SIGMAS) + len(GRADIENT_SIGMAS))


def feature_slabs(
    pair: np.ndarray, image: np.ndarray, box: tuple[slice, ...]
) -> Iterator[tuple[tuple[slice, ...], torch.Tensor]]:
    """(part of the box, its `voxel_features`), some slices at a time; the same as of the whole volume at once."""
    zs, ys, xs = box
    step = max(1, BOX_VOXELS // ((ys.stop - ys.start) * (xs.stop - xs.start)))
    for first in range(zs.start, zs.stop, step):
        part = (slice(first, min(first + step, zs.stop)), ys, xs)
        wide = tuple(slice(max(side.start - HALO, 0), side.stop + HALO) for side in part)
        inner = tuple(slice(s.start - w.start, s.stop - w.start) for s, w in zip(part, wide, strict=True))
        features = voxel_features(pair[(slice(None), slice(None), *wide)], image[(slice(None), *wide)])
        yield part, features[(slice(None), *inner)]


def voxel_features(pair: np.ndarray, image: np.ndarray) -> torch.Tensor:
    """Features (F, z, y, x) float32; `pair` softmaxes (2, K, z, y, x), `image` (C, z, y, x) as the network saw it.

    Per class the mean probability, its logarithm, whether it is the class shown, and the mean probability smoothed;
    the mutual information of the pair; per channel the intensity, smoothed intensities and gradient magnitudes.
    Distances are in voxels of the plan's grid.
    """
    both = torch.from_numpy(np.ascontiguousarray(pair, dtype=np.float32))
    intensity = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))
    mean = both.mean(0)
    shown = F.one_hot(mean.argmax(0), len(mean)).movedim(-1, 0).float()
    mutual = (_entropy(mean) - (_entropy(both[0]) + _entropy(both[1])) / 2).clamp_min(0)
    parts = [mean, mean.clamp_min(1e-3).log(), shown]
    parts += [smooth(mean, sigma) for sigma in PREDICTION_SIGMAS]
    parts += [mutual[None], intensity]
    parts += [smooth(intensity, sigma) for sigma in IMAGE_SIGMAS]
    parts += [gradient_magnitude(smooth(intensity, sigma)) for sigma in GRADIENT_SIGMAS]
    return torch.cat(parts)


def smooth(volume: torch.Tensor, sigma: float) -> torch.Tensor:
    """A Gaussian over the last three axes of (C, z, y, x); the border value goes on outside."""
    radius = int(np.ceil(REACH * sigma))
    weights = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma) ** 2)
    kernel = (weights / weights.sum()).view(1, 1, -1)
    for axis in (1, 2, 3):
        turned = volume.movedim(axis, -1)
        lines = F.pad(turned.reshape(-1, 1, turned.shape[-1]), (radius, radius), mode="replicate")
        volume = F.conv1d(lines, kernel).view(turned.shape).movedim(-1, axis)
    return volume


def gradient_magnitude(volume: torch.Tensor) -> torch.Tensor:
    """Of each channel of (C, z, y, x), per voxel step; an axis of one slice has no gradient."""
    axes = [axis for axis in (1, 2, 3) if volume.shape[axis] > 1]
    if not axes:
        return torch.zeros_like(volume)
    slopes = torch.gradient(volume, dim=axes)
    return torch.stack([slope.square() for slope in slopes]).sum(0).sqrt()


def _entropy(probabilities: torch.Tensor) -> torch.Tensor:
    return -(probabilities * probabilities.clamp_min(1e-8).log()).sum(0)
