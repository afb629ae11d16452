"""What a predicted case will cost: how many voxels of each slice are expected to be wrong deeper than the tolerance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from metassl.files.json_kinds import list_of, number, whole, whole_of
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import IGNORE

from .cost import ASSUMED, Costs

THICK = 1.25
"""So many times as thick as along the other axes, a voxel is a slice of a stack."""

SCALE = 2.0
"""As many voxels prove wrong by more than the tolerance as the networks' probabilities say, until it is measured: they
are surer than they are right. (On 39 hippocampi 2.1 for a tolerance of 1.5 mm, 1.8 for 2 mm.)
"""

CLUMP = 1.5
"""Squares of the tolerance that are wrong together in a slice, until it is measured (there: 2.2 and 1.4)."""

IS_EFFORT = whole_of(
    **dict.fromkeys(("tolerance_mm", "scale"), number),
    **dict.fromkeys(("axis", "looked", "cases"), whole),
    clump_voxels=lambda value: number(value) and value > 0,
    voxels=list_of(number),
)


@dataclass(frozen=True)
class EffortModel:
    """What the sum of a map of deep errors has to be multiplied with, by `scale`, and how much of a slice is wrong
    together, in mm²; measured on so many `cases` (0: assumed) for this tolerance.
    """

    tolerance_mm: float
    scale: float
    clump_mm2: float
    cases: int = 0

    @staticmethod
    def of(document: Mapping[str, Any] | None, tolerance_mm: float) -> EffortModel:
        """What was measured, where that was for this tolerance; else what is assumed."""
        if document and document["tolerance_mm"] == tolerance_mm:
            return EffortModel(tolerance_mm, document["scale"], document["clump_mm2"], document["cases"])
        return EffortModel(tolerance_mm, SCALE, CLUMP * tolerance_mm**2)


@dataclass(frozen=True)
class Effort:
    """`axis`: of (z, y, x), across the slices. `looked`: slices to look at. `voxels`: how many of each slice of the
    image are expected to be wrong by more than `tolerance_mm`; `clump_voxels` of a slice are wrong together. `scale`:
    what the map of deep errors was multiplied with; `cases`: measured on so many, 0: assumed.
    """

    tolerance_mm: float
    axis: int
    looked: int
    voxels: list[float]
    clump_voxels: float
    scale: float
    cases: int

    @staticmethod
    def of(document: Mapping[str, Any]) -> Effort:
        """From its JSON object, checked by `IS_EFFORT`."""
        return Effort(**{each.name: document[each.name] for each in fields(Effort)})

    @property
    def is_assumed(self) -> bool:
        """Nothing was measured of how wrong such predictions are."""
        return not self.cases

    @property
    def wrong_voxels(self) -> float:
        """Of all slices."""
        return sum(self.voxels)

    @property
    def wrong(self) -> list[float]:
        """Of each slice how likely it holds anything to be corrected, 0..1."""
        return [self.chance(voxels) for voxels in self.voxels]

    @property
    def wrong_slices(self) -> float:
        """How many are expected to hold anything to be corrected."""
        return sum(self.wrong)

    def chance(self, voxels: float) -> float:
        """That any voxel of a slice is wrong in which so many are expected to be."""
        return 1 - math.exp(-voxels / self.clump_voxels)

    def seconds(self, costs: Costs = ASSUMED) -> float:
        """To review the whole case, and correct it."""
        return costs.review(self.looked, self.wrong_slices, self.wrong_voxels)

    def slice_seconds(self, costs: Costs = ASSUMED) -> list[float]:
        """To look at each of the slices, and correct it."""
        return [costs.look_slice + costs.correction(self.chance(voxels), voxels) for voxels in self.voxels]

    def place_seconds(self, slices: int, voxels: float, costs: Costs = ASSUMED) -> float:
        """To look at a place of so many slices in which so many voxels are expected to be wrong, and correct it."""
        wrong = slices * self.chance(voxels / slices)
        return looking_seconds(slices, costs) + costs.correction(wrong, voxels)


def looking_seconds(slices: int, costs: Costs = ASSUMED) -> float:
    """To go to a place, and look at its slices."""
    return costs.arrive + costs.look_slice * slices


def review_axis(geometry: Geometry) -> int:
    """The axis (of z, y, x) across the slices that a case is reviewed in: a stack's own, or those of the file."""
    axis = thick_axis(geometry)
    return 0 if axis is None else axis


def thick_axis(geometry: Geometry) -> int | None:
    """The axis (of z, y, x) along which the slices of a stack follow each other; None on an even grid."""
    steps = np.array(geometry.spacing_zyx)
    thinner, thickest = np.argsort(steps, kind="stable")[-2:]
    return int(thickest) if steps[thickest] >= THICK * steps[thinner] else None


def expected_effort(segmentation: np.ndarray, deep: np.ndarray, geometry: Geometry, model: EffortModel) -> Effort:
    """From a prediction, uint8, and its map of deep errors, float32 within 0..1, both (z, y, x).

    All slices are looked at from one before the first that shows a structure to one after the last, but for those in
    which nothing can be wrong, as they are annotated.
    """
    axis = review_axis(geometry)
    sums = slice_sums(deep, axis)
    voxels = model.scale * sums
    face_mm2 = geometry.voxel_ml * 1000 / geometry.spacing_zyx[axis]
    shown = np.flatnonzero(slice_sums((segmentation > 0) & (segmentation != IGNORE), axis))
    first, last = (max(shown[0] - 1, 0), shown[-1] + 1) if shown.size else (0, len(sums))
    looked = int(np.count_nonzero(sums[first : last + 1]))
    return Effort(
        tolerance_mm=model.tolerance_mm,
        axis=axis,
        looked=looked,
        voxels=[float(f"{each:.3g}") for each in voxels],
        clump_voxels=max(model.clump_mm2 / face_mm2, 1.0),
        scale=model.scale,
        cases=model.cases,
    )


def slice_sums(volume: np.ndarray, axis: int) -> np.ndarray:
    """What each slice across the axis adds up to: float64 (n,)."""
    others = tuple(each for each in range(volume.ndim) if each != axis)
    sums: np.ndarray = volume.sum(axis=others, dtype=np.float64)
    return sums
