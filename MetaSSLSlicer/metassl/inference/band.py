"""The surroundings of a structure."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

BAND_VOXELS = 2
"""So far round the predicted structures a reader looks: summaries and the thresholds of the map are of this band."""


def dilate(mask: np.ndarray, voxels: int | tuple[int, int, int]) -> np.ndarray:
    """A mask (z, y, x) grown by a box of `voxels`, for all axes or each (z, y, x), to both sides."""
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    zyx = (voxels,) * 3 if isinstance(voxels, int) else voxels
    grown = sitk.BinaryDilate(image, zyx[::-1], sitk.sitkBox, 0.0, 1.0, False)
    return sitk.GetArrayFromImage(grown).astype(bool)
