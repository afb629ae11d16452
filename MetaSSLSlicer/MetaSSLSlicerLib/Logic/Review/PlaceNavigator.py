"""The uncertain places of the open case: found, put in words, and shown one after the other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from metassl.files import MetaSSLError
from metassl.project import LabelDefinition
from metassl.project.effort.maps import Work, read_work
from metassl.project.places.search import Place, find_places
from metassl.project.places.words import place_text, position_text

from ...Signal import Signal
from ...Translation import _
from ..Case.CaseFiles import ERROR_PROBABILITY, UNCERTAINTY, CaseData, HeatMap
from ..Scene.SlicerServices import SlicerServices, nodesOfClass

_LEAST_SIDE_MM = 40.0
_SIDES = 4.0  # the view is so many times as wide as the place


def findPlaces(data: CaseData, labels: Iterable[LabelDefinition], heat: HeatMap | None) -> list[Place]:
    """Those of a predicted case, by its most telling map. May run in a thread."""
    prediction, maps = data.prediction, dict([heat] if heat is not None else [])
    return find_places(
        prediction.segmentation,
        prediction.regions,
        data.geometry,
        labels,
        prediction.errorRates,
        maps.get(ERROR_PROBABILITY),
        maps.get(UNCERTAINTY),
        _workOf(data),
    )


def _workOf(data: CaseData) -> Work | None:
    try:
        return read_work(data.prediction.paths, data.prediction.summary, data.geometry, data.caseId)
    except MetaSSLError:
        return None  # the review by slices tells of it


def placeText(place: Place) -> str:
    """Where it is, what the networks say there, how large it is, and how likely wrong: in one line."""
    return place_text(place, _)


class PlaceNavigator:
    """Knows which place is shown, in the middle of every slice view and near, and which have been visited."""

    def __init__(self, services: SlicerServices) -> None:
        self.changed = Signal()
        """() other places, another one is shown, or one was ticked."""
        self.places: list[Place] = []
        self.index: int | None = None
        self.visited: set[int] = set()
        self._scene = services.scene
        self._largestSide = math.inf
        self._crosshairMode: int | None = None

    @property
    def current(self) -> Place | None:
        return None if self.index is None else self.places[self.index]

    @property
    def isAtEnd(self) -> bool:
        """True when the last place is shown, or there is none."""
        return not self.places or self.index == len(self.places) - 1

    @property
    def positionText(self) -> str:
        """ "3 of 12"; nothing while none is shown."""
        return "" if self.current is None else position_text(self.current, len(self.places), _)

    @property
    def currentText(self) -> str:
        """What is said of the place that is shown; nothing while none is."""
        return "" if self.current is None else placeText(self.current)

    def setPlaces(self, places: list[Place], imageSideMm: float = math.inf) -> None:
        """Take the places of another case; nothing is shown yet. No view gets wider than `imageSideMm`."""
        self.places, self.index, self.visited = list(places), None, set()
        self._largestSide = imageSideMm
        if not places:
            self._restoreCrosshair()
        self.changed.emit()

    def rename(self, names: Mapping[str, str]) -> None:
        """Structures got other names, {former: present}; which place is shown and what was ticked stays."""
        self.places = [replace(each, structure=names.get(each.structure, each.structure)) for each in self.places]
        self.changed.emit()

    def next(self) -> None:
        """Show the next place; after the last one comes the first."""
        if self.places:
            self.goTo(0 if self.index is None else (self.index + 1) % len(self.places))

    def previous(self) -> None:
        """Show the one before; before the first one comes the last."""
        if self.places:
            self.goTo(((self.index or 0) - 1) % len(self.places))

    def goTo(self, index: int) -> None:
        """Show the place with this index, counted from 0, and tick it."""
        self.index = index
        self.visited.add(index)
        place = self.places[index]
        side = min(max(_SIDES * place.extent_mm, _LEAST_SIDE_MM), self._largestSide)
        for sliceNode in nodesOfClass(self._scene, "vtkMRMLSliceNode"):
            _look(sliceNode, place.ras, side)
        self._pointAt(place.ras)
        self.changed.emit()

    def setVisited(self, index: int, visited: bool) -> None:
        """Tick a place, or take its tick away."""
        if visited != (index in self.visited):
            (self.visited.add if visited else self.visited.discard)(index)
            self.changed.emit()

    def _pointAt(self, ras: tuple[float, float, float]) -> None:
        crosshair = self._scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        if crosshair is None:
            return
        if crosshair.GetCrosshairMode() == crosshair.NoCrosshair:
            self._crosshairMode = crosshair.NoCrosshair
            crosshair.SetCrosshairMode(crosshair.ShowSmallBasic)
        crosshair.SetCrosshairRAS(*ras)

    def _restoreCrosshair(self) -> None:
        crosshair = self._scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        if crosshair is not None and self._crosshairMode is not None:
            crosshair.SetCrosshairMode(self._crosshairMode)
        self._crosshairMode = None


def _look(sliceNode, ras: tuple[float, float, float], side: float) -> None:
    """Put a point into the middle of a slice view whose shorter side then is `side` mm."""
    width, height, depth = sliceNode.GetFieldOfView()
    scale = side / min(width, height)
    modified = sliceNode.StartModify()
    sliceNode.SetFieldOfView(width * scale, height * scale, depth)
    sliceNode.JumpSliceByCentering(*ras)
    sliceNode.EndModify(modified)
