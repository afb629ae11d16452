"""Where deep errors are to be expected, from the maps of a prediction alone.

A voxel outside the predicted structures, farther than the tolerance from them, would be one if it is wrong. One inside
would be one if all that is predicted within the tolerance of it is wrong, too: the least P(error) there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
from metassl.imaging.images import read_labels
from metassl.imaging.unit_maps import read_unit_map
from metassl.project.masks import distance_map
from metassl.project.project import Project
from metassl.project.records import RankedCase, Ranking
from metassl.project.round_choice import waiting_cases
from metassl.project.rounds import Round

from metassl_research.cohort.costs import Costs
from metassl_research.cohort.oracle import slicing_axis

WORTH_VOXELS = 1.0
"""A slice with so many deep voxels to be expected is worth a look."""


def expected_deep(found: Round, case: str, tolerance_mm: float) -> np.ndarray:
    """Of every slice across the thickest axis: how many voxels are expected to be wrong by more than the tolerance."""
    paths = found.prediction(case)
    segmentation, geometry = read_labels(paths.segmentation, case)
    learnt = paths.error_probability.is_file()
    chance, _ = read_unit_map(paths.error_probability if learnt else paths.uncertainty, case)
    chance = chance if learnt else chance / 2  # at the highest uncertainty one of two structures is the right one
    spacing = geometry.spacing_zyx
    inside = segmentation > 0
    least = _least_within(np.where(inside, chance, np.float32(1)), spacing, tolerance_mm)
    outside = np.where(distance_map(inside, spacing) > tolerance_mm, chance, 0.0) if inside.any() else chance
    deep = np.where(inside, least, outside)
    sums: np.ndarray = np.moveaxis(deep, slicing_axis(geometry), 0).sum(axis=(1, 2))
    return sums


def worthwhile_slices(found: Round, case: str, tolerance_mm: float) -> list[int]:
    """The slices that are worth a look, the first of them first."""
    return [int(each) for each in np.flatnonzero(expected_deep(found, case, tolerance_mm) >= WORTH_VOXELS)]


def expected_ranking(project: Project, found: Round, costs: Costs, tolerance_mm: float) -> Ranking:
    """Cases with most deep errors per second of work first."""
    ranked = []
    for case in waiting_cases(project, found):
        if not found.prediction(case).complete:
            continue
        expected = expected_deep(found, case, tolerance_mm)
        worth = expected[expected >= WORTH_VOXELS]
        seconds = costs.open_case + sum(costs.look_slice + costs.correction(round(each)) for each in worth)
        ranked.append(RankedCase(case, float(worth.sum() / seconds), "deep errors to be expected per second"))
    return Ranking("expected", sorted(ranked, key=lambda each: (-each.score, each.case)))


def _least_within(array: np.ndarray, spacing_zyx: Sequence[float], radius_mm: float) -> np.ndarray:
    radius = [int(radius_mm / step) for step in reversed(spacing_zyx)]
    least: np.ndarray = sitk.GetArrayFromImage(
        sitk.GrayscaleErode(sitk.GetImageFromArray(array), radius, sitk.sitkBall)
    )
    return least
