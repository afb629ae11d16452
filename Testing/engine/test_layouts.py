"""The layouts in which people keep images and labels: each is found by itself; nothing is left out without a word."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from metassl.files import ProjectError
from metassl.intake import Scan, find_cases, new_project, write_table

SHAPE = (6, 8, 10)


def image(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.random.default_rng(seed).normal(50, 8, SHAPE).astype(np.float32)
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    return path


def label(path: Path, where=np.s_[2:4, 2:5, 2:6], value: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.zeros(SHAPE, np.uint8)
    array[where] = value
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    return path


def told(found) -> dict[str, str]:
    return {path.name: reason for path, reason in found.left_out}


def labels(found) -> dict[str, str | None]:
    return {case.id: case.label and case.label.name for case in found.cases}


def test_images_that_a_decathlon_description_does_not_list_are_unlabelled_cases(tmp_path):
    for n in range(4):
        image(tmp_path / f"imagesTr/h_{n}.nii.gz")
    label(tmp_path / "labelsTr/h_1.nii.gz")
    training = [{"image": "./imagesTr/h_1.nii.gz", "label": "./labelsTr/h_1.nii.gz"}]
    content = {"labels": {"0": "background", "1": "A"}, "modality": {"0": "MR"}, "training": training}
    (tmp_path / "dataset.json").write_text(json.dumps(content), encoding="utf-8")
    found = find_cases(tmp_path)
    assert labels(found) == {"h_1": "h_1.nii.gz", "h_0": None, "h_2": None, "h_3": None}
    assert "3 images that dataset.json does not list" in found.notes[0]


def nnunet(folder: Path, **changes) -> Path:
    for n in range(3):
        image(folder / f"imagesTr/k{n}_0000.nii.gz")
        image(folder / f"imagesTr/k{n}_0001.nii.gz")
    label(folder / "labelsTr/k0.nii.gz")
    content = {"channel_names": {"0": "T1", "1": "T2"}, "labels": {"background": 0, "A": 1}, **changes}
    (folder / "dataset.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_the_folder_above_an_nnunet_data_set_will_do_and_that_above_two_is_asked_about(tmp_path):
    nnunet(tmp_path / "raw" / "Dataset001_X")
    found = find_cases(tmp_path / "raw")
    assert labels(found) == {"k0": "k0.nii.gz", "k1": None, "k2": None} and found.channels == ["T1", "T2"]
    nnunet(tmp_path / "raw" / "Dataset002_Y")
    with pytest.raises(ProjectError, match="holds 2 data sets: name the one.*Dataset001_X.*Dataset002_Y"):
        find_cases(tmp_path / "raw")


def test_what_nnunet_calls_ignore_is_no_structure_and_counts_as_not_annotated(tmp_path):
    folder = nnunet(tmp_path / "raw", labels={"background": 0, "A": 1, "ignore": 2})
    array = np.zeros(SHAPE, np.uint8)
    array[1], array[2:4, 2:5, 2:6] = 2, 1
    sitk.WriteImage(sitk.GetImageFromArray(array), str(folder / "labelsTr" / "k0.nii.gz"))
    project, _ = new_project(tmp_path / "p", folder)
    kept = project.read_label("k0")[0]
    assert project.values == [0, 1] and (kept[1] == 255).all() and (kept == 1).sum() == (array == 1).sum()


def test_unions_of_labels_are_refused_in_words(tmp_path):
    folder = nnunet(tmp_path, labels={"background": 0, "whole": [1, 2], "core": 2})
    with pytest.raises(ProjectError, match=r"whole \(1 \+ 2\) are unions of labels \(nnU-Net's region-based"):
        find_cases(folder)


def test_bids_sessions_are_cases_and_suffixes_are_channels(tmp_path):
    (tmp_path / "dataset_description.json").write_text("{}", encoding="utf-8")
    for subject in ("01", "02"):
        base = f"sub-{subject}_ses-a"
        for suffix in ("T1w", "FLAIR"):
            image(tmp_path / f"sub-{subject}/ses-a/anat/{base}_{suffix}.nii.gz")
        image(tmp_path / f"sub-{subject}/ses-a/func/{base}_task-rest_bold.nii.gz")
        label(tmp_path / f"derivatives/manual/sub-{subject}/ses-a/anat/{base}_space-orig_dseg.nii.gz")
    (tmp_path / "derivatives/manual/dseg.tsv").write_text("index\tname\n0\tbackground\n1\tLesion\n", encoding="utf-8")
    found = find_cases(tmp_path)
    assert found.layout == "BIDS" and found.channels == ["FLAIR", "T1w"]
    assert [case.id for case in found.cases] == ["sub-01_ses-a", "sub-02_ses-a"]
    assert all(case.has_label for case in found.cases) and found.labels[0].name == "Lesion"
    assert set(told(found).values()) == {"a BIDS bold file"}


def test_bids_runs_are_cases_and_a_mask_names_its_structure(tmp_path):
    for run in (1, 2):
        image(tmp_path / f"sub-01/anat/sub-01_run-{run}_T1w.nii.gz")
        label(tmp_path / f"derivatives/x/sub-01/anat/sub-01_run-{run}_label-Lesion_mask.nii.gz")
    project, warnings = new_project(tmp_path / "p", find_cases(tmp_path))
    assert [case.id for case in project.labelled_cases()] == ["sub-01_run-1", "sub-01_run-2"]
    assert [each.name for each in project.labels] == ["Lesion"] and warnings == []


def test_a_folder_per_patient_has_channels_by_name_and_a_patient_without_one_is_told(tmp_path):
    for n in range(3):
        for channel in ("t1", "t2") if n < 2 else ("t1",):
            image(tmp_path / f"pat{n}/{channel}.nii.gz")
        label(tmp_path / f"pat{n}/seg.nii.gz")
    found = find_cases(tmp_path)
    assert labels(found) == {"pat0": "seg.nii.gz", "pat1": "seg.nii.gz"} and found.channels == ["t1", "t2"]
    assert told(found)["t1.nii.gz"] == "the case pat2 has no t2, which most cases have"


def test_files_that_begin_with_the_name_of_their_folder_are_channels(tmp_path):
    for n in range(2):
        for channel in ("t1", "t1ce", "flair", "seg"):
            (label if channel == "seg" else image)(tmp_path / f"B_{n:03d}/B_{n:03d}_{channel}.nii.gz")
    found = find_cases(tmp_path)
    assert labels(found) == {"B_000": "B_000_seg.nii.gz", "B_001": "B_001_seg.nii.gz"}
    assert found.channels == ["flair", "t1", "t1ce"] and found.left_out == []


def test_numbered_files_in_folders_are_cases_and_no_channels(tmp_path):
    for folder in "ab":
        for n in range(3):
            image(tmp_path / folder / f"x{n}.mha")
    found = find_cases(tmp_path)
    assert [case.id for case in found.cases] == ["a_x0", "a_x1", "a_x2", "b_x0", "b_x1", "b_x2"]


@pytest.mark.parametrize("folder", ["labels", "masks", "segmentations", "labelsTr", "annotations"])
def test_label_folders_of_many_names_lie_beside_images(tmp_path, folder):
    for n in range(3):
        image(tmp_path / f"images/p{n}.nii.gz")
    label(tmp_path / folder / "p0.nii.gz")
    label(tmp_path / folder / "p1_mask.nii.gz")
    label(tmp_path / folder / "q9.nii.gz")
    found = find_cases(tmp_path)
    assert labels(found) == {"p0": "p0.nii.gz", "p1": "p1_mask.nii.gz", "p2": None}
    assert told(found) == {"q9.nii.gz": "a label, and no image in images has its name"}


def test_train_val_and_test_folders_are_splits(tmp_path):
    for split in ("train", "val", "test"):
        image(tmp_path / split / "images" / "a.nrrd")
        label(tmp_path / split / "masks" / "a.nrrd")
    project, _ = new_project(tmp_path / "p", find_cases(tmp_path), labels=["1=A"])
    assert {case.id: case.split for case in project.cases.values()} == {
        "pool_a": "pool",
        "validation_a": "validation",
        "test_a": "test",
    }
    assert [case.id for case in project.labelled_cases()] == ["pool_a"]
    assert [case.id for case in project.validation_cases()] == ["validation_a"]


@pytest.mark.parametrize(
    ("scan", "drawn"),
    [
        ("p{}.nrrd", "p{}-label.nrrd"),
        ("p{}.nii.gz", "p{}_seg.nii.gz"),
        ("p{}.mha", "p{}_mask.nrrd"),
        ("p{}.nrrd", "p{}.seg.nrrd"),
        ("p{}.nrrd", "p{}_Segmentation.seg.nrrd"),
        ("volume-{}.nii", "segmentation-{}.nii"),
        ("image_{}.nrrd", "label_{}.nrrd"),
        ("P{}_CT.nrrd", "P{}_CT_gt.nrrd"),
    ],
)
def test_a_label_beside_its_image_is_no_image(tmp_path, scan, drawn):
    for n in range(3):
        image(tmp_path / scan.format(n))
    for n in range(2):
        label(tmp_path / drawn.format(n))
    found = find_cases(tmp_path)
    assert list(labels(found).values()) == [drawn.format(0), drawn.format(1), None] and found.left_out == []


def test_a_label_whose_image_is_not_there_is_told(tmp_path):
    image(tmp_path / "a.nrrd")
    label(tmp_path / "lost-label.nrrd")
    assert "no image beside it" in told(find_cases(tmp_path))["lost-label.nrrd"]


def test_of_two_labels_of_one_image_the_second_is_told(tmp_path):
    image(tmp_path / "a.nrrd")
    label(tmp_path / "a-label.nrrd")
    label(tmp_path / "a_seg.nrrd")
    found = find_cases(tmp_path)
    assert labels(found) == {"a": "a-label.nrrd"} and told(found) == {
        "a_seg.nrrd": "another label of a: a-label.nrrd is taken"
    }


def test_one_file_a_structure_makes_one_annotation(tmp_path):
    other = np.s_[5:, 6:, 8:]
    for n in range(2):
        image(tmp_path / f"data/s{n}/ct.nii.gz")
        label(tmp_path / f"data/s{n}/segmentations/liver.nii.gz")
    label(tmp_path / "data/s0/segmentations/spleen.nii.gz", other)
    project, warnings = new_project(tmp_path / "p", tmp_path / "data")
    assert [(each.value, each.name) for each in project.labels] == [(1, "liver"), (2, "spleen")] and warnings == []
    whole = project.read_label("s0")[0]
    assert (whole[other] == 2).all() and set(np.unique(whole)) == {0, 1, 2}
    assert set(np.unique(project.read_label("s1")[0])) == {0, 1}
    assert [project.case(case).missing(project.values) for case in ("s0", "s1")] == [[], [2]], "nobody looked for it"


def test_structures_that_overlap_are_refused_by_name(tmp_path):
    image(tmp_path / "data/s0/ct.nii.gz")
    for name in ("liver", "spleen"):
        label(tmp_path / f"data/s0/segmentations/{name}.nii.gz")
    project, warnings = new_project(tmp_path / "p", tmp_path / "data")
    assert "spleen overlaps liver in 24 voxels" in warnings[0] and not project.labelled_cases()


def test_the_store_of_monai_label_gives_its_final_labels_and_their_names(tmp_path):
    for n in range(2):
        image(tmp_path / f"c{n}.nii.gz")
        label(tmp_path / f"labels/original/c{n}.nii.gz")
    label(tmp_path / "labels/final/c0.nii.gz")
    info = {"info": {"params": {"label_names": {"liver": 1}}}}
    (tmp_path / "datastore_v2.json").write_text(
        json.dumps({"objects": {"c0": {"labels": {"final": info}}}}), encoding="utf-8"
    )
    found = find_cases(tmp_path)
    assert found.layout == "MONAI Label" and labels(found) == {"c0": "c0.nii.gz", "c1": None}
    assert found.labels[0].name == "liver" and all("nobody submitted it" in reason for reason in told(found).values())


def test_colour_pictures_are_cases_of_one_slice_with_three_channels(tmp_path):
    for folder in ("images", "masks"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    colours = np.random.default_rng(0).integers(0, 255, (32, 40, 3)).astype(np.uint8)
    mask = np.zeros((32, 40), np.uint8)
    mask[5:20, 5:20] = 1
    sitk.WriteImage(sitk.GetImageFromArray(colours, isVector=True), str(tmp_path / "data/images/a.png"))
    sitk.WriteImage(sitk.GetImageFromArray(mask), str(tmp_path / "data/masks/a.png"))
    project, warnings = new_project(tmp_path / "p", tmp_path / "data", labels=["1=A"])
    assert project.channels == ["red", "green", "blue"] and warnings == []
    assert (project.read_label("a")[0][0] == mask).all()
    read = sitk.GetArrayFromImage(sitk.ReadImage(str(project.image_paths("a")[1])))
    assert (read[0] == colours[..., 1]).all()


def test_channels_on_another_grid_of_the_same_place_are_resampled_and_told(tmp_path):
    first = sitk.GetImageFromArray(np.random.default_rng(0).normal(size=(8, 8, 8)).astype(np.float32))
    second = sitk.Resample(first, [4, 4, 4], sitk.Transform(), sitk.sitkLinear, (0, 0, 0), (2, 2, 2))
    (tmp_path / "data").mkdir()
    sitk.WriteImage(first, str(tmp_path / "data/p_0000.nrrd"))
    sitk.WriteImage(second, str(tmp_path / "data/p_0001.nrrd"))
    project, warnings = new_project(tmp_path / "p", tmp_path / "data", labels=["1=A"])
    assert len(warnings) == 1 and "was resampled onto the grid of" in warnings[0]
    sizes = [sitk.ReadImage(str(path)).GetSize() for path in project.image_paths("p")]
    assert sizes == [(8, 8, 8), (8, 8, 8)]


def test_a_single_image_is_a_case(tmp_path):
    assert [case.id for case in find_cases(image(tmp_path / "one.nii.gz")).cases] == ["one"]


def test_links_are_followed_and_a_loop_is_told(tmp_path):
    image(tmp_path / "far" / "b.nrrd")
    (tmp_path / "here").mkdir()
    image(tmp_path / "here" / "a.nrrd")
    os.symlink(tmp_path / "far", tmp_path / "here" / "linked")
    os.symlink(tmp_path / "here", tmp_path / "here" / "round")
    found = find_cases(tmp_path / "here")
    assert [case.id for case in found.cases] == ["a", "b"]
    assert told(found) == {"round": "leads to a folder that was listed already"}


def test_a_table_that_a_scan_wrote_gives_the_same_cases_again(tmp_path):
    for n in range(3):
        image(tmp_path / f"data/p{n}.nrrd")
    label(tmp_path / "data/p0-label.nrrd")
    label(tmp_path / "data/lost-label.nrrd")
    found = find_cases(tmp_path / "data")
    write_table(tmp_path / "cases.csv", found)
    again = find_cases(tmp_path / "cases.csv")
    assert [(case.id, case.images, case.label) for case in again.cases] == [
        (case.id, case.images, case.label) for case in found.cases
    ]
    assert again.left_out == found.left_out


def test_a_table_names_channels_structures_and_splits(tmp_path):
    for name in ("z", "y"):
        image(tmp_path / f"{name}.nrrd")
    label(tmp_path / "l.nrrd")
    table = tmp_path / "cases.csv"
    table.write_text("case;image:T1;image:T2;label:Liver;split\nc0;z.nrrd;y.nrrd;l.nrrd;validation\n", encoding="utf-8")
    found = find_cases(table)
    assert found.channels == ["T1", "T2"] and found.structure_names == ["Liver"]
    assert found.cases[0].split == "validation"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name,file\na,b.nrrd\n", "has the columns case, image.*does not know 'name', 'file'"),
        ("case,image\n,b.nrrd\n", "line 2 names no case"),
        ("case,image\na,\n", "line 2: case a has no image"),
        ("case,image,split\na,b.nrrd,dev\n", "line 2: the split 'dev' is none of pool"),
        ("case,image,label,label:A\na,b.nrrd,l.nrrd,m.nrrd\n", "line 2: case a has a label and files of single"),
    ],
)
def test_a_table_that_cannot_be_used_names_the_line(tmp_path, text, complaint):
    (tmp_path / "cases.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ProjectError, match=complaint):
        find_cases(tmp_path / "cases.csv")


def test_many_labels_leave_a_few_for_validation(tmp_path):
    for n in range(12):
        image(tmp_path / f"data/p{n:02d}.nrrd", n)
        label(tmp_path / f"data/p{n:02d}-label.nrrd")
    project, _ = new_project(tmp_path / "p", tmp_path / "data", labels=["1=A"])
    assert len(project.labelled_cases()) == 9 and len(project.validation_cases()) == 3


def test_ten_thousand_files_are_scanned_in_seconds(tmp_path):
    source = image(tmp_path / "one.nrrd")
    for folder in range(100):
        here = tmp_path / "data" / f"f{folder:03d}"
        here.mkdir(parents=True)
        for n in range(100):
            os.link(source, here / f"v_{folder:03d}_{n:03d}.nrrd")
    begin = time.process_time()
    found = find_cases(tmp_path / "data")
    assert len(found.cases) == 10_000 and time.process_time() - begin < 10
    assert Scan.of(tmp_path / "data", found).cases == 10_000
