"""Where a prediction is wrong by more than a tolerance, and what a person changes there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from metassl.imaging.images import IGNORE
from metassl.project.masks import bounding_box, distance_map


def deep_errors(
    prediction: np.ndarray, truth: np.ndarray, spacing_zyx: Sequence[float], values: Iterable[int], tolerance_mm: float
) -> np.ndarray:
    """Mask (z, y, x) of the voxels that `finish.depth.error_depth_mm` finds deeper than the tolerance.

    A voxel too much of a structure lies so far from its true voxels, a missing one so far from the predicted ones.
    """
    deep = np.zeros(truth.shape, bool)
    for value in values:
        found, wanted = (prediction == value) & (truth != IGNORE), truth == value
        box = bounding_box(found | wanted)
        if box is None:
            continue
        found, wanted = found[box], wanted[box]
        deep[box] |= _far(found & ~wanted, wanted, spacing_zyx, tolerance_mm)
        deep[box] |= _far(wanted & ~found, found, spacing_zyx, tolerance_mm)
    return deep


def to_correct(
    deep: np.ndarray, prediction: np.ndarray, truth: np.ndarray, spacing_yx: Sequence[float], tolerance_mm: float
) -> np.ndarray:
    """In one slice (y, x): the wrong voxels no farther than the tolerance from a deep one, up to the true border."""
    wrong = (prediction != truth) & (truth != IGNORE)
    near = _distance(deep, spacing_yx) <= tolerance_mm
    chosen: np.ndarray = wrong & near
    return chosen


def _far(voxels: np.ndarray, target: np.ndarray, spacing_zyx: Sequence[float], tolerance_mm: float) -> np.ndarray:
    if not voxels.any() or not target.any():
        return voxels
    far: np.ndarray = voxels & (distance_map(target, spacing_zyx) > tolerance_mm)
    return far


def _distance(mask: np.ndarray, spacing_yx: Sequence[float]) -> np.ndarray:
    flat: np.ndarray = distance_map(mask[None], (1.0, *spacing_yx))[0]
    return np.where(mask, 0.0, flat)
