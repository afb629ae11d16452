"""The nodes of one class in a scene, such as those of all slice views."""

from __future__ import annotations


def nodesOfClass(scene, className: str) -> list:
    """All nodes of a class, in the order of the scene."""
    return [scene.GetNthNodeByClass(i, className) for i in range(scene.GetNumberOfNodesByClass(className))]
