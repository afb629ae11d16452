"""Random views of a case: one affine + elastic resampling straight out of the stored array, then intensity changes.

What is random about a view is drawn first, on the CPU; it is made of it there (`random_view`) or on a GPU (cut.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from metassl.imaging.images import IGNORE

Noise = np.ndarray | int
"""Standard normal values (z, y, x), or the seed of a generator on the device that makes them."""


FLAT_ROTATION, FLAT_SCALE = 0.5, (0.7, 1.4)
"""In the plane of slices: with less, a few labelled hearts teach less (docs/ABLATION.md)."""


@dataclass(frozen=True)
class Augmentation:
    """Strengths; `in_plane` restricts rotation, scaling and bending to the slice plane (thick or few slices).

    outside: what a patch shows beyond the image, the nearest voxel ("border") or 0 ("zeros"): as predicting pads it, or
    a network learns from patches what it never sees again.
    """

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
    outside: str = "border"

    @staticmethod
    def of_stacks(mirror_axes: tuple[int, ...] = ()) -> Augmentation:
        """Within the plane alone, but farther there."""
        return Augmentation(FLAT_ROTATION, FLAT_SCALE, mirror_axes=mirror_axes, in_plane=True)


@dataclass(frozen=True)
class Change:
    """Of the intensities of one channel, in the order of the fields; None: not at all."""

    noise: tuple[Noise, float] | None
    """The values, and their strength."""
    blur: float | None
    """Share of the local mean."""
    contrast: float
    brightness: float
    power: float | None


@dataclass(frozen=True)
class View:
    """What was drawn for a patch.

    centre: of the patch, in voxels of the case; matrix (3, 3) takes offsets from it in the patch to offsets in the case
    (voxels); bend (3, 4, 5, 5): control points of what is added to these, or None. All in z, y, x order.
    """

    patch: tuple[int, int, int]
    centre: np.ndarray
    matrix: np.ndarray
    bend: np.ndarray | None
    changes: Sequence[Change]
    in_plane: bool
    outside: str = "border"


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


def _bend(rng: np.random.Generator, augmentation: Augmentation) -> np.ndarray | None:
    if not augmentation.elastic_voxels:
        return None
    amount = rng.normal(0, augmentation.elastic_voxels, (3, 4, 5, 5)).astype(np.float32)
    if augmentation.in_plane:
        amount[0] = 0
    return amount


def _change(rng: np.random.Generator, augmentation: Augmentation, noise: Callable[[], Noise]) -> Change:
    noisy = blur = power = None
    if rng.random() < 0.4:
        values = noise()
        noisy = values, float(rng.uniform(0, augmentation.noise))
    if rng.random() < 0.3:
        blur = float(rng.uniform(0.2, 0.9))
    contrast = float(rng.uniform(*augmentation.contrast))
    brightness = float(rng.uniform(-augmentation.brightness, augmentation.brightness))
    if rng.random() < 0.4:
        power = float(np.exp(rng.uniform(-augmentation.gamma, augmentation.gamma)))
    return Change(noisy, blur, contrast, brightness, power)


def draw_view(
    channels: int,
    centre: np.ndarray,
    patch: tuple[int, int, int],
    spacing: tuple[float, float, float],
    augmentation: Augmentation,
    rng: np.random.Generator,
    noise: Callable[[], Noise],
) -> View:
    """centre in voxels; spacing (z, y, x) mm; noise() is called where there is to be some."""
    patch_array = np.asarray(patch)
    shift = rng.uniform(-augmentation.shift, augmentation.shift, 3) * patch_array
    if augmentation.in_plane:
        shift[0] = 0
    matrix = _affine(rng, np.asarray(spacing, float), augmentation).astype(np.float32)
    bend = _bend(rng, augmentation)
    changes = [_change(rng, augmentation, noise) for _ in range(channels)]
    return View(
        patch, (centre + shift).astype(np.float32), matrix, bend, changes, augmentation.in_plane, augmentation.outside
    )


def _grid(view: View) -> torch.Tensor:
    """Offsets from the patch centre in case voxels, (z, y, x, 3) in z, y, x order."""
    axes = [torch.arange(n, dtype=torch.float32) - (n - 1) / 2 for n in view.patch]
    offsets = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
    offsets = offsets @ torch.from_numpy(view.matrix.T)
    if view.bend is not None:
        offsets = offsets + bent(torch.from_numpy(view.bend), view.patch)
    return offsets


def bent(bend: torch.Tensor, patch: tuple[int, int, int]) -> torch.Tensor:
    """Control points (3, ...) in the size of the patch: (z, y, x, 3)."""
    return F.interpolate(bend[None], size=patch, mode="trilinear", align_corners=True)[0].permute(1, 2, 3, 0)


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
    (C, *patch) and int64 (*patch); voxels outside the image are as the augmentation says, and IGNORE in the label.
    """

    def noise() -> np.ndarray:
        return rng.standard_normal(patch, dtype=np.float32)

    view = draw_view(len(image), centre, patch, spacing, augmentation, rng, noise)
    coordinates = _grid(view) + torch.from_numpy(view.centre)
    shape = np.asarray(image.shape[1:])
    low = np.floor(coordinates.amin((0, 1, 2)).numpy()).astype(int) - 1
    high = np.ceil(coordinates.amax((0, 1, 2)).numpy()).astype(int) + 2
    low, high, block = within(low, high, shape)
    size = torch.from_numpy((high - low).astype(np.float32))
    grid = (coordinates - torch.from_numpy(low.astype(np.float32)) + 0.5) * 2 / size - 1
    pixels = torch.from_numpy(np.array(image[(slice(None), *block)], dtype=np.float32, order="C"))
    values = None if label is None else torch.from_numpy(np.ascontiguousarray(label[block], dtype=np.float32))
    return sampled(pixels, values, grid.flip(-1), view)


def within(low: np.ndarray, high: np.ndarray, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[slice, ...]]:
    """The ends of a block, at least a voxel large, inside an image of that shape; and its slices."""
    low, high = np.clip(low, 0, shape - 1), np.clip(high, 1, shape)
    high = np.maximum(high, low + 1)
    return low, high, tuple(slice(a, b) for a, b in zip(low, high, strict=True))


def sampled(
    pixels: torch.Tensor, values: torch.Tensor | None, grid: torch.Tensor, view: View
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The patch (C, *patch) and its label (*patch) int64, where these are.

    pixels (C, z, y, x) and values (z, y, x) of a block, float32; grid (*patch, 3): places in it, -1..1, in x, y, z
    order, as grid_sample takes them.
    """
    grid = grid[None]
    patch = F.grid_sample(pixels[None], grid, padding_mode=view.outside, align_corners=False)[0]
    for channel, change in zip(patch, view.changes, strict=True):
        _apply(change, channel, view.in_plane)
    if values is None:
        return patch, None
    # One is added so that the zero padding of grid_sample marks what lies outside the image.
    marked = (values + 1)[None, None]
    target = F.grid_sample(marked, grid, mode="nearest", padding_mode="zeros", align_corners=False)[0, 0].long()
    return patch, torch.where(target == 0, IGNORE, target - 1)


def local_mean(image: torch.Tensor, in_plane: bool = False) -> torch.Tensor:
    """Means over 3 x 3 x 3 voxels of (C, z, y, x), over one along z where `in_plane`, and along axes shorter than 3."""
    size = [3 if length >= 3 else 1 for length in image.shape[1:]]
    if in_plane:
        size[0] = 1
    return F.avg_pool3d(image[None], size, 1, [n // 2 for n in size], count_include_pad=False)[0]


def _apply(change: Change, channel: torch.Tensor, in_plane: bool) -> None:
    """Noise, blur, contrast, brightness and gamma, in place."""
    if change.noise is not None:
        values, strength = change.noise
        channel += _values(values, channel) * strength
    if change.blur is not None:
        channel.lerp_(local_mean(channel[None], in_plane)[0], change.blur)
    channel *= change.contrast
    channel += change.brightness
    if change.power is not None:
        low, high = channel.min(), channel.max()
        span = (high - low).clamp_min(1e-6)
        channel.copy_(((channel - low) / span).pow(change.power) * span + low)


def _values(noise: Noise, channel: torch.Tensor) -> torch.Tensor:
    if isinstance(noise, np.ndarray):
        return torch.from_numpy(noise).to(channel.device)
    generator = torch.Generator(channel.device).manual_seed(noise)
    return torch.randn(channel.shape, generator=generator, device=channel.device)
