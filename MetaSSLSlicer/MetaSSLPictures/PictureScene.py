"""The MRML nodes that show one case: image, region map, segmentation, and the uncertain regions
as surfaces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
import slicer.util
import vtk
from metassl.project import LabelDefinition
from metassl.project.masks import bounding_box as boundingBox
from metassl.project.regions import DC, DS, REGIONS, rgb_of

from .OffscreenSlicer import OffscreenSlicer
from .PictureCase import PictureCase

SURFACE = "Closed surface"
_SURFACE_MARGIN = 3
_LUMP_BLUR_VOXELS = 1.0
_LUMP_DENSITY = 0.33
_LEAST_MARGIN = 3  # the smoothing filter needs some voxels along every axis


class PictureScene:
    """Adds a case's nodes to the scene of `app`, and takes them away again."""

    def __init__(self, app: OffscreenSlicer, case: PictureCase):
        self._scene = app.scene
        self._logic = app.segmentationsLogic
        self._nodes: list = []
        self._toRas = case.geometry.ijk_to_ras
        self.volumeNode = self._addVolume("vtkMRMLScalarVolumeNode", "Image", case.image)
        self.regionsNode = self._addVolume("vtkMRMLLabelMapVolumeNode", "Regions", case.regions)
        self.regionsNode.GetDisplayNode().SetAndObserveColorNodeID(self._addRegionColors().GetID())
        # outlines keep to the voxels and have a dark rim; surfaces please the eye
        self.halosNode = self._addNode("vtkMRMLSegmentationNode", "Halos")
        self.outlinesNode = self._addSegmentation("Outlines", case.segmentation, case.labels, 0.15)
        self.halosNode.GetSegmentation().DeepCopy(self.outlinesNode.GetSegmentation())
        for segment in _segments(self.halosNode):
            segment.SetColor(0.0, 0.0, 0.0)
        self.structuresNode = self._addSegmentation("Structures", case.segmentation, case.labels, 0.5)
        blobs = [LabelDefinition(region.value, region.key, region.color) for region in (DC, DS)]
        self.blobsNode = self._addSegmentation("Uncertainty", _lumps(case.regions), blobs, 0.5)

    def setWindow(self, low: float, high: float) -> None:
        """Show image values from black (`low`) to white (`high`)."""
        display = self.volumeNode.GetDisplayNode()
        display.AutoWindowLevelOff()
        display.SetWindowLevelMinMax(low, high)

    def surfaces(self) -> list:
        """The surfaces (vtkPolyData) of all structures and blobs, in RAS."""
        found = [
            node.GetClosedSurfaceInternalRepresentation(node.GetSegmentation().GetNthSegmentID(i))
            for node in (self.structuresNode, self.blobsNode)
            for i in range(node.GetSegmentation().GetNumberOfSegments())
        ]
        return [surface for surface in found if surface and surface.GetNumberOfPoints()]

    def remove(self) -> None:
        """Take the nodes, with their display and storage nodes, out of the scene."""
        while self._nodes:
            self._remove(self._nodes.pop())

    def _remove(self, node) -> None:
        # the node first: a slice view gives a volume that lost its display node a new one
        count = getattr(node, "GetNumberOfDisplayNodes", int)()
        displays = [node.GetNthDisplayNode(i) for i in range(count)]
        for each in (node, *displays):
            self._scene.RemoveNode(each)

    def _addNode(self, className: str, name: str):
        node = self._scene.AddNewNodeByClass(className, name)
        node.CreateDefaultDisplayNodes()
        self._nodes.append(node)
        return node

    def _addRegionColors(self):
        """The colours of the regions; where both networks agree and are sure nothing is painted."""
        node = self._scene.AddNewNodeByClass("vtkMRMLColorTableNode", "Regions")
        self._nodes.append(node)
        node.SetTypeToUser()
        node.SetNumberOfColors(len(REGIONS) + 1)
        node.SetColor(0, "not predicted", 0.0, 0.0, 0.0, 0.0)
        for region in REGIONS:
            node.SetColor(region.value, region.key, *region.rgb, region.opacity)
        return node

    def _addVolume(self, className: str, name: str, array: np.ndarray, first=(0, 0, 0)):
        node = self._addNode(className, name)
        toRas = self._toRas.copy()
        toRas[:3, 3] += toRas[:3, :3] @ np.array(first, float)
        matrix = vtk.vtkMatrix4x4()
        matrix.DeepCopy(toRas.ravel())
        node.SetIJKToRASMatrix(matrix)
        slicer.util.updateVolumeFromArray(node, array)
        return node

    def _addSegmentation(
        self,
        name: str,
        labels: np.ndarray,
        definitions: Sequence[LabelDefinition],
        smoothing: float,
    ):
        node = self._addNode("vtkMRMLSegmentationNode", name)
        box = boundingBox(labels > 0)
        if box is None:
            return node
        # a margin of background closes the surface where a structure touches the image's border
        first = [s.start - _SURFACE_MARGIN for s in reversed(box)]
        labelmap = self._addVolume("vtkMRMLLabelMapVolumeNode", "import", np.pad(labels[box], _SURFACE_MARGIN), first)
        self._logic.ImportLabelmapToSegmentationNode(labelmap, node)
        self._remove(self._nodes.pop())
        known = {label.value: label for label in definitions}
        for segment in _segments(node):
            value = segment.GetLabelValue()
            label = known.get(value) or LabelDefinition(value, f"label {value}")
            segment.SetName(label.name)
            segment.SetColor(*rgb_of(label.color))
        node.GetSegmentation().SetConversionParameter("Smoothing factor", str(smoothing))
        node.CreateClosedSurfaceRepresentation()
        return node


def _segments(node) -> list:
    segmentation = node.GetSegmentation()
    return [segmentation.GetNthSegment(i) for i in range(segmentation.GetNumberOfSegments())]


def _lumps(regions: np.ndarray) -> np.ndarray:
    """The discrepant regions as a few lumps, for an overview: thin shells and crumbs fall away."""
    lumps = np.zeros_like(regions)
    uncertain = (regions == DC.value) | (regions == DS.value)
    box = boundingBox(uncertain, margin=1)
    if box is None:
        return lumps
    confident, suspicious = (_blurred(regions[box] == region.value) for region in (DC, DS))
    dense = confident + suspicious
    kept = dense >= min(_LUMP_DENSITY, 0.7 * dense.max())
    lumps[box] = np.where(kept, np.where(confident >= suspicious, DC.value, DS.value), 0)
    return lumps


def _blurred(mask: np.ndarray) -> np.ndarray:
    """How dense a mask is round each voxel, 0..1 (z, y, x)."""
    image = sitk.GetImageFromArray(np.pad(mask.astype(np.float32), _LEAST_MARGIN))
    density = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(image, _LUMP_BLUR_VOXELS))
    return density[(slice(_LEAST_MARGIN, -_LEAST_MARGIN),) * 3]
