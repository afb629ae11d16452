"""Volumes of a real scene as the images of a project."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from metassl.files import ProjectError
from metassl.imaging import Geometry, read_geometry, read_image, write_array
from metassl.intake import StartModel
from metassl.project import LabelDefinition, Project

if importlib.util.find_spec("slicer") is None:
    pytest.skip("slicer-core is not installed: pip install 'metassl[report]'", allow_module_level=True)

import slicer
import slicer.util
import vtk
from MetaSSLSlicerLib.Logic.Project.NewProject import NewProject
from MetaSSLSlicerLib.Logic.Scene.SceneVolumes import SceneVolumes, createFromVolumes, geometryOf

SHAPE = (5, 7, 6)
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


def create(folder: Path, cases: list) -> Project:
    project, warnings = createFromVolumes(folder / "p", "P", [LabelDefinition(1, "A")], cases)
    assert warnings == []
    return project


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
    project = create(tmp_path, prepared(scene))
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
    project = create(tmp_path, prepared(scene))
    assert np.array_equal(read_image(project.image_paths("CT"), "CT").array[0], array.astype(np.float32))


@pytest.mark.parametrize("name", ["CT.nrrd", "CT.nii.gz", "CT.nii", "CT.mha"])
def test_a_volume_in_a_file_stays_where_it_is(scene, tmp_path, name):
    write_array(tmp_path / name, voxels(), grid("flipped"))
    before = (tmp_path / name).read_bytes()
    load(scene, tmp_path / name)
    project = create(tmp_path, prepared(scene))
    assert project.image_paths("CT") == [tmp_path / name]
    assert not (project.path / "images").exists() and (tmp_path / name).read_bytes() == before


def test_a_volume_that_was_changed_since_it_was_loaded_is_written_as_it_is_now(scene, tmp_path):
    write_array(tmp_path / "CT.nrrd", voxels(), grid())
    node = load(scene, tmp_path / "CT.nrrd")
    slicer.util.arrayFromVolume(node)[:] += 1
    slicer.util.arrayFromVolumeModified(node)
    project = create(tmp_path, prepared(scene))
    assert np.array_equal(read_image(project.image_paths("CT"), "CT").array[0], voxels() + 1)


def test_a_volume_whose_grid_was_changed_is_written_on_the_new_grid(scene, tmp_path):
    write_array(tmp_path / "CT.nrrd", voxels(), grid())
    node = load(scene, tmp_path / "CT.nrrd")
    node.SetSpacing(1.0, 1.0, 1.0)
    project = create(tmp_path, prepared(scene))
    (path,) = project.image_paths("CT")
    assert path.is_relative_to(project.path)
    assert read_geometry(path, "CT").spacing_xyz == pytest.approx((1.0, 1.0, 1.0))


def test_a_file_that_will_not_last_is_copied(scene, tmp_path):
    (tmp_path / "unpacked").mkdir()
    write_array(tmp_path / "unpacked" / "CT.nrrd", voxels(), grid())
    load(scene, tmp_path / "unpacked" / "CT.nrrd")
    volumes = SceneVolumes(scene, temporary=((tmp_path / "unpacked").resolve(),))
    cases = volumes.prepare(volumes.candidates())
    project = create(tmp_path, cases)
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
    return create(tmp_path, cases)


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
    project = create(tmp_path, cases)
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


# With a model


def test_what_a_model_leaves_out_is_told_of_a_project_of_volumes_too(scene, tmp_path):
    from nnunet_folder import nnunet_folder  # needs torch, and nothing else here does

    add(scene, "CT")
    folder = nnunet_folder(tmp_path / "model", folds=("0", "1", "2"))
    model = StartModel.at([folder])
    _path, warnings = NewProject(
        tmp_path / "p", "P", model.definitions(), volumes=prepared(scene), model=model
    ).create()
    assert warnings == [f"{folder}: fold_0 and fold_1 are used, fold_2 not: a model has two networks"]
