"""A structure of a segmentation as a smooth field on a small grid, whose one level is its surface.

All of it may run in a thread: it is numpy and SimpleITK, which let other threads go on, as VTK does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from itertools import product

import numpy as np
import SimpleITK as sitk
from metassl.imaging import Geometry
from metassl.project.masks import bounding_box

MOST_VOXELS = 1_000_000
"""A field has no more, whatever the size of the structure; so its surface is made in one short step."""

_SMOOTHING = 1.0  # voxels; as one thick slice is far from the next, the steps between them need more
_SMOOTHING_OF_THICKEST = 0.5
_THIN = 8  # voxels
_THICK = 2.0


@dataclass(frozen=True)
class SurfaceField:
    """`array`: float32 (z, y, x), how deep inside each voxel lies, mm, smoothed. The surface is where it is `level`.

    `corner` and `factors` (x, y, z): index (0, 0, 0) covers the image's voxels from `corner`, `factors` of them along
    each axis. `toRas`: 4x4, from this grid's indices to mm.
    """

    value: int
    array: np.ndarray
    level: float
    corner: tuple[int, int, int]
    factors: tuple[int, int, int]
    toRas: np.ndarray


def structureBoxes(segmentation: np.ndarray, values: list[int]) -> dict[int, tuple[slice, ...]]:
    """The box (z, y, x) of each of the values that a segmentation (uint8, z y x) holds."""
    whole = bounding_box(segmentation > 0)
    if whole is None:
        return {}
    cropped, boxes = segmentation[whole], {}
    for value in values:
        if (box := bounding_box(cropped == value)) is not None:
            boxes[value] = tuple(
                slice(own.start + outer.start, own.stop + outer.start) for own, outer in zip(box, whole)
            )
    return boxes


def surfaceField(
    segmentation: np.ndarray, value: int, box: tuple[slice, ...], geometry: Geometry, most: int = MOST_VOXELS
) -> SurfaceField:
    """The field of the voxels `value` of a segmentation (uint8, z y x), all in `box`; at most `most` voxels.

    The surface holds as much volume as the voxels do, also where a structure is thinner than the smoothing reaches.
    """
    mask = segmentation[box] == value
    factors = _factors(mask.shape, geometry.spacing_zyx, most)
    sigmas = _sigmas(geometry.spacing_zyx * factors)
    rims = _rims(sigmas) * factors
    margins = list(zip(rims, rims + -np.array(mask.shape) % factors))
    share = _blocks(np.pad(mask, margins), factors, np.add)
    voxels = max(round(np.count_nonzero(mask) / np.prod(factors)), 1)
    image = sitk.GetImageFromArray((share > _levelAbove(share, voxels)).astype(np.uint8))
    image.SetSpacing((geometry.spacing_zyx * factors)[::-1].tolist())
    # between slices the distance changes evenly, where the mask itself would make a step
    depth = sitk.SignedMaurerDistanceMap(image, True, False, True)
    smooth = sitk.DiscreteGaussian(depth, (sigmas[::-1] ** 2).tolist(), useImageSpacing=False)
    array = sitk.GetArrayFromImage(smooth)
    level = _levelAbove(array, voxels)
    corner = (np.array([part.start for part in box]) - rims)[::-1]
    toRas = _toRas(geometry, corner, factors[::-1])
    return SurfaceField(value, array, level, tuple(corner.tolist()), tuple(factors[::-1].tolist()), toRas)


def valuesAt(heat: np.ndarray, field: SurfaceField, points: np.ndarray, geometry: Geometry) -> np.ndarray:
    """The highest value of a map (z, y, x on the image's grid) close to each of the points, float32.

    `points`: (n, 3), x, y, z in indices of the field's grid. "Close" is the next voxel, or the next one of the field,
    as uncertainty often lies in a thin shell along the surface, and not on it.
    """
    factors = np.array(field.factors[::-1])
    first = np.array(field.corner[::-1])
    last = first + np.array(field.array.shape) * factors
    inside = [slice(max(low, 0), min(high, size)) for low, high, size in zip(first, last, heat.shape)]
    beyond = [(part.start - low, high - part.stop) for part, low, high in zip(inside, first, last)]
    highest = _blocks(np.pad(heat[tuple(inside)], beyond, mode="edge"), factors, np.maximum)
    for axis, step in enumerate(geometry.spacing_zyx):
        if factors[axis] == 1 and step <= _THICK * min(geometry.spacing_zyx):
            highest = _withNeighbours(highest, axis)
    return _interpolated(highest, points[:, ::-1])


def _levelAbove(array: np.ndarray, count: int) -> float:
    """The level that so many of the voxels exceed; all of those that are alike, where they are more."""
    least = float(np.partition(array, array.size - count, axis=None)[array.size - count])
    return (least + float(array[array < least].max())) / 2


def _factors(shape: tuple[int, ...], spacing: tuple[float, ...], most: int) -> np.ndarray:
    """How many voxels (z, y, x) become one: the finest axis is the first that is made coarser, if it is not thin."""
    factors, sides = np.ones(3, int), np.array(shape)
    while np.prod(-(-sides // factors) + 2 * _rims(_sigmas(spacing * factors))) > most:
        thin = sides // factors < min(_THIN, (sides // factors).max())
        factors[np.argmin(np.where(thin, np.inf, spacing * factors))] += 1
    return factors


def _sigmas(spacing: np.ndarray) -> np.ndarray:
    """How far to smooth along each axis, in voxels."""
    return np.maximum(_SMOOTHING, _SMOOTHING_OF_THICKEST * spacing.max() / spacing)


def _rims(sigmas: np.ndarray) -> np.ndarray:
    """How many empty voxels are needed on each side, so that the surface is closed."""
    return np.ceil(2 * sigmas).astype(int) + 1


def _blocks(array: np.ndarray, factors, join: np.ufunc) -> np.ndarray:
    """Each block of factors (z, y, x) voxels as one; the shape is a multiple of them."""
    if array.dtype == bool:
        array = array.astype(np.uint8 if np.prod(factors) < 256 else np.uint32)
    for axis, factor in enumerate(factors):
        parts = [array[(slice(None),) * axis + (slice(start, None, factor),)] for start in range(factor)]
        array = reduce(join, parts)
    return array


def _withNeighbours(array: np.ndarray, axis: int) -> np.ndarray:
    """The highest of each voxel, the one before and the one after."""
    result = array.copy()
    before, after = (slice(None),) * axis + (slice(None, -1),), (slice(None),) * axis + (slice(1, None),)
    np.maximum(result[after], array[before], out=result[after])
    np.maximum(result[before], array[after], out=result[before])
    return result


def _interpolated(array: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Between the voxels (z, y, x), linearly."""
    low = np.clip(np.floor(points).astype(np.intp), 0, np.array(array.shape) - 2)
    share = np.clip(points - low, 0.0, 1.0).astype(np.float32)
    result = np.zeros(len(points), np.float32)
    for corner in product((0, 1), repeat=3):
        weight = np.where(corner, share, 1.0 - share).prod(axis=1)
        result += weight * array[tuple((low + corner).T)]
    return result


def _toRas(geometry: Geometry, corner, factors) -> np.ndarray:
    own = np.diag([*(float(factor) for factor in factors), 1.0])
    own[:3, 3] = np.array(corner) + (np.array(factors) - 1) / 2
    return geometry.ijk_to_ras @ own
