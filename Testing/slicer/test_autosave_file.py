"""The autosave of unsaved work: exact, whole or absent, and an ordinary segmentation for Slicer."""

import time

import numpy as np
import pytest
from machine import slowness
from metassl.files import LabelError, ProjectError
from metassl.imaging import Geometry
from metassl.project import LabelDefinition, Project
from MetaSSLPictures.OffscreenSlicer import OffscreenSlicer
from MetaSSLSlicerLib.Logic.Autosave.AutosaveFile import AutosaveFile, autosaveMark
from MetaSSLSlicerLib.Logic.Autosave.AutosaveFormat import (
    autosavePath,
    autosaves,
    readAutosave,
    writeAutosave,
)
from MetaSSLSlicerLib.Logic.Case.CaseSegmentation import addSegmentation, takeSnapshot

SHAPE = (10, 14, 12)
TERMINOLOGY = "Category and type~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~^^~Anatomic codes~^^~^^"
LABELS = [
    LabelDefinition(2, "Leber, größer \\ kleiner", "#AA0102", TERMINOLOGY),
    LabelDefinition(5, "肿瘤: 100 %", "#00BB03"),
    LabelDefinition(9, "Never there"),
]
C, S = np.cos(0.37), np.sin(0.37)
DIRECTIONS = {
    "straight": (1, 0, 0, 0, 1, 0, 0, 0, 1),
    "flipped": (1, 0, 0, 0, -1, 0, 0, 0, -1),
    "left-handed": (-1, 0, 0, 0, 1, 0, 0, 0, 1),
    "oblique twice": (C, -S * C, S * S, S, C * C, -C * S, 0, S, C),
}


def gridOf(name="oblique twice"):
    return Geometry(SHAPE[::-1], (0.71, 1.253, 2.5), (-112.51, 57.037, 1031.2), tuple(map(float, DIRECTIONS[name])))


@pytest.fixture(scope="module")
def app():
    return OffscreenSlicer(64)


@pytest.fixture(params=list(DIRECTIONS))
def grid(request):
    return gridOf(request.param)


@pytest.fixture
def array():
    labels = np.random.default_rng(1).choice(np.array([0, 2, 5], np.uint8), SHAPE)
    labels[9] = 255
    return labels


@pytest.fixture
def project(tmp_path):
    return Project.create(tmp_path / "project", "p", LABELS, ["CT"])


def test_what_is_written_is_read_again_exactly(project, array, grid):
    path = autosavePath(project, "case_1")
    assert path == project.path / "journal" / "case_1.seg.nrrd"
    writeAutosave(path, array, grid, LABELS)
    assert np.array_equal(readAutosave(path, grid, "case_1", LABELS).array, array)


def test_slicer_opens_it_with_names_colours_terminology_and_values(app, project, array, grid):
    path = autosavePath(project, "case_1")
    writeAutosave(path, array, grid, LABELS)
    node = app.segmentationsLogic.LoadSegmentationFromFile(str(path), True)
    segmentation = node.GetSegmentation()
    assert list(segmentation.GetSegmentIDs()) == ["Label_2", "Label_5", "Label_9", "NotAnnotated"]
    for label in LABELS:
        segment = segmentation.GetSegment(f"Label_{label.value}")
        assert (segment.GetName(), segment.GetLabelValue()) == (label.name, label.value)
        assert [round(255 * part) for part in segment.GetColor()] == list(bytes.fromhex(label.color[1:]))
    assert segmentation.GetSegment("Label_2").GetTerminology() == TERMINOLOGY
    assert segmentation.GetNumberOfLayers() == 1
    assert np.array_equal(takeSnapshot(node, grid, LABELS).toArray(), array)
    app.scene.RemoveNode(node)


def test_slicers_own_file_of_our_segmentation_holds_the_same(app, tmp_path, array, grid):
    node = addSegmentation(app, "x", grid, LABELS, array)
    node.AddDefaultStorageNode()
    node.GetStorageNode().SetFileName(str(tmp_path / "x.seg.nrrd"))
    assert node.GetStorageNode().WriteData(node)
    again = app.segmentationsLogic.LoadSegmentationFromFile(str(tmp_path / "x.seg.nrrd"), True)
    assert np.array_equal(takeSnapshot(again, grid, LABELS).toArray(), array)
    for each in (node, again):
        app.scene.RemoveNode(each)


def test_an_empty_segmentation_is_kept_too(project):
    path = autosavePath(project, "empty")
    writeAutosave(path, np.zeros(SHAPE, np.uint8), gridOf(), LABELS)
    assert not readAutosave(path, gridOf(), "empty", LABELS).array.any()


def test_all_autosaves_are_listed_with_their_time_and_nothing_else(project, array):
    before = time.time()
    for case in ("a", "b.2"):
        writeAutosave(autosavePath(project, case), array, gridOf(), LABELS)
    (project.path / "journal" / ".tmp-123-c.seg.nrrd").write_bytes(b"")
    (project.path / "journal" / "notes.txt").write_text("x", encoding="utf-8")
    found = autosaves(project)
    assert sorted(found) == ["a", "b.2"]
    assert all(before - 2 <= when <= time.time() + 2 for when in found.values())


def test_a_autosave_is_removed_once_or_twice(project, array):
    path = autosavePath(project, "a")
    writeAutosave(path, array, gridOf(), LABELS)
    AutosaveFile(path, autosaveMark(path)).remove()
    AutosaveFile(path, autosaveMark(path)).remove()
    assert autosaves(project) == {}


def test_a_project_whose_autosave_folder_is_gone_gets_it_again(project, array):
    (project.path / "journal").rmdir()
    assert autosaves(project) == {}
    writeAutosave(autosavePath(project, "a"), array, gridOf(), LABELS)
    assert list(autosaves(project)) == ["a"]


def test_a_write_that_fails_leaves_the_former_autosave_and_no_rest(project, array, monkeypatch):
    path = autosavePath(project, "a")
    writeAutosave(path, array, gridOf(), LABELS)
    monkeypatch.setattr("SimpleITK.WriteImage", _failing)
    with pytest.raises(ProjectError, match="cannot write"):
        writeAutosave(path, np.zeros_like(array), gridOf(), LABELS)
    assert np.array_equal(readAutosave(path, gridOf(), "a", LABELS).array, array)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def _failing(image, path, *_, **__):
    with open(path, "wb") as stream:
        stream.write(b"NRRD0004\nhalf a head")
    raise RuntimeError("ITK ERROR: disk on fire")


def test_a_folder_that_is_no_folder_is_said_in_words(tmp_path, array):
    (tmp_path / "journal").write_text("a file", encoding="utf-8")
    with pytest.raises(ProjectError, match="cannot write"):
        writeAutosave(tmp_path / "journal" / "a.seg.nrrd", array, gridOf(), LABELS)


def test_a_torn_autosave_is_said_with_its_case_and_file(project, array):
    path = autosavePath(project, "case_7")
    writeAutosave(path, array, gridOf(), LABELS)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(LabelError, match=r"case case_7: .*case_7\.seg\.nrrd"):
        readAutosave(path, gridOf(), "case_7", LABELS)


def test_a_autosave_on_another_grid_is_said(project, array):
    path = autosavePath(project, "case_7")
    writeAutosave(path, array, gridOf("flipped"), LABELS)
    with pytest.raises(LabelError, match="not on the grid of the image: direction"):
        readAutosave(path, gridOf("straight"), "case_7", LABELS)


def test_a_large_case_is_written_in_a_fraction_of_a_second(app, tmp_path):
    grid = Geometry((512, 512, 300), (0.7, 0.7, 1.0), (0.0, 0.0, 0.0), gridOf().direction)
    z, y, x = np.ogrid[:300, :512, :512]
    large = np.zeros(grid.shape_zyx, np.uint8)
    for value, middle, radius in ((2, (150, 200, 200), 90), (5, (150, 300, 300), 110), (9, (99, 120, 400), 60)):
        large[(z - middle[0]) ** 2 + (y - middle[1]) ** 2 + (x - middle[2]) ** 2 < radius**2] = value
    node = addSegmentation(app, "large", grid, LABELS, large)
    timings = []
    for _ in range(2):
        begin = time.process_time()
        snapshot = takeSnapshot(node, grid, LABELS)
        writeAutosave(tmp_path / "large.seg.nrrd", snapshot.toArray(), grid, LABELS)
        timings.append(time.process_time() - begin)
    app.scene.RemoveNode(node)
    print(f"512x512x300: snapshot and autosave {1000 * min(timings):.0f} ms")
    assert np.array_equal(readAutosave(tmp_path / "large.seg.nrrd", grid, "large", LABELS).array, large)
    assert min(timings) < 1.5 * slowness()
