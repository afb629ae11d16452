"""Annotations of a part of an image: what nobody looked at becomes 255, "not annotated", and counts nowhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import vtk
from metassl.imaging import IGNORE, Geometry
from metassl.project.regions import UC

_FLAT, _CLEARLY = 0.4, 1.5
_SLACK = 1e-6
"""In mm: a voxel whose centre lies on a face of the box is inside."""


def annotatedSlices(array: np.ndarray) -> tuple[np.ndarray, int, int]:
    """The annotation without the slices that hold no structure; the axis of the slices (0..2); how many were kept.

    Whoever annotates slice by slice and stops leaves a structure that is cut off flat: that tells the axis. Where
    nothing is cut off, or along several axes, it is the one along which the smallest share of the slices holds a
    structure; when these are equal, too, that of the image's own slices.
    """
    structures = (array != 0) & (array != IGNORE)
    columns = structures.sum(axis=0, dtype=np.uint32)
    areas = [np.count_nonzero(structures, axis=(1, 2)), columns.sum(axis=1), columns.sum(axis=0)]
    cuts = [_cut(area) for area in areas]
    axis = int(np.argmax(cuts))
    if cuts[axis] < _FLAT or sorted(cuts)[1] > cuts[axis] / _CLEARLY:
        axis = min(range(3), key=lambda each: np.mean(areas[each] > 0))  # the first of equal ones
    used = areas[axis] > 0
    kept = array.copy()
    kept[(slice(None),) * axis + (~used,)] = IGNORE
    return kept, axis, int(used.sum())


def _cut(areas: np.ndarray) -> float:
    """How large the structure is in a slice beside an empty one, against its largest slice: 1 is cut off flat."""
    used = areas > 0
    beside = np.zeros_like(used)
    beside[1:] |= ~used[:-1]
    beside[:-1] |= ~used[1:]
    ends = areas[used & beside]
    return float(ends.max() / areas.max()) if ends.size else 0.0


def insideRoi(geometry: Geometry, roiNode) -> Callable[[np.ndarray], np.ndarray]:
    """What keeps an annotation inside a markups ROI, and makes the rest 255. The node is read now, not later."""
    found = vtk.vtkPlanes()
    roiNode.GetTransformedPlanes(found)
    planes = [
        (np.array(found.GetNormals().GetTuple(index)), np.array(found.GetPoints().GetPoint(index)))
        for index in range(found.GetNumberOfPlanes())
    ]
    toRas = geometry.ijk_to_ras
    # a voxel lies inside when for every plane a·x + b·y + c·z + d <= 0, with its index (x, y, z)
    sides = [(*(normal @ toRas[:3, :3]), normal @ (toRas[:3, 3] - point)) for normal, point in planes]

    def restrict(array: np.ndarray) -> np.ndarray:
        kept = np.full_like(array, IGNORE)
        y, x = np.ogrid[: array.shape[1], : array.shape[2]]
        flat = [(a * x + b * y + d, c) for a, b, c, d in sides]
        for z in range(array.shape[0]):
            inside = np.logical_and.reduce([plane + c * z <= _SLACK for plane, c in flat])
            kept[z][inside] = array[z][inside]
        return kept

    return restrict


def confidentPart(segmentation: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """The prediction where both networks agree and are sure; 255 elsewhere."""
    return np.where(regions == UC.value, segmentation, np.uint8(IGNORE))
