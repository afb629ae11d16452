"""The oracle: it knows the true annotation of every case, and what it costs a person to draw it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from metassl.evaluation.metrics import dice
from metassl.evaluation.region_errors import RegionErrors
from metassl.files.errors import ProjectError
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import IGNORE, read_labels
from metassl.inference.predictor import CasePrediction
from metassl.project.structures import LabelDefinition
from metassl.selection.base import annotation_minutes


@dataclass(frozen=True)
class Correction:
    """What it takes to make a prediction right; regions: how often it was wrong in each region of its map."""

    wrong_voxels: int
    minutes: float
    regions: RegionErrors


class Annotator:
    """Corrects predictions. truth(case id) -> the file of its true annotation."""

    def __init__(self, truth: Callable[[str], Path], labels: list[LabelDefinition]) -> None:
        self._truth, self._labels = truth, labels

    def minutes_from_scratch(self, case: str) -> float:
        """To draw every structure of a case that has no prediction."""
        truth, _ = self._read(case)
        return annotation_minutes(_structure_voxels(truth))

    def correct(self, case: str, prediction: CasePrediction) -> Correction:
        """The voxels that differ from the truth have to be changed; or all is drawn anew, where that is less work.

        Voxels that the truth does not annotate are left alone.
        """
        truth = self._truth_on(case, prediction.geometry)
        valid = truth != IGNORE
        wrong = (prediction.segmentation != truth) & valid
        voxels = int(np.count_nonzero(wrong))
        regions = RegionErrors().add(prediction.regions, wrong, valid)
        return Correction(voxels, annotation_minutes(min(voxels, _structure_voxels(truth))), regions)

    def dice(self, case: str, prediction: CasePrediction) -> dict[str, float]:
        """Per structure; NaN where it is in neither."""
        truth = self._truth_on(case, prediction.geometry)
        valid, found = truth != IGNORE, prediction.segmentation
        return {each.name: dice((found == each.value) & valid, truth == each.value) for each in self._labels}

    def _truth_on(self, case: str, geometry: Geometry) -> np.ndarray:
        truth, own = self._read(case)
        difference = own.difference(geometry)
        if difference:
            raise ProjectError(f"{self._truth(case)} is not on the grid of the image of case {case}: {difference}")
        return truth

    def _read(self, case: str) -> tuple[np.ndarray, Geometry]:
        return read_labels(self._truth(case), case)


def _structure_voxels(truth: np.ndarray) -> int:
    return int(np.count_nonzero((truth > 0) & (truth != IGNORE)))
