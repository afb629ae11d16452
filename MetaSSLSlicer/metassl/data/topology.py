"""How large a patch, and where the network pools."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from metassl.imaging.geometry import triple

Triple = tuple[int, int, int]

MIN_EDGE = 4
"""No axis is pooled below this many voxels."""

MIN_PATCH = 16
"""The two axes of a patch in the plane of the slices, or the two finer ones, are at least this long: to be pooled."""

FEW_SLICES = 2 * MIN_EDGE
"""Fewer voxels along the first axis are slices, whatever the spacing: too few to be pooled, or turned out of."""

MAX_LEVELS = 6


@dataclass(frozen=True)
class Topology:
    """A patch (z, y, x) with the kernel and stride of each level of the network."""

    patch_zyx: Triple
    kernels: tuple[Triple, ...]
    strides: tuple[Triple, ...]

    @property
    def voxels(self) -> int:
        return math.prod(self.patch_zyx)


def levels(edges: Triple, spacing: Sequence[float]) -> tuple[list[Triple], list[Triple]]:
    """Kernels and strides for a patch with these edges.

    A coarse axis is neither mixed (kernel 1) nor pooled (stride 1) until pooling has brought the
    other axes to within twice its spacing.
    """
    size, step = list(edges), list(spacing)
    kernels: list[Triple] = []
    strides: list[Triple] = [(1, 1, 1)]
    while True:
        level = len(kernels)
        finest = min(s for s, n in zip(step, size, strict=True) if n > 1)
        near = [step[i] <= 2 * finest * (1 + 1e-6) for i in range(3)]
        wide = [level > 0 and kernels[-1][i] == 3 for i in range(3)]  # stays so from then on
        kernels.append(triple(3 if wide[i] or (near[i] and edges[i] > 1) else 1 for i in range(3)))
        long = [n >= 2 * MIN_EDGE for n in size]
        finest = min((s for s, enough in zip(step, long, strict=True) if enough), default=0)
        fine = [s < 2 * finest * (1 - 1e-6) for s in step]
        stride = triple(2 if long[i] and fine[i] else 1 for i in range(3))
        if stride == (1, 1, 1) or level + 1 == MAX_LEVELS:
            return kernels, strides
        size = [math.ceil(n / s) for n, s in zip(size, stride, strict=True)]
        step = [mm * s for mm, s in zip(step, stride, strict=True)]
        strides.append(stride)


def plan_patch(shape: Sequence[float], spacing: Sequence[float], budget: int) -> Topology:
    """The largest patch within `budget` voxels: a cube in mm, cut to the median image `shape`.

    Where the patch reaches the image's size it takes the whole image; every edge is a multiple of
    the total stride.
    """
    across = 0 if round(shape[0]) < FEW_SLICES else max(range(3), key=lambda i: spacing[i])
    least = [1 if i == across else MIN_PATCH for i in range(3)]
    whole = [max(low, round(n)) for n, low in zip(shape, least, strict=True)]
    edge = max(n * s for n, s in zip(whole, spacing, strict=True))
    while True:
        topology = _fitted(whole, spacing, edge, least)
        smallest = all(n <= 2 * MIN_PATCH for n in topology.patch_zyx)
        if topology.voxels <= budget or smallest:
            return topology
        edge *= 0.98


def _fitted(shape: Sequence[int], spacing: Sequence[float], edge: float, least: Sequence[int]) -> Topology:
    wanted = [max(low, min(n, edge / s)) for n, s, low in zip(shape, spacing, least, strict=True)]
    kernels, strides = levels(triple(round(n) for n in wanted), spacing)
    total = [math.prod(stride[i] for stride in strides) for i in range(3)]
    patch = triple(
        t * max(1, math.ceil(n / t - 1e-9) if n >= full else round(n / t))
        for n, t, full in zip(wanted, total, shape, strict=True)
    )
    # rounding an edge down may leave too little to pool: plan the levels for what is left
    again_kernels, again_strides = levels(patch, spacing)
    again = [math.prod(stride[i] for stride in again_strides) for i in range(3)]
    if all(p % t == 0 for p, t in zip(patch, again, strict=True)):
        kernels, strides = again_kernels, again_strides
    return Topology(patch, tuple(kernels), tuple(strides))
