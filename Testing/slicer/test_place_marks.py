"""The places to review as marks in a real 3-D view of Slicer's core, clicked as a mouse does it."""

import importlib.util

import numpy as np
import pytest

if importlib.util.find_spec("slicer") is None:
    pytest.skip("slicer-core is not installed: pip install 'metassl[report]'", allow_module_level=True)

import slicer
import vtk
from color_distance import distance
from metassl.project.places.search import Place
from metassl.project.structures import DEFAULT_COLORS
from MetaSSLPictures import OffscreenSlicer
from MetaSSLPictures.OffscreenSlicer import SLICE_ORIENTATIONS
from MetaSSLSlicerLib.Logic.Review.PlaceMarks import PlaceMarks
from MetaSSLSlicerLib.Logic.Review.PlaceNavigator import PlaceNavigator

MANAGER = "vtkMRMLMarkupsDisplayableManager"
RAS = [(0.0, 0.0, 0.0), (20.0, 5.0, -10.0), (-25.0, 0.0, 15.0)]


def place(rank: int, ras) -> Place:
    return Place(rank, (0, 0, 0), ras, 0.1, {"DS": 1.0}, "Ball", False, False, None, 0.05, 3, 6.0, 5.0)


class Mouse:
    """Moves and clicks in the 3-D view; what it does goes to Slicer's own markups, as from an interactor."""

    def __init__(self, app, manager):
        self._app, self._manager = app, manager

    def click(self, ras) -> None:
        """Click where this point is seen."""
        self.drag(ras, (0, 0))

    def drag(self, ras, way) -> None:
        """Press where this point is seen, and let go some pixels away."""
        self._app.threeDView.grab()
        renderer = self._app.threeDView.renderer
        renderer.SetWorldPoint(*ras, 1.0)
        renderer.WorldToDisplay()
        here = tuple(round(part) for part in renderer.GetDisplayPoint()[:2])
        there = (here[0] + way[0], here[1] + way[1])
        self._send(vtk.vtkCommand.MouseMoveEvent, here)
        self._send(vtk.vtkCommand.LeftButtonPressEvent, here)
        if there != here:
            self._send(vtk.vtkCommand.MouseMoveEvent, there, moved=True)
        self._send(vtk.vtkCommand.LeftButtonReleaseEvent, there, moved=there != here)

    def key(self, name: str) -> None:
        event = self._event(vtk.vtkCommand.KeyPressEvent, self._here)
        event.SetKeySym(name)
        event.SetKeyCode("\x7f")
        event.SetKeyRepeatCount("\x01")  # a character, as VTK has it
        self._manager.ProcessInteractionEvent(event)

    def _send(self, kind, position, moved=False) -> None:
        event = self._event(kind, position)
        event.SetMouseMovedSinceButtonDown(moved)
        self._manager.ProcessInteractionEvent(event)

    def _event(self, kind, position):
        self._here = position
        event = slicer.vtkMRMLInteractionEventData()
        event.SetType(kind)
        event.SetDisplayPosition(position)
        event.SetRenderer(self._app.threeDView.renderer)
        event.SetViewNode(self._app.threeDView.node)
        return event


@pytest.fixture(scope="module")
def app():
    made = OffscreenSlicer.OffscreenSlicer(200)
    logic = slicer.vtkSlicerMarkupsLogic()
    logic.SetMRMLApplicationLogic(made.applicationLogic)
    made.applicationLogic.SetModuleLogic("Markups", logic)
    logic.SetMRMLScene(made.scene)
    logic.RegisterMarkupsNode(slicer.vtkMRMLMarkupsFiducialNode(), slicer.vtkSlicerPointsWidget())
    made.markupsLogic = logic
    return made


@pytest.fixture(scope="module")
def mouse(app):
    factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
    group = OffscreenSlicer._displayableManagers(app, factory, (MANAGER,), app.threeDView.renderer)
    group.SetMRMLDisplayableNode(app.threeDView.node)
    yield Mouse(app, group.GetDisplayableManagerByClassName(MANAGER))
    factory.UnRegisterDisplayableManager(MANAGER)


@pytest.fixture
def navigator(app):
    return PlaceNavigator(app)


@pytest.fixture
def marks(app, navigator):
    made = PlaceMarks(app, navigator)
    navigator.setPlaces([place(rank, ras) for rank, ras in enumerate(RAS, start=1)], 100.0)
    yield made
    made.cleanup()


def positions(node) -> np.ndarray:
    return np.array([node.GetNthControlPointPositionWorld(i) for i in range(node.GetNumberOfControlPoints())])


def test_there_is_a_numbered_mark_for_each_place_in_3d_only(app, marks):
    node, display = marks.node, marks.node.GetDisplayNode()
    assert np.allclose(positions(node), RAS)
    assert [node.GetNthControlPointLabel(i) for i in range(3)] == ["1", "2", "3"]
    assert display.GetVisibility3D() and not display.GetVisibility2D()
    assert not node.GetSaveWithScene() and not display.GetSaveWithScene()


def test_of_many_places_only_the_first_and_the_one_that_is_shown_are_numbered(marks, navigator):
    navigator.setPlaces([place(rank, (rank, 0.0, 0.0)) for rank in range(1, 31)], 100.0)
    navigator.goTo(24)
    labels = [marks.node.GetNthControlPointLabel(i) for i in range(30)]
    assert labels == [str(n) for n in range(1, 11)] + [""] * 14 + ["25"] + [""] * 5


def test_the_place_that_is_shown_is_the_only_selected_one(marks, navigator):
    assert [marks.node.GetNthControlPointSelected(i) for i in range(3)] == [False] * 3
    navigator.goTo(1)
    navigator.next()
    assert [bool(marks.node.GetNthControlPointSelected(i)) for i in range(3)] == [False, False, True]


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_click_goes_to_the_place(app, mouse, marks, navigator, index):
    mouse.click(RAS[index])
    assert navigator.index == index and index in navigator.visited
    for name in SLICE_ORIENTATIONS:
        toRas = app.sliceViews[name].node.GetSliceToRAS()
        assert np.allclose([toRas.GetElement(row, 3) for row in range(3)], RAS[index], atol=1e-3)


def test_a_click_beside_the_marks_goes_nowhere(mouse, marks, navigator):
    mouse.click((0.0, 0.0, 60.0))
    assert navigator.index is None


def test_marks_can_neither_be_dragged_nor_deleted(mouse, marks, navigator):
    mouse.drag(RAS[1], (30, 12))
    assert np.allclose(positions(marks.node), RAS)
    mouse.click(RAS[2])
    mouse.key("Delete")
    assert np.allclose(positions(marks.node), RAS)


def test_they_do_not_become_the_list_that_the_user_places_points_in(app, marks, navigator):
    selection = app.scene.GetFirstNodeByClass("vtkMRMLSelectionNode")
    assert selection.GetActivePlaceNodeID() is None
    own = app.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "mine")
    assert selection.GetActivePlaceNodeID() == own.GetID(), "as Slicer does it"
    navigator.setPlaces([place(1, (1.0, 2.0, 3.0))], 100.0)
    assert selection.GetActivePlaceNodeID() == own.GetID()
    for node in (own.GetDisplayNode(), own):
        app.scene.RemoveNode(node)


def test_other_places_replace_the_marks_and_none_leaves_nothing(app, marks, navigator):
    navigator.setPlaces([place(1, (7.0, 8.0, 9.0))], 100.0)
    assert np.allclose(positions(marks.node), [(7.0, 8.0, 9.0)])
    assert app.scene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode") == 1
    navigator.setPlaces([])
    assert marks.node is None
    assert app.scene.GetNumberOfNodesByClass("vtkMRMLMarkupsNode") == 0
    assert app.scene.GetNumberOfNodesByClass("vtkMRMLMarkupsDisplayNode") == 0


def test_hidden_marks_stay_hidden_for_the_next_case(marks, navigator):
    marks.setVisible(False)
    navigator.setPlaces([place(1, (7.0, 8.0, 9.0))], 100.0)
    assert not marks.node.GetDisplayNode().GetVisibility()
    marks.setVisible(True)
    assert marks.node.GetDisplayNode().GetVisibility()


def test_marks_that_the_user_has_deleted_come_back_with_the_next_place(app, marks, navigator):
    app.scene.RemoveNode(marks.node)
    navigator.next()
    assert app.scene.IsNodePresent(marks.node) and marks.node.GetNumberOfControlPoints() == 3


@pytest.mark.parametrize(("sight", "least"), [("normal", 20.0), ("protanopia", 10.0), ("deuteranopia", 10.0)])
def test_the_mark_of_the_place_shown_is_seen_on_every_structure(marks, navigator, sight, least):
    current = "#" + "".join(f"{round(255 * part):02X}" for part in marks.node.GetDisplayNode().GetSelectedColor())
    assert min(distance(current, structure, sight) for structure in DEFAULT_COLORS[:8]) >= least
