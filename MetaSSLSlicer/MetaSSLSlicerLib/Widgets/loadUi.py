"""Loads the layout of a widget."""

from __future__ import annotations

from pathlib import Path

import slicer.util

UI_FOLDER = Path(__file__).resolve().parents[2] / "Resources" / "UI"


def loadUi(name: str):
    """The widget in Resources/UI/NAME.ui, and an object with its named children as attributes."""
    widget = slicer.util.loadUI(str(UI_FOLDER / f"{name}.ui"))
    return widget, slicer.util.childWidgetVariables(widget)
