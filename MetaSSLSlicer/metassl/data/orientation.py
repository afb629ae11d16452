"""The order in which the axes of an image are brought before anything else looks at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TypeVar

import numpy as np

from metassl.imaging.geometry import Geometry, triple

COARSE = 1.5
"""An axis is coarse when its spacing is this many times the median spacing of the case."""


STACK_RATIO = 3.0
"""A stack's slices are more than this many times as thick as the pixels of their plane."""


def thick_slices(spacing: Sequence[float]) -> bool:
    """Whether one axis (of three, in any order) is so coarse that it needs its own treatment."""
    low, middle, high = sorted(spacing)
    return bool(high > STACK_RATIO * (low * middle) ** 0.5)


def across_slices(shape: Sequence[int], spacing: Sequence[float]) -> int:
    """The axis across the slices: the one along which there is only one voxel, else the coarsest."""
    single = [axis for axis in range(3) if shape[axis] == 1]
    return max(single or range(3), key=lambda axis: spacing[axis])


Value = TypeVar("Value")


@dataclass(frozen=True)
class AxisOrder:
    """Grid axis i is array axis `order[i]` of the image, reversed where `flips[i]`.

    `alignment` is the smallest |cosine| between a grid axis and its patient axis:
    1 for a straight scan, 0.58 at worst.
    """

    order: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    alignment: float = 1.0

    def reorder(self, values: Sequence[Value]) -> tuple[Value, Value, Value]:
        """Three values along the image's array axes, in the order of the grid."""
        first, second, third = (values[axis] for axis in self.order)
        return first, second, third

    def back(self, values: Sequence[Value]) -> tuple[Value, Value, Value]:
        """Three values along the grid axes, in the order of the image's array axes."""
        first, second, third = (values[self.order.index(axis)] for axis in range(3))
        return first, second, third


def patient_order(geometry: Geometry) -> AxisOrder:
    """The permutation and flips that bring array axes (z, y, x) closest to (S, P, L)."""
    cosines = np.asarray(geometry.direction, dtype=float).reshape(3, 3)[::-1, ::-1]
    # cosines[patient axis, array axis], both in (z, y, x) order
    best = max(permutations(range(3)), key=lambda p: sum(abs(cosines[i, p[i]]) for i in range(3)))
    along = [float(cosines[i, best[i]]) for i in range(3)]
    z, y, x = (c < 0 for c in along)
    return AxisOrder(triple(best), (z, y, x), min(abs(c) for c in along))


def stack_order(geometry: Geometry) -> AxisOrder:
    """Through-plane axis first, the rest as stored: for stacks that are cut at any angle.

    Brought to the nearest patient axes instead, such stacks would have their thick axis here in
    one patient and there in the next.
    """
    shape, spacing = geometry.shape_zyx, geometry.spacing_zyx
    across = across_slices(shape, spacing)
    if 1 not in shape and spacing[across] <= COARSE * float(np.median(spacing)):
        across = 0
    rest = [axis for axis in range(3) if axis != across]
    return AxisOrder(triple((across, *rest)), (False, False, False))


ORDERS = {"patient": patient_order, "stack": stack_order}


def axis_order(geometry: Geometry, axes: str) -> AxisOrder:
    """The axis order of one image under a plan's `axes`, "patient" or "stack"."""
    return ORDERS[axes](geometry)
