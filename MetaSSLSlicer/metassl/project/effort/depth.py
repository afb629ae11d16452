"""How deep the errors of a prediction are, measured against an annotation; and which of them need correction."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from metassl.imaging.images import IGNORE

from ..masks import bounding_box, distance_map
from ..project import Project

DEFAULT_TOLERANCE_MM = 2.0
"""Errors that are no deeper need no correction, unless the project's setting "tolerance_mm" says another depth."""


def tolerance_of(project: Project) -> float:
    """The depth in mm up to which errors need no correction."""
    return float(project.settings.get("tolerance_mm", DEFAULT_TOLERANCE_MM))


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
    deepest = 0.0
    for _box, too_much, wanted in _compared(prediction, label, values):
        deepest = max(deepest, *(_farthest(*each, spacing_zyx) for each in (too_much, wanted)))
    return deepest


def deep_errors(
    prediction: np.ndarray,
    label: np.ndarray,
    spacing_zyx: Sequence[float],
    values: Iterable[int],
    tolerance_mm: float,
) -> np.ndarray:
    """The wrong voxels that lie deeper than the tolerance, bool (z, y, x); all else as in `error_depth_mm`."""
    deep = np.zeros(prediction.shape, bool)
    for box, *sides in _compared(prediction, label, values):
        for voxels, target in sides:
            if voxels.any():
                deep[box] |= voxels & (distance_map(target, spacing_zyx) > tolerance_mm) if target.any() else voxels
    return deep


_Side = tuple[np.ndarray, np.ndarray]
"""Wrong voxels, and those that they lie off."""


def _compared(
    prediction: np.ndarray, label: np.ndarray, values: Iterable[int]
) -> Iterator[tuple[tuple[slice, ...], _Side, _Side]]:
    """Of each structure that there is: the box, what is too much there, and what is missing."""
    if prediction.shape != label.shape:
        raise ValueError(f"shapes {prediction.shape} and {label.shape} are not one grid")
    ignored = label == IGNORE
    for value in values:
        found, wanted = prediction == value, label == value
        box = bounding_box(found | wanted | ignored)
        if box is not None:
            found, wanted, unknown = found[box], wanted[box], ignored[box]
            yield box, (found & ~wanted & ~unknown, wanted | unknown), (wanted & ~found, found)


def _farthest(voxels: np.ndarray, target: np.ndarray, spacing_zyx: Sequence[float]) -> float:
    """The largest distance of any of the voxels to the target, none of which they are."""
    if not voxels.any():
        return 0.0
    return float(distance_map(target, spacing_zyx)[voxels].max()) if target.any() else math.inf
