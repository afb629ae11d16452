"""What find_cases makes of a folder."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from metassl.files import MetaSSLError, ProjectError
from metassl.imaging import read_image
from metassl.intake import find_cases


def save(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.random.default_rng(seed).normal(size=(4, 5, 6)).astype(np.float32)
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    return path


def save_series(folder: Path, series: int = 1, prefix: str = "IM", modality: str = "MR") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for number in range(3):
        image = sitk.GetImageFromArray(np.full((1, 4, 4), series + number, np.int16))
        image[0, 0, 0] = 100
        for tag, value in {
            "0008|0060": modality,
            "0010|0010": "Doe^Jane",
            "0010|0020": "MRN12345",
            "0020|000e": f"1.2.3.{series}",
            "0008|0018": f"1.2.3.{series}.{number + 1}",
            "0020|0032": f"0\\0\\{number}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
        }.items():
            image.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"{prefix}{number}"))
        writer.SetImageIO("GDCMImageIO")
        writer.Execute(image)


def describe(folder: Path, **changes) -> Path:
    content = {"labels": {"background": 0, "Liver": 1}, "channel_names": {"0": "CT"}, **changes}
    folder.mkdir(exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_a_decathlon_folder_gives_cases_labels_and_channels(decathlon):
    found = find_cases(decathlon)
    assert [case.id for case in found.cases] == [f"case_{n}" for n in range(6)]
    assert [(label.value, label.name) for label in found.labels] == [(1, "Front"), (2, "Back")]
    assert found.channels == ["MRI"] and found.split is None and found.name == "Boxes"
    assert all(case.images[0].is_file() and case.label.is_file() for case in found.cases)


def test_the_split_beside_a_decathlon_folder_is_read(decathlon):
    split = {"train_order": ["case_4", "case_0"], "val": ["case_1"], "test": ["case_2"]}
    (decathlon / "splits.json").write_text(json.dumps({"note": "by patient", **split}), encoding="utf-8")
    assert find_cases(decathlon).split == split


@pytest.mark.parametrize(
    "split",
    [{"train_order": ["case_1"], "test": ["case_1"]}, {"val": ["case_1", "case_1"]}],
)
def test_a_split_that_names_a_case_twice_is_refused(decathlon, split):
    (decathlon / "splits.json").write_text(json.dumps(split), encoding="utf-8")
    with pytest.raises(ProjectError, match="names the case case_1 twice"):
        find_cases(decathlon)


@pytest.mark.parametrize("split", [{"val": "case_1"}, {"val": [1]}])
def test_a_split_that_is_no_list_of_names_is_refused(decathlon, split):
    (decathlon / "splits.json").write_text(json.dumps(split), encoding="utf-8")
    with pytest.raises(ProjectError, match="not a list of case ids"):
        find_cases(decathlon)


def test_an_nnunet_folder_has_channel_files_and_label_files(tmp_path):
    describe(tmp_path, channel_names={"1": "T2", "0": "T1"}, file_ending=".nii.gz")
    for name in ("b", "a"):
        for channel in (1, 0):
            save(tmp_path / "imagesTr" / f"{name}_{channel:04d}.nii.gz")
    save(tmp_path / "labelsTr" / "a.nii.gz")
    found = find_cases(tmp_path)
    assert found.channels == ["T1", "T2"] and found.labels[0].name == "Liver"
    assert [case.id for case in found.cases] == ["a", "b"]
    names = [[path.name for path in case.images] for case in found.cases]
    assert names[0] == ["a_0000.nii.gz", "a_0001.nii.gz"]
    assert found.cases[0].label.name == "a.nii.gz" and found.cases[1].label is None


def test_a_listed_image_may_stand_for_its_channel_files(tmp_path):
    entry = {"image": "./imagesTr/a.nii.gz", "label": "./labelsTr/a.nii.gz"}
    describe(tmp_path, training=[entry], channel_names={"0": "T1", "1": "T2"})
    for channel in (0, 1):
        save(tmp_path / "imagesTr" / f"a_{channel:04d}.nii.gz")
    case = find_cases(tmp_path).cases[0]
    assert case.id == "a"
    assert [path.name for path in case.images] == ["a_0000.nii.gz", "a_0001.nii.gz"]


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": None},
        {"labels": {"whole": [1, 2]}},
        {"labels": {"1": "a", "2": "a"}},
        {"labels": {"0": "background"}},
        {"training": [{"label": "x"}]},
        {"training": 7},
    ],
)
def test_a_description_that_cannot_be_used_is_named(tmp_path, changes):
    describe(tmp_path, **changes)
    save(tmp_path / "imagesTr" / "a_0000.nii.gz")
    with pytest.raises(MetaSSLError) as caught:
        find_cases(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_torn_description_is_named(tmp_path):
    (tmp_path / "dataset.json").write_text('{"labels": ', encoding="utf-8")
    with pytest.raises(ProjectError, match="description of the data set is damaged"):
        find_cases(tmp_path)


def test_image_files_of_any_kind_are_cases_named_after_them(tmp_path):
    for name in ("b.nrrd", "a.nii.gz", "c 2.mha", "d (1).nii", "E.nii.gz"):
        save(tmp_path / name)
    (tmp_path / "E.nii.gz").rename(tmp_path / "E.NII.GZ")
    for other in ("notes.txt", "._a.nii.gz"):
        (tmp_path / other).write_text("", encoding="utf-8")
    save(tmp_path / "a.seg.nrrd")
    found = find_cases(tmp_path)
    assert [case.id for case in found.cases] == ["E", "a", "b", "c 2", "d _1_"]
    assert found.labels == [] and found.channels == ["image"]
    assert {case.id for case in find_cases(tmp_path).cases} == {"E", "a", "b", "c 2", "d _1_"}


def test_files_that_all_end_in_a_channel_number_are_channels(tmp_path):
    for name in ("a_0000", "a_0001", "b_0000", "b_0001"):
        save(tmp_path / f"{name}.nii.gz")
    found = find_cases(tmp_path)
    assert [case.id for case in found.cases] == ["a", "b"] and len(found.channels) == 2


def test_numbers_that_are_no_channels_stay_in_the_id(tmp_path):
    for name in ("scan_2023", "scan_2024"):
        save(tmp_path / f"{name}.nii.gz")
    assert [case.id for case in find_cases(tmp_path).cases] == ["scan_2023", "scan_2024"]


def test_two_files_that_would_be_one_case_are_named(tmp_path):
    save(tmp_path / "a.nii.gz")
    save(tmp_path / "A.nrrd")
    with pytest.raises(ProjectError, match="two cases would get the id") as caught:
        find_cases(tmp_path)
    assert "a.nii.gz" in str(caught.value) and "A.nrrd" in str(caught.value)


def test_dicom_series_are_cases_named_after_their_folder_and_never_the_patient(tmp_path):
    save_series(tmp_path / "p1" / "flair", 1)
    save_series(tmp_path / "p2", 2)
    save_series(tmp_path / "p3", 3, "A")
    save_series(tmp_path / "p3", 4, "B")
    save_series(tmp_path / "p4", 5, modality="SR")
    (tmp_path / "p2" / "DICOMDIR.txt").write_text("not a slice", encoding="utf-8")
    found = find_cases(tmp_path)
    assert [case.id for case in found.cases] == ["p1_flair", "p2", "p3_1", "p3_2"]
    text = repr(found)
    assert "Doe" not in text and "MRN12345" not in text
    arrays = [read_image(case.images, case.id).array for case in found.cases]
    assert [array[0, :, 1, 1].tolist() for array in arrays] == [
        [1, 2, 3],
        [2, 3, 4],
        [3, 4, 5],
        [4, 5, 6],
    ]


def test_a_search_ends_when_whoever_asked_for_it_has_gone_on(tmp_path):
    looked = []

    def tick() -> None:
        looked.append(1)
        if len(looked) > 50:
            raise ProjectError("enough")

    for number in range(100):
        (tmp_path / f"folder{number}").mkdir()
    with pytest.raises(ProjectError, match="enough"):
        find_cases(tmp_path, tick)
    for file in range(100):
        (tmp_path / f"file{file}").touch()
    looked.clear()
    with pytest.raises(ProjectError, match="enough"):
        find_cases(tmp_path, tick)


def test_a_folder_that_is_itself_a_series_is_one_case(tmp_path):
    save_series(tmp_path / "knee")
    found = find_cases(tmp_path / "knee")
    assert [case.id for case in found.cases] == ["knee"]


def test_a_missing_folder_a_file_and_an_empty_folder_are_explained(tmp_path):
    with pytest.raises(ProjectError, match="there is no folder"):
        find_cases(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(ProjectError, match="is no image"):
        find_cases(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ProjectError, match="no images in"):
        find_cases(tmp_path / "empty")


def test_a_folder_that_cannot_be_read_is_explained(tmp_path, monkeypatch):
    # The user of a test may be allowed to read everything, so the system's answer is given here.
    def denied(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr("metassl.intake.tree.os.scandir", denied)
    with pytest.raises(ProjectError, match="cannot read the folder .*Permission denied"):
        find_cases(tmp_path)


def test_what_is_no_volume_is_told_by_what_it_is(tmp_path):
    save_series(tmp_path / "p1", 1)
    save_series(tmp_path / "p2", 2, modality="SR")
    found = find_cases(tmp_path)
    assert [case.id for case in found.cases] == ["p1"]
    assert len(found.warnings) == 1 and "3 SR images" in found.warnings[0] and "a report" in found.warnings[0]
    assert [(path.name, reason) for path, reason in found.left_out] == [(f"IM{n}", "a report") for n in range(3)]
    with pytest.raises(ProjectError, match="no images that can be cases in .*3 SR images .* a report"):
        find_cases(tmp_path / "p2")
