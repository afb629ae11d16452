"""Somebody looks at slices of the open case: the views go there."""

from __future__ import annotations

from MetaSSLSlicerLib.Logic.Scene.SlicerServices import nodesOfClass
from MetaSSLSlicerLib.Logic.Scene.SliceStack import SliceStack


def show(services, geometry, axis: int, number: int) -> None:
    """Have the views that show slices across that axis (of z, y, x) go to one of them."""
    index = [(count - 1) / 2 for count in geometry.shape_zyx]
    index[axis] = number
    ras = (geometry.ijk_to_ras @ [*index[::-1], 1.0])[:3]
    for view in nodesOfClass(services.scene, "vtkMRMLSliceNode"):
        if SliceStack(geometry, axis).isAlong(view):
            view.JumpSliceByOffsetting(*map(float, ras))


def lookThrough(session, axis: int = 0) -> None:
    """Go through all slices of the open case; for a test that sets `ShownSlices.LEAST_S` to 0."""
    geometry = session.case.data.geometry
    for number in range(geometry.shape_zyx[axis]):
        show(session.services, geometry, axis, number)
