"""The nodes that show one case in the scene: added together, taken away together, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import slicer
import vtk
from metassl.project import LabelDefinition
from vtk.util.numpy_support import numpy_to_vtk

from ...ColorTables import heatColorNode, regionColorNode
from ...Translation import _
from ..Scene.OurNodes import ATTRIBUTE, markAsOurs, removeOurs
from ..Scene.SlicerServices import SlicerServices, nodesOfClass
from .CaseFiles import CaseData
from .CaseSegmentation import addSegmentation, ijkToRasMatrix, takeStructures

_LABEL_OPACITY = 0.5


class CaseNodes:
    """Image channels and, where there is a prediction, its segmentation and region map."""

    def __init__(self, services: SlicerServices, labels: Sequence[LabelDefinition], data: CaseData) -> None:
        self._services, self._labels, self._data = services, labels, data
        self._scene = services.scene
        self.channelNodes = [self._addChannel(index) for index in range(len(data.channels))]
        self.volumeNode = self.channelNodes[0]
        self.predictionNode = self.annotationNode = self.comparisonNode = None
        self.regionsNode = None
        self.heatNodes: dict = {}
        """The heat maps that were read, by kind."""
        self._fitted: set[str] = set()
        self._addPrediction()

    def allNodes(self) -> list:
        """Our nodes that are in the scene now."""
        drawn = (self.predictionNode, self.annotationNode, self.regionsNode)
        nodes = (*self.channelNodes, *drawn, *self.heatNodes.values(), self.comparisonNode)
        return [node for node in nodes if node is not None and self._scene.IsNodePresent(node)]

    def exchangePrediction(self) -> None:
        """Show the case's prediction as it is now in place of the one before; what is edited is left alone."""
        for node in (self.predictionNode, self.regionsNode, *self.heatNodes.values()):
            self._remove(node)
        self.predictionNode = self.regionsNode = None
        self.heatNodes = {}
        self._addPrediction()

    def addAnnotation(self, array: np.ndarray | None = None, unknownStructures: Sequence[LabelDefinition] = ()) -> None:
        """Add the segmentation that is edited; it holds a copy of `array` (uint8, z y x), or nothing yet.

        `unknownStructures`: the structures in it that are none of the project's.
        """
        self.removeAnnotation()
        self.annotationNode = self._addSegmentation("annotation", self._name(_("annotation")), array, unknownStructures)
        if self.predictionNode is not None:
            self.predictionNode.SetDisplayVisibility(False)

    def takeStructures(self, labels: Sequence[LabelDefinition]) -> None:
        """The structures have changed: give the segments their names, and what is edited a segment for each new one."""
        self._labels = labels
        for node in filter(None, (self.annotationNode, self.predictionNode, self.comparisonNode)):
            takeStructures(node, labels)

    def removeAnnotation(self) -> None:
        """Take the segmentation that is edited away; the prediction is seen again."""
        node, self.annotationNode = self.annotationNode, None  # it is ours no more when the scene tells that it goes
        self._remove(node)
        if self.predictionNode is not None:
            self.predictionNode.SetDisplayVisibility(True)

    def addHeatMap(self, kind: str, name: str, array: np.ndarray) -> None:
        """Add a map, float32 (z, y, x), with colours from 0 to 1. It is not shown by that."""
        self._remove(self.heatNodes.pop(kind, None))
        colors = heatColorNode(self._scene).GetID()
        self.heatNodes[kind] = self._addScalarVolume(kind, self._name(name), array, colors, (0.0, 1.0))

    def addComparison(self, array: np.ndarray, name: str) -> None:
        """Add another segmentation, uint8 (z, y, x), as outlines to compare with."""
        self.removeComparison()
        self.comparisonNode = self._addSegmentation("comparison", self._name(name), array)
        _lightly(self.comparisonNode, fill=0.0)

    def removeComparison(self) -> None:
        self._remove(self.comparisonNode)
        self.comparisonNode = None

    def show(self) -> None:
        """Show the image in the slice views, the region map over it, and fit the views to the image."""
        regions = None if self.regionsNode is None else self.regionsNode.GetID()
        for composite in nodesOfClass(self._scene, "vtkMRMLSliceCompositeNode"):
            modified = composite.StartModify()
            composite.SetBackgroundVolumeID(self.volumeNode.GetID())
            composite.SetForegroundVolumeID(None)
            composite.SetLabelVolumeID(regions)
            composite.SetLabelOpacity(_LABEL_OPACITY)
            composite.EndModify(modified)
        views = nodesOfClass(self._scene, "vtkMRMLSliceNode")
        modified = [view.StartModify() for view in views]  # each is told of one change, as each costs milliseconds
        for view in views:
            self._turn(view)
        self._services.applicationLogic.FitSliceToAll(False, False)
        for view, before in zip(views, modified):
            view.EndModify(before)

    def fillViews(self) -> None:
        """Show the image in slice views that show none: a change of the layout made them, or a scene that was loaded
        emptied them. Slicer gives a new view what another one shows, but leaves it where the image may not be."""
        for composite in nodesOfClass(self._scene, "vtkMRMLSliceCompositeNode"):
            shown, isNew = composite.GetBackgroundVolumeID() or "", composite.GetLayoutName() not in self._fitted
            if self._scene.GetNodeByID(shown) is None or (isNew and shown == self.volumeNode.GetID()):
                composite.SetBackgroundVolumeID(self.volumeNode.GetID())
                self._fit(composite.GetLayoutName())

    def _fit(self, layoutName: str) -> None:
        for view in nodesOfClass(self._scene, "vtkMRMLSliceNode"):
            if view.GetLayoutName() == layoutName:
                self._turn(view)
                if (logic := self._services.applicationLogic.GetSliceLogic(view)) is not None:
                    logic.FitSliceToAll()

    def _turn(self, view) -> None:
        """Along the image's axes, from the view's own direction: a case before may have turned it to an only slice."""
        view.SetOrientationToDefault()
        view.RotateToVolumePlane(self.volumeNode)
        self._fitted.add(view.GetLayoutName())

    def remove(self) -> None:
        """Take our nodes, with their display and storage nodes, out of the scene."""
        for node in self.allNodes():
            self._remove(node)
        self.predictionNode = self.annotationNode = self.comparisonNode = None
        self.regionsNode, self.heatNodes = None, {}
        self.channelNodes, self.volumeNode = [], None

    def _name(self, what: str) -> str:
        name = f"{self._data.caseId} {what}".rstrip()
        return name if self._scene.GetFirstNodeByName(name) is None else self._scene.GenerateUniqueName(name)

    def _addChannel(self, index: int):
        channel = self._data.channels[index]
        name = self._name("" if len(self._data.channels) == 1 else channel.name)
        return self._addScalarVolume("image", name, channel.array, "vtkMRMLColorTableNodeGrey", channel.window)

    def _addScalarVolume(self, role: str, name: str, array: np.ndarray, colors: str, window: tuple[float, float]):
        node = self._addVolume("vtkMRMLScalarVolumeNode", role, name, colors)
        node.GetDisplayNode().AutoWindowLevelOff()  # before there is an image: it would look at every voxel
        node.GetDisplayNode().SetWindowLevelMinMax(*window)
        node.SetAndObserveImageData(_imageOn(array))
        return node

    def _addPrediction(self) -> None:
        prediction = self._data.prediction
        if prediction is None:
            return
        colors = regionColorNode(self._scene).GetID()
        self.regionsNode = self._addVolume("vtkMRMLLabelMapVolumeNode", "regions", self._name(_("regions")), colors)
        self.regionsNode.SetAndObserveImageData(_imageOn(prediction.regions))
        name = self._name(_("prediction"))
        self.predictionNode = self._addSegmentation("prediction", name, prediction.segmentation)
        _lightly(self.predictionNode, fill=0.12)
        if self.annotationNode is not None:
            self.predictionNode.SetDisplayVisibility(False)

    def _addVolume(self, className: str, role: str, name: str, colors: str):
        """A volume without voxels as yet."""
        node = self._scene.AddNewNodeByClass(className, name)
        node.SetIJKToRASMatrix(ijkToRasMatrix(self._data.geometry))
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().SetAndObserveColorNodeID(colors)
        return markAsOurs(self._scene, node, role)

    def _addSegmentation(
        self, role: str, name: str, array: np.ndarray | None, unknownStructures: Sequence[LabelDefinition] = ()
    ):
        geometry, labels, attributes = self._data.geometry, [*self._labels, *unknownStructures], {ATTRIBUTE: role}
        node = addSegmentation(self._services, name, geometry, labels, array, attributes)
        node.SetReferenceImageGeometryParameterFromVolumeNode(self.volumeNode)
        return markAsOurs(self._scene, node, role)

    def _remove(self, node) -> None:
        removeOurs(self._scene, node)


def _imageOn(array: np.ndarray) -> vtk.vtkImageData:
    """An image on the memory of `array` (z, y, x) itself, which lives as long as the image does."""
    image = vtk.vtkImageData()
    image.SetDimensions(*reversed(array.shape))
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(array).ravel()))
    return image


def removeGhosts(scene) -> None:
    """Take away what is left of our nodes in a scene that was saved and loaded: their lines in the data tree."""
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    if tree is None:
        return
    for item in reversed(_itemsBelow(tree, tree.GetSceneItemID(), True)):  # a line goes with all that is below it
        if tree.GetItemAttribute(item, ATTRIBUTE) and tree.GetItemDataNode(item) is None:
            for child in _itemsBelow(tree, item, False):
                if tree.GetItemDataNode(child) is not None:  # somebody put it there
                    tree.SetItemParent(child, tree.GetItemParent(item))
            tree.RemoveItem(item, False, False)


def _itemsBelow(tree, item: int, recursive: bool) -> list[int]:
    found = vtk.vtkIdList()
    tree.GetItemChildren(item, found, recursive)
    return [found.GetId(index) for index in range(found.GetNumberOfIds())]


def _lightly(node, fill: float) -> None:
    """Outlines, so that the image stays visible, and at most a breath of colour inside."""
    display = node.GetDisplayNode()
    display.SetVisibility2DFill(fill > 0)
    display.SetOpacity2DFill(fill)
    display.SetVisibility2DOutline(True)
    display.SetOpacity2DOutline(1.0)
