"""The surface of one structure as a model in the 3-D views."""

from __future__ import annotations

import numpy as np
import vtk
from metassl.project import LabelDefinition
from metassl.project.regions import rgb_of
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from ...ColorTables import heatColorNode
from ..Scene.OurNodes import markAsOurs, removeOurs
from ..Scene.SurfaceField import SurfaceField

ROLE = "surface"

_AMBIENT, _SPECULAR, _POWER = 0.15, 0.25, 20.0
_AMBIENT_OF_MAP = 0.3  # and nothing shines: a bright spot means something there


class SurfaceModel:
    """Made on the GUI thread, in a time that the size of the field bounds.

    `node`: a model, ours, seen in 3-D only. `points`: its vertices (n, 3), x, y, z in indices of the field's grid.
    """

    def __init__(self, scene, field: SurfaceField, label: LabelDefinition, name: str) -> None:
        self.field, self._scene = field, scene
        self._mesh = _surface(field)
        self.points = vtk_to_numpy(self._mesh.GetPoints().GetData()).copy()
        _moveToRas(self._mesh, field.toRas)
        self.node = scene.CreateNodeByClass("vtkMRMLModelNode")
        self.node.UnRegister(None)
        self.node.SetName(name)
        self.node.SetAndObserveMesh(self._mesh)
        scene.AddNode(self.node)
        self.node.CreateDefaultDisplayNodes()
        display = self.node.GetDisplayNode()
        modified = display.StartModify()
        display.SetColor(*rgb_of(label.color))
        display.SetVisibility2D(False)
        display.SetPower(_POWER)
        display.EndModify(modified)
        self.paint(None)
        markAsOurs(scene, self.node, ROLE)

    def setValues(self, kind: str, values: np.ndarray) -> None:
        """Keep what a map is at each vertex, float32 (n,), 0..1."""
        array = numpy_to_vtk(values, deep=True)
        array.SetName(kind)
        self._mesh.GetPointData().AddArray(array)

    def hasValues(self, kind: str) -> bool:
        return self._mesh.GetPointData().HasArray(kind) == 1

    def paint(self, kind: str | None) -> None:
        """Show the values of a map as colours; the structure's own for None, and as long as they are unknown."""
        display = self.node.GetDisplayNode()
        if display is None:
            return  # somebody deleted it
        painted = kind is not None and self.hasValues(kind)
        modified = display.StartModify()
        if painted:
            display.SetActiveScalar(kind, vtk.vtkAssignAttribute.POINT_DATA)
            display.SetAndObserveColorNodeID(heatColorNode(self._scene).GetID())
            display.SetScalarRangeFlag(display.UseManualScalarRange)
            display.SetScalarRange(0.0, 1.0)
        display.SetAmbient(_AMBIENT_OF_MAP if painted else _AMBIENT)
        display.SetSpecular(0.0 if painted else _SPECULAR)
        display.SetScalarVisibility(painted)
        display.EndModify(modified)

    def setVisible(self, visible: bool) -> None:
        self.node.SetDisplayVisibility(visible)

    def remove(self) -> None:
        removeOurs(self._scene, self.node)


def _surface(field: SurfaceField):
    """Triangles and normals, in indices of the field's grid."""
    image = vtk.vtkImageData()
    image.SetDimensions(*reversed(field.array.shape))
    image.GetPointData().SetScalars(numpy_to_vtk(field.array.ravel()))
    edges = vtk.vtkFlyingEdges3D()
    edges.SetInputData(image)
    edges.SetValue(0, field.level)
    edges.ComputeNormalsOn()
    edges.ComputeGradientsOff()
    edges.ComputeScalarsOff()
    edges.Update()
    return edges.GetOutput()


def _moveToRas(mesh, toRas: np.ndarray) -> None:
    """In place; a mirroring matrix turns the triangles round, too, as views do not draw their backs."""
    turn = toRas[:3, :3]
    points, normals = (vtk_to_numpy(each) for each in (mesh.GetPoints().GetData(), mesh.GetPointData().GetNormals()))
    points[:] = points @ turn.T + toRas[:3, 3]
    normals[:] = normals @ np.linalg.inv(turn)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    if np.linalg.det(turn) < 0:
        triangles = vtk_to_numpy(mesh.GetPolys().GetConnectivityArray()).reshape(-1, 3)
        triangles[:] = triangles[:, ::-1].copy()
    mesh.GetPoints().Modified()
