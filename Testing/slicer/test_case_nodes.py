"""A case read from the project folder, shown in the scene, and taken away again."""

import gc
import time

import numpy as np
import pytest
import slicer.util
import vtk
from machine import slowness
from metassl.files import ImageError, write_json
from metassl.imaging import Geometry, write_array
from metassl.project import Case, LabelDefinition, Project
from metassl.project.regions import DS, UC, US
from MetaSSLPictures.OffscreenSlicer import OffscreenSlicer, OffscreenSliceView
from MetaSSLSlicerLib.Logic.Autosave.AutosaveFormat import autosavePath, writeAutosave
from MetaSSLSlicerLib.Logic.Case.CaseFiles import readCase, windowOf
from MetaSSLSlicerLib.Logic.Case.CaseNodes import CaseNodes
from MetaSSLSlicerLib.Logic.Case.CaseSegmentation import takeSnapshot

SHAPE = (16, 20, 24)
LABELS = [LabelDefinition(2, "Front", "#AA0102"), LabelDefinition(5, "Back", "#00BB03")]
STRAIGHT = (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0)
C, S = np.cos(0.2), np.sin(0.2)
OBLIQUE = (C, -S * C, S * S, S, C * C, -C * S, 0.0, S, C)
VOXELS = {"UC": 1, "US": 0, "DC": 0, "DS": 0}
SUMMARY = {"voxels": VOXELS, "error_rates": {"UC": 0.01, "US": 0.2, "DC": 0.3, "DS": None}}


def gridOf(direction=OBLIQUE, shape=SHAPE):
    return Geometry(shape[::-1], (0.9, 1.1, 2.0), (-112.5, 57.25, 1031.0), direction)


def arrays():
    z, y, x = np.ogrid[:16, :20, :24]
    labels = np.zeros(SHAPE, np.uint8)
    labels[4:12, 5:15, 4:12] = 2
    labels[4:12, 5:15, 12:20] = 5
    image = (100 * (labels > 0) + 3 * x + 2 * y + z).astype(np.int16)
    regions = np.full(SHAPE, UC.value, np.uint8)
    regions[:, 9:11] = US.value
    regions[4:12, 5:15, 10:14] = DS.value
    return image, labels, regions


def projectOf(folder, grid, channels=("CT",), predicted=True):
    project = Project.create(folder / "project", "p", LABELS, list(channels))
    image, labels, regions = arrays()
    paths = []
    for number, _ in enumerate(channels):
        paths.append(folder / f"image_{number}.nrrd")
        write_array(paths[-1], image + number, grid)
    project.add_cases([Case("case_1", [str(path) for path in paths])])
    if predicted:
        paths = project.new_round({"seed": 0}).prediction("case_1")
        paths.folder.mkdir(parents=True)
        write_array(paths.segmentation, labels, grid)
        write_array(paths.regions, regions, grid)
        write_array(paths.uncertainty, np.zeros(SHAPE, np.float32), grid)
        write_json(paths.summary, SUMMARY)
        project.mark_predicted(["case_1"])
    return project


@pytest.fixture(scope="module")
def app():
    return OffscreenSlicer(160)


@pytest.fixture(params=[STRAIGHT, OBLIQUE], ids=["straight", "oblique"])
def project(request, tmp_path):
    return projectOf(tmp_path, gridOf(request.param))


@pytest.fixture
def data(project):
    return readCase(project, "case_1")


@pytest.fixture
def nodes(app, data):
    made = CaseNodes(app, LABELS, data)
    yield made
    made.remove()


def idsIn(scene):
    return {scene.GetNthNode(i).GetID() for i in range(scene.GetNumberOfNodes())}


# Reading


def test_a_predicted_case_is_read_whole(data):
    image, labels, regions = arrays()
    assert (data.caseId, data.state, data.warnings) == ("case_1", "predicted", [])
    assert [channel.name for channel in data.channels] == ["CT"]
    assert data.channels[0].array.dtype == np.int16 and np.array_equal(data.channels[0].array, image)
    assert np.array_equal(data.prediction.segmentation, labels)
    assert np.array_equal(data.prediction.regions, regions)
    assert data.prediction.round == 1 and data.prediction.errorRates == SUMMARY["error_rates"]
    assert data.label is data.autosaved is data.autosaveTime is None


def test_a_label_and_unsaved_work_are_read_too(project):
    _, labels, _ = arrays()
    grid = readCase(project, "case_1").geometry
    project.add_label("case_1", (labels, grid), state="corrected")
    writeAutosave(autosavePath(project, "case_1"), np.flip(labels), grid, LABELS)
    data = readCase(project, "case_1")
    assert data.state == "corrected" and np.array_equal(data.label, labels)
    assert np.array_equal(data.autosaved, np.flip(labels))
    assert abs(data.autosaveTime - time.time()) < 60


def test_each_channel_is_read_with_its_name(tmp_path):
    data = readCase(projectOf(tmp_path, gridOf(), ("T1", "T2"), predicted=False), "case_1")
    assert [channel.name for channel in data.channels] == ["T1", "T2"]
    assert np.array_equal(data.channels[1].array, data.channels[0].array + 1)
    assert data.prediction is None


def test_images_of_one_case_on_different_grids_are_refused_by_name(tmp_path):
    project = projectOf(tmp_path, gridOf(), ("T1", "T2"), predicted=False)
    write_array(tmp_path / "image_1.nrrd", arrays()[0], gridOf(STRAIGHT))
    with pytest.raises(ImageError, match=r"case_1: .*image_1\.nrrd is not on the grid of .*image_0\.nrrd"):
        readCase(project, "case_1")


def test_a_missing_image_is_refused_by_name(tmp_path):
    project = projectOf(tmp_path, gridOf())
    (tmp_path / "image_0.nrrd").unlink()
    with pytest.raises(ImageError, match=r"case_1: there is no file .*image_0\.nrrd"):
        readCase(project, "case_1")


@pytest.mark.parametrize("file", ["segmentation.nrrd", "regions.nrrd", "summary.json"])
def test_a_damaged_prediction_is_left_out_with_a_warning_that_names_it(project, file):
    path = project.prediction("case_1")[1].folder / file
    path.write_bytes(path.read_bytes()[:20])
    data = readCase(project, "case_1")
    assert data.prediction is None and data.channels
    assert len(data.warnings) == 1 and file in data.warnings[0]


def test_a_prediction_on_another_grid_is_left_out_with_a_warning(project):
    paths = project.prediction("case_1")[1]
    shifted = Geometry(SHAPE[::-1], (0.9, 1.1, 2.0), (0.0, 0.0, 0.0), STRAIGHT)
    write_array(paths.regions, arrays()[2], shifted)
    data = readCase(project, "case_1")
    assert data.prediction is None and "not on the image's grid" in data.warnings[0]


def test_damaged_unsaved_work_is_left_out_with_a_warning_and_stays_on_the_disk(project):
    path = autosavePath(project, "case_1")
    path.write_bytes(b"NRRD0004\n")
    data = readCase(project, "case_1")
    assert data.autosaved is None and data.autosaveTime is None and path.exists()
    assert len(data.warnings) == 1 and "case_1.seg.nrrd" in data.warnings[0]


@pytest.mark.parametrize(
    ("array", "window"),
    [
        (np.zeros((4, 4, 4)), (-0.5, 0.5)),
        (np.full((4, 4, 4), np.nan, np.float32), (0.0, 1.0)),
        (np.linspace(0, 1000, 1001).reshape(1001, 1, 1), (5.0, 995.0)),
        (np.eye(1000)[None], (0.0, 1.0)),
    ],
)
def test_the_window_is_always_one_that_shows_something(array, window):
    assert windowOf(array) == pytest.approx(window, abs=6.0)
    assert windowOf(array)[0] < windowOf(array)[1]


# In the scene


def test_nodes_hold_the_arrays_themselves_on_the_grid_of_the_image(nodes, data):
    shown = {nodes.volumeNode: data.channels[0].array, nodes.regionsNode: data.prediction.regions}
    for node, array in shown.items():
        assert np.shares_memory(slicer.util.arrayFromVolume(node), array)
        assert np.array_equal(slicer.util.arrayFromVolume(node), array)
        assert node.GetOrigin() == pytest.approx((112.5, -57.25, 1031.0))  # LPS in the file, RAS in Slicer
        assert node.GetSpacing() == pytest.approx((0.9, 1.1, 2.0))
        last = [n - 1 for n in data.geometry.size_xyz]
        turn = np.array(data.geometry.direction).reshape(3, 3)
        lps = data.geometry.origin_xyz + turn @ (np.array(data.geometry.spacing_xyz) * last)
        matrix = vtk.vtkMatrix4x4()
        node.GetIJKToRASMatrix(matrix)
        assert matrix.MultiplyPoint((*last, 1.0))[:3] == pytest.approx(lps * (-1, -1, 1))
    assert np.array_equal(takeSnapshot(nodes.predictionNode, data.geometry, LABELS).toArray(), arrays()[1])


def test_volumes_live_on_without_anyone_in_python(app, project):
    made = CaseNodes(app, LABELS, readCase(project, "case_1"))
    identifier = made.volumeNode.GetID()
    nodesLeft = made.allNodes()
    identifiers = [node.GetID() for node in nodesLeft]
    del made, nodesLeft
    gc.collect()
    rubbish = [np.full(SHAPE, 77, np.int16) for _ in range(500)]
    assert np.array_equal(slicer.util.arrayFromVolume(app.scene.GetNodeByID(identifier)), arrays()[0])
    assert rubbish
    for each in identifiers:
        app.scene.RemoveNode(app.scene.GetNodeByID(each))


def test_the_window_is_fixed_and_not_automatic(nodes, data):
    display = nodes.volumeNode.GetDisplayNode()
    assert not display.GetAutoWindowLevel()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == pytest.approx(data.channels[0].window)


def test_every_node_says_whose_it_is_and_is_not_saved_with_the_scene(nodes):
    nodes.addAnnotation(arrays()[1])
    nodes.addHeatMap("uncertainty", "uncertainty", np.zeros(SHAPE, np.float32))
    nodes.addComparison(arrays()[1], "round 1")
    assert [node.GetAttribute("MetaSSL") for node in nodes.allNodes()] == [
        "image", "prediction", "annotation", "regions", "uncertainty", "comparison"
    ]  # fmt: skip
    for node in nodes.allNodes():
        assert not node.GetSaveWithScene() and not node.GetDisplayNode().GetSaveWithScene()


def test_after_a_case_the_scene_is_as_it_was(app, data):
    CaseNodes(app, LABELS, data).remove()  # colour tables are made once and stay
    own = app.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "the user's own")
    before = idsIn(app.scene)
    for _ in range(2):
        made = CaseNodes(app, LABELS, data)
        made.addHeatMap("uncertainty", "uncertainty", np.zeros(SHAPE, np.float32))
        made.addAnnotation()
        made.addComparison(arrays()[1], "round 1")
        made.show()
        made.annotationNode.AddDefaultStorageNode()
        made.remove()
        assert idsIn(app.scene) - before == {"vtkMRMLColorTableNodeMetaSSLHeat"} - before
        before = idsIn(app.scene)
        assert made.allNodes() == []
    assert app.scene.IsNodePresent(own)
    app.scene.RemoveNode(own)


def test_a_node_that_the_user_deleted_does_not_stand_in_the_way(app, data):
    made = CaseNodes(app, LABELS, data)
    app.scene.RemoveNode(made.regionsNode)
    app.scene.RemoveNode(made.volumeNode)
    made.remove()
    made.remove()


def test_the_annotation_holds_a_copy_of_the_prediction(app, nodes, data):
    nodes.addAnnotation(data.prediction.segmentation)
    layer = nodes.annotationNode.GetSegmentation().GetNthSegment(0).GetRepresentation("Binary labelmap")
    layer.GetPointData().GetScalars().Fill(5)
    assert np.array_equal(data.prediction.segmentation, arrays()[1])
    assert np.array_equal(takeSnapshot(nodes.predictionNode, data.geometry, LABELS).toArray(), arrays()[1])
    role = nodes.annotationNode.GetReferenceImageGeometryReferenceRole()
    assert nodes.annotationNode.GetNodeReferenceID(role) == nodes.volumeNode.GetID()


def test_while_there_is_an_annotation_the_prediction_is_hidden(nodes):
    nodes.addAnnotation(arrays()[1])
    assert not nodes.predictionNode.GetDisplayVisibility() and nodes.annotationNode.GetDisplayVisibility()
    nodes.removeAnnotation()
    assert nodes.predictionNode.GetDisplayVisibility() and nodes.annotationNode is None


def test_a_heat_map_has_a_fixed_window_and_a_table_that_only_gets_brighter(nodes):
    array = np.linspace(0, 0.3, int(np.prod(SHAPE)), dtype=np.float32).reshape(SHAPE)
    nodes.addHeatMap("uncertainty", "uncertainty", array)
    display = nodes.heatNodes["uncertainty"].GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0.0, 1.0)
    table = display.GetColorNode().GetLookupTable()
    brightness = [np.dot(table.GetTableValue(i)[:3], (0.2126, 0.7152, 0.0722)) for i in range(256)]
    assert (np.diff(brightness) > 0).all()


def test_the_views_show_the_image_and_over_it_the_regions(app, nodes):
    nodes.predictionNode.SetDisplayVisibility(False)
    nodes.show()
    for view in app.sliceViews.values():
        assert view.compositeNode.GetBackgroundVolumeID() == nodes.volumeNode.GetID()
        assert view.compositeNode.GetLabelVolumeID() == nodes.regionsNode.GetID()
    picture = app.sliceViews["Red"].grab().astype(int)
    assert picture.std() > 10
    red, green, blue = picture[picture.shape[0] // 2, picture.shape[1] // 2]
    assert red > green > blue  # the middle is DS, orange
    left = picture[picture.shape[0] // 2, picture.shape[1] // 4]
    assert left.max() - left.min() < 60


@pytest.mark.parametrize("directions", [(OBLIQUE, STRAIGHT), (STRAIGHT, OBLIQUE)])
def test_views_follow_the_slices_of_each_image(app, tmp_path, directions):
    for number, direction in enumerate(directions):
        (tmp_path / str(number)).mkdir()
        project = projectOf(tmp_path / str(number), gridOf(direction), predicted=False)
        made = CaseNodes(app, LABELS, readCase(project, "case_1"))
        made.show()
        matrix = app.sliceViews["Red"].node.GetSliceToRAS()
        normal = np.array([matrix.GetElement(row, 2) for row in range(3)])
        axis = np.array(direction).reshape(3, 3)[:, 2] * (-1, -1, 1)
        assert abs(normal @ axis) > 0.9999
        made.remove()


def imageOf(folder, shape):
    """A case with nothing but an image of this shape."""
    folder.mkdir()
    project = Project.create(folder / "project", "p", LABELS, ["CT"])
    write_array(folder / "image.nrrd", np.zeros(shape, np.int16), gridOf(shape=shape))
    project.add_cases([Case("case_1", [str(folder / "image.nrrd")])])
    return readCase(project, "case_1")


def test_after_an_image_of_one_slice_the_views_show_three_directions_again(app, tmp_path):
    for number, shape in enumerate(((1, 20, 24), SHAPE)):
        made = CaseNodes(app, LABELS, imageOf(tmp_path / str(number), shape))
        made.show()
        made.remove()
    matrices = [view.node.GetSliceToRAS() for view in app.sliceViews.values()]
    normals = np.array([[matrix.GetElement(row, 2) for row in range(3)] for matrix in matrices])
    np.testing.assert_allclose(np.abs(normals @ normals.T), np.eye(3), atol=1e-6)


def test_a_view_that_the_layout_adds_is_where_the_image_is(app, nodes):
    nodes.show()
    view = OffscreenSliceView(app, "Slice4", "Axial", 64)
    view.compositeNode.SetBackgroundVolumeID(nodes.volumeNode.GetID())  # Slicer itself does so
    nodes.fillViews()
    bounds, place = [0.0] * 6, view.node.GetSliceToRAS()
    nodes.volumeNode.GetRASBounds(bounds)
    middle = [(low + high) / 2 for low, high in zip(bounds[::2], bounds[1::2], strict=True)]
    assert [place.GetElement(row, 3) for row in range(3)] == pytest.approx(middle, abs=2.0)
    view.node.SetSliceOffset(view.node.GetSliceOffset() + 4.0)
    there = view.node.GetSliceOffset()
    nodes.fillViews()
    assert view.node.GetSliceOffset() == there, "the user has moved it since"
    app.applicationLogic.GetSliceLogics().RemoveItem(view.logic)
    for node in (view.compositeNode, view.node):
        app.scene.RemoveNode(node)


def test_a_large_predicted_case_is_on_the_screen_soon(app, tmp_path):
    shape = (300, 512, 512)
    grid = gridOf(shape=shape)
    z, y, x = np.ogrid[:300, :512, :512]
    labels = np.zeros(shape, np.uint8)
    labels[(z - 150) ** 2 + (y - 200) ** 2 + (x - 200) ** 2 < 90**2] = 2
    labels[(z - 150) ** 2 + (y - 330) ** 2 + (x - 300) ** 2 < 80**2] = 5
    project = Project.create(tmp_path / "project", "p", LABELS, ["CT"])
    image = np.random.default_rng(0).integers(-20, 20, shape, np.int16) + 100 * labels
    write_array(tmp_path / "image.nrrd", image, grid)
    project.add_cases([Case("large", [str(tmp_path / "image.nrrd")])])
    paths = project.new_round({"seed": 0}).prediction("large")
    paths.folder.mkdir(parents=True)
    write_array(paths.segmentation, labels, grid)
    write_array(paths.regions, np.where(np.roll(labels, 5, 2) == labels, UC.value, DS.value).astype(np.uint8), grid)
    write_json(paths.summary, SUMMARY)
    begin = time.process_time()
    data = readCase(project, "large")
    read = time.process_time()
    made = CaseNodes(app, LABELS, data)
    made.show()
    shown = time.process_time()
    for view in app.sliceViews.values():
        view.grab()
    drawn = time.process_time()
    made.remove()
    gone = time.process_time()
    print(
        f"512x512x300: read {read - begin:.2f} s, nodes {1000 * (shown - read):.0f} ms, "
        f"drawn {1000 * (drawn - shown):.0f} ms, in all {drawn - begin:.2f} s; removed {1000 * (gone - drawn):.0f} ms"
    )
    slow = slowness()
    assert drawn - begin < 6 * slow and shown - read < 0.5 * slow and gone - drawn < 0.5 * slow
