"""The uncertain places of a prediction, shown in real slice views."""

import importlib.util

import numpy as np
import pytest
from metassl.imaging import Geometry
from metassl.project import LabelDefinition
from metassl.project.places.search import find_places

if importlib.util.find_spec("slicer") is None:
    pytest.skip("slicer-core is not installed: pip install 'metassl[report]'", allow_module_level=True)

import slicer
from metassl.project.regions import DS, UC
from MetaSSLPictures.OffscreenSlicer import OffscreenSlicer
from MetaSSLSlicerLib.Logic.Review.PlaceNavigator import PlaceNavigator

SHAPE = (30, 48, 44)


def oblique() -> Geometry:
    """Turned by 20 and 10 degrees, x and z reversed, anisotropic, off the origin."""
    a, b = np.radians([20.0, 10.0])
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1.0]])
    tilt = np.array([[1.0, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    direction = turn @ tilt @ np.diag([-1.0, 1.0, -1.0])
    return Geometry(SHAPE[::-1], (0.9, 1.25, 2.0), (31.0, -57.0, 12.0), tuple(direction.ravel()))


def ball(center_zyx, radius, shape=SHAPE):
    z, y, x = np.indices(shape)
    cz, cy, cx = center_zyx
    return (2.0 * (z - cz)) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 <= radius**2


class Views:
    """Three real slice views, a crosshair, and three places on an oblique grid."""

    def __init__(self):
        self.app = OffscreenSlicer(200)
        self.crosshair = self.app.scene.AddNewNodeByClass("vtkMRMLCrosshairNode")
        self.navigator = PlaceNavigator(self.app)
        regions, segmentation = np.full(SHAPE, UC.value, np.uint8), np.zeros(SHAPE, np.uint8)
        for size, center in ((5, (18, 30, 28)), (4, (6, 10, 30)), (3, (6, 40, 8))):
            regions[ball(center, size)] = DS.value
        self.places = find_places(segmentation, regions, oblique(), [LabelDefinition(1, "Liver")])

    def centers(self):
        for view in self.app.sliceViews.values():
            matrix = view.node.GetSliceToRAS()
            yield [matrix.GetElement(row, 3) for row in range(3)]


@pytest.fixture(scope="module")
def views() -> Views:
    return Views()


def test_every_view_and_the_crosshair_go_to_the_place(views):
    views.navigator.setPlaces(views.places)
    assert views.navigator.current is None
    for view in views.app.sliceViews.values():
        view.node.SetFieldOfView(300.0, 150.0, 1.0)
    for place in views.places:
        views.navigator.next()
        assert views.navigator.current is place
        for center in views.centers():
            np.testing.assert_allclose(center, place.ras, atol=1e-6)
        np.testing.assert_allclose(views.crosshair.GetCrosshairRAS(), place.ras)
        for view in views.app.sliceViews.values():
            width, height, _ = view.node.GetFieldOfView()
            assert width == pytest.approx(2 * height), "the picture is not stretched"
            assert height == pytest.approx(max(4 * place.extent_mm, 40.0))
    assert views.navigator.visited == {0, 1, 2}


def test_the_navigator_says_which_place_is_shown_and_what_it_is(views):
    views.navigator.setPlaces(views.places)
    assert (views.navigator.positionText, views.navigator.currentText) == ("", "")
    views.navigator.goTo(2)
    assert views.navigator.positionText == "3 of 3"
    assert views.places[2].ml == pytest.approx(0.158, abs=0.005)
    expected = "outside: networks differ, both unsure, 0.16 ml, chance to be wrong not yet measured"
    assert views.navigator.currentText == expected


def test_next_and_previous_go_round_and_ticks_are_kept(views):
    navigator = views.navigator
    changes = []
    navigator.changed.connect(lambda: changes.append(navigator.index))
    navigator.setPlaces(views.places)
    assert navigator.visited == set()
    navigator.previous()
    navigator.next()
    navigator.goTo(1)
    assert changes == [None, 2, 0, 1] and navigator.visited == {0, 1, 2}
    navigator.setVisited(2, False)
    navigator.setVisited(2, False)
    assert navigator.visited == {0, 1} and len(changes) == 5


def test_no_view_gets_wider_than_the_image_is_long(views):
    views.navigator.setPlaces(views.places, imageSideMm=44.0)
    views.navigator.next()
    for view in views.app.sliceViews.values():
        assert min(view.node.GetFieldOfView()[:2]) == pytest.approx(44.0)


def test_the_crosshair_is_shown_while_there_are_places_and_then_as_it_was(views):
    views.crosshair.SetCrosshairMode(views.crosshair.NoCrosshair)
    views.navigator.setPlaces(views.places)
    views.navigator.next()
    assert views.crosshair.GetCrosshairMode() != views.crosshair.NoCrosshair
    views.navigator.setPlaces([])
    assert views.crosshair.GetCrosshairMode() == views.crosshair.NoCrosshair
    views.crosshair.SetCrosshairMode(views.crosshair.ShowIntersection)
    views.navigator.setPlaces(views.places)
    views.navigator.next()
    views.navigator.setPlaces([])
    assert views.crosshair.GetCrosshairMode() == views.crosshair.ShowIntersection


def test_without_views_and_without_places_nothing_happens(views):
    class Bare:
        scene = slicer.vtkMRMLScene()

    navigator = PlaceNavigator(Bare)
    navigator.next()
    navigator.previous()
    assert navigator.current is None
    navigator.setPlaces(views.places)
    navigator.previous()
    assert navigator.index == 2
