"""What VTK and MRML say on stderr, below Python."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator

import slicer
import vtk

_TURNED_SLICE = re.compile(r"ERROR: In vtkMRMLSliceNode.*\n.*invalid orientation preset name: Reformat\n\n")
"""Slicer says so whenever it loads a scene with a slice that was turned, whoever turned it."""


@contextlib.contextmanager
def complaints(capfd) -> Iterator[Callable[[], str]]:
    """Let VTK complain on stderr, as in desktop Slicer; gives what tells all that was said so far."""
    silent = vtk.vtkOutputWindow.GetInstance()
    spoken = vtk.vtkOutputWindow()
    spoken.SetDisplayModeToAlwaysStdErr()
    vtk.vtkOutputWindow.SetInstance(spoken)
    try:
        slicer.vtkMRMLSubjectHierarchyNode().GetItemName(1 << 40)
        assert "Failed to find subject hierarchy item" in capfd.readouterr().err, "complaints do not come through"
        said: list[str] = []

        def everything() -> str:
            said.append(capfd.readouterr().err)
            return _TURNED_SLICE.sub("", "".join(said))

        yield everything
    finally:
        vtk.vtkOutputWindow.SetInstance(silent)
