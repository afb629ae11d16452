"""Annotating a part of an image: the rest is "not annotated"."""

import numpy as np
import pytest
import vtk
from metassl.imaging import Geometry
from metassl.project.regions import DC, DS, UC, US
from MetaSSLPictures.OffscreenSlicer import OffscreenSlicer
from MetaSSLSlicerLib.Logic.Case.PartialAnnotation import annotatedSlices, confidentPart, insideRoi

SHAPE = (10, 14, 12)
C, S = np.cos(0.4), np.sin(0.4)
DIRECTIONS = [
    (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0),
    (-1.0, 0, 0, 0, 1.0, 0, 0, 0, -1.0),
    (C, -S * C, S * S, S, C * C, -C * S, 0.0, S, C),
]


def empty():
    return np.zeros(SHAPE, np.uint8)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_without_a_structure_become_255_along_the_axis_that_was_worked_along(axis):
    array = empty()
    slices = np.moveaxis(array, axis, 0)
    slices[2, 2:9, 2:9] = 1
    slices[6, 3:8, 3:8] = 3
    kept, found, count = annotatedSlices(array)
    assert (found, count) == (axis, 2)
    expected = np.full(SHAPE, 255, np.uint8)
    np.moveaxis(expected, axis, 0)[[2, 6]] = slices[[2, 6]]
    assert np.array_equal(kept, expected)


def test_when_all_axes_are_alike_the_slices_of_the_image_count():
    array = np.zeros((8, 8, 8), np.uint8)
    array[2:4, 2:4, 2:4] = 1
    assert annotatedSlices(array)[1:] == (0, 2)


def test_the_share_of_slices_decides_and_not_their_number():
    array = np.zeros((4, 40, 40), np.uint8)
    array[0:2, 10:15, 5:35] = 1  # 2 of 4, 5 of 40, 30 of 40
    assert annotatedSlices(array)[1:] == (1, 5)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_small_round_structure_that_is_cut_off_tells_the_axis(axis):
    z, y, x = np.ogrid[:60, :60, :60]
    array = ((z - 30) ** 2 + (y - 30) ** 2 + (x - 30) ** 2 < 12**2).astype(np.uint8)
    np.moveaxis(array, axis, 0)[34:] = 0  # more slices along this axis hold it than not, still it was cut here
    wide = np.repeat(array, 3, axis=axis)
    kept, found, count = annotatedSlices(wide)
    assert found == axis
    assert count == 3 * (34 - 19) and (kept == 1).sum() == wide.sum()


def test_voxels_of_255_are_no_structure_and_stay():
    array = empty()
    array[1:9] = 255
    array[5, 2:12, 2:10] = 1
    kept, axis, count = annotatedSlices(array)
    assert (axis, count) == (0, 1)
    assert np.array_equal(kept == 1, array == 1) and np.array_equal(kept[5] == 255, array[5] == 255)
    assert (kept[:5] == 255).all() and (kept[6:] == 255).all()


def test_without_any_structure_nothing_is_annotated():
    kept, _, count = annotatedSlices(empty())
    assert count == 0 and (kept == 255).all()


def test_the_array_handed_in_is_left_alone():
    array = empty()
    array[2, 2, 2] = 1
    before = array.copy()
    annotatedSlices(array)
    assert np.array_equal(array, before)


@pytest.fixture(scope="module")
def app():
    return OffscreenSlicer(64)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("turned", [False, True])
def test_voxels_outside_an_oriented_box_become_255(app, direction, turned):
    grid = Geometry(SHAPE[::-1], (1.0, 1.25, 2.5), (-12.5, 7.0, 31.0), direction)
    random = np.random.default_rng(0)
    array = random.integers(0, 3, SHAPE, np.uint8)
    toRas = grid.ijk_to_ras
    center = (toRas @ (5.2, 6.1, 4.3, 1.0))[:3]
    size = np.array((5.1, 8.3, 11.7))
    roi = app.scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box")
    roi.SetSize(*size)
    roi.SetCenter(*center)
    axes = np.eye(3)
    if turned:
        transform = app.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "turn")
        turn = vtk.vtkTransform()
        turn.RotateWXYZ(31, 1, 2, 3)
        transform.SetMatrixTransformToParent(turn.GetMatrix())
        roi.SetAndObserveTransformNodeID(transform.GetID())
        matrix = np.array([[turn.GetMatrix().GetElement(i, j) for j in range(4)] for i in range(4)])
        axes, center = matrix[:3, :3], (matrix @ (*center, 1.0))[:3]
    kept = insideRoi(grid, roi)(array)
    z, y, x = np.indices(SHAPE)
    ras = np.stack([x, y, z, np.ones(SHAPE)], -1) @ toRas.T
    inside = (np.abs((ras[..., :3] - center) @ axes) <= size / 2).all(-1)
    assert turned or 0 < inside.sum() < inside.size
    assert np.array_equal(kept, np.where(inside, array, 255))


def test_the_box_is_read_at_once_and_not_when_the_label_is_made(app):
    grid = Geometry(SHAPE[::-1], (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), DIRECTIONS[0])
    roi = app.scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box")
    roi.SetSize(200, 200, 200)
    restrict = insideRoi(grid, roi)
    roi.SetSize(1, 1, 1)
    app.scene.RemoveNode(roi)
    assert not restrict(empty()).any()


def test_only_what_is_unanimous_and_confident_is_kept_of_a_prediction():
    segmentation = np.array([[[0, 1, 1, 2, 1]]], np.uint8)
    regions = np.array([[[UC.value, UC.value, US.value, DC.value, DS.value]]], np.uint8)
    kept = confidentPart(segmentation, regions)
    assert kept.dtype == np.uint8 and kept.tolist() == [[[0, 1, 255, 255, 255]]]
    assert confidentPart(segmentation, np.zeros_like(regions)).tolist() == [[[255] * 5]]
