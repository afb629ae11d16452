"""Lays the region map, or a heat map of the uncertainty, over the image of the open case."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from metassl.project.regions import REGIONS

from ...ColorTables import regionColorNode
from ...Signal import Signal
from ...Translation import _
from ..Case.CaseFiles import ERROR_PROBABILITY, UNCERTAINTY, heatMapPath, readHeatMap
from ..Case.OpenCase import OpenCase
from ..Scene.BackgroundTasks import BackgroundTasks
from ..Scene.OurNodes import isRemovedLater
from ..Scene.SlicerServices import SlicerServices, nodesOfClass

HEAT_MAPS = (UNCERTAINTY, ERROR_PROBABILITY)
MODES = ("regions", *HEAT_MAPS, "none")
# the label layer's opacity comes on top; in between, a slice view would also darken the image
_OPACITY = {"UC": 0.35, "US": 0.35, "DC": 1.0, "DS": 1.0}
_VISIBLE = ("US", "DC", "DS")
_OPACITY_AT_FIRST = 0.5
_SURE = 0.05


class RegionDisplay:
    """Remembers how it is to look from one case to the next. `changed` is emitted when that changes."""

    def __init__(self, services: SlicerServices, tasks: BackgroundTasks) -> None:
        self.changed = Signal()
        """()"""
        self.failed = Signal()
        """(Exception) a heat map could not be read."""
        self.mode = "regions"
        self.opacity = _OPACITY_AT_FIRST
        self.visible = set(_VISIBLE)
        """The keys of the regions that are painted."""
        self.isShown = True
        """False while everything above the image is hidden."""
        self._scene, self._tasks = services.scene, tasks
        self._case: OpenCase | None = None
        self._foregrounds: dict[str, tuple[str | None, float]] = {}
        self._isLaid = False  # over the image, also over that of a case before
        self._hidden: list = []
        self._wasEditing = False
        self._reading: set[str] = set()

    @property
    def isMissing(self) -> bool:
        """True when the heat map that is asked for is not among the files of the open case."""
        if self.mode not in HEAT_MAPS or self._case is None or not self._case.hasPrediction:
            return False
        return not heatMapPath(self._case.data, self.mode).exists()

    def setCase(self, case: OpenCase | None) -> None:
        """Show another case, or another prediction of the same; call it while the nodes of a former case are there."""
        self._showOutlines()
        self.isShown = True
        comes = case is not None and case.hasPrediction
        if case is None and isRemovedLater():  # the next case brings its own layers, and no other foreground
            self._foregrounds = {view: (None, opacity) for view, (_volume, opacity) in self._foregrounds.items()}
        elif self._isLaid and not comes:
            self._setLayers(None, None)
        self._case, self._reading = case, set()
        self._paint()
        self.apply()
        self.changed.emit()

    def setRegionVisible(self, key: str, visible: bool) -> None:
        if visible != (key in self.visible):
            (self.visible.add if visible else self.visible.discard)(key)
            self._paint()
            self.changed.emit()

    def setOpacity(self, opacity: float) -> None:
        """How strongly it covers the image, 0..1."""
        opacity = min(max(float(opacity), 0.0), 1.0)
        if opacity != self.opacity:
            self.opacity = opacity
            self.apply()
            self.changed.emit()

    def setMode(self, mode: str) -> None:
        """Show one of MODES; nothing where there is no such map of the case."""
        if mode not in MODES:
            raise ValueError(f"there is no overlay {mode!r}")
        if mode != self.mode:
            self.mode = mode
            self.apply()
            self.changed.emit()

    def blink(self, shown: bool) -> None:
        """Hide all that lies over the image, outlines included, or show it again."""
        if shown == self.isShown:
            return
        self.isShown = shown
        if shown:
            self._showOutlines()
        else:
            self._hideOutlines()
        self.apply()
        self.changed.emit()

    def toggle(self) -> None:
        self.blink(not self.isShown)

    def _paint(self) -> None:
        """Give the regions that are to be seen their colour."""
        if self._case is None or not self._case.hasPrediction:
            return
        colors = regionColorNode(self._scene)
        modified = colors.StartModify()
        for region in REGIONS:
            colors.SetOpacity(region.value, _OPACITY[region.key] if region.key in self.visible else 0.0)
        colors.EndModify(modified)

    def apply(self) -> None:
        """Give the slice views their layers, also after something else took them away."""
        if self._case is None or not self._case.hasPrediction:
            return
        nodes = self._case.nodes
        mode = self.mode if self.isShown else "none"
        if mode in HEAT_MAPS and mode not in nodes.heatNodes and not self.isMissing:
            self._read(mode)
        self._setLayers(nodes.regionsNode if mode == "regions" else None, nodes.heatNodes.get(mode))

    def _setLayers(self, regions, heat) -> None:
        self._isLaid = regions is not None or heat is not None
        for composite in nodesOfClass(self._scene, "vtkMRMLSliceCompositeNode"):
            modified = composite.StartModify()
            composite.SetLabelVolumeID(None if regions is None else regions.GetID())
            composite.SetLabelOpacity(1.0 if regions is None else self.opacity)
            self._setForeground(composite, heat)
            composite.EndModify(modified)

    def _setForeground(self, composite, heat) -> None:
        """Put a heat map into the foreground, or back what was there before."""
        if heat is not None:
            before = (composite.GetForegroundVolumeID(), composite.GetForegroundOpacity())
            self._foregrounds.setdefault(composite.GetID(), before)
            composite.SetForegroundVolumeID(heat.GetID())
            composite.SetForegroundOpacity(self.opacity)
        elif composite.GetID() in self._foregrounds:
            volume, opacity = self._foregrounds.pop(composite.GetID())
            composite.SetForegroundVolumeID(volume)
            composite.SetForegroundOpacity(opacity)

    def _read(self, kind: str) -> None:
        if kind in self._reading:
            return
        self._reading.add(kind)
        case, data = self._case, replace(self._case.data)

        def isShown() -> bool:
            return case is self._case and case.data.prediction is data.prediction

        def done(array: np.ndarray) -> None:
            if isShown():
                self._reading.discard(kind)
                case.nodes.addHeatMap(kind, _("uncertainty") if kind == UNCERTAINTY else _("P(error)"), array)
                display = case.nodes.heatNodes[kind].GetDisplayNode()
                display.SetThreshold(_SURE, 1.0)  # the image stays as bright as it is where the model is sure
                display.ApplyThresholdOn()
                self.apply()

        def failed(error: Exception) -> None:
            if isShown():
                self._reading.discard(kind)
                self.setMode("regions")
                self.failed.emit(error)

        self._tasks.run(lambda: readHeatMap(data, kind), done, failed)

    def _hideOutlines(self) -> None:
        """Hide the segmentations; those that the user had hidden stay so afterwards."""
        nodes = None if self._case is None else self._case.nodes
        self._wasEditing = self._case is not None and self._case.isEditing
        for name in ("predictionNode", "annotationNode", "comparisonNode"):
            node = getattr(nodes, name, None)
            if node is not None and node.GetDisplayVisibility():
                node.SetDisplayVisibility(False)
                self._hidden.append(node)

    def _showOutlines(self) -> None:
        began = self._case is not None and self._case.isEditing and not self._wasEditing
        for node in self._hidden:
            if not (began and node is self._case.nodes.predictionNode):  # the editor hides the prediction
                node.SetDisplayVisibility(True)
        self._hidden = []
