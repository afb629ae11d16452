"""The box that a mask fills, its surroundings, and how far away it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

READING_BAND_VOXELS = 2
"""So far round the predicted structures a reader looks: summaries and the thresholds of the map are of this band."""

ERROR_BAND_VOXELS = 3
"""So far round the structures, predicted or annotated, errors are looked for."""


def bounding_box(mask: np.ndarray, margin: int = 0) -> tuple[slice, ...] | None:
    """The slices that hold the true voxels and so many voxels round them, inside the array; None when none is true."""
    slices = []
    for axis in range(mask.ndim):
        used = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        if used.size == 0:
            return None
        first, last = max(int(used[0]) - margin, 0), int(used[-1]) + margin + 1
        slices.append(slice(first, min(last, mask.shape[axis])))
    return tuple(slices)


def dilate(mask: np.ndarray, voxels: int | tuple[int, int, int]) -> np.ndarray:
    """A mask (z, y, x) grown by a box of `voxels`, for all axes or each (z, y, x), to both sides."""
    *others, along_rows = (voxels,) * mask.ndim if isinstance(voxels, int) else voxels
    grown = _grown(mask.astype(bool), mask.ndim - 1, along_rows)
    packed = np.packbits(grown, axis=-1)  # eight voxels at once along all other axes
    for axis, wanted in enumerate(others):
        packed = _grown(packed, axis, wanted)
    return np.unpackbits(packed, axis=-1, count=mask.shape[-1]).view(bool)


def distance_map(surface: np.ndarray, spacing_zyx: Sequence[float]) -> np.ndarray:
    """Distance in mm of every voxel (z, y, x) outside a mask to the nearest voxel of it, from centre to centre.

    Inside, it is that to the nearest voxel of its surface.
    """
    padded = np.pad(surface, 1).astype(np.uint8)  # so that every surface voxel is a contour to ITK
    image = sitk.GetImageFromArray(padded)
    image.SetSpacing([float(step) for step in reversed(spacing_zyx)])
    distances = sitk.SignedMaurerDistanceMap(image, False, False, True)
    inside: np.ndarray = np.abs(sitk.GetArrayViewFromImage(distances)[1:-1, 1:-1, 1:-1])
    return inside


def _grown(bits: np.ndarray, axis: int, wanted: int) -> np.ndarray:
    reach = 0
    while reach < wanted:  # what was grown by n can be grown by as much at once, and by one in the beginning
        step = min(max(reach, 1), wanted - reach)
        before, bits = np.moveaxis(bits, axis, 0), bits.copy()
        along = np.moveaxis(bits, axis, 0)
        along[step:] |= before[:-step]
        along[:-step] |= before[step:]
        reach += step
    return bits
