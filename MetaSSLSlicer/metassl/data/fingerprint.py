"""What a set of images is like: the facts that the plan is made from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from metassl.data.intensity import Believable, believable, sample_of
from metassl.data.orientation import across_slices, axis_order, patient_order, thick_slices
from metassl.data.thickness import thickness_mm, thinnest_mm
from metassl.files.errors import ProjectError
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import IGNORE, CaseImage

CT_AIR = -500
"""A channel whose minimum is at or below this, in whole numbers, is taken for Hounsfield units."""

CT_RANGE = (-3100, 33000)
STRAIGHT = 0.8
"""Cosine (37 degrees) from which on an axis clearly belongs to one patient axis."""

POOLED_PER_CASE = 20_000


def fingerprint(
    cases: Iterable[tuple[str, CaseImage, np.ndarray | None]],
) -> dict[str, Any]:
    """Describe the images, one at a time, as plain JSON.

    Each item is (case id, image, labels uint8 (z, y, x) or None). The medians are in the order of the grid (see
    "axes" and `Plan`). Raises ProjectError when there is no case, or the channels differ.
    """
    geometries: list[Geometry] = []
    votes: list[list[bool]] = []
    pooled: list[list[np.ndarray]] = []
    labelled: list[int] = []
    thickness: list[dict[int, float]] = []
    for case, image, labels in cases:
        if pooled and len(image.array) != len(pooled):
            raise ProjectError(
                f"case {case} has {len(image.array)} channel(s), the others have {len(pooled)}: "
                "every case needs the same channels"
            )
        pooled = pooled or [[] for _ in image.array]
        votes = votes or [[] for _ in image.array]
        annotated = None if labels is None else (labels != 0) & (labels != IGNORE)
        if labels is not None and annotated is not None and annotated.any():
            labelled.append(len(geometries))
            thickness.append(thickness_mm(labels, image.geometry.spacing_zyx))
        geometries.append(image.geometry)
        for channel, values, ct in zip(image.array, pooled, votes, strict=True):
            kept = believable(channel)
            values.append(_foreground_sample(channel, annotated, kept))
            ct.append(_looks_like_ct(channel, kept))
    if not geometries:
        raise ProjectError("there is no image to plan with: add cases to the project")
    axes = _common_axes(geometries)
    orders = [axis_order(geometry, axes) for geometry in geometries]
    spacings = [o.reorder(g.spacing_zyx) for o, g in zip(orders, geometries, strict=True)]
    spacing = np.median(spacings, axis=0)
    extents = [np.multiply(o.reorder(g.shape_zyx), s) for o, g, s in zip(orders, geometries, spacings, strict=True)]
    return {
        "axes": axes,
        "median_spacing_zyx": [round(float(s), 6) for s in spacing],
        "median_shape_zyx": [round(float(n), 3) for n in np.median(extents / spacing, axis=0)],
        "channels": [_channel(ct, values, labelled) for ct, values in zip(votes, pooled, strict=True)],
        "labelled": len(labelled),
        "thinnest_mm": thinnest_mm(thickness),
    }


def _looks_like_ct(channel: np.ndarray, kept: Believable) -> bool:
    values = sample_of(channel)
    if np.mean(np.abs(values - np.rint(values)) < 1e-3) <= 0.99:
        return False
    low, high = max(float(channel.min()), kept.low), min(float(channel.max()), kept.high)
    return CT_RANGE[0] <= low <= CT_AIR and high <= CT_RANGE[1]


def _foreground_sample(channel: np.ndarray, annotated: np.ndarray | None, kept: Believable) -> np.ndarray:
    """Annotated voxels; of a case without any, voxels that are not air."""
    if annotated is not None and annotated.any():
        return sample_of(kept.of(channel[annotated]), POOLED_PER_CASE)
    values = sample_of(kept.of(channel), 10 * POOLED_PER_CASE)
    body = values[values > CT_AIR]
    return sample_of(body if body.size else values, POOLED_PER_CASE)


def _channel(votes: list[bool], pooled: list[np.ndarray], labelled: list[int]) -> dict[str, Any]:
    # the structures decide the window as soon as some are annotated
    chosen = [pooled[place] for place in labelled] or pooled
    values = np.concatenate(chosen).astype(np.float64)
    low, high = np.percentile(values, (0.5, 99.5))
    clipped = np.clip(values, low, high)
    return {
        "is_ct": bool(np.mean(votes) >= 0.9),
        "foreground": {
            "low": float(low),
            "high": float(high),
            "mean": float(clipped.mean()),
            "std": max(float(clipped.std()), 1.0),
        },
    }


def _common_axes(geometries: list[Geometry]) -> str:
    """Patient axes, unless the slices are thick, or single, and cut at an angle, or not axial, somewhere."""
    orders = [patient_order(geometry) for geometry in geometries]
    grids = [(o.reorder(g.shape_zyx), o.reorder(g.spacing_zyx)) for o, g in zip(orders, geometries, strict=True)]
    across = [across_slices(shape, spacing) for shape, spacing in grids if 1 in shape or thick_slices(spacing)]
    if len(across) * 2 <= len(grids):
        return "patient"
    straight = np.mean([order.alignment >= STRAIGHT for order in orders]) >= 0.95
    return "patient" if set(across) == {0} and straight else "stack"
