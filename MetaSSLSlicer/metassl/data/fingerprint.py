"""What a set of images is like: the facts that the plan is made from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from metassl.data.intensity import sample_of
from metassl.data.orientation import across_slices, axis_order, patient_order, thick_slices
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

    Each item is (case id, image, labels uint8 (z, y, x) or None). Spacing and shape under "cases"
    are in the image's own array order (z, y, x); the medians are in the order of the grid (see
    "axes" and `Plan`). Raises ProjectError when there is no case, or the channels differ.
    """
    entries: dict[str, dict[str, Any]] = {}
    geometries: list[Geometry] = []
    pooled: list[list[np.ndarray]] = []
    for case, image, labels in cases:
        if pooled and len(image.array) != len(pooled):
            raise ProjectError(
                f"case {case} has {len(image.array)} channel(s), the others have {len(pooled)}: "
                "every case needs the same channels"
            )
        pooled = pooled or [[] for _ in image.array]
        annotated = None if labels is None else (labels != 0) & (labels != IGNORE)
        entries[case] = _entry(image, labels)
        geometries.append(image.geometry)
        for channel, values in zip(image.array, pooled, strict=True):
            values.append(_foreground_sample(channel, annotated))
    if not entries:
        raise ProjectError("there is no image to plan with: add cases to the project")
    axes = _common_axes(geometries)
    orders = [axis_order(geometry, axes) for geometry in geometries]
    spacings = [o.reorder(g.spacing_zyx) for o, g in zip(orders, geometries, strict=True)]
    spacing = np.median(spacings, axis=0)
    extents = [np.multiply(o.reorder(g.shape_zyx), s) for o, g, s in zip(orders, geometries, spacings, strict=True)]
    annotated_cases = [case for case, entry in entries.items() if entry["foreground"]]
    return {
        "axes": axes,
        "median_spacing_zyx": [round(float(s), 6) for s in spacing],
        "median_shape_zyx": [round(float(n), 3) for n in np.median(extents / spacing, axis=0)],
        "channels": [_channel(index, entries, values, annotated_cases) for index, values in enumerate(pooled)],
        "labelled": len(annotated_cases),
        "cases": entries,
    }


def _entry(image: CaseImage, labels: np.ndarray | None) -> dict[str, Any]:
    return {
        "spacing_zyx": [float(s) for s in image.geometry.spacing_zyx],
        "shape_zyx": list(image.geometry.shape_zyx),
        "channels": [_statistics(channel) for channel in image.array],
        "foreground": None if labels is None else _foreground(labels),
    }


def _statistics(channel: np.ndarray) -> dict[str, Any]:
    values = sample_of(channel)
    p00_5, p50, p99_5 = np.percentile(values, (0.5, 50, 99.5))
    return {
        "p00_5": float(p00_5),
        "p50": float(p50),
        "p99_5": float(p99_5),
        "mean": float(values.mean(dtype=np.float64)),
        "std": float(values.std(dtype=np.float64)),
        "min": float(channel.min()),
        "max": float(channel.max()),
        "whole_numbers": bool(np.mean(np.abs(values - np.rint(values)) < 1e-3) > 0.99),
    }


def _foreground(labels: np.ndarray) -> dict[str, Any] | None:
    counts = np.bincount(labels.reshape(-1), minlength=256)
    voxels = {str(v): int(counts[v]) for v in range(1, IGNORE) if counts[v]}
    if not voxels:
        return None
    inside = (labels != 0) & (labels != IGNORE)
    box = []
    for axis in range(3):
        hit = np.flatnonzero(inside.any(axis=tuple(a for a in range(3) if a != axis)))
        box.append([int(hit[0]), int(hit[-1]) + 1])
    return {"voxels": voxels, "box": box, "not_annotated": int(counts[IGNORE])}


def _foreground_sample(channel: np.ndarray, annotated: np.ndarray | None) -> np.ndarray:
    """Annotated voxels; of a case without any, voxels that are not air."""
    if annotated is not None and annotated.any():
        return sample_of(channel[annotated], POOLED_PER_CASE)
    values = sample_of(channel, 10 * POOLED_PER_CASE)
    body = values[values > CT_AIR]
    return sample_of(body if body.size else values, POOLED_PER_CASE)


def _channel(index: int, entries: dict, pooled: list[np.ndarray], annotated: list[str]) -> dict:
    statistics = [entry["channels"][index] for entry in entries.values()]
    votes = [s["whole_numbers"] and CT_RANGE[0] <= s["min"] <= CT_AIR and s["max"] <= CT_RANGE[1] for s in statistics]
    # the structures decide the window as soon as some are annotated
    by_case = dict(zip(entries, pooled, strict=True))
    values = np.concatenate([by_case[case] for case in annotated or entries]).astype(np.float64)
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
