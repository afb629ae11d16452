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
    """Collect what VTK complains of, which desktop Slicer shows on stderr; gives what tells all that was said so far.

    VTK's own window keeps it: hundreds of tests may have left the stream of C++ in any state.
    """
    silent, shown = vtk.vtkOutputWindow.GetInstance(), vtk.vtkObject.GetGlobalWarningDisplay()
    spoken = vtk.vtkStringOutputWindow()
    vtk.vtkOutputWindow.SetInstance(spoken)
    vtk.vtkObject.GlobalWarningDisplayOn()
    try:
        slicer.vtkMRMLSubjectHierarchyNode().GetItemName(1 << 40)
        assert "Failed to find subject hierarchy item" in spoken.GetOutput(), "complaints do not come through"
        begun, said = len(spoken.GetOutput()), []
        capfd.readouterr()

        def everything() -> str:
            said.append(capfd.readouterr().err)
            return _TURNED_SLICE.sub("", spoken.GetOutput()[begun:] + "".join(said)).strip()

        yield everything
    finally:
        vtk.vtkObject.SetGlobalWarningDisplay(shown)
        vtk.vtkOutputWindow.SetInstance(silent)
