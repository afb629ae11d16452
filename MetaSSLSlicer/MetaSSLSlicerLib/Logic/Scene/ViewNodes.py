"""The nodes of the views, and a box of the patient in the middle of the 3-D ones."""

from __future__ import annotations

import math

import numpy as np

_AIR = 1.15
_OF_DIAGONAL = 0.75  # what is in a box seldom fills its corners
_FROM_THE_FRONT = np.array([0.0, 1.0, 0.0])


def nodesOfClass(scene, className: str) -> list:
    """All nodes of a class, in the order of the scene."""
    return [scene.GetNthNodeByClass(i, className) for i in range(scene.GetNumberOfNodesByClass(className))]


def frame(scene, low: np.ndarray, high: np.ndarray) -> None:
    """Show the box from `low` to `high` (RAS, mm) in every 3-D view, from the side that it is looked at from now."""
    center, sides = (low + high) / 2, high - low
    radius = max(_AIR * sides.max(), _AIR * _OF_DIAGONAL * np.linalg.norm(sides), 1.0) / 2
    for camera in nodesOfClass(scene, "vtkMRMLCameraNode"):
        if not camera.GetLayoutName():
            continue  # the user's own: it belongs to no view
        away = np.subtract(camera.GetPosition(), camera.GetFocalPoint())
        length = np.linalg.norm(away)
        away = away / length if length > 0 else _FROM_THE_FRONT
        distance = radius / math.sin(math.radians(camera.GetViewAngle()) / 2)
        modified = camera.StartModify()
        camera.SetFocalPoint(*center)
        camera.SetPosition(*(center + distance * away))
        camera.SetParallelScale(radius)
        # it cannot be fitted to what is seen, as the views have not drawn that yet
        camera.GetCamera().SetClippingRange(distance / 50, distance * 20)
        camera.EndModify(modified)
