"""How good the final label of a case is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from metassl.evaluation.bootstrap import nan_mean
from metassl.evaluation.metrics import dice, surface_dice
from metassl.imaging.images import IGNORE
from metassl.project.effort.depth import error_depth_mm


def quality(
    label: np.ndarray, truth: np.ndarray, spacing_zyx: Sequence[float], values: Sequence[int], tolerance_mm: float
) -> dict[str, Any]:
    """{"dice", "surface_dice": means over the structures, "deepest_mm": None where one is missing}.

    A structure that is in neither counts nowhere. ValueError when a voxel of the label is not annotated.
    """
    if (label == IGNORE).any():
        raise ValueError("a final label leaves voxels out")
    pairs = [((label == value) & (truth != IGNORE), truth == value) for value in values]
    depth = error_depth_mm(label, truth, spacing_zyx, values)
    return {
        "dice": _rounded(nan_mean(np.array([dice(*pair) for pair in pairs]))),
        "surface_dice": _rounded(
            nan_mean(np.array([surface_dice(*pair, spacing_zyx, tolerance_mm) for pair in pairs]))
        ),
        "deepest_mm": round(depth, 3) if math.isfinite(depth) else None,
    }


def _rounded(value: Any) -> float | None:
    return round(float(value), 5) if np.isfinite(value) else None
