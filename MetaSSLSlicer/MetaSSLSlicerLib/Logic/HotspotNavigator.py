"""Goes from one hotspot to the next: every slice view shows it in the middle, and near."""

from __future__ import annotations

import math

from ..Signal import Signal
from .Hotspots import Hotspot
from .SlicerServices import SlicerServices
from .ViewNodes import nodesOfClass

_LEAST_SIDE_MM = 40.0
_SIDES = 4.0  # the view is so many times as wide as the spot


class HotspotNavigator:
    """Knows the hotspots of the open case, which is shown, and which have been visited."""

    def __init__(self, services: SlicerServices) -> None:
        self.changed = Signal()
        """() other hotspots, another one is shown, or one was ticked."""
        self.hotspots: list[Hotspot] = []
        self.index: int | None = None
        self.visited: set[int] = set()
        self._scene = services.scene
        self._largestSide = math.inf
        self._crosshairMode: int | None = None

    @property
    def current(self) -> Hotspot | None:
        """The hotspot that is shown."""
        return None if self.index is None else self.hotspots[self.index]

    def setHotspots(self, hotspots: list[Hotspot], imageSideMm: float = math.inf) -> None:
        """Take the hotspots of another case; nothing is shown yet. No view gets wider than `imageSideMm`."""
        self.hotspots, self.index, self.visited = list(hotspots), None, set()
        self._largestSide = imageSideMm
        if not hotspots:
            self._restoreCrosshair()
        self.changed.emit()

    def next(self) -> None:
        """Show the next hotspot; after the last one comes the first."""
        if self.hotspots:
            self.goTo(0 if self.index is None else (self.index + 1) % len(self.hotspots))

    def previous(self) -> None:
        """Show the one before; before the first one comes the last."""
        if self.hotspots:
            self.goTo(((self.index or 0) - 1) % len(self.hotspots))

    def goTo(self, index: int) -> None:
        """Show the hotspot with this index, counted from 0, and tick it."""
        self.index = index
        self.visited.add(index)
        spot = self.hotspots[index]
        side = min(max(_SIDES * spot.extentMm, _LEAST_SIDE_MM), self._largestSide)
        for sliceNode in nodesOfClass(self._scene, "vtkMRMLSliceNode"):
            _look(sliceNode, spot.ras, side)
        self._pointAt(spot.ras)
        self.changed.emit()

    def setVisited(self, index: int, visited: bool) -> None:
        """Tick a hotspot, or take its tick away."""
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
