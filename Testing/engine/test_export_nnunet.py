"""A data set for nnU-Net: what each image and each voxel becomes there. Testing/exports asks nnU-Net itself."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from metassl.exports import export_project
from metassl.exports.nnunet import plain_names
from metassl.files import ProjectError
from metassl.imaging import Geometry, read_image, read_labels, write_array
from metassl.project import Case, LabelDefinition, Project

GRID = Geometry((6, 5, 4), (0.8, 0.9, 2.0), (-3.0, 4.0, 5.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
COARSE = Geometry((3, 5, 4), (1.6, 0.9, 2.0), (-2.6, 4.0, 5.0), GRID.direction)


def image(seed: int, grid: Geometry = GRID) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2000, grid.shape_zyx).astype(np.float32)


def label() -> np.ndarray:
    made = np.zeros(GRID.shape_zyx, np.uint8)
    made[1], made[2] = 3, 7
    return made


@pytest.fixture
def project(tmp_path):
    """Two channels, structures of the values 3 and 7; cases for training, validation, testing, and without a label."""
    folder = tmp_path / "images"
    folder.mkdir()
    structures = [LabelDefinition(3, "Organ"), LabelDefinition(7, "Tumour")]
    with Project.making(tmp_path / "project", "Leber, CT", structures, ["T1", "T2"]) as made:
        for number, (case, split) in enumerate(
            {"Müller 1": "pool", "b": "validation", "c": "test", "d": "pool", "e": "pool"}.items()
        ):
            paths = [folder / f"{number}_{channel}.nrrd" for channel in range(2)]
            for seed, path in enumerate(paths):
                write_array(path, image(2 * number + seed), GRID)
            made.add_cases([Case(case, list(map(str, paths)), split)])
    for case in ("Müller 1", "b", "c"):
        made.add_label(case, (label(), GRID), annotator="Dr. X")
    return made


def export(project, tmp_path, name="Dataset007_Leber"):
    result = export_project(project, tmp_path / name, format="nnunet")
    return result, result.folder, json.loads((result.folder / "dataset.json").read_text(encoding="utf-8"))


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_every_case_has_its_place_and_the_table_says_whose_it_is(project, tmp_path):
    result, folder, described = export(project, tmp_path)
    assert names(folder / "labelsTr") == ["Muller_1.nii.gz", "b.nii.gz"]
    assert names(folder / "imagesTr") == [f"{case}_000{n}.nii.gz" for case in ("Muller_1", "b") for n in (0, 1)]
    assert names(folder / "labelsTs") == ["c.nii.gz"]
    assert names(folder / "imagesTs") == [f"{case}_000{n}.nii.gz" for case in "cde" for n in (0, 1)]
    assert sorted(result.labels) == ["Müller 1", "b", "c"] and result.made.endswith("with 3 images in imagesTs")
    with open(folder / "cases.csv", encoding="utf-8", newline="") as stream:
        rows = {row["case"]: row for row in csv.DictReader(stream)}
    assert (rows["Müller 1"]["name"], rows["Müller 1"]["annotator"]) == ("Muller_1", "Dr. X")
    assert (rows["d"]["images"], rows["d"]["annotator"], rows["b"]["split"]) == ("imagesTs", "", "validation")
    assert described == {
        "name": "Leber, CT",
        "channel_names": {"0": "T1", "1": "T2"},
        "labels": {"background": 0, "Organ": 1, "Tumour": 2},
        "numTraining": 2,
        "file_ending": ".nii.gz",
    }
    split = json.loads((folder / "splits_final.json").read_text(encoding="utf-8"))
    assert split == [{"train": ["Muller_1"], "val": ["b"]}]


def test_voxels_are_the_same_with_consecutive_values(project, tmp_path):
    folder = export(project, tmp_path)[1]
    for channel in range(2):
        found = read_image([folder / "imagesTr" / f"b_000{channel}.nii.gz"], "b")
        assert np.array_equal(found.array[0], image(2 + channel)) and not found.geometry.difference(GRID)
    array, grid = read_labels(folder / "labelsTr" / "b.nii.gz", "b")
    assert np.array_equal(array, np.select([label() == 3, label() == 7], [1, 2])) and not grid.difference(GRID)


def test_what_nobody_annotated_is_to_be_ignored_and_only_then_is_there_such_a_label(project, tmp_path):
    partly = label()
    partly[0] = 255
    project.add_label("b", (partly, GRID))
    folder, described = export(project, tmp_path)[1:]
    assert described["labels"] == {"background": 0, "Organ": 1, "Tumour": 2, "ignore": 3}
    array = read_labels(folder / "labelsTr" / "b.nii.gz", "b")[0]
    assert (array[0] == 3).all() and not (array[1:] == 3).any()


def test_the_background_of_a_label_that_says_nothing_of_a_structure_is_to_be_ignored(project, tmp_path):
    organ = np.where(label() == 3, label(), 0)
    project.add_label("b", (organ, GRID), coverage=[3])
    result, folder, described = export(project, tmp_path)
    assert described["labels"]["ignore"] == 3
    array = read_labels(folder / "labelsTr" / "b.nii.gz", "b")[0]
    assert np.array_equal(array, np.where(organ == 3, 1, 3))
    assert result.notes == [
        "case b: its label says nothing of Tumour, which its background may hold: nnU-Net is to ignore that"
    ]


def test_a_channel_on_another_grid_is_resampled_and_told(project, tmp_path):
    second = project.image_paths("b")[1]
    write_array(second, image(9, COARSE), COARSE)
    result, folder, _ = export(project, tmp_path)
    assert result.notes == [f"case b: {second}: resampled onto the grid of the first channel"]
    found = read_image([folder / "imagesTr" / f"b_000{n}.nii.gz" for n in range(2)], "b")
    assert not found.geometry.difference(GRID)
    assert found.array[1].mean() == pytest.approx(image(9, COARSE).mean(), rel=0.05)


def test_a_damaged_image_leaves_no_part_of_its_case_and_the_rest_go_on(project, tmp_path):
    project.image_paths("b")[1].write_bytes(b"NRRD0004\nnonsense")
    result, folder, described = export(project, tmp_path)
    assert list(result.failed) == ["b"] and str(project.image_paths("b")[1]) in result.failed["b"]
    assert names(folder / "labelsTr") == ["Muller_1.nii.gz"] and described["numTraining"] == 1
    assert not list(folder.rglob("b_*")) and not (folder / "splits_final.json").exists()


def test_cases_that_were_set_aside_stay_out(project, tmp_path):
    project.set_aside(["b", "d"])
    result, folder, _ = export(project, tmp_path)
    assert names(folder / "labelsTr") == ["Muller_1.nii.gz"] and not list(folder.rglob("d_*"))
    assert result.notes == ["1 label of cases that were set aside: left out"]


def test_a_folder_of_another_name_holds_the_data_set(project, tmp_path):
    folder = export_project(project, tmp_path / "raw", format="nnunet").folder
    assert names(folder) == ["Dataset501_Leber_CT"]


def test_without_a_label_to_train_on_there_is_no_data_set(project, tmp_path):
    project.set_aside(["Müller 1", "b"])
    with pytest.raises(ProjectError, match="no case to train or to measure on has a label"):
        export_project(project, tmp_path / "out", format="nnunet")
    assert not (tmp_path / "out").exists()


def test_names_that_nnunet_can_take_stay_apart():
    assert plain_names(["a b", "a_b", "A-B", "ä.b", "肿瘤", "a_b_2"]) == {
        "a b": "a_b",
        "a_b": "a_b_2",
        "A-B": "A-B",
        "ä.b": "a_b_3",
        "肿瘤": "case",
        "a_b_2": "a_b_2_2",
    }


def test_a_structure_called_as_nnunet_calls_its_own_keeps_apart(tmp_path, project):
    with Project.making(tmp_path / "other", "x", [LabelDefinition(1, "Ignore")], ["T1", "T2"]) as other:
        other.add_cases([Case("a", list(map(str, project.image_paths("b"))))])
    other.add_label("a", ((label() > 0).astype(np.uint8), GRID))
    assert export(other, tmp_path)[2]["labels"] == {"background": 0, "Ignore (structure)": 1}
