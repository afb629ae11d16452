"""Asks for a folder."""

from __future__ import annotations

import qt
import slicer.util


def chooseFolder(title: str, start: str) -> str:
    """The path of a folder that the user chooses, beginning in `start`, or ""."""
    return qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), title, start) or ""


def chooseFile(title: str) -> str:
    """Ask for a file that exists; returns "" when the user cancels."""
    return qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), title, "") or ""
