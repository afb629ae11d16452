"""One look: how much of an image it takes in, and how many seconds it costs."""

from __future__ import annotations

import numpy as np

from metassl.imaging.geometry import Geometry, triple

LONGEST_MM = 15.0
LEAST_VOXELS, MOST_VOXELS = 12, 24
MOST_SLICES = 5
THICK = 1.25
"""So many times as thick as along the other axes, a voxel is a slice of a stack."""

SLICE_S = 2.0
"""To look at one slice of a place. An assumption, not a measurement."""
ARRIVE_S = 2.0
"""Until the views have moved and the eyes have found the cross. An assumption as well."""


def thick_axis(geometry: Geometry) -> int | None:
    """The axis (of z, y, x) along which the slices of a stack follow each other; None on an even grid."""
    steps = np.array(geometry.spacing_zyx)
    thinner, thickest = np.argsort(steps, kind="stable")[-2:]
    return int(thickest) if steps[thickest] >= THICK * steps[thinner] else None


def longest_sides(geometry: Geometry) -> tuple[int, int, int]:
    """What one look takes in, in voxels (z, y, x).

    15 mm, but not fewer than 12 voxels, since coarse voxels are seen together, and not more than 24, since fine ones
    show fine things. Across the slices of a stack it is 5 slices.
    """
    steps = np.array(geometry.spacing_zyx)
    sides = np.clip(np.floor(LONGEST_MM / steps + 1e-6), LEAST_VOXELS, MOST_VOXELS).astype(int)
    axis = thick_axis(geometry)
    if axis is not None:
        sides[axis] = MOST_SLICES
    return triple(int(side) for side in sides)


def slices_to_look_at(sides: np.ndarray, geometry: Geometry) -> np.ndarray:
    """How many slices show places with these sides in voxels (n, 3) (z, y, x): n whole numbers.

    In a stack its own slices count; on an even grid all views are as sharp, and the one with the fewest is looked at.
    """
    axis = thick_axis(geometry)
    return sides.min(axis=1) if axis is None else sides[:, axis]


def looking_seconds(slices: np.ndarray) -> np.ndarray:
    """The seconds that it takes to look at places of so many slices: ARRIVE_S + SLICE_S a slice.

    What has to be corrected takes time too, but the same in whatever order the places come, so it does not count here.
    """
    return ARRIVE_S + SLICE_S * slices
