"""The same patients as another scanner would show them: another contrast, a shading, noise, and other voxels.

All is drawn from the seed and the case, so that it is the same each time. In this order, on intensities that are
brought to 0 to 1 between the 0.5 % and the 99.5 % of the case and back afterwards:

- contrast: a power of 1.6 to 2.0 of what lies in that range
- shading: times exp of a polynomial of second degree over the image, between -0.3 and 0.3
- noise: Gaussian, with a deviation of 0.05
- voxels: 1.2 x 1.2 x 1.8 mm in the image's own order (x, y, z), intensities by area, labels by their largest share
"""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
from metassl.data.resample import label_slab, linear_slab
from metassl.imaging.geometry import Geometry, triple

from metassl_research.peers.raw_dataset import Sample

CONTRAST = (1.6, 2.0)
SHADING, NOISE = 0.3, 0.05
SPACING_XYZ = (1.2, 1.2, 1.8)
PERCENTILES = (0.5, 99.5)
WORDS = (
    f"contrast (a power of {CONTRAST[0]:g} to {CONTRAST[1]:g}), shading (a factor of exp(±{SHADING:g})), noise "
    f"({NOISE:g} of the range), voxels of {' x '.join(f'{mm:g}' for mm in SPACING_XYZ)} mm"
)


def shifted(case: str, sample: Sample, seed: int = 0) -> Sample:
    """Image (C, z, y, x) float32 and label (z, y, x) uint8 on the grid of the other scanner."""
    image, label, grid = sample
    rng = np.random.default_rng([seed, zlib.crc32(case.encode("utf-8"))])
    power, coefficients = rng.uniform(*CONTRAST), rng.uniform(-1.0, 1.0, 9)
    factor = np.exp(SHADING * _field(image.shape[1:], coefficients))
    channels = [_channel(channel, power, factor, rng) for channel in image]
    target = _target(grid)
    shape = target.shape_zyx
    seen = linear_slab(np.stack(channels), shape, 0, shape[0]).numpy()
    return seen, label_slab(label, shape, 0, shape[0]), target


def _channel(channel: np.ndarray, power: float, factor: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    low, high = np.percentile(channel, PERCENTILES)
    unit = (channel - low) / max(high - low, 1e-6)
    inside = np.clip(unit, 0.0, 1.0)
    unit = (inside**power + (unit - inside)) * factor + rng.normal(0.0, NOISE, channel.shape)
    back: np.ndarray = (unit * (high - low) + low).astype(np.float32)
    return back


def _field(shape: tuple[int, ...], coefficients: np.ndarray) -> np.ndarray:
    """A polynomial of second degree over the image, scaled to -1 to 1."""
    z, y, x = np.meshgrid(*(np.linspace(-1.0, 1.0, n) for n in shape), indexing="ij")
    terms = np.stack([z, y, x, z * z, y * y, x * x, z * y, z * x, y * x])
    field = np.tensordot(coefficients, terms, 1)
    middle, half = (field.max() + field.min()) / 2, max((field.max() - field.min()) / 2, 1e-6)
    scaled: np.ndarray = (field - middle) / half
    return scaled


def _target(grid: Geometry) -> Geometry:
    """The same box in other voxels, as whole numbers of them."""
    lengths = [n * mm for n, mm in zip(grid.size_xyz, grid.spacing_xyz, strict=True)]
    size = triple(max(round(length / mm), 1) for length, mm in zip(lengths, SPACING_XYZ, strict=True))
    spacing = triple(length / n for length, n in zip(lengths, size, strict=True))
    moved = np.reshape(grid.direction, (3, 3)) @ (np.subtract(spacing, grid.spacing_xyz) / 2)
    return replace(grid, size_xyz=size, spacing_xyz=spacing, origin_xyz=triple(np.add(grid.origin_xyz, moved).tolist()))
