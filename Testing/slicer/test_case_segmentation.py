"""A project's annotation as a Slicer segmentation, and back, whatever Slicer does to it meanwhile."""

import gc
import time

import numpy as np
import pytest
import slicer
import vtk
from machine import slowness
from metassl.files import LabelError
from metassl.imaging import Geometry
from metassl.imaging.segments import segment_id
from metassl.project import LabelDefinition
from MetaSSLPictures.OffscreenSlicer import OffscreenSlicer
from MetaSSLSlicerLib.Logic.Case.CaseSegmentation import addSegmentation, ijkToRasMatrix, setArray, takeSnapshot
from vtk.util.numpy_support import vtk_to_numpy

BINARY = "Binary labelmap"
LIVER = "Segmentation category and type~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~^^~Anatomic codes~^^~^^"
LABELS = [
    LabelDefinition(2, "Liver", "#AA0102", LIVER),
    LabelDefinition(5, "Tumour", "#00BB03"),
    LabelDefinition(9, "Never there"),
]
SHAPE = (10, 14, 12)
MERGE = slicer.vtkSlicerSegmentationsModuleLogic.MODE_MERGE_MASK

C, S = np.cos(0.37), np.sin(0.37)
DIRECTIONS = {
    "straight": (1, 0, 0, 0, 1, 0, 0, 0, 1),
    "flipped": (1, 0, 0, 0, -1, 0, 0, 0, -1),
    "left-handed": (-1, 0, 0, 0, 1, 0, 0, 0, 1),
    "sagittal": (0, 0, 1, 1, 0, 0, 0, -1, 0),
    "oblique": (C, -S, 0, S, C, 0, 0, 0, 1),
    "oblique twice": (C, -S * C, S * S, S, C * C, -C * S, 0, S, C),
}


def gridOf(name="oblique twice"):
    return Geometry(SHAPE[::-1], (0.71, 1.253, 2.5), (-112.51, 57.037, 1031.2), tuple(map(float, DIRECTIONS[name])))


@pytest.fixture(scope="module")
def slicerCore():
    return OffscreenSlicer(64)


@pytest.fixture
def app(slicerCore):
    yield slicerCore
    while (node := slicerCore.scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")) is not None:
        slicerCore.scene.RemoveNode(node)


@pytest.fixture(params=list(DIRECTIONS))
def grid(request):
    return gridOf(request.param)


@pytest.fixture
def array():
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:5, 3:8, 3:8] = 2
    labels[5:8, 3:8, 4:9] = 5
    labels[9] = 255
    return labels


def box(*slices):
    mask = np.zeros(SHAPE, bool)
    mask[slices] = True
    return mask


def labelmap(mask, geometry, first=(0, 0, 0)):
    """A labelmap as the Segment Editor hands one over; `first`: its first voxel (x, y, z) on the image's grid."""
    image = slicer.vtkOrientedImageData()
    image.SetImageToWorldMatrix(ijkToRasMatrix(geometry))
    size = mask.shape[::-1]
    image.SetExtent(*(n for start, length in zip(first, size, strict=True) for n in (start, start + length - 1)))
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    vtk_to_numpy(image.GetPointData().GetScalars())[:] = mask.ravel()
    return image


def paint(node, mask, identifier, geometry, overwrite=None, mode=MERGE, first=(0, 0, 0)):
    """What the Segment Editor does for a stroke; overwrite: the ids that may be painted over, by default all."""
    segmentation = node.GetSegmentation()
    if overwrite is None:
        overwrite = [each for each in segmentation.GetSegmentIDs() if each != identifier]
    modifier = labelmap(mask, geometry, first)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert logic.SetBinaryLabelmapToSegment(modifier, node, identifier, mode, None, False, overwrite)


def segments(node):
    segmentation = node.GetSegmentation()
    return {each: segmentation.GetSegment(each) for each in segmentation.GetSegmentIDs()}


def arrayOf(node, geometry):
    return takeSnapshot(node, geometry, LABELS).toArray()


def test_every_label_of_the_project_has_its_segment_even_when_it_is_empty(app, array):
    node = addSegmentation(app, "x", gridOf(), LABELS, array)
    found = segments(node)
    assert list(found) == ["Label_2", "Label_5", "Label_9", "NotAnnotated"]
    assert [each.GetName() for each in found.values()] == ["Liver", "Tumour", "Never there", "Not annotated"]
    assert np.allclose(found["Label_2"].GetColor(), (0xAA / 255, 1 / 255, 2 / 255))
    assert found["Label_2"].GetTerminology() == LIVER
    assert [each.GetLabelValue() for each in found.values()] == [2, 5, 9, 255]


def test_without_255_there_is_no_segment_for_it(app):
    assert list(segments(addSegmentation(app, "x", gridOf(), LABELS))) == ["Label_2", "Label_5", "Label_9"]


def test_values_come_back_exactly_on_every_grid(app, array, grid):
    node = addSegmentation(app, "x", grid, LABELS, array)
    assert np.array_equal(arrayOf(node, grid), array)


def test_a_stroke_on_every_grid_changes_its_voxels_and_no_others(app, array, grid):
    node = addSegmentation(app, "x", grid, LABELS, array)
    paint(node, box(slice(1, 6), 4, slice(2, 6)), "Label_9", grid)
    expected = array.copy()
    expected[1:6, 4, 2:6] = 9
    assert np.array_equal(arrayOf(node, grid), expected)


def test_slicers_own_export_with_fixed_values_agrees(app, array, grid):
    node = addSegmentation(app, "x", grid, LABELS, array)
    paint(node, box(3, slice(0, 6)), "Label_9", grid, overwrite=[])
    colors = app.scene.AddNewNodeByClass("vtkMRMLColorTableNode", "fixed")
    colors.SetTypeToUser()
    colors.SetNumberOfColors(256)
    for identifier, segment in segments(node).items():
        value = 255 if identifier == "NotAnnotated" else int(identifier.split("_")[1])
        colors.SetColor(value, segment.GetName(), 1, 1, 1, 1)
    colors.NamesInitialisedOn()
    volume = app.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "reference")
    volume.SetIJKToRASMatrix(ijkToRasMatrix(grid))
    volume.SetAndObserveImageData(vtk.vtkImageData())
    volume.GetImageData().SetDimensions(*grid.size_xyz)
    volume.GetImageData().AllocateScalars(vtk.VTK_SHORT, 1)
    exported = app.scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "exported")
    extent = slicer.vtkSegmentation.EXTENT_REFERENCE_GEOMETRY
    ids = vtk.vtkStringArray()
    for identifier in segments(node):
        ids.InsertNextValue(identifier)
    assert app.segmentationsLogic.ExportSegmentsToLabelmapNode(node, ids, exported, volume, extent, colors)
    values = vtk_to_numpy(exported.GetImageData().GetPointData().GetScalars()).reshape(SHAPE)
    assert np.array_equal(arrayOf(node, grid), values)


def test_the_editor_is_told_the_grid_of_the_image_to_the_last_digit(app, grid):
    node = addSegmentation(app, "x", grid, LABELS)
    converter = slicer.vtkSegmentationConverter
    told = slicer.vtkOrientedImageData()
    text = node.GetSegmentation().GetConversionParameter(converter.GetReferenceImageGeometryParameterName())
    assert converter.DeserializeImageGeometry(text, told, False)
    matrix, wanted = vtk.vtkMatrix4x4(), ijkToRasMatrix(grid)
    told.GetImageToWorldMatrix(matrix)
    differences = [abs(matrix.GetElement(i, j) - wanted.GetElement(i, j)) for i in range(4) for j in range(4)]
    assert max(differences) < 1e-9
    assert told.GetDimensions() == grid.size_xyz


def test_all_segments_share_one_layer(app, array):
    assert addSegmentation(app, "x", gridOf(), LABELS, array).GetSegmentation().GetNumberOfLayers() == 1


def test_the_array_handed_in_is_never_changed_by_edits(app, array):
    before = array.copy()
    node = addSegmentation(app, "x", gridOf(), LABELS, array)
    paint(node, np.ones(SHAPE, bool), "Label_5", gridOf())
    assert (arrayOf(node, gridOf()) == 5).all()
    assert np.array_equal(array, before)


def test_the_memory_outlives_the_array_and_everything_in_python(app, array):
    before = array.copy()
    addSegmentation(app, "lonely", gridOf(), LABELS, array)
    del array
    gc.collect()
    rubbish = [np.full(SHAPE, 77, np.uint8) for _ in range(500)]
    assert np.array_equal(arrayOf(app.scene.GetFirstNodeByName("lonely"), gridOf()), before)
    assert rubbish


def test_a_snapshot_does_not_see_later_edits(app, array):
    node = addSegmentation(app, "x", gridOf(), LABELS, array)
    snapshot = takeSnapshot(node, gridOf(), LABELS)
    paint(node, np.ones(SHAPE, bool), "Label_5", gridOf())
    assert np.array_equal(snapshot.toArray(), array)


def test_painting_begins_in_an_empty_segmentation(app, grid):
    node = addSegmentation(app, "x", grid, LABELS)
    assert not arrayOf(node, grid).any()
    paint(node, box(3, slice(2, 5), 4), "Label_5", grid)
    assert np.array_equal(arrayOf(node, grid), 5 * box(3, slice(2, 5), 4))


def test_overlapping_segments_in_layers_of_their_own_keep_their_values(app, array):
    grid = gridOf()
    node = addSegmentation(app, "x", grid, LABELS, array)
    paint(node, box(slice(3, 7), 4, 5), "Label_9", grid, overwrite=[])
    paint(node, box(0, 0), "Label_2", grid, overwrite=[])
    assert node.GetSegmentation().GetNumberOfLayers() > 1
    assert node.GetSegmentation().GetSegment("Label_9").GetLabelValue() != 9  # Slicer renumbers: ids count
    expected = array.copy()
    expected[3:7, 4, 5] = 9
    expected[0, 0] = 2
    assert np.array_equal(arrayOf(node, grid), expected)


def test_layers_that_slicer_merges_again_keep_their_values(app, array):
    grid = gridOf()
    node = addSegmentation(app, "x", grid, LABELS, array)
    paint(node, box(3, 3, slice(0, 5)), "Label_9", grid, overwrite=[])
    expected = arrayOf(node, grid)
    node.GetSegmentation().CollapseBinaryLabelmaps(True)
    assert node.GetSegmentation().GetNumberOfLayers() == 1
    assert np.array_equal(arrayOf(node, grid), expected)


def test_what_was_annotated_goes_before_not_annotated(app, array):
    grid = gridOf()
    node = addSegmentation(app, "x", grid, LABELS, array)
    paint(node, box(9, 3), "Label_5", grid, overwrite=[])
    expected = array.copy()
    expected[9, 3] = 5
    assert np.array_equal(arrayOf(node, grid), expected)


def test_a_layer_that_reaches_beyond_the_image_is_cut_at_its_border(app):
    grid = gridOf()
    node = addSegmentation(app, "x", grid, LABELS)
    larger = np.ones(tuple(n + 5 for n in SHAPE), bool)
    paint(node, larger, "Label_5", grid, first=(-2, -3, -1))
    assert (arrayOf(node, grid) == 5).all()


def test_a_layer_wholly_outside_the_image_counts_for_nothing(app):
    grid = gridOf()
    node = addSegmentation(app, "x", grid, LABELS)
    paint(node, np.ones((2, 2, 2), bool), "Label_5", grid, first=(50, 50, 50))
    assert not arrayOf(node, grid).any()


def test_a_layer_whose_origin_lies_some_voxels_off_is_put_in_its_place(app):
    grid = gridOf()
    node = addSegmentation(app, "x", grid, LABELS)
    image = labelmap(np.ones((2, 3, 4), bool), grid)
    matrix = ijkToRasMatrix(grid)
    for row, value in enumerate(matrix.MultiplyPoint((5, 4, 3, 1))[:3]):
        matrix.SetElement(row, 3, value)
    image.SetImageToWorldMatrix(matrix)
    segment = node.GetSegmentation().GetSegment("Label_5")
    segment.SetLabelValue(1)
    segment.AddRepresentation(BINARY, image)
    assert np.array_equal(arrayOf(node, grid), 5 * box(slice(3, 5), slice(4, 7), slice(5, 9)))


def test_a_layer_on_another_grid_is_resampled_to_the_image(app):
    grid = gridOf()
    finer = Geometry(
        tuple(2 * n for n in grid.size_xyz),
        tuple(n / 2 for n in grid.spacing_xyz),
        tuple(grid.origin_xyz - 0.25 * np.array(grid.direction).reshape(3, 3) @ np.array(grid.spacing_xyz)),
        grid.direction,
    )
    mask = box(slice(2, 5), slice(3, 9), slice(4, 8))
    node = addSegmentation(app, "x", grid, LABELS)
    segment = node.GetSegmentation().GetSegment("Label_5")
    segment.SetLabelValue(1)
    segment.AddRepresentation(BINARY, labelmap(mask.repeat(2, 0).repeat(2, 1).repeat(2, 2), finer))
    assert np.array_equal(arrayOf(node, grid), 5 * mask)


def test_a_segment_that_was_deleted_is_background_and_a_renamed_one_keeps_its_value(app, array):
    grid = gridOf()
    node = addSegmentation(app, "x", grid, LABELS, array)
    node.GetSegmentation().RemoveSegment("Label_2")
    node.GetSegmentation().GetSegment("Label_5").SetName("Liver")
    assert np.array_equal(arrayOf(node, grid), np.where(array == 2, 0, array))


def test_a_new_segment_that_is_empty_does_not_matter(app, array):
    node = addSegmentation(app, "x", gridOf(), LABELS, array)
    node.GetSegmentation().AddEmptySegment("mine", "Mine", [1, 0, 0])
    assert np.array_equal(arrayOf(node, gridOf()), array)


def test_a_new_segment_with_voxels_is_refused_by_its_name_and_kept_apart_in_the_autosave(app, array):
    grid = gridOf()
    node = addSegmentation(app, "x", grid, LABELS, array)
    node.GetSegmentation().AddEmptySegment("mine", "Vessel", [1, 0, 0])
    paint(node, box(0, 1, 2), "mine", grid)
    snapshot = takeSnapshot(node, grid, LABELS)
    with pytest.raises(LabelError, match='"Vessel" is not one of the structures'):
        snapshot.toArray()
    kept, unknownStructures = snapshot.withUnknownStructures(LABELS)
    (unknownStructure,) = unknownStructures
    assert unknownStructure.name == "Vessel" and unknownStructure.value not in {label.value for label in LABELS}
    assert np.array_equal(kept, np.where((array == 0) & (box(0, 1, 2) != 0), unknownStructure.value, array))


def test_slicers_undo_brings_the_former_values_back(app, array):
    grid = gridOf()
    node = addSegmentation(app, "x", grid, LABELS, array)
    history = slicer.vtkSegmentationHistory()
    history.SetSegmentation(node.GetSegmentation())
    history.SaveState()
    paint(node, np.ones(SHAPE, bool), "Label_9", grid)
    assert history.RestorePreviousState()
    assert np.array_equal(arrayOf(node, grid), array)
    history.RestoreNextState()
    assert (arrayOf(node, grid) == 9).all()


def test_surfaces_as_the_source_are_made_a_labelmap_again(app):
    grid = Geometry((40, 40, 40), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    solid = np.zeros((40, 40, 40), np.uint8)
    solid[10:30, 8:32, 12:28] = 5
    node = addSegmentation(app, "x", grid, LABELS, solid)
    node.GetSegmentation().SetConversionParameter("Smoothing factor", "0")
    assert node.CreateClosedSurfaceRepresentation()
    node.GetSegmentation().SetSourceRepresentationName("Closed surface")
    found = arrayOf(node, grid)
    assert set(np.unique(found)) == {0, 5}
    assert np.count_nonzero(found != solid) < 0.1 * np.count_nonzero(solid)


def test_new_content_replaces_the_old_and_whoever_watches_is_told(app, array):
    grid = gridOf()
    node = addSegmentation(app, "x", grid, LABELS, array)
    paint(node, box(3, 4, slice(0, 6)), "Label_9", grid, overwrite=[])
    told = []
    node.GetSegmentation().AddObserver(slicer.vtkSegmentation.SourceRepresentationModified, lambda *_: told.append(1))
    other = np.where(array == 2, 9, 0).astype(np.uint8)
    setArray(node, grid, LABELS, other)
    assert np.array_equal(arrayOf(node, grid), other)
    assert told
    setArray(node, grid, LABELS, None)
    assert not arrayOf(node, grid).any()
    paint(node, box(1, 1, 1), "Label_2", grid)
    assert np.array_equal(arrayOf(node, grid), 2 * box(1, 1, 1))


def test_an_array_of_another_shape_or_type_is_refused(app, array):
    for wrong in (array[:-1], array.astype(np.int16)):
        with pytest.raises(ValueError, match="on a grid of"):
            addSegmentation(app, "x", gridOf(), LABELS, wrong)


def test_ids_are_fixed():
    assert [segment_id(value) for value in (1, 254, 255)] == ["Label_1", "Label_254", "NotAnnotated"]


def test_a_large_case_is_added_and_copied_without_a_pause(app):
    grid = Geometry((512, 512, 300), (0.7, 0.7, 1.0), (0.0, 0.0, 0.0), gridOf().direction)
    large = np.zeros(grid.shape_zyx, np.uint8)
    large[100:200, 100:300, 150:350] = 5
    large[:20] = 255
    timings = []
    for _ in range(3):
        begin = time.process_time()
        node = addSegmentation(app, "large", grid, LABELS, large)
        added = time.process_time()
        snapshot = takeSnapshot(node, grid, LABELS)
        taken = time.process_time()
        assert np.array_equal(snapshot.toArray(), large)
        timings.append((added - begin, taken - added))
        app.scene.RemoveNode(node)
    adding, taking = np.min(timings, axis=0)
    print(f"512x512x300: adding {1000 * adding:.0f} ms, snapshot {1000 * taking:.0f} ms")
    assert adding < 0.5 * slowness() and taking < 0.5 * slowness()
