"""The nodes of ours in the scene: marked, so that they are known, and taken out of it again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import slicer

ATTRIBUTE = "MetaSSL"
"""The attribute of every node of ours; its value says what the node is."""

_leaving: list[tuple] = []  # (scene, node), out of sight
_isLater = False


def markAsOurs(scene, node, role: str):
    """Mark a node, so that it is known as ours and is not saved with the scene: it lives in the project folder."""
    for each in (node, *_displayNodes(node)):
        each.SetAttribute(ATTRIBUTE, role)
        each.SetSaveWithScene(False)
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = tree.GetItemByDataNode(node) if tree is not None else 0
    if item:  # a scene is saved without our nodes, but with their lines in the data tree: these must be known again
        tree.SetItemAttribute(item, ATTRIBUTE, role)
    return node


def removeOurs(scene, node) -> None:
    """Take a node, with its display and storage nodes, out of the scene; nothing if it is not there any more.

    Within `removedLater` it is only out of sight then.
    """
    if node is None or not scene.IsNodePresent(node):
        return
    if _isLater:
        _leaving.append((scene, node))
        for display in _displayNodes(node):
            if not display.IsA("vtkMRMLVolumeDisplayNode"):  # the views show what they are given
                display.SetVisibility(False)
        return
    # the node first: a slice view gives a volume that lost its display node a new one
    storages = [node.GetNthStorageNode(index) for index in range(node.GetNumberOfStorageNodes())]
    for each in (node, *_displayNodes(node), *storages):
        if each is not None and scene.IsNodePresent(each):
            scene.RemoveNode(each)
    if node.IsA("vtkMRMLSegmentationNode"):
        _release(node)


@contextmanager
def removedLater() -> Iterator[None]:
    """What is removed within goes with `removeNext` only: of each node that goes Slicer tells dozens of widgets, which
    for those of a case takes longer than to show the next one."""
    global _isLater
    _isLater = True
    try:
        yield
    finally:
        _isLater = False


def isRemovedLater() -> bool:
    """True within `removedLater`: what is shown stays until the next case takes its place."""
    return _isLater


def removeNext() -> bool:
    """Remove the next one of those that wait; False when none is left."""
    if _leaving:
        removeOurs(*_leaving.pop(0))
    return bool(_leaving)


def removeAll() -> None:
    """Remove all that wait."""
    while removeNext():
        pass


def _release(node) -> None:
    """Let the labelmaps of a segmentation go that is out of the scene; left to itself, it would erase them first,
    segment by segment, which takes long."""
    segmentation = node.GetSegmentation()
    for index in range(segmentation.GetNumberOfSegments()):
        segmentation.GetNthSegment(index).RemoveAllRepresentations()


def _displayNodes(node) -> list:
    nodes = [node.GetNthDisplayNode(index) for index in range(node.GetNumberOfDisplayNodes())]
    return [display for display in nodes if display is not None]
