"""The map of deep errors of a predicted case, as it lies in the project."""

from __future__ import annotations

import numpy as np

from metassl.files.errors import ImageError
from metassl.imaging.geometry import Geometry
from metassl.imaging.unit_maps import read_unit_map

from ..records import Summary
from ..rounds import PredictionPaths
from .expected import Effort

Work = tuple[Effort, np.ndarray]
"""What a case will cost, and its map of deep errors, float32 (z, y, x) within 0..1, before it is scaled."""


def read_work(paths: PredictionPaths, summary: Summary, geometry: Geometry, case_id: str) -> Work | None:
    """None where a former version made the prediction. ImageError when the map is damaged, or on another grid."""
    if summary.effort is None or not paths.deep_errors.is_file():
        return None
    deep, own = read_unit_map(paths.deep_errors, case_id)
    if difference := own.difference(geometry):
        raise ImageError(
            f"case {case_id}: {paths.deep_errors} is on another grid: {difference}; predict the case again"
        )
    return summary.effort, deep
