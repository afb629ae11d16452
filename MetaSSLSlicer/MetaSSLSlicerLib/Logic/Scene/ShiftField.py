"""A structure whose boundary can be moved by a distance in mm. All of it may run in a thread: numpy and SimpleITK."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from metassl.imaging import Geometry
from metassl.project.masks import bounding_box

_SMOOTHING = 0.7  # voxels: else a whole layer of voxels would come or go at once
_THICK = (
    2.0  # a slice that is so many times as thick as a voxel is wide is far from the next: nothing is smoothed there
)


@dataclass(frozen=True, eq=False)
class ShiftField:
    """`box`: where the arrays (z, y, x) lie in the image. `inside`: the structure as it was. `free`: no other structure
    is there. `distance`: float32, mm, from the boundary; below 0 inside."""

    value: int
    box: tuple[slice, ...]
    inside: np.ndarray
    free: np.ndarray
    distance: np.ndarray

    def moved(self, mm: float) -> np.ndarray:
        """The structure with its boundary `mm` further out (below 0: further in): bool (z, y, x).

        It grows into what is free only, and what it gives up becomes no other structure. 0 is the structure as it was;
        a larger one holds every smaller one.
        """
        if mm == 0:
            return self.inside
        near = self.distance <= mm
        return self.inside | (near & self.free) if mm > 0 else self.inside & near


def shiftField(array: np.ndarray, value: int, geometry: Geometry, most: float) -> ShiftField | None:
    """The field of the voxels `value` of a segmentation (uint8, z y x), to be moved by up to `most` mm; None when there
    are none."""
    own = bounding_box(array == value)
    if own is None:
        return None
    margins = np.ceil(most / np.array(geometry.spacing_zyx)).astype(int) + 1
    box = tuple(
        slice(max(part.start - margin, 0), min(part.stop + margin, size))
        for part, margin, size in zip(own, margins.tolist(), array.shape)
    )
    crop = array[box]
    inside = crop == value
    return ShiftField(value, box, inside, crop == 0, _distance(inside, geometry))


def _distance(inside: np.ndarray, geometry: Geometry) -> np.ndarray:
    image = sitk.GetImageFromArray(inside.astype(np.uint8))
    image.SetSpacing(geometry.spacing_xyz)
    if inside.all():
        return np.full(inside.shape, -np.inf, np.float32)
    # to the nearest voxel of the other kind, from either side: the boundary lies half a voxel before it
    outer = sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(image, False, False, True))
    inner = sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(1 - image, False, False, True))
    half = min(geometry.spacing_xyz) / 2
    distance = np.where(inside, half - inner, outer - half).astype(np.float32)
    spacing = np.array(geometry.spacing_xyz)
    variances = np.where(spacing > _THICK * spacing.min(), 0.0, _SMOOTHING**2)
    smooth = sitk.DiscreteGaussian(sitk.GetImageFromArray(distance), variances.tolist(), useImageSpacing=False)
    return sitk.GetArrayFromImage(smooth)
