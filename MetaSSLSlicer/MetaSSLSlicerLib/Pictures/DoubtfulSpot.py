"""Where a reviewer should look first, found in a region map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..Grid import boundingBox
from ..RegionColors import DC, DS, US

_NEAR_VOXELS = 3
_BLUR_VOXELS = 3.0
_BLUR_SHARE = 0.3  # of the side of a cube as large as all doubt: a large lump keeps its middle
_LEAST_MARGIN = 3  # the smoothing filter needs some voxels along every axis


@dataclass(frozen=True)
class DoubtfulSpot:
    """A voxel (x, y, z) where doubt is densest, and how many voxels are doubtful in all.

    `kind` is "DC/DS", "US", "structure" (nothing is doubtful) or "middle" (nothing at all).
    """

    indexXyz: tuple[int, int, int]
    kind: str
    voxels: int


def findDoubtfulSpot(
    regions: np.ndarray, segmentation: np.ndarray, spacingXyz: tuple[float, float, float]
) -> DoubtfulSpot:
    """Find the spot from a region map and a segmentation, both uint8 (z, y, x).

    It lies where the networks differ most densely: the middle of the largest lump, or the thickest
    place of a thin shell. Where they differ nowhere, it lies where they are unsure near the
    structures, else in the structures.
    """
    structures = segmentation > 0
    unsure = regions == US.value
    if unsure.any() and structures.any():
        unsure &= _grown(structures)
    for kind, mask in (
        ("DC/DS", (regions == DC.value) | (regions == DS.value)),
        ("US", unsure),
        ("structure", structures),
    ):
        if mask.any():
            return DoubtfulSpot(_densest(mask, spacingXyz), kind, int(mask.sum()))
    size = regions.shape[::-1]
    return DoubtfulSpot(tuple(n // 2 for n in size), "middle", 0)


def blurred(mask: np.ndarray, sigma: float, spacingXyz=(1.0, 1.0, 1.0)) -> np.ndarray:
    """How dense a mask is round each voxel, 0..1 (z, y, x); sigma in the units of the spacing."""
    margin = [max(int(np.ceil(2 * sigma / step)), _LEAST_MARGIN) for step in reversed(spacingXyz)]
    image = sitk.GetImageFromArray(np.pad(mask.astype(np.float32), [(m, m) for m in margin]))
    image.SetSpacing(spacingXyz)
    density = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(image, sigma))
    return density[tuple(slice(m, m + n) for m, n in zip(margin, mask.shape))]


def _densest(mask: np.ndarray, spacingXyz) -> tuple[int, int, int]:
    box = boundingBox(mask)
    inside = mask[box]
    cube = np.cbrt(np.count_nonzero(inside) * np.prod(spacingXyz))
    sigma = max(_BLUR_VOXELS * min(spacingXyz), _BLUR_SHARE * cube)
    density = blurred(inside, float(sigma), spacingXyz)
    place = np.unravel_index(int(np.where(inside, density, -1.0).argmax()), inside.shape)
    return tuple(int(p) + s.start for p, s in zip(reversed(place), reversed(box)))


def _grown(mask: np.ndarray) -> np.ndarray:
    box = boundingBox(mask, _NEAR_VOXELS)
    grown = np.zeros_like(mask)
    inner = sitk.GetImageFromArray(mask[box].astype(np.uint8))
    dilated = sitk.BinaryDilate(inner, [_NEAR_VOXELS] * 3, sitk.sitkBox)
    grown[box] = sitk.GetArrayFromImage(dilated) > 0
    return grown
