"""Where voxels lie: from indices to RAS, and the box that a mask fills."""

from __future__ import annotations

import numpy as np
from metassl.imaging import Geometry
from metassl.project.masks import bounding_box as boundingBox

__all__ = ["boundingBox", "ijkToRas"]


def ijkToRas(geometry: Geometry) -> np.ndarray:
    """The 4x4 matrix from voxel indices (x, y, z) to RAS in mm, of an LPS geometry."""
    return geometry.ijk_to_ras
