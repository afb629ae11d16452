"""How thick structures are, from their volume and their surface: how coarse a grid can be and still show them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from metassl.imaging.images import IGNORE


def thickness_mm(labels: np.ndarray, spacing: Sequence[float]) -> dict[int, float]:
    """Class (not 0) → four times its volume over its surface, of labels uint8 (z, y, x) with voxels of `spacing` mm.

    Counted in faces of voxels that is about the diameter of a tube, or 0.9 times the radius of a ball. A face towards
    voxels that are not annotated (IGNORE), or at the border of the image, is none.
    """
    inside = np.argwhere((labels != 0) & (labels != IGNORE))
    if not len(inside):
        return {}
    low, high = inside.min(0), inside.max(0)
    box = labels[tuple(slice(max(a - 1, 0), b + 2) for a, b in zip(low, high, strict=True))]
    volume = np.bincount(box.ravel(), minlength=256) * float(np.prod(spacing))
    surface = np.zeros(256)
    for axis in range(3):
        ahead, behind = (np.moveaxis(box, axis, 0)[part] for part in (slice(1, None), slice(None, -1)))
        face = (ahead != behind) & (ahead != IGNORE) & (behind != IGNORE)
        counted = np.bincount(ahead[face], minlength=256) + np.bincount(behind[face], minlength=256)
        surface += counted * float(np.prod(spacing) / spacing[axis])
    classes = [k for k in range(1, IGNORE) if volume[k] and surface[k]]
    return {k: 4 * volume[k] / surface[k] for k in classes}


def thinnest_mm(found: Iterable[dict[int, float]]) -> float | None:
    """Of the structures of several cases, each by its median; None where there is none."""
    by_class: dict[int, list[float]] = {}
    for thickness in found:
        for k, mm in thickness.items():
            by_class.setdefault(k, []).append(mm)
    return min((float(np.median(each)) for each in by_class.values()), default=None)
