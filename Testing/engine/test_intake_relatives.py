"""Inputs as people have them: odd names, links, single files, headers that contradict themselves. Right, or told."""

from __future__ import annotations

import json
import struct
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from metassl.files import ImageError, ProjectError
from metassl.imaging import read_image
from metassl.intake import add_labels, find_cases, new_project

SHAPE = (6, 8, 10)


def image(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(
        sitk.GetImageFromArray(np.random.default_rng(seed).normal(50, 8, SHAPE).astype(np.float32)), str(path)
    )
    return path


def label(path: Path, value: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.zeros(SHAPE, np.uint8)
    array[2:4, 2:5, 2:6] = value
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    return path


def labels(found) -> dict[str, str | None]:
    return {case.id: case.label and case.label.name for case in found.cases}


def told(found) -> dict[str, str]:
    return {path.name: reason for path, reason in found.left_out}


@pytest.mark.parametrize("folder", ["", "labels/"])
def test_a_label_with_its_readers_initials_is_the_label_of_its_image(tmp_path, folder):
    for n in range(2):
        image(tmp_path / f"{'images/' if folder else ''}p{n}.nii.gz")
    label(tmp_path / f"{folder}p0_label_JD.nii.gz")
    label(tmp_path / f"{folder}p1-mask2.nii.gz")
    assert labels(find_cases(tmp_path)) == {"p0": "p0_label_JD.nii.gz", "p1": "p1-mask2.nii.gz"}


def test_images_with_a_label_word_inside_their_names_stay_images(tmp_path):
    for n in range(3):
        image(tmp_path / f"brain_mask_study_{n}.nii.gz")
    assert len(find_cases(tmp_path).cases) == 3


def test_a_result_beside_its_image_is_no_image(tmp_path):
    for n in range(2):
        image(tmp_path / f"flat/p{n}_CT.nii.gz")
        image(tmp_path / f"folders/p{n}/t1.nii.gz")
        image(tmp_path / f"folders/p{n}/pred.nii.gz")
        label(tmp_path / f"folders/p{n}/seg.nii.gz")
    image(tmp_path / "flat/p1_CT_pred.nii.gz")
    flat = find_cases(tmp_path / "flat")
    assert [case.id for case in flat.cases] == ["p0_CT", "p1_CT"]
    assert "named like a result of p1_CT.nii.gz" in told(flat)["p1_CT_pred.nii.gz"]
    folders = find_cases(tmp_path / "folders")
    assert folders.channels == ["image"] and "named like a result" in told(folders)["pred.nii.gz"]


def test_labels_of_a_folder_are_found_by_their_readers_initials_too(tmp_path):
    image(tmp_path / "images/p0.nii.gz")
    project, _ = new_project(tmp_path / "P", tmp_path / "images", labels=["1=A"])
    label(tmp_path / "others/p0_seg_JD.nii.gz")
    assert add_labels(project, tmp_path / "others").labelled == ["p0"]


def test_letters_that_are_composed_differently_are_the_same_name(tmp_path):
    image(tmp_path / "images" / (unicodedata.normalize("NFD", "Müller") + ".nii.gz"))
    label(tmp_path / "labels" / (unicodedata.normalize("NFC", "Müller") + ".nii.gz"))
    assert labels(find_cases(tmp_path)) == {"Müller": "Müller.nii.gz"}


def test_a_link_to_itself_ends_no_search(tmp_path):
    image(tmp_path / "a.nii.gz")
    try:
        (tmp_path / "self").symlink_to("self")
    except OSError:
        pytest.skip("no links here")
    assert labels(find_cases(tmp_path)) == {"a": None}


def test_a_picture_alone_is_a_case(tmp_path):
    path = tmp_path / "slide.png"
    sitk.WriteImage(sitk.GetImageFromArray(np.arange(400, dtype=np.uint8).reshape(20, 20)), str(path))
    project, warnings = new_project(tmp_path / "P", path, labels=["1=A"])
    assert warnings == [] and list(project.cases) == ["slide"]


def test_a_file_that_is_no_image_is_refused_in_words(tmp_path):
    (tmp_path / "notes.txt").write_text("hello", "utf-8")
    with pytest.raises(ProjectError, match=r"notes.txt is no image: give an image, a table of cases, or the folder"):
        find_cases(tmp_path / "notes.txt")


def test_one_file_of_a_dicom_series_stands_for_the_series(tmp_path):
    dicom = pytest.importorskip("dicom_files")
    volume = np.arange(6 * 16 * 16, dtype=np.int16).reshape(6, 16, 16)
    file = sorted(dicom.write_slices(tmp_path / "ct", volume).iterdir())[2]
    project, _ = new_project(tmp_path / "P", file, labels=["1=A"])
    (case,) = project.cases.values()
    assert np.array_equal(read_image(project.image_paths(case), case.id).array[0], volume)


def test_files_named_as_dicom_without_its_mark_are_told(tmp_path):
    image(tmp_path / "a.nii.gz")
    (tmp_path / "b.dcm").write_bytes(b"\x08\x00" * 400)
    assert "they lack the mark of DICOM files" in told(find_cases(tmp_path))["b.dcm"]


def test_a_slice_that_lacks_its_rescale_slope_is_not_taken_by_its_stored_values(tmp_path):
    dicom = pytest.importorskip("dicom_files")
    volume = np.arange(6 * 16 * 16, dtype=np.int16).reshape(6, 16, 16)
    slopes = [{"RescaleSlope": 0.5 + 0.1 * n} for n in range(6)]
    folder = dicom.write_slices(tmp_path / "pet", volume, each=slopes, kind=dicom.PET, modality="PT")
    (file,) = folder.glob("*_3.dcm")
    data = dicom.pydicom.dcmread(file)
    del data.RescaleSlope
    data.save_as(file)
    with pytest.raises(ImageError, match=rf"{file.name} does not say what its stored values mean .*1 of 6 lack it"):
        read_image([folder], "p1")


def test_a_nifti_with_two_grids_that_differ_is_told(tmp_path):
    image(tmp_path / "same.nii")
    path = image(tmp_path / "other.nii")
    data = bytearray(path.read_bytes())
    struct.pack_into("<h", data, 254, 1)
    struct.pack_into("<12f", data, 280, -1, 0, 0, 9, 0, -1, 0, 0, 0, 0, 1, 0)  # shifted along x
    path.write_bytes(bytes(data))
    _, warnings = new_project(tmp_path / "P", tmp_path, labels=["1=A"])
    (warning,) = warnings
    assert "other.nii: its header has two grids (sform and qform), 9 voxels apart; the sform is taken" in warning


def test_a_table_may_have_capitals_in_its_columns_and_must_be_utf8(tmp_path):
    image(tmp_path / "a.nii.gz")
    (tmp_path / "t.csv").write_text("Case,IMAGE:T1,Label\nA,a.nii.gz,\n", "utf-8")
    assert find_cases(tmp_path / "t.csv").channels == ["T1"]
    (tmp_path / "t.csv").write_bytes("case,image\nÄ,a.nii.gz\n".encode("latin-1"))
    with pytest.raises(ProjectError, match="save it as UTF-8"):
        find_cases(tmp_path / "t.csv")


def test_a_structure_that_the_project_does_not_have_is_told_once(tmp_path):
    for n in range(3):
        image(tmp_path / f"in/p{n}/ct.nii.gz")
        label(tmp_path / f"in/p{n}/segmentations/liver.nii.gz")
        label(tmp_path / f"in/p{n}/segmentations/spleen.nii.gz")
    project, warnings = new_project(tmp_path / "P", tmp_path / "in", labels=["1=liver"])
    assert [each for each in warnings if "spleen" in each] == [
        "the files of spleen are left out: no structure of the project has that name"
    ]
    assert len(project.labelled_cases()) == 3


def test_two_files_of_one_name_are_refused(tmp_path):
    image(tmp_path / "a.nii")
    image(tmp_path / "a.nii.gz")
    with pytest.raises(ProjectError, match="two cases would get the id a: .*a.nii and .*a.nii.gz; rename one"):
        find_cases(tmp_path)


def test_of_two_folders_of_labels_one_is_taken_and_the_other_told(tmp_path):
    for n in range(2):
        image(tmp_path / f"images/c{n}.nii.gz")
        label(tmp_path / f"labels/c{n}.nii.gz")
        label(tmp_path / f"masks/c{n}.nii.gz", 255)
    found = find_cases(tmp_path)
    assert {case.id: case.label.parent.name for case in found.cases} == {"c0": "labels", "c1": "labels"}
    assert [reason for _, reason in found.left_out] == [
        "another label of c0: labels/c0.nii.gz is taken",
        "another label of c1: labels/c1.nii.gz is taken",
    ]


@pytest.mark.parametrize("images", ["images", "scans_of_2019"])
def test_labels_of_other_names_are_never_taken_for_images(tmp_path, images):
    for n in range(3):
        image(tmp_path / f"{images}/p{n}.nii.gz")
        label(tmp_path / f"labels/q{n}.nii.gz")
    found = find_cases(tmp_path)
    assert labels(found) == {"p0": None, "p1": None, "p2": None}
    assert set(told(found)) == {"q0.nii.gz", "q1.nii.gz", "q2.nii.gz"}


def test_images_for_testing_without_labels_are_cases_too(tmp_path):
    image(tmp_path / "train/images/a.nii.gz")
    label(tmp_path / "train/labels/a.nii.gz")
    image(tmp_path / "test/images/b.nii.gz")
    assert {case.id: case.split for case in find_cases(tmp_path).cases} == {"a": "pool", "b": "test"}


def test_a_project_is_no_folder_of_images(tmp_path):
    image(tmp_path / "in/a.nii.gz")
    label(tmp_path / "in/a_seg.nii.gz")
    new_project(tmp_path / "in/P", tmp_path / "in", labels=["1=A"])
    found = find_cases(tmp_path / "in")
    assert labels(found) == {"a": "a_seg.nii.gz"} and told(found) == {"P": "a project of MetaSSL"}
    with pytest.raises(ProjectError, match="is a project of MetaSSL itself"):
        find_cases(tmp_path / "in/P")


def test_a_compressed_file_of_the_wrong_name_is_told_what_to_do(tmp_path):
    image(tmp_path / "a.nii.gz").rename(tmp_path / "a.nii")
    with pytest.raises(ImageError, match=r"it is compressed, and its name must end in \.nii\.gz"):
        read_image([tmp_path / "a.nii"], "a")


def test_a_description_may_write_its_values_as_texts(tmp_path):
    image(tmp_path / "imagesTr/k0_0000.nii.gz")
    label(tmp_path / "labelsTr/k0.nii.gz")
    (tmp_path / "dataset.json").write_text('{"labels": {"background": "0", "A": "1"}}', "utf-8")
    assert [each.value for each in find_cases(tmp_path).labels] == [1]


def test_cases_that_are_listed_without_an_image_are_counted_as_missing(tmp_path):
    names = [f"case_{number}" for number in range(9)]
    training = [{"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"} for name in names]
    for name in names[:2]:
        image(tmp_path / "imagesTr" / f"{name}.nii.gz")
        label(tmp_path / "labelsTr" / f"{name}.nii.gz")
    description = {"labels": {"0": "background", "1": "Ball"}, "modality": {"0": "MRI"}, "training": training}
    (tmp_path / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    found = find_cases(tmp_path)
    assert [case.id for case in found.cases] == names[:2]
    assert "7 cases that dataset.json lists have no image here, and are left out: case_2" in "".join(found.notes)
