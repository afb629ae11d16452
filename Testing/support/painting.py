"""Draws on a segmentation as Slicer's segment editor does: through the logic of the Segmentations module."""

from __future__ import annotations

import numpy as np
import slicer
from MetaSSLSlicerLib.Logic.Case.CaseSegmentation import ijkToRasMatrix
from vtk.util.numpy_support import numpy_to_vtk


def paintSegment(node, segmentId: str, mask: np.ndarray, geometry) -> None:
    """Make `mask` (z, y, x) what the segment holds; where it covers other segments, they give way."""
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(*geometry.size_xyz)
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(mask, dtype=np.uint8).ravel(), deep=True))
    image.SetImageToWorldMatrix(ijkToRasMatrix(geometry))
    segmentation, logic = node.GetSegmentation(), slicer.vtkSlicerSegmentationsModuleLogic
    names = [segmentation.GetNthSegmentID(index) for index in range(segmentation.GetNumberOfSegments())]
    others = [name for name in names if name != segmentId]
    extent = image.GetExtent()
    assert logic.SetBinaryLabelmapToSegment(image, node, segmentId, logic.MODE_REPLACE, extent, False, others)


def paintTwoSlices(case) -> None:
    """The first structure of an open case on two slices."""
    mask = np.zeros(case.data.geometry.shape_zyx, np.uint8)
    mask[2:4] = 1
    paintSegment(case.nodes.annotationNode, "Label_1", mask, case.data.geometry)
