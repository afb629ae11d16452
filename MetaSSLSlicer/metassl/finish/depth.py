"""How deep the errors of a prediction are, measured against the annotation that came of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from metassl.imaging.images import IGNORE
from metassl.project.masks import bounding_box, distance_map


def error_depth_mm(
    prediction: np.ndarray, label: np.ndarray, spacing_zyx: Sequence[float], values: Iterable[int]
) -> float:
    """How far the two ever lie apart, in mm: 0 where they are alike, infinite where one lacks a structure altogether.

    `prediction` and `label`: uint8 (z, y, x), one grid; voxels of the label that are 255 count nowhere. For each
    structure of `values`: a voxel that is too much lies so far from the nearest one of the label's structure, and one
    that is missing so far from the nearest one of the prediction's, from centre to centre; the largest counts (the
    Hausdorff distance). So a thin structure that was missed is a deep error, however thin, and one stray voxel far away
    is one, too. Beside voxels that are not annotated the doubt is the prediction's benefit. ValueError when the shapes
    differ.
    """
    if prediction.shape != label.shape:
        raise ValueError(f"shapes {prediction.shape} and {label.shape} are not one grid")
    ignored = label == IGNORE
    return max((_depth(prediction == v, label == v, ignored, spacing_zyx) for v in values), default=0.0)


def _depth(found: np.ndarray, wanted: np.ndarray, ignored: np.ndarray, spacing_zyx: Sequence[float]) -> float:
    box = bounding_box(found | wanted | ignored)
    if box is None:
        return 0.0
    found, wanted, ignored = found[box], wanted[box], ignored[box]
    too_much = _farthest(found & ~wanted & ~ignored, wanted | ignored, spacing_zyx)
    return max(too_much, _farthest(wanted & ~found, found, spacing_zyx))


def _farthest(voxels: np.ndarray, target: np.ndarray, spacing_zyx: Sequence[float]) -> float:
    """The largest distance of any of the voxels to the target, none of which they are."""
    if not voxels.any():
        return 0.0
    return float(distance_map(target, spacing_zyx)[voxels].max()) if target.any() else math.inf
