"""Overlap and surface distance of one segmented case against its annotation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metassl.imaging.images import IGNORE
from metassl.project.masks import bounding_box, distance_map
from metassl.project.structures import LabelDefinition

NAN = float("nan")


def case_metrics(
    prediction: np.ndarray,
    truth: np.ndarray,
    spacing_zyx: Sequence[float],
    labels: Sequence[LabelDefinition],
) -> dict[str, dict[str, float]]:
    """Per label name {"dice", "hd95_mm", "assd_mm", "predicted_ml", "truth_ml"}.

    `prediction` and `truth`: uint8 (z, y, x) of annotation values; voxels where `truth` is 255
    count nowhere. A structure that is in neither has a Dice of NaN; one that is in only one of
    them ("missed" or "invented") has Dice 0 and distances of NaN. Raises ValueError when the two
    shapes differ.
    """
    if prediction.shape != truth.shape or prediction.ndim != 3:
        raise ValueError(f"shapes {prediction.shape} and {truth.shape} are not one 3-D grid")
    ignored = truth == IGNORE
    voxel_ml = float(np.prod(spacing_zyx)) / 1000.0
    result = {}
    for label in labels:
        found, wanted = (prediction == label.value) & ~ignored, truth == label.value
        hd95, assd = surface_distances(found, wanted, spacing_zyx, ignored)
        result[label.name] = {
            "dice": dice(found, wanted),
            "hd95_mm": hd95,
            "assd_mm": assd,
            "predicted_ml": float(np.count_nonzero(found) * voxel_ml),
            "truth_ml": float(np.count_nonzero(wanted) * voxel_ml),
        }
    return result


def as_annotated(segmentation: np.ndarray, missing: Sequence[int]) -> np.ndarray:
    """The segmentation as far as an annotation can judge it: without the structures that it says nothing about."""
    return np.where(np.isin(segmentation, missing), 0, segmentation) if len(missing) else segmentation


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """2 |A and B| / (|A| + |B|) of two masks; NaN when both are empty."""
    size = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    return 2.0 * int(np.count_nonzero(a & b)) / size if size else NAN


def surface_distances(
    a: np.ndarray,
    b: np.ndarray,
    spacing_zyx: Sequence[float],
    ignored: np.ndarray | None = None,
) -> tuple[float, float]:
    """(HD95, ASSD) in mm between the surfaces of two masks (z, y, x); NaN when either has none.

    HD95 is the larger of the two directed 95th percentiles. ASSD is the mean over the surface
    voxels of both masks. Where a mask is cut off by `ignored` voxels it has no surface.
    """
    if not a.any() or not b.any():
        return NAN, NAN
    box = bounding_box(a | b, margin=1)
    a, b = a[box], b[box]
    cut = None if ignored is None or not ignored[box].any() else ignored[box]
    surface_a, surface_b = _surface(a, cut), _surface(b, cut)
    if not surface_a.any() or not surface_b.any():
        return NAN, NAN
    a_to_b = distance_map(surface_b, spacing_zyx)[surface_a]
    b_to_a = distance_map(surface_a, spacing_zyx)[surface_b]
    hd95 = max(np.percentile(a_to_b, 95), np.percentile(b_to_a, 95))
    total = a_to_b.sum(dtype=np.float64) + b_to_a.sum(dtype=np.float64)
    return float(hd95), float(total / (a_to_b.size + b_to_a.size))


def surface_dice(a: np.ndarray, b: np.ndarray, spacing_zyx: Sequence[float], tolerance_mm: float) -> float:
    """Which share of the surface voxels of both masks (z, y, x) lies within the tolerance of the other's surface.

    NaN when both are empty, 0 when one is. Nikolov et al., J Med Internet Res 2021, e26151, counted in voxels.
    """
    if not a.any() or not b.any():
        return 0.0 if a.any() or b.any() else NAN
    box = bounding_box(a | b, margin=1)
    surface_a, surface_b = _surface(a[box], None), _surface(b[box], None)
    near = np.count_nonzero(_distances(surface_b, spacing_zyx)[surface_a] <= tolerance_mm)
    near += np.count_nonzero(_distances(surface_a, spacing_zyx)[surface_b] <= tolerance_mm)
    return float(near / (np.count_nonzero(surface_a) + np.count_nonzero(surface_b)))


def _distances(surface: np.ndarray, spacing_zyx: Sequence[float]) -> np.ndarray:
    """In mm, to the nearest voxel of the surface, on which they are 0."""
    return np.where(surface, 0.0, distance_map(surface, spacing_zyx))


def _surface(mask: np.ndarray, ignored: np.ndarray | None) -> np.ndarray:
    """Voxels of the mask with a face neighbour outside it; the image's border is outside too.

    An axis of a single voxel has no surface: a mask in one slice is a flat shape.
    """
    solid = mask if ignored is None else mask | ignored
    inner = np.ones_like(mask)
    for axis in range(3):
        if mask.shape[axis] == 1:
            continue
        along, inside = np.moveaxis(solid, axis, 0), np.moveaxis(inner, axis, 0)
        inside[1:] &= along[:-1]
        inside[:-1] &= along[1:]
        inside[0] = inside[-1] = False
    surface: np.ndarray = mask & ~inner
    return surface
