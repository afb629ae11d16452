"""Labels and predictions as Slicer's segmentations (.seg.nrrd), with names, colours and terminology."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from metassl.imaging.geometry import Geometry
from metassl.imaging.segments import IGNORE, SUFFIX, write_segmentation
from metassl.project.cases import Case
from metassl.project.structures import segments_of

from .export import Export


def write(export: Export) -> None:
    """labels/CASE.seg.nrrd and predictions/CASE.seg.nrrd."""

    def one(path: Path, case: Case, array: np.ndarray, geometry: Geometry) -> None:
        partly = bool(array.max() == IGNORE)
        segments = segments_of(export.project.labels, "not annotated" if partly else "")
        write_segmentation(path.with_name(f"{path.name}{SUFFIX}"), array, geometry, segments)

    export.write_each(one)
