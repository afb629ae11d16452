"""Lays the region map, or the uncertainty, over the image of the open case."""

from __future__ import annotations

import numpy as np
from metassl.project import LabelError, read_volume

from ..RegionColors import REGIONS, regionColorNode
from ..Signal import Signal
from .BackgroundTasks import BackgroundTasks
from .OpenCase import OpenCase
from .SlicerServices import SlicerServices
from .ViewNodes import nodesOfClass

MODES = ("regions", "uncertainty", "none")
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
        """(Exception) the uncertainty could not be read."""
        self.mode = "regions"
        self.opacity = _OPACITY_AT_FIRST
        self.visible = set(_VISIBLE)
        """The keys of the regions that are painted."""
        self.isShown = True
        """False while everything above the image is hidden."""
        self._scene, self._tasks = services.scene, tasks
        self._case: OpenCase | None = None
        self._foregrounds: dict[str, tuple[str | None, float]] = {}
        self._hidden: list = []
        self._wasEditing = False
        self._reading = False

    def setCase(self, case: OpenCase | None) -> None:
        """Show another case; call it while the nodes of the one before are still there."""
        self._showOutlines()
        self.isShown = True
        if self._case is not None and self._case.hasPrediction:
            self._setLayers(None, None)
        self._case, self._reading = case, False
        self._paint()
        self._apply()
        self.changed.emit()

    def reapply(self) -> None:
        """Give the slice views their layers again, after something else took them away."""
        self._apply()

    def setRegionVisible(self, key: str, visible: bool) -> None:
        """Paint a region, or not."""
        if visible != (key in self.visible):
            (self.visible.add if visible else self.visible.discard)(key)
            self._paint()
            self.changed.emit()

    def setOpacity(self, opacity: float) -> None:
        """How strongly it covers the image, 0..1."""
        opacity = min(max(float(opacity), 0.0), 1.0)
        if opacity != self.opacity:
            self.opacity = opacity
            self._apply()
            self.changed.emit()

    def setMode(self, mode: str) -> None:
        """Show "regions", "uncertainty" or "none"."""
        if mode not in MODES:
            raise ValueError(f"there is no overlay {mode!r}")
        if mode != self.mode:
            self.mode = mode
            self._apply()
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
        self._apply()
        self.changed.emit()

    def toggle(self) -> None:
        """Hide what is shown, or show what is hidden."""
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

    def _apply(self) -> None:
        """Give every slice view its layers."""
        if self._case is None or not self._case.hasPrediction:
            return
        nodes = self._case.nodes
        mode = self.mode if self.isShown else "none"
        if mode == "uncertainty" and nodes.uncertaintyNode is None:
            self._readUncertainty()
        regions = nodes.regionsNode if mode == "regions" else None
        uncertainty = nodes.uncertaintyNode if mode == "uncertainty" else None
        self._setLayers(regions, uncertainty)

    def _setLayers(self, regions, uncertainty) -> None:
        for composite in nodesOfClass(self._scene, "vtkMRMLSliceCompositeNode"):
            modified = composite.StartModify()
            composite.SetLabelVolumeID(None if regions is None else regions.GetID())
            composite.SetLabelOpacity(1.0 if regions is None else self.opacity)
            self._setForeground(composite, uncertainty)
            composite.EndModify(modified)

    def _setForeground(self, composite, uncertainty) -> None:
        """Put the uncertainty into the foreground, or back what was there before."""
        if uncertainty is not None:
            before = (composite.GetForegroundVolumeID(), composite.GetForegroundOpacity())
            self._foregrounds.setdefault(composite.GetID(), before)
            composite.SetForegroundVolumeID(uncertainty.GetID())
            composite.SetForegroundOpacity(self.opacity)
        elif composite.GetID() in self._foregrounds:
            volume, opacity = self._foregrounds.pop(composite.GetID())
            composite.SetForegroundVolumeID(volume)
            composite.SetForegroundOpacity(opacity)

    def _readUncertainty(self) -> None:
        if self._reading:
            return
        case, self._reading = self._case, True
        path, geometry = case.data.prediction.paths.uncertainty, case.data.geometry

        def read() -> np.ndarray:
            (array, *_), own = read_volume(path, case.id)
            if difference := own.difference(geometry):
                raise LabelError(f"case {case.id}: {path} is not on the image's grid: {difference}; predict it again")
            return array

        def done(array: np.ndarray) -> None:
            if case is self._case:
                self._reading = False
                case.nodes.addUncertainty(array)
                display = case.nodes.uncertaintyNode.GetDisplayNode()
                display.SetThreshold(_SURE, 1.0)  # the image stays as bright as it is where the model is sure
                display.ApplyThresholdOn()
                self._apply()

        def failed(error: Exception) -> None:
            if case is self._case:
                self._reading = False
                self.setMode("regions")
                self.failed.emit(error)

        self._tasks.run(read, done, failed)

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
