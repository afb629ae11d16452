"""Where voxels lie: from indices to RAS, and the box that a mask fills."""

from __future__ import annotations

import numpy as np
from metassl.project import Geometry


def ijkToRas(geometry: Geometry) -> np.ndarray:
    """The 4x4 matrix from voxel indices (x, y, z) to RAS in mm, of an LPS geometry."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(geometry.direction).reshape(3, 3) * np.array(geometry.spacing_xyz)
    matrix[:3, 3] = geometry.origin_xyz
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ matrix


def boundingBox(mask: np.ndarray, margin: int = 0) -> tuple[slice, ...] | None:
    """The slices (z, y, x) that hold the true voxels and a margin; None when there are none."""
    slices = []
    for axis in range(mask.ndim):
        used = np.flatnonzero(mask.any(axis=tuple(a for a in range(mask.ndim) if a != axis)))
        if used.size == 0:
            return None
        first, last = max(int(used[0]) - margin, 0), int(used[-1]) + margin + 1
        slices.append(slice(first, min(last, mask.shape[axis])))
    return tuple(slices)
