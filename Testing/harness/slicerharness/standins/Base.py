"""What several stand-ins use."""

from __future__ import annotations

from PySide6 import QtWidgets

from ..StandIn import standIn


def rowLayout(widget: QtWidgets.QWidget, *children: QtWidgets.QWidget) -> None:
    """Put the children side by side, the first one taking the room."""
    layout = QtWidgets.QHBoxLayout(widget)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(2)
    for index, child in enumerate(children):
        layout.addWidget(child, 1 if index == 0 else 0)


def smallButton(parent: QtWidgets.QWidget, text: str) -> QtWidgets.QToolButton:
    """A tool button with a letter in place of an icon."""
    button = QtWidgets.QToolButton(parent)
    button.setText(text)
    return button


__all__ = ["rowLayout", "smallButton", "standIn"]
