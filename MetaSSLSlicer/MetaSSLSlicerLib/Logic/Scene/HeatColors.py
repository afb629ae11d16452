"""The colours of uncertainty and P(error): steps that look equal are equal, and dark means sure."""

from __future__ import annotations

import numpy as np

from ...ColorTable import colorTable
from ...RegionColors import rgbOf

COLOR_TABLE_NAME = "MetaSSL heat"
_SINGLETON_TAG = "MetaSSLHeat"
_ANCHORS = "#000004 #1B0C41 #4A0C6B #781C6D #A52C60 #CF4446 #ED6925 #FB9B06 #F7D13D #FCFFA4".split()
_STEPS = 256


def heatColorNode(scene):
    """The scene's colour table for heat maps; made on the first call, one per scene."""
    anchors = np.array([rgbOf(color) for color in _ANCHORS])
    places = np.linspace(0, len(anchors) - 1, _STEPS)
    parts = [np.interp(places, range(len(anchors)), anchors[:, part]).tolist() for part in range(3)]
    names = [f"{index / (_STEPS - 1):.2f}" for index in range(_STEPS)]
    opaque = [1.0] * _STEPS
    return colorTable(scene, _SINGLETON_TAG, COLOR_TABLE_NAME, list(zip(names, *parts, opaque)))
