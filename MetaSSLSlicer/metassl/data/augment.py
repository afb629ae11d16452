"""Random views of a case: one affine + elastic resampling straight out of the stored array, then intensity changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from metassl.imaging.images import IGNORE


@dataclass(frozen=True)
class Augmentation:
    """Strengths; `in_plane` restricts rotation, scaling and bending to the slice plane (thick or few slices)."""

    rotation: float = 0.25
    scale: tuple[float, float] = (0.85, 1.2)
    shift: float = 0.05
    elastic_voxels: float = 0.8
    noise: float = 0.2
    contrast: tuple[float, float] = (0.8, 1.25)
    brightness: float = 0.2
    gamma: float = 0.35
    mirror_axes: tuple[int, ...] = ()
    in_plane: bool = False


def _rotation(angles: np.ndarray) -> np.ndarray:
    """Rotation matrix over (z, y, x) axes from three angles in radians (about z, y and x)."""
    about_z, about_y, about_x = angles
    matrix = np.eye(3)
    for angle, (i, j) in ((about_z, (1, 2)), (about_y, (0, 2)), (about_x, (0, 1))):
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return matrix


def _affine(rng: np.random.Generator, spacing: np.ndarray, augmentation: Augmentation) -> np.ndarray:
    """Random matrix that takes offsets in the patch (voxels) to offsets in the case (voxels)."""
    angles = rng.uniform(-augmentation.rotation, augmentation.rotation, 3)
    scales = rng.uniform(*augmentation.scale, 3)
    if augmentation.in_plane:
        angles[1:] = 0
        scales[0] = 1
    for axis in augmentation.mirror_axes:
        if rng.random() < 0.5:
            scales[axis] *= -1
    matrix: np.ndarray = np.diag(1 / spacing) @ _rotation(angles) @ np.diag(scales) @ np.diag(spacing)
    return matrix


def _grid(rng: np.random.Generator, patch: np.ndarray, matrix: np.ndarray, augmentation: Augmentation) -> torch.Tensor:
    """Offsets from the patch centre in case voxels, (z, y, x, 3) in z, y, x order."""
    axes = [torch.arange(n, dtype=torch.float32) - (n - 1) / 2 for n in patch]
    offsets = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
    offsets = offsets @ torch.from_numpy(matrix.T.astype(np.float32))
    if augmentation.elastic_voxels:
        amount = rng.normal(0, augmentation.elastic_voxels, (1, 3, 4, 5, 5)).astype(np.float32)
        if augmentation.in_plane:
            amount[:, 0] = 0
        bend = F.interpolate(torch.from_numpy(amount), size=tuple(patch), mode="trilinear", align_corners=True)
        offsets = offsets + bend[0].permute(1, 2, 3, 0)
    return offsets


def random_view(
    image: np.ndarray,
    label: np.ndarray | None,
    centre: np.ndarray,
    patch: tuple[int, int, int],
    spacing: tuple[float, float, float],
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """One augmented patch.

    image (C, z, y, x), label (z, y, x) or None, centre in voxels, spacing (z, y, x) mm. Returns float32
    (C, *patch) and int64 (*patch); voxels outside the image repeat its border and are IGNORE in the label.
    """
    patch_array, spacing_array = np.asarray(patch), np.asarray(spacing, float)
    shift = rng.uniform(-augmentation.shift, augmentation.shift, 3) * patch_array
    if augmentation.in_plane:
        shift[0] = 0
    offsets = _grid(rng, patch_array, _affine(rng, spacing_array, augmentation), augmentation)
    coordinates = offsets + torch.from_numpy((centre + shift).astype(np.float32))
    shape = np.asarray(image.shape[1:])
    low = np.floor(coordinates.amin((0, 1, 2)).numpy()).astype(int) - 1
    high = np.ceil(coordinates.amax((0, 1, 2)).numpy()).astype(int) + 2
    low, high = np.clip(low, 0, shape - 1), np.clip(high, 1, shape)
    high = np.maximum(high, low + 1)
    block = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    size = torch.from_numpy((high - low).astype(np.float32))
    grid = (coordinates - torch.from_numpy(low.astype(np.float32)) + 0.5) * 2 / size - 1
    grid = grid.flip(-1)[None]
    pixels = torch.from_numpy(np.ascontiguousarray(image[(slice(None), *block)], dtype=np.float32))
    view = F.grid_sample(pixels[None], grid, padding_mode="border", align_corners=False)[0]
    view = _change_intensity(view, augmentation, rng)
    if label is None:
        return view, None
    # One is added so that the zero padding of grid_sample marks what lies outside the image.
    values = torch.from_numpy(np.ascontiguousarray(label[block], dtype=np.float32)) + 1
    target = F.grid_sample(values[None, None], grid, mode="nearest", padding_mode="zeros", align_corners=False)[
        0, 0
    ].long()
    return view, torch.where(target == 0, IGNORE, target - 1)


def local_mean(image: torch.Tensor, in_plane: bool = False) -> torch.Tensor:
    """Means over 3 x 3 x 3 voxels of (C, z, y, x), over one along z where `in_plane`, and along axes shorter than 3."""
    size = [3 if length >= 3 else 1 for length in image.shape[1:]]
    if in_plane:
        size[0] = 1
    return F.avg_pool3d(image[None], size, 1, [n // 2 for n in size], count_include_pad=False)[0]


def _change_intensity(view: torch.Tensor, augmentation: Augmentation, rng: np.random.Generator) -> torch.Tensor:
    """Noise, blur, contrast, brightness and gamma, each channel on its own."""
    for channel in view:
        if rng.random() < 0.4:
            noise = rng.standard_normal(channel.shape, dtype=np.float32)
            channel += torch.from_numpy(noise) * float(rng.uniform(0, augmentation.noise))
        if rng.random() < 0.3:
            smooth = local_mean(channel[None], augmentation.in_plane)[0]
            channel.lerp_(smooth, float(rng.uniform(0.2, 0.9)))
        channel *= float(rng.uniform(*augmentation.contrast))
        channel += float(rng.uniform(-augmentation.brightness, augmentation.brightness))
        if rng.random() < 0.4:
            low, high = channel.min(), channel.max()
            span = (high - low).clamp_min(1e-6)
            power = float(np.exp(rng.uniform(-augmentation.gamma, augmentation.gamma)))
            channel.copy_(((channel - low) / span).pow(power) * span + low)
    return view
