"""The surroundings of a structure."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

BAND_VOXELS = 2
"""So far round the predicted structures a reader looks: summaries and the thresholds of the map are of this band."""


def dilate(mask: np.ndarray, voxels: int) -> np.ndarray:
    """A mask (z, y, x) grown by a box of `voxels` to each side."""
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    grown = sitk.BinaryDilate(image, [voxels] * 3, sitk.sitkBox, 0.0, 1.0, False)
    return sitk.GetArrayFromImage(grown).astype(bool)
