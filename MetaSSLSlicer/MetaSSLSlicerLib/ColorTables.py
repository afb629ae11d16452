"""Our colour tables, of the regions and of the heat maps: one of each in a scene, and never saved with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from metassl.project.regions import REGIONS, rgb_of

_OURS = "MetaSSL"
_HEAT = "#000004 #1B0C41 #4A0C6B #781C6D #A52C60 #CF4446 #ED6925 #FB9B06 #F7D13D #FCFFA4".split()
_HEAT_STEPS = 256


def regionColorNode(scene):
    """The table for region maps. Where both networks agree and are sure nothing is painted: the image stays visible."""
    painted = [(f"{region.key}: {region.name}", *region.rgb, region.opacity) for region in REGIONS]
    return _colorTable(scene, "Regions", "MetaSSL regions", [("not predicted", 0.0, 0.0, 0.0, 0.0), *painted])


def heatColorNode(scene):
    """The table for uncertainty and P(error): steps that look equal are equal, and dark means sure."""
    anchors = np.array([rgb_of(color) for color in _HEAT])
    places = np.linspace(0, len(anchors) - 1, _HEAT_STEPS)
    parts = [np.interp(places, range(len(anchors)), anchors[:, part]).tolist() for part in range(3)]
    names = [f"{index / (_HEAT_STEPS - 1):.2f}" for index in range(_HEAT_STEPS)]
    return _colorTable(scene, "Heat", "MetaSSL heat", list(zip(names, *parts, [1.0] * _HEAT_STEPS)))


def removeColorTables(scene) -> None:
    """Take our tables out of the scene; they are made anew when they are wanted again."""
    count = scene.GetNumberOfNodesByClass("vtkMRMLColorTableNode")
    for node in [scene.GetNthNodeByClass(index, "vtkMRMLColorTableNode") for index in range(count)]:
        if (node.GetSingletonTag() or "").startswith(_OURS):
            scene.RemoveNode(node)


def _colorTable(scene, kind: str, name: str, colors: Sequence[tuple[str, float, float, float, float]]):
    """The scene's table of this kind; made on the first call. `colors`: (name, r, g, b, opacity), each number 0..1."""
    node = scene.GetSingletonNode(_OURS + kind, "vtkMRMLColorTableNode")
    if node is not None:
        return node
    node = scene.CreateNodeByClass("vtkMRMLColorTableNode")
    node.UnRegister(None)
    node.SetName(name)
    node.SetSingletonTag(_OURS + kind)
    node.SetTypeToUser()
    node.SetNumberOfColors(len(colors))
    for index, color in enumerate(colors):
        node.SetColor(index, *color)
    node.SetSaveWithScene(False)
    return scene.AddNode(node)
