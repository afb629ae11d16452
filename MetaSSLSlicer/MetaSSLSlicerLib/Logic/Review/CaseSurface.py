"""The prediction of the open case in the 3-D views: the surface of each structure, coloured by how unsure the model is.

What grows with the image is done in tasks. On the GUI thread one small field at a time becomes a surface.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import slicer
from metassl.imaging import Geometry

from ...Signal import Observers, Signal
from ..Case.CaseFiles import ERROR_PROBABILITY, UNCERTAINTY, heatMapPath, readHeatMap
from ..Case.OpenCase import OpenCase
from ..Scene.BackgroundTasks import BackgroundTasks
from ..Scene.SlicerServices import SlicerServices, nodesOfClass
from ..Scene.SurfaceField import structureBoxes, surfaceField, valuesAt
from .SurfaceModel import SurfaceModel

SURFACE_MODES = ("structures", UNCERTAINTY, ERROR_PROBABILITY, "off")
_HEAT_MAPS = (UNCERTAINTY, ERROR_PROBABILITY)
_CLOSED_SURFACE = "Closed surface"

_AIR = 1.15
_OF_DIAGONAL = 0.75  # what is in a box seldom fills its corners
_FROM_THE_FRONT = np.array([0.0, 1.0, 0.0])


class CaseSurface:
    """Remembers its mode from one case to the next. `changed`: the mode, the case, or what is seen is another one.

    While the prediction is corrected, its surface stays: it shows where to look. It gives way as soon as the editor's
    own 3-D shows what is being drawn.
    """

    def __init__(self, services: SlicerServices, tasks: BackgroundTasks) -> None:
        self.changed = Signal()
        """()"""
        self.failed = Signal()
        """(Exception) a map could not be read, or no surface be made."""
        self.mode = SURFACE_MODES[0]
        self.models: dict[int, SurfaceModel] = {}
        """The surfaces that are in the scene, by the value of their structure."""
        self._scene, self._tasks = services.scene, tasks
        self._case: OpenCase | None = None
        self._begun = self._isComplete = False
        self._reading: set[str] = set()
        self._annotation, self._observers = None, Observers()
        self._isVisible = True

    @property
    def isMissing(self) -> bool:
        """True when the map to colour by is not among the files of the open case."""
        if self.mode not in _HEAT_MAPS or self._case is None:
            return False
        return not heatMapPath(self._case.data, self.mode).exists()

    @property
    def isVisible(self) -> bool:
        """False while it is switched off, or gives way to what is being drawn."""
        return self.mode != "off" and not self._editorShowsItsOwn()

    def setCase(self, case: OpenCase | None) -> None:
        """Show another case, or the same one with another prediction; what was shown before goes."""
        if self._case is not None:
            self._case.changed.disconnect(self._onCaseChanged)
        self._observe(None)
        for model in self.models.values():
            model.remove()
        self.models, self._reading = {}, set()
        self._begun = self._isComplete = False
        self._case = case if case is not None and case.hasPrediction else None
        if self._case is not None:
            self._case.changed.connect(self._onCaseChanged)
            self._onCaseChanged()
        self._isVisible = self.isVisible
        self._begin()
        self.changed.emit()

    def setMode(self, mode: str) -> None:
        """Show one of SURFACE_MODES; the structures' own colours where there is no such map of the case."""
        if mode not in SURFACE_MODES:
            raise ValueError(f"there is no surface {mode!r}")
        if mode != self.mode:
            self.mode = mode
            self._begin()
            self._paint()
            self._showOrHide()
            self.changed.emit()

    # The surfaces

    def _begin(self) -> None:
        """Make the surfaces, one after the other, unless that was begun; nothing is done for one that is not seen."""
        if self._case is None or self._begun or self.mode == "off":
            return
        self._begun = True
        case = self._case
        segmentation, values = case.data.prediction.segmentation, [label.value for label in case.project.labels]
        self._run(lambda: structureBoxes(segmentation, values), self._onBoxes)

    def _onBoxes(self, boxes: dict[int, tuple[slice, ...]]) -> None:
        if boxes:
            _frame(self._scene, *_corners(boxes, self._case.data.geometry))
        self._makeNext(sorted(boxes.items(), key=lambda item: -_volume(item[1])))

    def _makeNext(self, waiting: list) -> None:
        if not waiting:
            self._isComplete = True
            self._paint()
            return
        (value, box), *later = waiting
        data = self._case.data
        work = partial(surfaceField, data.prediction.segmentation, value, box, data.geometry)
        self._run(work, lambda field: self._add(field, later))

    def _add(self, field, later: list) -> None:
        label = next(label for label in self._case.project.labels if label.value == field.value)
        model = SurfaceModel(self._scene, field, label, f"{self._case.id} {label.name}")
        if not self._isVisible:
            model.setVisible(False)
        self.models[field.value] = model
        self._makeNext(later)

    def _run(self, work, done) -> None:
        """Do it in a task; what comes of it is of use only until `setCase` is called again."""
        models = self.models

        def arrived(result) -> None:
            if models is self.models:
                done(result)

        def failed(error: Exception) -> None:
            if models is self.models:
                self.failed.emit(error)

        self._tasks.run(work, arrived, failed)

    # Their colours

    def _paint(self) -> None:
        kind = self.mode if self.mode in _HEAT_MAPS else None
        for model in self.models.values():
            model.paint(kind)
        if kind is not None and self._isComplete and not self.isMissing:
            self._read(kind)

    def _read(self, kind: str) -> None:
        models = [model for model in self.models.values() if not model.hasValues(kind)]
        if kind in self._reading or not models:
            return
        self._reading.add(kind)
        data = self._case.data

        def read() -> list[np.ndarray]:
            heat = readHeatMap(data, kind)
            return [valuesAt(heat, model.field, model.points, data.geometry) for model in models]

        def done(values: list[np.ndarray]) -> None:
            for model, each in zip(models, values):
                model.setValues(kind, each)
            self._paint()

        self._run(read, done)

    # Beside the editor

    def _onCaseChanged(self) -> None:
        """Editing may have begun or ended."""
        self._observe(self._case.nodes.annotationNode)
        self._showOrHide()

    def _observe(self, annotation) -> None:
        if annotation is self._annotation:
            return
        self._annotation = annotation
        self._observers.remove()
        if annotation is not None:
            names = slicer.vtkSegmentation.ContainedRepresentationNamesModified
            self._observers.add(annotation, slicer.vtkMRMLDisplayableNode.DisplayModifiedEvent, self._showOrHide)
            self._observers.add(annotation.GetSegmentation(), names, self._showOrHide)

    def _showOrHide(self, *_: object) -> None:
        visible = self.isVisible
        if visible != self._isVisible:  # one that the user has hidden stays so until then
            self._isVisible = visible
            for model in self.models.values():
                model.setVisible(visible)
            self.changed.emit()

    def _editorShowsItsOwn(self) -> bool:
        annotation = None if self._case is None else self._case.nodes.annotationNode
        display = None if annotation is None else annotation.GetDisplayNode()
        if display is None or not display.GetVisibility() or not display.GetVisibility3D():
            return False
        return annotation.GetSegmentation().ContainsRepresentation(_CLOSED_SURFACE)


def _volume(box: tuple[slice, ...]) -> int:
    return int(np.prod([part.stop - part.start for part in box]))


def _corners(boxes: dict[int, tuple[slice, ...]], geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest RAS of the boxes, mm."""
    low = np.min([[part.start for part in box] for box in boxes.values()], axis=0)[::-1] - 0.5
    high = np.max([[part.stop for part in box] for box in boxes.values()], axis=0)[::-1] - 0.5
    ends = [np.where(corner, high, low) for corner in np.ndindex(2, 2, 2)]
    ras = np.array([(geometry.ijk_to_ras @ [*end, 1.0])[:3] for end in ends])
    return ras.min(axis=0), ras.max(axis=0)


def _frame(scene, low: np.ndarray, high: np.ndarray) -> None:
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
