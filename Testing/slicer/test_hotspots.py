"""The doubtful places of a prediction: found, ranked, and shown in real slice views."""

import importlib.util
import time

import numpy as np
import pytest
import SimpleITK as sitk
from metassl.project import Geometry

if importlib.util.find_spec("slicer") is None:
    pytest.skip("slicer-core is not installed: pip install 'metassl[report]'", allow_module_level=True)

import slicer
from MetaSSLSlicerLib.Logic import Hotspots
from MetaSSLSlicerLib.Logic.HotspotNavigator import HotspotNavigator
from MetaSSLSlicerLib.Pictures.OffscreenSlicer import OffscreenSlicer
from MetaSSLSlicerLib.RegionColors import DC, DS, UC, US

SHAPE = (30, 48, 44)
STRAIGHT = Geometry(SHAPE[::-1], (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))


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


def maps(shape=SHAPE):
    return np.full(shape, UC.value, np.uint8), np.zeros(shape, np.uint8)


def test_hotspots_are_connected_places_with_the_largest_first():
    regions, segmentation = maps()
    regions[ball((6, 8, 8), 4)] = DC.value
    large = ball((18, 30, 28), 8)
    regions[large] = DS.value
    regions[18, 30, 21:28] = DC.value
    first, second = Hotspots.find(regions, segmentation, STRAIGHT)
    assert (first.rank, second.rank) == (1, 2)
    assert first.indexXyz == (28, 30, 18) and second.indexXyz == (8, 8, 6)
    assert first.ml == pytest.approx(large.sum() * 0.002) and first.score == pytest.approx(first.ml)
    assert first.regions["DC"] == pytest.approx(7 / large.sum()) and sum(first.regions.values()) == pytest.approx(1)
    assert (first.mainRegion, second.mainRegion) == ("DS", "DC")
    assert first.extentMm == 18.0, "nine slices of 2 mm, and 17 voxels of 1 mm"


@pytest.mark.parametrize("geometry", [STRAIGHT, oblique()])
def test_the_place_is_given_in_ras_on_any_grid(geometry):
    regions, segmentation = maps()
    regions[ball((12, 20, 30), 6)] = DS.value
    (spot,) = Hotspots.find(regions, segmentation, geometry)
    assert spot.indexXyz == (30, 20, 12)
    image = geometry.apply(sitk.Image(list(geometry.size_xyz), sitk.sitkUInt8))
    x, y, z = image.TransformIndexToPhysicalPoint(spot.indexXyz)
    np.testing.assert_allclose(spot.ras, (-x, -y, z), atol=1e-9)


def test_the_point_lies_inside_the_place_where_it_is_thickest():
    regions, segmentation = maps()
    ring = ball((15, 24, 22), 16) & ~ball((15, 24, 22), 14)
    ring[:14] = ring[17:] = False
    ring |= ball((15, 24, 36), 4)
    regions[ring] = DS.value
    spots = Hotspots.find(regions, segmentation, STRAIGHT)
    for spot in spots:
        assert ring[spot.indexXyz[::-1]]
    assert np.abs(np.subtract(spots[0].indexXyz, (36, 24, 15))).max() <= 1


def test_measured_error_rates_decide_the_order():
    regions, segmentation = maps()
    regions[ball((8, 10, 10), 6)] = DC.value
    regions[ball((20, 34, 30), 5)] = DS.value
    assert [spot.mainRegion for spot in Hotspots.find(regions, segmentation, STRAIGHT)] == ["DC", "DS"]
    rates = {"UC": 0.001, "US": 0.1, "DC": 0.05, "DS": 0.6}
    ranked = Hotspots.find(regions, segmentation, STRAIGHT, rates)
    assert [spot.mainRegion for spot in ranked] == ["DS", "DC"]
    assert ranked[0].score == pytest.approx(0.6 * ranked[0].ml)
    assert Hotspots.find(regions, segmentation, STRAIGHT, {"DC": None, "DS": None}) == Hotspots.find(
        regions, segmentation, STRAIGHT
    )


def test_a_learnt_probability_of_error_goes_before_the_rates_of_the_regions():
    regions, segmentation = maps()
    small, large = ball((6, 8, 8), 4), ball((18, 30, 28), 8)
    regions[small], regions[large] = DC.value, DS.value
    learnt = np.full(SHAPE, 0.01, np.float32)
    learnt[small] = 0.9
    first, second = Hotspots.find(regions, segmentation, STRAIGHT, {"DS": 0.9, "DC": 0.1}, learnt)
    assert (first.mainRegion, second.mainRegion) == ("DC", "DS")
    assert first.score == pytest.approx(0.9 * small.sum() * 0.002, rel=1e-5)
    assert second.score == pytest.approx(0.01 * large.sum() * 0.002, rel=1e-5)


def test_unsure_voxels_count_only_close_to_a_structure_and_for_less():
    regions, segmentation = maps()
    segmentation[ball((15, 24, 12), 8)] = 1
    regions[ball((15, 24, 12), 5)] = US.value
    regions[:, :, 34:] = US.value
    regions[ball((24, 10, 22), 4)] = DS.value
    spots = Hotspots.find(regions, segmentation, STRAIGHT)
    assert [spot.mainRegion for spot in spots] == ["DS", "US"], "the larger unsure place counts a quarter"
    assert spots[1].indexXyz == (12, 24, 15)


def test_crumbs_are_left_out_unless_there_is_nothing_else():
    regions, segmentation = maps()
    for x in range(0, 40, 4):
        regions[10, 10, x] = DC.value
    assert 1 <= len(Hotspots.find(regions, segmentation, STRAIGHT)) <= 3
    regions[ball((20, 30, 20), 4)] = DC.value
    (spot,) = Hotspots.find(regions, segmentation, STRAIGHT)
    assert spot.indexXyz == (20, 30, 20)


def test_a_long_place_is_walked_through_in_pieces():
    shape = (40, 120, 120)
    geometry = Geometry(shape[::-1], (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), STRAIGHT.direction)
    regions, segmentation = maps(shape)
    z, y, x = np.indices(shape)
    radius = np.hypot(y - 60, x - 60)
    rim = (radius > 45) & (radius < 49) & (z > 15) & (z < 22)
    regions[rim] = DS.value
    spots = Hotspots.find(regions, segmentation, geometry)
    assert 6 <= len(spots) <= 20
    assert sum(spot.ml for spot in spots) == pytest.approx(rim.sum() / 1000)
    assert all(spot.extentMm < 60 and rim[spot.indexXyz[::-1]] for spot in spots)


def test_no_doubt_gives_no_hotspot_and_a_single_slice_works():
    regions, segmentation = maps()
    assert Hotspots.find(regions, segmentation, STRAIGHT) == []
    regions[10, 12:18, 20:30] = DC.value
    flat = Geometry((44, 48, 1), (1.0, 1.0, 5.0), (0.0, 0.0, 0.0), STRAIGHT.direction)
    (spot,) = Hotspots.find(regions[10:11], segmentation[10:11], flat)
    assert spot.indexXyz[2] == 0 and regions[10, spot.indexXyz[1], spot.indexXyz[0]] == DC.value


def test_a_noisy_map_of_a_large_image_is_done_in_seconds_with_50_hotspots():
    shape = (120, 256, 256)
    geometry = Geometry(shape[::-1], (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), STRAIGHT.direction)
    regions, segmentation = maps(shape)
    random = np.random.default_rng(0)
    segmentation[20:100, 40:220, 40:220] = 1
    regions[random.random(shape) < 0.05] = US.value
    regions[random.random(shape) < 0.05] = DS.value
    begin = time.monotonic()
    spots = Hotspots.find(regions, segmentation, geometry)
    assert len(spots) == Hotspots.MOST
    assert time.monotonic() - begin < 20
    assert [spot.score for spot in spots] == sorted((spot.score for spot in spots), reverse=True)


class Views:
    """Three real slice views, a crosshair, and three hotspots on an oblique grid."""

    def __init__(self):
        self.app = OffscreenSlicer(200)
        self.crosshair = self.app.scene.AddNewNodeByClass("vtkMRMLCrosshairNode")
        self.navigator = HotspotNavigator(self.app)
        regions, segmentation = maps()
        for size, center in ((8, (18, 30, 28)), (6, (6, 10, 30)), (3, (6, 40, 8))):
            regions[ball(center, size)] = DS.value
        self.spots = Hotspots.find(regions, segmentation, oblique())

    def centers(self):
        for view in self.app.sliceViews.values():
            matrix = view.node.GetSliceToRAS()
            yield [matrix.GetElement(row, 3) for row in range(3)]


@pytest.fixture(scope="module")
def views() -> Views:
    return Views()


def test_every_view_and_the_crosshair_go_to_the_hotspot(views):
    views.navigator.setHotspots(views.spots)
    assert views.navigator.current is None
    for view in views.app.sliceViews.values():
        view.node.SetFieldOfView(300.0, 150.0, 1.0)
    for spot in views.spots:
        views.navigator.next()
        assert views.navigator.current is spot
        for center in views.centers():
            np.testing.assert_allclose(center, spot.ras, atol=1e-6)
        np.testing.assert_allclose(views.crosshair.GetCrosshairRAS(), spot.ras)
        for view in views.app.sliceViews.values():
            width, height, _ = view.node.GetFieldOfView()
            assert width == pytest.approx(2 * height), "the picture is not stretched"
            assert height == pytest.approx(max(4 * spot.extentMm, 40.0))
    assert views.navigator.visited == {0, 1, 2}


def test_next_and_previous_go_round_and_ticks_are_kept(views):
    navigator = views.navigator
    changes = []
    navigator.changed.connect(lambda: changes.append(navigator.index))
    navigator.setHotspots(views.spots)
    assert navigator.visited == set()
    navigator.previous()
    navigator.next()
    navigator.goTo(1)
    assert changes == [None, 2, 0, 1] and navigator.visited == {0, 1, 2}
    navigator.setVisited(2, False)
    navigator.setVisited(2, False)
    assert navigator.visited == {0, 1} and len(changes) == 5


def test_no_view_gets_wider_than_the_image_is_long(views):
    views.navigator.setHotspots(views.spots, imageSideMm=44.0)
    views.navigator.next()
    for view in views.app.sliceViews.values():
        assert min(view.node.GetFieldOfView()[:2]) == pytest.approx(44.0)


def test_the_crosshair_is_shown_while_there_are_hotspots_and_then_as_it_was(views):
    views.crosshair.SetCrosshairMode(views.crosshair.NoCrosshair)
    views.navigator.setHotspots(views.spots)
    views.navigator.next()
    assert views.crosshair.GetCrosshairMode() != views.crosshair.NoCrosshair
    views.navigator.setHotspots([])
    assert views.crosshair.GetCrosshairMode() == views.crosshair.NoCrosshair
    views.crosshair.SetCrosshairMode(views.crosshair.ShowIntersection)
    views.navigator.setHotspots(views.spots)
    views.navigator.next()
    views.navigator.setHotspots([])
    assert views.crosshair.GetCrosshairMode() == views.crosshair.ShowIntersection


def test_without_views_and_without_hotspots_nothing_happens(views):
    class Bare:
        scene = slicer.vtkMRMLScene()

    navigator = HotspotNavigator(Bare)
    navigator.next()
    navigator.previous()
    assert navigator.current is None
    navigator.setHotspots(views.spots)
    navigator.previous()
    assert navigator.index == 2
