"""Colour tables of our own: one of each kind in a scene, and never saved with it."""

from __future__ import annotations

from collections.abc import Sequence

_OURS = "MetaSSL"


def colorTable(scene, tag: str, name: str, colors: Sequence[tuple[str, float, float, float, float]]):
    """The scene's table with the singleton tag `tag`, which begins with "MetaSSL"; made on the first call.

    `colors`: (name, r, g, b, opacity), each number 0..1.
    """
    node = scene.GetSingletonNode(tag, "vtkMRMLColorTableNode")
    if node is not None:
        return node
    node = scene.CreateNodeByClass("vtkMRMLColorTableNode")
    node.UnRegister(None)
    node.SetName(name)
    node.SetSingletonTag(tag)
    node.SetTypeToUser()
    node.SetNumberOfColors(len(colors))
    for index, color in enumerate(colors):
        node.SetColor(index, *color)
    node.SetSaveWithScene(False)
    return scene.AddNode(node)


def removeColorTables(scene) -> None:
    """Take our tables out of the scene; the next call of `colorTable` makes them anew."""
    count = scene.GetNumberOfNodesByClass("vtkMRMLColorTableNode")
    for node in [scene.GetNthNodeByClass(index, "vtkMRMLColorTableNode") for index in range(count)]:
        if (node.GetSingletonTag() or "").startswith(_OURS):
            scene.RemoveNode(node)
