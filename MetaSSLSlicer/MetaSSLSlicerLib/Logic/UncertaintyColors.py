"""The colours of the uncertainty map: steps that look equal are equal, and dark means sure."""

from __future__ import annotations

import numpy as np

from ..RegionColors import rgbOf

COLOR_TABLE_NAME = "MetaSSL uncertainty"
_SINGLETON_TAG = "MetaSSLUncertainty"
_ANCHORS = "#000004 #1B0C41 #4A0C6B #781C6D #A52C60 #CF4446 #ED6925 #FB9B06 #F7D13D #FCFFA4".split()
_STEPS = 256


def uncertaintyColorNode(scene):
    """The scene's colour table for uncertainty; made on the first call, one per scene."""
    node = scene.GetSingletonNode(_SINGLETON_TAG, "vtkMRMLColorTableNode")
    if node is not None:
        return node
    node = scene.CreateNodeByClass("vtkMRMLColorTableNode")
    node.UnRegister(None)
    node.SetName(COLOR_TABLE_NAME)
    node.SetSingletonTag(_SINGLETON_TAG)
    node.SetTypeToUser()
    node.SetNumberOfColors(_STEPS)
    anchors = np.array([rgbOf(color) for color in _ANCHORS])
    places = np.linspace(0, len(anchors) - 1, _STEPS)
    for index in range(_STEPS):
        rgb = [float(np.interp(places[index], range(len(anchors)), anchors[:, part])) for part in range(3)]
        node.SetColor(index, f"{index / (_STEPS - 1):.2f}", *rgb, 1.0)
    node.SetSaveWithScene(False)
    return scene.AddNode(node)
