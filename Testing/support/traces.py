"""What is of this extension in a scene."""

from __future__ import annotations

import slicer
import vtk
from MetaSSLSlicerLib.Logic.Scene.OurNodes import ATTRIBUTE

_OURS = "MetaSSL"


def traces(scene) -> list[str]:
    """A line for everything of ours: nodes, what views show of them, lines of the data tree. Empty: nothing is left."""
    nodes = [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]
    found = [f"node {node.GetID()}" for node in nodes if _isOurs(node)]
    for node in nodes:
        if node.IsA("vtkMRMLSliceCompositeNode"):
            for volume in (node.GetBackgroundVolumeID(), node.GetForegroundVolumeID(), node.GetLabelVolumeID()):
                if volume is not None and (scene.GetNodeByID(volume) is None or _isOurs(scene.GetNodeByID(volume))):
                    found.append(f"{node.GetID()} shows {volume}")
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    ids = vtk.vtkIdList()
    tree.GetItemChildren(tree.GetSceneItemID(), ids, True)
    for item in [ids.GetId(index) for index in range(ids.GetNumberOfIds())]:
        if tree.GetItemAttribute(item, ATTRIBUTE):
            found.append(f"line {tree.GetItemName(item)}")
    return sorted(found)


def _isOurs(node) -> bool:
    if node.GetAttribute(ATTRIBUTE) or (node.GetSingletonTag() or "").startswith(_OURS):
        return True
    return node.IsA("vtkMRMLStorageNode") and any(
        _isOurs(owner) for owner in _referring(node) if not owner.IsA("vtkMRMLStorageNode")
    )


def _referring(node) -> list:
    found = vtk.vtkCollection()
    node.GetScene().GetReferencingNodes(node, found)
    return [found.GetItemAsObject(index) for index in range(found.GetNumberOfItems())]
