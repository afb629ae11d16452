"""The places to review as marks in the 3-D views; a click on one goes there."""

from __future__ import annotations

import slicer
import vtk

from ...Translation import _
from ..Scene.OurNodes import markAsOurs, removeOurs
from ..Scene.SlicerServices import SlicerServices
from .PlaceNavigator import PlaceNavigator

ROLE = "places"
_WAITING, _CURRENT, _UNDER_THE_MOUSE = (1.0, 1.0, 1.0), (1.0, 0.9, 0.0), (1.0, 1.0, 0.55)
_GLYPH_PERCENT, _TEXT_PERCENT = 2.8, 3.6  # of the view
_BEHIND = 0.4
_MOST = 30  # each costs Slicer milliseconds, and more would hide the surface
_NUMBERED = 10


class PlaceMarks:
    """Follows a navigator: a mark for each of its first places, numbered, the one shown now in another colour.

    The points cannot be dragged or deleted; a node that is locked as a whole would not notice a click.
    """

    def __init__(self, services: SlicerServices, navigator: PlaceNavigator) -> None:
        self.node = None
        """The markups node, ours; None where there is no place."""
        self._scene, self._navigator = services.scene, navigator
        self._shown, self._isVisible = [], True
        navigator.changed.connect(self.refresh)
        self.refresh()

    def cleanup(self) -> None:
        self._navigator.changed.disconnect(self.refresh)
        self._remove()

    def setVisible(self, visible: bool) -> None:
        self._isVisible = visible
        if self.node is not None:
            self.node.SetDisplayVisibility(visible)

    def refresh(self) -> None:
        places = self._navigator.places[:_MOST]
        if self._shown != places or (self.node is not None and not self._scene.IsNodePresent(self.node)):
            self._remove()
            self._shown = places
            if places:
                self._add()
        if self.node is None:
            return
        modified = self.node.StartModify()
        for index, place in enumerate(places):
            isCurrent = index == self._navigator.index
            self.node.SetNthControlPointSelected(index, isCurrent)
            self.node.SetNthControlPointLabel(index, str(place.rank) if isCurrent or index < _NUMBERED else "")
        self.node.EndModify(modified)

    def _add(self) -> None:
        node = self._scene.CreateNodeByClass("vtkMRMLMarkupsFiducialNode")
        node.UnRegister(None)
        node.SetName(_("Places to review"))
        node.SetHideFromEditors(True)  # it is not for the user to place points in
        for place in self._shown:
            index = node.AddControlPoint(vtk.vtkVector3d(*place.ras), "")
            node.SetNthControlPointLocked(index, True)
        node.SetFixedNumberOfControlPoints(True)
        selection = self._scene.GetFirstNodeByClass("vtkMRMLSelectionNode")
        if selection is not None:
            className, usersOwn = selection.GetActivePlaceNodeClassName(), selection.GetActivePlaceNodeID()
        self.node = self._scene.AddNode(node)
        self.node.CreateDefaultDisplayNodes()
        if selection is not None:  # Slicer makes every new list the one that the user places points in
            selection.SetReferenceActivePlaceNodeClassName(className)
            selection.SetReferenceActivePlaceNodeID(usersOwn)
        _dress(self.node.GetDisplayNode())
        markAsOurs(self._scene, self.node, ROLE)
        self.node.SetDisplayVisibility(self._isVisible)
        event = slicer.vtkMRMLMarkupsDisplayNode.JumpToPointEvent
        self.node.GetDisplayNode().AddObserver(event, self._onClick)

    def _remove(self) -> None:
        removeOurs(self._scene, self.node)
        self.node = None

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onClick(self, _display, _event, click) -> None:
        index = click.GetComponentIndex()
        if 0 <= index < len(self._shown):
            self._navigator.goTo(index)


def _dress(display) -> None:
    modified = display.StartModify()
    display.SetVisibility2D(False)
    display.SetGlyphTypeFromString("Sphere3D")
    display.SetUseGlyphScale(True)
    display.SetGlyphScale(_GLYPH_PERCENT)
    display.SetTextScale(_TEXT_PERCENT)
    display.SetColor(*_WAITING)
    display.SetSelectedColor(*_CURRENT)
    display.SetActiveColor(*_UNDER_THE_MOUSE)
    display.SetPointLabelsVisibility(True)
    display.SetPropertiesLabelVisibility(False)
    display.SetOccludedVisibility(True)  # many lie within the structure
    display.SetOccludedOpacity(_BEHIND)
    display.EndModify(modified)
