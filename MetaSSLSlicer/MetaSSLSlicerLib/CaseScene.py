"""The MRML nodes that show one case: image, region map, segmentation, and the doubtful regions
as surfaces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import slicer
import slicer.util
import vtk
from metassl.project import Geometry, LabelDefinition

from .DoubtfulSpot import boundingBox, pieces
from .OffscreenSlicer import OffscreenSlicer
from .PictureCase import PictureCase
from .RegionColors import DC, DS, regionColorNode, rgbOf

SURFACE = "Closed surface"
_SURFACE_MARGIN = 3
_SMALLEST_BLOB = 6


def ijkToRas(geometry: Geometry) -> np.ndarray:
    """The 4x4 matrix from voxel indices (x, y, z) to RAS in mm, of an LPS geometry."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(geometry.direction).reshape(3, 3) * np.array(geometry.spacing_xyz)
    matrix[:3, 3] = geometry.origin_xyz
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ matrix


class CaseScene:
    """Adds a case's nodes to the scene of `app`, and takes them away again."""

    def __init__(self, app: OffscreenSlicer, case: PictureCase):
        self._scene = app.scene
        self._logic = app.segmentationsLogic
        self._nodes: list = []
        self._toRas = ijkToRas(case.geometry)
        self.volumeNode = self._addVolume("vtkMRMLScalarVolumeNode", "Image", case.image)
        self.regionsNode = self._addVolume("vtkMRMLLabelMapVolumeNode", "Regions", case.regions)
        colors = regionColorNode(self._scene)
        self.regionsNode.GetDisplayNode().SetAndObserveColorNodeID(colors.GetID())
        self.segmentationNode = self._addSegmentation(
            "Segmentation", case.segmentation, case.labels
        )
        blobs = [LabelDefinition(region.value, region.key, region.color) for region in (DC, DS)]
        self.blobsNode = self._addSegmentation("Doubt", _largePieces(case.regions), blobs)

    def setWindow(self, low: float, high: float) -> None:
        """Show image values from black (`low`) to white (`high`)."""
        display = self.volumeNode.GetDisplayNode()
        display.AutoWindowLevelOff()
        display.SetWindowLevelMinMax(low, high)

    def surfaces(self) -> list:
        """The polygons (vtkPolyData) of all structures and blobs, in RAS."""
        return [
            node.GetClosedSurfaceInternalRepresentation(node.GetSegmentation().GetNthSegmentID(i))
            for node in (self.segmentationNode, self.blobsNode)
            for i in range(node.GetSegmentation().GetNumberOfSegments())
        ]

    def remove(self) -> None:
        """Take the nodes, with their display and storage nodes, out of the scene."""
        for node in self._nodes:
            for index in reversed(range(node.GetNumberOfDisplayNodes())):
                self._scene.RemoveNode(node.GetNthDisplayNode(index))
            self._scene.RemoveNode(node)
        self._nodes.clear()

    def _addVolume(self, className: str, name: str, array: np.ndarray, first=(0, 0, 0)):
        node = self._scene.AddNewNodeByClass(className, name)
        self._nodes.append(node)
        toRas = self._toRas.copy()
        toRas[:3, 3] += toRas[:3, :3] @ np.array(first, float)
        matrix = vtk.vtkMatrix4x4()
        matrix.DeepCopy(toRas.ravel())
        node.SetIJKToRASMatrix(matrix)
        slicer.util.updateVolumeFromArray(node, array)
        node.CreateDefaultDisplayNodes()
        return node

    def _addSegmentation(self, name: str, labels: np.ndarray, definitions: Sequence[LabelDefinition]):
        node = self._scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
        self._nodes.append(node)
        node.CreateDefaultDisplayNodes()
        box = boundingBox(labels > 0)
        if box is None:
            return node
        # a margin of background closes the surface where a structure touches the image's border
        first = [s.start - _SURFACE_MARGIN for s in reversed(box)]
        labelmap = self._addVolume(
            "vtkMRMLLabelMapVolumeNode", "import", np.pad(labels[box], _SURFACE_MARGIN), first
        )
        self._logic.ImportLabelmapToSegmentationNode(labelmap, node)
        self._nodes.remove(labelmap)
        self._scene.RemoveNode(labelmap.GetDisplayNode())
        self._scene.RemoveNode(labelmap)
        self._nameAndColor(node, {label.value: label for label in definitions})
        segmentation = node.GetSegmentation()
        for parameter, value in (("Smoothing factor", "0.4"), ("Joint smoothing", "1")):
            segmentation.SetConversionParameter(parameter, value)
        node.CreateClosedSurfaceRepresentation()
        return node

    @staticmethod
    def _nameAndColor(node, definitions: dict[int, LabelDefinition]) -> None:
        segmentation = node.GetSegmentation()
        for index in range(segmentation.GetNumberOfSegments()):
            segment = segmentation.GetNthSegment(index)
            value = segment.GetLabelValue()
            label = definitions.get(value) or LabelDefinition(value, f"label {value}")
            segment.SetName(label.name)
            segment.SetColor(*rgbOf(label.color))


def _largePieces(regions: np.ndarray) -> np.ndarray:
    """The discrepant regions without the crumbs that would only clutter a 3-D view."""
    kept = np.where((regions == DC.value) | (regions == DS.value), regions, 0).astype(np.uint8)
    box = boundingBox(kept > 0)
    if box is None:
        return kept
    numbered, sizes = pieces(kept[box] > 0)
    crumbs = sizes < min(_SMALLEST_BLOB, sizes.max())
    kept[box][crumbs[numbered]] = 0
    return kept
