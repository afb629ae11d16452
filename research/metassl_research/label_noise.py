"""Annotations as a careless annotator draws them: too small, too large, or beside the structure.

About 2 voxels of the finest axis, in mm, so that thick slices are not skipped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
from metassl.imaging.images import IGNORE

KINDS = ("eroded", "dilated", "shifted")
VOXELS = 2.0
_THICK = 1.5


def noisy_cases(labelled: Sequence[str], share: float, seed: int) -> dict[str, str]:
    """{case: kind} for `share` of the cases, rounded up, drawn with the seed; the kinds take turns."""
    count = math.ceil(share * len(labelled) - 1e-9)
    drawn = np.random.default_rng([seed, len(labelled)]).permutation(len(labelled))[:count]
    return {labelled[place]: KINDS[(seed + turn) % len(KINDS)] for turn, place in enumerate(drawn)}


def wrong_annotation(label: np.ndarray, spacing_zyx: Sequence[float], kind: str, seed: int) -> np.ndarray:
    """The annotation (uint8 (z, y, x), 255 where nobody has looked) with noise of a kind.

    Outlines move by 2 voxels, or by 1 or less where a structure would vanish else.
    """
    rng = np.random.default_rng(seed)
    known = np.unique(label[label != IGNORE])
    reach = VOXELS * min(spacing_zyx)
    while reach > 0.25 * min(spacing_zyx):
        changed = _CHANGES[kind](np.where(label == IGNORE, 0, label), spacing_zyx, reach, rng)
        changed[label == IGNORE] = IGNORE
        if np.isin(known, changed).all():
            return changed
        reach /= 2
    return label.copy()


def _eroded(label: np.ndarray, spacing_zyx: Sequence[float], reach: float, _: np.random.Generator) -> np.ndarray:
    """The outline of all structures together moves inwards."""
    return np.where(_distance(label == 0, spacing_zyx) > reach, label, 0).astype(np.uint8)


def _dilated(label: np.ndarray, spacing_zyx: Sequence[float], reach: float, _: np.random.Generator) -> np.ndarray:
    """It moves outwards, and the new voxels belong to the nearest structure."""
    values = np.unique(label[label > 0])
    distances = np.stack([_distance(label == value, spacing_zyx) for value in values])
    near = (label == 0) & (distances.min(axis=0) <= reach)
    return np.where(near, values[distances.argmin(axis=0)], label).astype(np.uint8)


def _shifted(label: np.ndarray, spacing_zyx: Sequence[float], reach: float, rng: np.random.Generator) -> np.ndarray:
    """Along one of the fine axes, drawn at random."""
    fine = [axis for axis in range(3) if spacing_zyx[axis] <= _THICK * min(spacing_zyx)]
    axis, sign = int(rng.choice(fine)), int(rng.choice([-1, 1]))
    step = max(round(reach / spacing_zyx[axis]), 1)
    along = np.moveaxis(label, axis, 0)[::sign]
    moved = np.zeros_like(along)
    moved[step:] = along[:-step]
    return np.ascontiguousarray(np.moveaxis(moved[::sign], 0, axis))


_CHANGES = dict(zip(KINDS, (_eroded, _dilated, _shifted), strict=True))


def _distance(mask: np.ndarray, spacing_zyx: Sequence[float]) -> np.ndarray:
    """Distance in mm from every voxel to the nearest one of the mask, between their centres; infinite without any."""
    if not mask.any():
        return np.full(mask.shape, np.inf)
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing([float(step) for step in reversed(spacing_zyx)])
    # seen from the outside of the mask the map's zero is at the centres of its outermost voxels
    distances = sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(image, False, False, True))
    return np.where(mask, 0.0, np.maximum(distances, 0.0))
