"""The continuous maps of a prediction, read only when they are wanted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from metassl.files import MetaSSLError
from metassl.imaging import read_volume

from ..Case.CaseFiles import CaseData, onGrid

UNCERTAINTY, ERROR_PROBABILITY = "uncertainty", "errorProbability"

HeatMap = tuple[str, np.ndarray]
"""(kind, values)"""


def heatMapPath(data: CaseData, kind: str) -> Path:
    """The file of a predicted case. There is no P(error) where the round could not learn it."""
    paths = data.prediction.paths
    return paths.uncertainty if kind == UNCERTAINTY else paths.error_probability


def readHeatMap(data: CaseData, kind: str) -> np.ndarray:
    """float32 (z, y, x), 0..1. MetaSSLError when it is damaged or not on the image's grid. May run in a thread."""
    path = heatMapPath(data, kind)
    (array, *_), own = read_volume(path, data.caseId)
    return onGrid((array, own), data.geometry, path, data.caseId)


def mostTellingMap(data: CaseData) -> HeatMap | None:
    """P(error) where it was learnt, else the uncertainty; None where neither can be read. May run in a thread."""
    for kind in (ERROR_PROBABILITY, UNCERTAINTY):
        try:
            if heatMapPath(data, kind).exists():
                return kind, readHeatMap(data, kind)
        except MetaSSLError:
            pass  # it is told of where it is asked for
    return None
