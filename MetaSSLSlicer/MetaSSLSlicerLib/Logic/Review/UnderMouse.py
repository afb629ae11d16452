"""What lies at a point of the open case, in words: the structure, the region, and how likely it is wrong there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import vtk
from metassl.project import Project
from metassl.project.regions import KEY_OF

from ...Translation import _
from ..Case.CaseFiles import UNCERTAINTY, CaseData, HeatMap
from .PredictionWords import regionAdvice

Percents = tuple[str, np.ndarray]


def percentsOf(heat: HeatMap | None) -> Percents | None:
    """A map as (kind, uint8 (z, y, x), 0..100): a byte a voxel, as it is kept as long as the case is open."""
    if heat is None:
        return None
    kind, found = heat
    percents = np.empty(found.shape, np.uint8)
    for source, target in zip(found, percents):  # by slices: no second map as large as the first
        target[:] = np.rint(100.0 * np.clip(source, 0.0, 1.0))
    return kind, percents


class UnderMouse:
    """Looks points up in the arrays of a predicted case. `percents`: see `percentsOf`; None until it was read."""

    def __init__(self, project: Project, data: CaseData) -> None:
        self.percents: Percents | None = None
        self._prediction = data.prediction
        self._fromRas = np.linalg.inv(data.geometry.ijk_to_ras)
        self._names = {label.value: label.name for label in project.labels}

    def indexAt(self, ras: Sequence[float]) -> tuple[int, int, int] | None:
        """The voxel (z, y, x) that a point (mm) lies in; None outside the image."""
        index = np.floor(self._fromRas @ [*ras, 1.0] + 0.5)[2::-1].astype(int)
        shape = self._prediction.regions.shape
        return tuple(index.tolist()) if all(0 <= i < n for i, n in zip(index, shape)) else None

    def text(self, ras: Sequence[float], edited: str | None = None) -> str:
        """The line for a point in RAS (mm), "" outside the image; `edited`: what is drawn there by now, as a name."""
        index = self.indexAt(ras)
        if index is None:
            return ""
        predicted = self._name(int(self._prediction.segmentation[index]))
        structure = predicted
        if edited is not None and edited != self._names.get(int(self._prediction.segmentation[index]), ""):
            structure = _("{structure} (predicted {predicted})").format(
                structure=edited or _("no structure"), predicted=predicted
            )
        return " · ".join(filter(None, (structure, self._region(index), self._chance(index))))

    def _name(self, value: int) -> str:
        return self._names.get(value) or (_("no structure") if value == 0 else str(value))

    def _region(self, index: tuple[int, int, int]) -> str:
        key = KEY_OF.get(int(self._prediction.regions[index]))
        if key is None:
            return _("not predicted")
        return f"{regionAdvice(key, (self._prediction.errorRates or {}).get(key))} ({key})"

    def _chance(self, index: tuple[int, int, int]) -> str:
        if self.percents is None:
            return ""
        kind, percents = self.percents
        percent = int(percents[index])
        if kind == UNCERTAINTY:
            return uncertaintyWord(percent)
        return _("wrong: {percent} %").format(percent=percent or "< 1")  # short: the line has no second one


def uncertaintyWord(percent: int) -> str:
    """The uncertainty of a voxel, 0..100 % of the largest that there can be, in words."""
    if percent < 5:
        return _("model is sure")
    if percent < 25:
        return _("fairly sure")
    return _("unsure") if percent < 60 else _("very unsure")


def segmentAt(node, ras: Sequence[float]) -> str:
    """The name of the segment of a segmentation node that holds a point (RAS, mm); "" where there is none.

    One voxel of each segment is looked at, so that it costs nothing while somebody paints.
    """
    inside = [0.0] * 3
    node.TransformPointFromWorld(ras, inside)
    segmentation = node.GetSegmentation()
    fromWorld = vtk.vtkMatrix4x4()
    for number in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(number)
        image = segment.GetRepresentation("Binary labelmap")
        if image is None:
            continue
        image.GetImageToWorldMatrix(fromWorld)
        fromWorld.Invert()
        index = [int(np.floor(i + 0.5)) for i in fromWorld.MultiplyPoint([*inside, 1.0])[:3]]
        first, last = image.GetExtent()[::2], image.GetExtent()[1::2]
        if not all(low <= i <= high for low, i, high in zip(first, index, last)):
            continue
        if image.GetScalarComponentAsDouble(*index, 0) == segment.GetLabelValue():
            return segment.GetName()
    return ""
