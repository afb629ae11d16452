"""Colour tables of our own: one of each kind in a scene, and never saved with it."""

from __future__ import annotations

from collections.abc import Sequence


def colorTable(scene, tag: str, name: str, colors: Sequence[tuple[str, float, float, float, float]]):
    """The scene's table with the singleton tag `tag`; made on the first call, of (name, r, g, b, opacity)."""
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
