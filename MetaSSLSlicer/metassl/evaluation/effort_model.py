"""How many voxels prove wrong by more than the tolerance, where a map of deep errors says how many: measured on
validation cases and on corrections."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metassl.imaging.geometry import Geometry
from metassl.imaging.images import IGNORE
from metassl.project.effort.depth import deep_errors
from metassl.project.effort.expected import EffortModel, review_axis, slice_sums
from metassl.project.effort.slices import as_known, done_slices

from .dice_model import spearman

PRIOR_CASES = 5
"""What is assumed counts as much as so many cases: the errors of few cases lie far apart."""

LEAST_CASES = 3
MOST = 20.0
"""So many times larger or smaller than assumed, nothing is believed to be."""


@dataclass(frozen=True)
class MeasuredEffort:
    """Of each slice of a case that was looked at (n,): what the map of deep errors adds up to, and how many voxels were
    wrong so deep. The others are no evidence of anything.

    face_mm2: the area of a voxel in the slice.
    """

    expected: np.ndarray
    deep: np.ndarray
    face_mm2: float


def measured_effort(
    segmentation: np.ndarray,
    expected: np.ndarray,
    label: np.ndarray,
    geometry: Geometry,
    values: Sequence[int],
    tolerance_mm: float,
) -> MeasuredEffort | None:
    """From a prediction, its map of deep errors and the annotation, (z, y, x).

    Slices that are annotated as a whole count; None where there is none.
    """
    axis = review_axis(geometry)
    known = done_slices(label, axis)
    if not known:
        return None
    filled = _filled(label, segmentation, axis, known)
    deep = deep_errors(segmentation, filled, geometry.spacing_zyx, values, tolerance_mm)
    face_mm2 = geometry.voxel_ml * 1000 / geometry.spacing_zyx[axis]
    return MeasuredEffort(slice_sums(expected, axis)[known], slice_sums(deep, axis)[known], face_mm2)


def _filled(label: np.ndarray, segmentation: np.ndarray, axis: int, known: Sequence[int]) -> np.ndarray:
    """The annotation, with the prediction where that says nothing, but wrong there as in the nearest known slice.

    Else an error that goes on beyond the slices that were looked at would be near to what is predicted there, and so
    no deep one.
    """
    if len(known) == label.shape[axis]:
        return label
    filled = as_known(label, segmentation)
    into, said, predicted = (np.moveaxis(each, axis, 0) for each in (filled, label, segmentation))
    places = np.array(known)
    for place in sorted({*range(len(into))} - {*known}):
        nearest = places[np.abs(places - place).argmin()]
        wrong = (said[nearest] != predicted[nearest]) & (said[place] == IGNORE)
        into[place][wrong] = said[nearest][wrong]
    return filled


def fit_effort_model(cases: Sequence[MeasuredEffort], tolerance_mm: float) -> dict[str, Any] | None:
    """An `EffortModel` as JSON, with what was seen of these cases; None with fewer than 3 of them.

    "expected_voxels", "deep_voxels": of all these slices, the first before it was scaled. "spearman": the rank
    correlation of the two over the cases, which no scale changes; None where one of them does not vary.
    """
    if len(cases) < LEAST_CASES:
        return None
    assumed = EffortModel.of(None, tolerance_mm)
    expected, deep = (np.array([getattr(each, name).sum() for each in cases]) for name in ("expected", "deep"))
    prior = PRIOR_CASES * expected.mean()
    scale = float((deep.sum() + assumed.scale * prior) / (expected.sum() + prior)) if expected.any() else assumed.scale
    areas = np.concatenate([scale * each.expected * each.face_mm2 for each in cases])
    wrong = int(sum(np.count_nonzero(each.deep) for each in cases))
    share = len(cases) / (len(cases) + PRIOR_CASES)
    least = min(each.face_mm2 for each in cases)
    usual = max(assumed.clump_mm2, least)
    found = min(max(_clump(areas, wrong), usual / MOST), usual * MOST)
    clump = found**share * usual ** (1 - share)
    rank = spearman(expected, deep)
    return {
        "tolerance_mm": tolerance_mm,
        "scale": scale,
        "clump_mm2": clump,
        "cases": len(cases),
        "expected_voxels": float(expected.sum()),
        "deep_voxels": int(deep.sum()),
        "wrong_slices": wrong,
        "spearman": None if math.isnan(rank) else rank,
    }


def _clump(areas: np.ndarray, wrong: int) -> float:
    """The area in mm² with which as many slices are expected to hold an error as do."""
    low, high = 1e-3, 1e6
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if (1 - np.exp(-areas / middle)).sum() > wrong else (low, middle)
    return low
