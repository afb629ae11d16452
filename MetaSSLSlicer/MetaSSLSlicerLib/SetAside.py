"""The user's project, case and views are set aside while something else is done with the scene, and come back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import slicer
import vtk
from metassl.files import MetaSSLError

from .Logic.Case.Session import Session
from .Logic.Scene.ViewNodes import nodesOfClass

_PATIENCE_S = 60.0


@contextmanager
def setAside(session: Session) -> Iterator[None]:
    """Close what is open in `session`, and open it again at the end; unsaved edits come back out of the autosave."""
    project = session.project
    caseId = session.loadingCase if session.case is None else session.case.id
    wasEditing = session.case is not None and session.case.isEditing
    bringBackViews = _views(session.services.scene)
    session.closeProject()
    try:
        yield
    finally:
        if project is not None:
            _open(session, project.path, caseId, wasEditing)
        bringBackViews(session.case is None)


def _open(session: Session, path, caseId: str | None, wasEditing: bool) -> None:
    try:
        session.openProject(path)
    except MetaSSLError as error:
        session.fail(error)
        return
    if caseId is None:
        return
    session.openCase(caseId)
    end = time.monotonic() + _PATIENCE_S
    while session.loadingCase is not None and time.monotonic() < end:
        slicer.app.processEvents()
        session.tasks.pump()
    if session.case is not None and wasEditing and not session.case.isEditing:
        session.case.startEditing()


def _views(scene) -> Callable[[bool], None]:
    """What brings the slice views back to where they are now; with True, also which images they show."""
    places = [(node, _copyOf(node.GetSliceToRAS()), node.GetFieldOfView(), node.GetXYZOrigin())
              for node in nodesOfClass(scene, "vtkMRMLSliceNode")]  # fmt: skip
    layers = [
        (node, node.GetBackgroundVolumeID(), node.GetForegroundVolumeID(), node.GetLabelVolumeID())
        for node in nodesOfClass(scene, "vtkMRMLSliceCompositeNode")
    ]

    def bringBack(withImages: bool) -> None:
        for node, *volumes in layers if withImages else []:
            there = [each if each is not None and scene.GetNodeByID(each) is not None else None for each in volumes]
            node.SetBackgroundVolumeID(there[0])
            node.SetForegroundVolumeID(there[1])
            node.SetLabelVolumeID(there[2])
        for node, matrix, size, origin in places:
            node.GetSliceToRAS().DeepCopy(matrix)
            node.SetFieldOfView(*size)
            node.SetXYZOrigin(*origin)
            node.UpdateMatrices()

    return bringBack


def _copyOf(matrix) -> vtk.vtkMatrix4x4:
    copy = vtk.vtkMatrix4x4()
    copy.DeepCopy(matrix)
    return copy
