"""Slicer's data tree (subject hierarchy) as desktop Slicer fills it: its plug-ins add a line for every node."""

from __future__ import annotations

import slicer
import vtk


class DataTree:
    """Adds a line for every node that can be seen, and takes it away with the node, from now until `close`."""

    def __init__(self, scene) -> None:
        self._scene = scene
        self._tags = [
            scene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, _addLine),
            scene.AddObserver(slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent, _removeLine),
        ]
        self.lines()  # the tree itself is a node, made on the first call

    def close(self) -> None:
        """Add no more lines."""
        for tag in self._tags:
            self._scene.RemoveObserver(tag)

    @property
    def node(self):
        """The node of the tree."""
        return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self._scene)

    def items(self) -> list[int]:
        """All lines, those above before those below."""
        ids = vtk.vtkIdList()
        self.node.GetItemChildren(self.node.GetSceneItemID(), ids, True)
        return [ids.GetId(index) for index in range(ids.GetNumberOfIds())]

    def lines(self) -> list[str]:
        """The names of all lines."""
        return [self.node.GetItemName(item) for item in self.items()]

    def addSegments(self) -> None:
        """A line for every segment below its segmentation's."""
        for item in self.items():
            data = self.node.GetItemDataNode(item)
            if data is not None and data.IsA("vtkMRMLSegmentationNode"):
                segmentation = data.GetSegmentation()
                for index in range(segmentation.GetNumberOfSegments()):
                    name = segmentation.GetNthSegment(index).GetName()
                    segment = self.node.CreateHierarchyItem(item, name, "Segment")
                    self.node.SetItemAttribute(segment, "segmentID", segmentation.GetNthSegmentID(index))
                self.node.SetItemAttribute(item, "VirtualBranch", "1")


@vtk.calldata_type(vtk.VTK_OBJECT)
def _addLine(scene, _event, node) -> None:
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    if node.IsA("vtkMRMLDisplayableNode") and not node.GetHideFromEditors() and not scene.IsImporting():
        tree.CreateItem(tree.GetSceneItemID(), node)


@vtk.calldata_type(vtk.VTK_OBJECT)
def _removeLine(scene, _event, node) -> None:
    if scene.IsClosing() or node.IsA("vtkMRMLSubjectHierarchyNode"):
        return
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = tree.GetItemByDataNode(node)
    if item:
        tree.RemoveItem(item, False, False)
    if node.IsA("vtkMRMLSegmentationNode"):  # its segments go with their lines
        node.GetSegmentation().RemoveAllSegments()
