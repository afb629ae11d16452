"""Volumes and segmentations of a real scene as the beginning of a project, and the folders round it."""

import importlib.util
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from metassl.files import ProjectError
from metassl.imaging import Geometry, read_geometry, read_image, write_array
from metassl.project import LabelDefinition, Project

if importlib.util.find_spec("slicer") is None:
    pytest.skip("slicer-core is not installed: pip install 'metassl[report]'", allow_module_level=True)

import slicer
import slicer.util
import vtk
from metassl.project.terms import term_name
from MetaSSLPictures.OffscreenSlicer import OffscreenSlicer
from MetaSSLSlicerLib.Logic.Project.CaseTable import ProjectSummary
from MetaSSLSlicerLib.Logic.Project.NewProject import FolderPreview, NewProject, labelsOfSegmentation
from MetaSSLSlicerLib.Logic.Project.ProjectFolders import (
    MOST,
    RecentProjects,
    isFree,
    nearestProject,
    projectsFolder,
    suggestedFolder,
)
from MetaSSLSlicerLib.Logic.Project.SampleProject import makeSampleProject, registerSampleData
from MetaSSLSlicerLib.Logic.Scene.SceneVolumes import SceneVolumes, createFromVolumes, geometryOf

SHAPE = (5, 7, 6)
LIVER = (
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical Structure"
    "~SCT^10200004^Liver~^^~Anatomic codes - DICOM master list~^^~^^"
)
GRIDS = {
    "straight": (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0),
    "flipped": (-1.0, 0, 0, 0, 1.0, 0, 0, 0, -1.0),
    "oblique": (0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1.0),
    "left-handed": (0, 1.0, 0, 1.0, 0, 0, 0, 0, 1.0),
}


def grid(direction: str = "oblique") -> Geometry:
    return Geometry(SHAPE[::-1], (0.7, 1.25, 2.5), (-12.5, 7.0, 31.0), GRIDS[direction])


def voxels(seed: int = 0, dtype: type = np.int16) -> np.ndarray:
    return np.random.default_rng(seed).integers(-1000, 1000, SHAPE).astype(dtype)


@pytest.fixture
def scene():
    return slicer.vtkMRMLScene()


def add(scene, name: str, array=None, geometry=None, kind: str = "vtkMRMLScalarVolumeNode"):
    """A volume that lies in no file."""
    node = scene.AddNewNodeByClass(kind, name)
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy((geometry or grid()).ijk_to_ras.ravel())
    node.SetIJKToRASMatrix(matrix)
    slicer.util.updateVolumeFromArray(node, voxels() if array is None else array)
    return node


def load(scene, path: Path):
    """The volume in a file, as Slicer reads it."""
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", path.name.split(".")[0])
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    scene.AddNode(storage)
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    node.SetAndObserveStorageNodeID(storage.GetID())
    return node


def prepared(scene):
    volumes = SceneVolumes(scene, temporary=())
    return volumes.prepare(volumes.candidates())


# Which volumes


def test_candidates_are_scalar_volumes_only_and_never_our_own(scene):
    add(scene, "CT")
    add(scene, "labels", kind="vtkMRMLLabelMapVolumeNode", array=voxels(dtype=np.uint8))
    add(scene, "open case").SetAttribute("MetaSSL", "volume")
    add(scene, "hidden").SetHideFromEditors(True)
    scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "colours")
    assert [volume.name for volume in SceneVolumes(scene).candidates()] == ["CT"]


def test_case_ids_are_usable_and_never_the_same(scene):
    for name in ("2: CT (thin)", "MR", "mr", "MR", "...", ""):
        add(scene, name)
    ids = [volume.caseId for volume in SceneVolumes(scene).candidates()]
    assert ids[:4] == ["2_ CT _thin_", "MR", "mr_2", "MR_3"]
    assert ids[4] == "case" and len({name.casefold() for name in ids}) == 6


# Their images


@pytest.mark.parametrize("direction", GRIDS)
def test_a_volume_without_a_file_is_written_exactly(scene, tmp_path, direction):
    array = voxels(3)
    add(scene, "CT", array, grid(direction))
    project = createFromVolumes(tmp_path / "p", "P", [LabelDefinition(1, "A")], prepared(scene))
    assert project.case("CT").images == ["images/CT.nrrd"]
    (path,) = project.image_paths("CT")
    read = read_image([path], "CT")
    assert read.geometry.difference(grid(direction)) == ""
    assert np.array_equal(read.array[0], array)
    assert not list(project.path.rglob(".tmp-*"))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_values_of_every_usual_type_survive(scene, tmp_path, dtype):
    array = voxels(1).astype(dtype)
    add(scene, "CT", array)
    project = createFromVolumes(tmp_path / "p", "P", [LabelDefinition(1, "A")], prepared(scene))
    assert np.array_equal(read_image(project.image_paths("CT"), "CT").array[0], array.astype(np.float32))


@pytest.mark.parametrize("name", ["CT.nrrd", "CT.nii.gz", "CT.nii", "CT.mha"])
def test_a_volume_in_a_file_stays_where_it_is(scene, tmp_path, name):
    write_array(tmp_path / name, voxels(), grid("flipped"))
    before = (tmp_path / name).read_bytes()
    load(scene, tmp_path / name)
    project = createFromVolumes(tmp_path / "p", "P", [LabelDefinition(1, "A")], prepared(scene))
    assert project.image_paths("CT") == [tmp_path / name]
    assert not (project.path / "images").exists() and (tmp_path / name).read_bytes() == before


def test_a_volume_that_was_changed_since_it_was_loaded_is_written_as_it_is_now(scene, tmp_path):
    write_array(tmp_path / "CT.nrrd", voxels(), grid())
    node = load(scene, tmp_path / "CT.nrrd")
    slicer.util.arrayFromVolume(node)[:] += 1
    slicer.util.arrayFromVolumeModified(node)
    project = createFromVolumes(tmp_path / "p", "P", [LabelDefinition(1, "A")], prepared(scene))
    assert np.array_equal(read_image(project.image_paths("CT"), "CT").array[0], voxels() + 1)


def test_a_volume_whose_grid_was_changed_is_written_on_the_new_grid(scene, tmp_path):
    write_array(tmp_path / "CT.nrrd", voxels(), grid())
    node = load(scene, tmp_path / "CT.nrrd")
    node.SetSpacing(1.0, 1.0, 1.0)
    project = createFromVolumes(tmp_path / "p", "P", [LabelDefinition(1, "A")], prepared(scene))
    (path,) = project.image_paths("CT")
    assert path.is_relative_to(project.path)
    assert read_geometry(path, "CT").spacing_xyz == pytest.approx((1.0, 1.0, 1.0))


def test_a_file_that_will_not_last_is_copied(scene, tmp_path):
    (tmp_path / "unpacked").mkdir()
    write_array(tmp_path / "unpacked" / "CT.nrrd", voxels(), grid())
    load(scene, tmp_path / "unpacked" / "CT.nrrd")
    volumes = SceneVolumes(scene, temporary=((tmp_path / "unpacked").resolve(),))
    cases = volumes.prepare(volumes.candidates())
    project = createFromVolumes(tmp_path / "p", "P", [LabelDefinition(1, "A")], cases)
    assert project.case("CT").images == ["images/CT.nrrd"]


def fromDicom(scene, folder: Path, series: str = "7", **loaded):
    """A volume as Slicer's DICOM module leaves it, and where its database would find the instances."""
    dicom_files = pytest.importorskip("dicom_files", reason="DICOM files are made with pydicom (the extra dicom)")
    dicom_files.write_slices(folder, voxels(), series=series, name=f"S{series}_")
    files = sorted(folder.glob(f"S{series}_*"))
    instances = {str(dicom_files.pydicom.dcmread(file).SOPInstanceUID): str(file) for file in files}
    straight = Geometry(SHAPE[::-1], (1.5, 1.5, 5.0), (0.0, 0.0, 0.0), GRIDS["straight"])
    node = add(scene, "CT", loaded.get("array", voxels()), loaded.get("geometry", straight))
    node.SetAttribute("DICOM.instanceUIDs", " ".join(instances))
    return instances


def createdFrom(scene, tmp_path, instances: dict) -> Project:
    volumes = SceneVolumes(scene, temporary=(), fileOf=lambda instance: instances.get(instance, ""))
    cases = volumes.prepare(volumes.candidates())
    return createFromVolumes(tmp_path / "p", "P", [LabelDefinition(1, "A")], cases)


def test_a_volume_from_the_dicom_database_stays_dicom(scene, tmp_path):
    instances = fromDicom(scene, tmp_path / "series")
    project = createdFrom(scene, tmp_path, instances)
    assert project.image_paths("CT") == [tmp_path / "series"]
    assert np.array_equal(read_image(project.image_paths("CT"), "CT").array[0], voxels())


def test_of_several_series_in_a_folder_a_file_stands_for_the_one(scene, tmp_path):
    fromDicom(slicer.vtkMRMLScene(), tmp_path / "series", "7")
    instances = fromDicom(scene, tmp_path / "series", "8")
    (path,) = createdFrom(scene, tmp_path, instances).image_paths("CT")
    assert path.name.startswith("S8_") and path.parent == tmp_path / "series"


@pytest.mark.parametrize(
    "loaded",
    [{"array": voxels() + 1}, {"array": voxels()[:3]}, {"geometry": grid()}],
    ids=["changed", "a part", "moved"],
)
def test_a_volume_that_is_not_as_its_series_any_more_is_written(scene, tmp_path, loaded):
    instances = fromDicom(scene, tmp_path / "series", **loaded)
    project = createdFrom(scene, tmp_path, instances)
    assert project.case("CT").images == ["images/CT.nrrd"]


def test_a_volume_whose_series_is_in_no_database_any_more_is_written(scene, tmp_path):
    fromDicom(scene, tmp_path / "series")
    assert createdFrom(scene, tmp_path, {}).case("CT").images == ["images/CT.nrrd"]


def test_a_volume_that_is_closed_while_it_is_written_does_no_harm(scene, tmp_path):
    array = voxels(8)
    add(scene, "CT", array)
    cases = prepared(scene)
    scene.Clear(True)
    project = createFromVolumes(tmp_path / "p", "P", [LabelDefinition(1, "A")], cases)
    assert np.array_equal(read_image(project.image_paths("CT"), "CT").array[0], array)


# What is refused


def test_a_moved_volume_is_refused_with_what_to_do(scene):
    node = add(scene, "CT")
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Registration")
    node.SetAndObserveTransformNodeID(transform.GetID())
    assert len(prepared(scene)) == 1  # it moves nothing
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 5.0)
    transform.SetMatrixTransformToParent(matrix)
    with pytest.raises(ProjectError, match="CT is moved by the transform Registration.*Harden"):
        prepared(scene)


def test_a_sheared_volume_is_refused(scene):
    node = add(scene, "CT")
    node.SetIJKToRASDirections(1, 0.3, 0, 0, 0.95, 0, 0, 0, 1)
    with pytest.raises(ProjectError, match="not at right angles"):
        prepared(scene)


def test_a_volume_that_is_gone_is_named(scene):
    node = add(scene, "CT")
    volumes = SceneVolumes(scene)
    found = volumes.candidates()
    scene.RemoveNode(node)
    with pytest.raises(ProjectError, match="CT is not loaded any more"):
        volumes.prepare(found)


def test_the_grid_of_a_volume_is_that_of_its_nodes_matrix(scene):
    for direction in GRIDS:
        assert geometryOf(add(scene, direction, geometry=grid(direction))).difference(grid(direction)) == ""


# Labels


def test_segments_become_labels_with_their_colours_and_terminology():
    node = OffscreenSlicer(64).scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "S")
    for key, name, color in (("a", "Liver", (1, 0, 0)), ("b", "Liver", (0, 0.5, 1)), ("c", " ", (0, 0, 0))):
        node.GetSegmentation().AddEmptySegment(key, name, color)
    node.GetSegmentation().GetSegment("a").SetTerminology(LIVER)
    labels = labelsOfSegmentation(node)
    assert [(label.value, label.name, label.color) for label in labels] == [
        (1, "Liver", "#FF0000"),
        (2, "Liver 2", "#0080FF"),
        (3, "Structure 3", "#000000"),
    ]
    assert labels[0].terminology == LIVER


def test_a_terminology_entry_is_called_by_its_type():
    assert term_name(LIVER) == "Liver"
    assert term_name(LIVER.replace("Liver~^^", "Kidney~SCT^7771000^Left")) == "Kidney (Left)"
    assert term_name("") == "" and term_name("nonsense") == ""


# A project from a folder


def test_the_preview_says_what_a_data_set_holds(decathlon):
    preview = FolderPreview.read(decathlon)
    assert (preview.cases, preview.channels, preview.name) == (6, 1, "Boxes")
    assert [label.name for label in preview.labels] == ["Front", "Back"]
    assert (preview.labelled, preview.measurable) == (6, 0)
    split = {"train_order": ["case_0", "case_1", "case_2"], "val": ["case_3"], "test": ["case_4", "case_5"]}
    (decathlon / "splits.json").write_text(json.dumps(split), encoding="utf-8")
    preview = FolderPreview.read(decathlon)
    assert (preview.labelled, preview.measurable) == (3, 1)


def test_a_plain_folder_is_called_by_its_own_name(decathlon):
    preview = FolderPreview.read(decathlon / "imagesTr")
    assert (preview.cases, preview.labels, preview.name, preview.labelled) == (6, [], "imagesTr", 0)


def test_a_project_keeps_names_colours_and_terminology_as_they_were_given(tmp_path, decathlon):
    labels = [LabelDefinition(1, "T=2", "#112233"), LabelDefinition(4, "Liver", "#445566", LIVER)]
    path, warnings = NewProject(tmp_path / "p", "My project", labels, source=decathlon / "imagesTr").create()
    project = Project.open(path)
    assert warnings == [] and project.name == "My project"
    assert project.labels == labels and len(project.cases) == 6


def test_label_files_are_imported_as_wished(tmp_path, decathlon):
    labels = FolderPreview.read(decathlon).labels
    path, _ = NewProject(tmp_path / "p", "P", labels, source=decathlon, labelled=3, measured=1).create()
    project = Project.open(path)
    assert len(project.labelled_cases()) == 3 and len(project.validation_cases()) == 1
    assert ProjectSummary.read(project).text == "6 cases: 3 labelled, 2 without a label, 1 to measure with"


def test_a_project_never_goes_into_the_folder_of_its_images(decathlon):
    with pytest.raises(ProjectError, match="not empty: choose a new folder"):
        NewProject(decathlon, "P", [LabelDefinition(1, "A")], source=decathlon).create()


def test_the_summary_counts_every_case_once(tiny_project):
    tiny_project.mark_predicted(["case_3"])
    tiny_project.update_case("case_4", state="in_progress")
    tiny_project.update_case("case_5", state="rejected")
    summary = ProjectSummary.read(tiny_project)
    assert summary.text == "6 cases: 2 labelled, 1 to review, 1 begun, 1 rejected, 1 to measure with"


def test_a_case_of_the_validation_part_without_a_label_is_not_counted_among_those_to_measure_with(tiny_project):
    measured = [case.id for case in tiny_project.validation_cases()]
    tiny_project.update_case(measured[0], state="unlabelled")
    text = ProjectSummary.read(tiny_project).text
    assert "to measure with" not in text and "1 for validation without a label" in text


# Folders


def test_a_suggested_folder_is_always_free(tmp_path):
    assert suggestedFolder(tmp_path, "Liver: CT?") == tmp_path / "Liver_ CT_"
    (tmp_path / "Liver").mkdir()
    assert suggestedFolder(tmp_path, "Liver") == tmp_path / "Liver"
    (tmp_path / "Liver" / "x").touch()
    (tmp_path / "Liver 2").touch()
    assert suggestedFolder(tmp_path, "Liver") == tmp_path / "Liver 3"
    assert suggestedFolder(tmp_path, "...") == tmp_path / "New project"
    assert not isFree(tmp_path) and isFree(tmp_path / "not" / "there")


def test_projects_go_into_the_documents(tmp_path):
    assert projectsFolder(tmp_path) == tmp_path / "MetaSSL"
    (tmp_path / "Documents").mkdir()
    assert projectsFolder(tmp_path) == tmp_path / "Documents" / "MetaSSL"


def test_a_folder_in_a_project_and_one_round_it_both_mean_the_project(tiny_project, tmp_path):
    path = tiny_project.path
    for folder in (path, path / "labels", path / "labels" / ".history", tmp_path):
        assert nearestProject(folder) == path
    other = tmp_path / "another"
    other.mkdir()
    assert nearestProject(other / "deep" / "down" / "a" / "b") is None
    (other / "project.json").touch()
    assert nearestProject(tmp_path) is None  # which of the two?


def test_recent_projects_are_few_newest_first_and_without_doubles():
    recent = RecentProjects()
    for name in [*"abcdefgh", "f"]:
        recent.add(f"/projects/{name}")
    assert [path.name for path in recent.paths] == ["f", "h", "g", "e", "d", "c"]
    assert len(recent.paths) == MOST
    assert RecentProjects.fromText(recent.text).paths == recent.paths
    recent.remove("/projects/./h")
    assert [path.name for path in recent.paths][:2] == ["f", "g"]


@pytest.mark.parametrize("text", [None, "", "nonsense", "{}", "[1]", '[""]', 5])
def test_a_damaged_list_of_recent_projects_is_empty(text):
    assert RecentProjects.fromText(text).paths == []


# The sample


class _Done:
    """A process of the engine that has ended."""

    def __init__(self, code: int, text: str = "") -> None:
        self.code, self.text = code, text

    def poll(self):
        return self


def test_the_sample_project_is_made_once_and_then_opened_as_it_is(tmp_path, decathlon):
    started = []

    def start(arguments: list[str]) -> _Done:
        started.append(arguments)
        decathlon.rename(arguments[1])
        return _Done(0)

    (tmp_path / "sample").mkdir()
    path = makeSampleProject(tmp_path / "sample", start)
    project = Project.open(path)
    assert started == [["sample", str(tmp_path / "sample" / "images"), "--json"]]
    assert len(project.labelled_cases()) == 3 and len(project.validation_cases()) == 2
    assert makeSampleProject(tmp_path / "sample", start) == path and len(started) == 1


def test_a_sample_that_cannot_be_made_says_why(tmp_path):
    with pytest.raises(ProjectError, match="could not be made: the disk is full"):
        makeSampleProject(tmp_path, lambda _arguments: _Done(2, "the disk is full\n"))


def test_slicers_sample_data_offers_it_without_a_download(monkeypatch):
    offered = []
    logic = SimpleNamespace(registerCustomSampleDataSource=lambda **source: offered.append(source))
    monkeypatch.setitem(sys.modules, "SampleData", SimpleNamespace(SampleDataLogic=logic))
    clicks = []
    registerSampleData(lambda: clicks.append(1))
    (source,) = offered
    assert source["category"] == "MetaSSL"
    assert all(isinstance(source[key], str) for key in ("sampleName", "uris", "fileNames", "nodeNames"))
    source["customDownloader"](object())
    assert clicks == [1]
