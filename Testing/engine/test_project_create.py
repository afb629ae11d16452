"""A project from a folder of images: who is labelled, who is measured, what stays hidden."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from metassl.files import MetaSSLError, ProjectError
from metassl.imaging import read_image, write_array
from metassl.intake import new_project
from metassl.project import Project


def ids(cases) -> list[str]:
    return [case.id for case in cases]


def test_the_first_cases_are_labelled_and_the_next_are_for_validation(tmp_path, decathlon):
    project, warnings = new_project(tmp_path / "p", decathlon, labelled=2, validation=1)
    assert warnings == [] and project.name == "Boxes" and project.channels == ["MRI"]
    assert ids(project.labelled_cases()) == ["case_0", "case_1"]
    assert ids(project.validation_cases()) == ["case_2"]
    assert ids(project.unlabelled_cases()) == ["case_3", "case_4", "case_5"]


def test_the_labels_of_all_other_cases_stay_hidden(tiny_project):
    kept = {path.name.split(".")[0] for path in (tiny_project.path / "labels").rglob("*.nrrd")}
    assert kept == {"case_0", "case_1", "case_2"}
    text = (tiny_project.path / "cases.json").read_text(encoding="utf-8")
    assert "labelsTr" not in text


def test_the_split_decides_who_is_labelled_measured_and_kept_out(tmp_path, decathlon):
    split = {"train_order": ["case_4", "case_0", "case_3"], "val": ["case_2", "case_5"]}
    split["test"] = ["case_1", "case_9"]
    (decathlon / "splits.json").write_text(json.dumps(split), encoding="utf-8")
    project, warnings = new_project(tmp_path / "p", decathlon, labelled=2, validation=1)
    assert ids(project.labelled_cases()) == ["case_0", "case_4"]
    assert ids(project.validation_cases()) == ["case_2"]
    assert ids(project.test_cases()) == ["case_1"]
    assert ids(project.unlabelled_cases()) == ["case_3"]
    assert project.case("case_5").split == "validation" and not project.case("case_5").is_labelled
    assert warnings == ["splits.json names the case case_9, which is not there"]


def test_the_labelled_cases_can_be_named(tmp_path, decathlon):
    project, _ = new_project(tmp_path / "p", decathlon, labelled_cases=["case_5", "case_2"])
    assert ids(project.labelled_cases()) == ["case_2", "case_5"]


def test_without_a_wish_all_labels_are_taken_and_none_where_none_is_wanted(tmp_path, decathlon):
    project, warnings = new_project(tmp_path / "p", decathlon)
    assert len(project.labelled_cases()) == 6 and not project.validation_cases() and warnings == []
    project, _ = new_project(tmp_path / "q", decathlon, labelled=0)
    assert len(project.unlabelled_cases()) == 6


@pytest.mark.parametrize(
    ("wish", "complaint"),
    [
        ({"labelled": 7}, "7 labelled cases asked for; 6 have a label"),
        ({"labelled": 5, "validation": 2}, "2 validation cases asked for; 1 have a label"),
        ({"labelled": -1}, "cannot be negative"),
        ({"labelled": 1, "labelled_cases": ["case_0"]}, "not both"),
        ({"labelled_cases": ["case_0", "case_8"]}, "no case case_8"),
        ({"labels": ["Liver"]}, "VALUE=NAME"),
    ],
)
def test_a_wish_that_cannot_be_met_leaves_no_project(tmp_path, decathlon, wish, complaint):
    with pytest.raises(MetaSSLError, match=complaint):
        new_project(tmp_path / "p", decathlon, **wish)
    assert not (tmp_path / "p").exists()


def test_a_test_case_cannot_be_labelled(tmp_path, decathlon):
    (decathlon / "splits.json").write_text(json.dumps({"test": ["case_1"]}), encoding="utf-8")
    with pytest.raises(ProjectError, match="case_1 is kept out of training"):
        new_project(tmp_path / "p", decathlon, labelled_cases=["case_1"])


def test_images_without_labels_need_the_names_of_the_structures(tmp_path, decathlon):
    source = decathlon / "imagesTr"
    with pytest.raises(ProjectError, match="--labels"):
        new_project(tmp_path / "p", source)
    project, warnings = new_project(tmp_path / "p", source, labels=["3=Liver"], name="My livers")
    assert project.values == [0, 3] and project.name == "My livers" and warnings == []
    assert len(project.unlabelled_cases()) == 6


def test_an_unreadable_image_is_left_out_with_a_warning_and_the_next_takes_its_place(tmp_path, decathlon):
    (decathlon / "imagesTr" / "case_0.nii.gz").write_bytes(b"not an image at all")
    project, warnings = new_project(tmp_path / "p", decathlon, labelled=2)
    assert ids(project.labelled_cases()) == ["case_1", "case_2"] and "case_0" not in project.cases
    assert len(warnings) == 1 and "case case_0" in warnings[0] and "left out" in warnings[0]


def test_a_label_that_cannot_be_used_leaves_its_case_unlabelled(tmp_path, decathlon, make_case, make_grid):
    labels = make_case(0)[1]
    labels[0, 0, 0] = 9
    write_array(decathlon / "labelsTr" / "case_0.nii.gz", labels, make_grid())
    wrong = make_grid(direction=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    write_array(decathlon / "labelsTr" / "case_1.nii.gz", labels, wrong)
    project, warnings = new_project(tmp_path / "p", decathlon, labelled=4, validation=1)
    assert ids(project.labelled_cases()) == ["case_2", "case_3", "case_4", "case_5"]
    assert project.validation_cases() == [] and len(warnings) == 3
    assert "holds the value 9" in warnings[0] and "direction" in warnings[1]
    assert warnings[2] == "only 0 of 1 validation case with a label that can be used"


def test_when_no_image_can_be_read_there_is_no_project(tmp_path, decathlon):
    for path in (decathlon / "imagesTr").iterdir():
        path.write_bytes(b"not an image at all")
    with pytest.raises(ProjectError, match="none of the 6 cases can be read: case case_0"):
        new_project(tmp_path / "p", decathlon, labelled=1)
    assert not (tmp_path / "p").exists()


def test_a_4d_decathlon_image_is_split_into_its_channels(tmp_path, make_case, make_grid):
    source = tmp_path / "source"
    (source / "imagesTr").mkdir(parents=True)
    arrays = [make_case(1)[0], make_case(2)[0]]
    volumes = [make_grid().apply(sitk.GetImageFromArray(array)) for array in arrays]
    sitk.WriteImage(sitk.JoinSeries(volumes), str(source / "imagesTr" / "a.nii.gz"))
    description = {
        "modality": {"0": "T1", "1": "T2"},
        "labels": {"0": "background", "1": "Tumour"},
        "training": [{"image": "./imagesTr/a.nii.gz", "label": "./labelsTr/a.nii.gz"}],
    }
    (source / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    project, warnings = new_project(tmp_path / "p", source, labelled=0)
    assert warnings == []
    assert project.case("a").images == ["images/a_0000.nrrd", "images/a_0001.nrrd"]
    read = read_image(project.image_paths("a"), "a")
    assert np.array_equal(read.array, np.stack(arrays))
    assert read.geometry.difference(make_grid()) == ""


def test_a_case_with_a_channel_too_few_or_of_another_place_is_left_out(tmp_path, make_case, make_grid):
    source = tmp_path / "source"
    source.mkdir()
    elsewhere = replace(make_grid(), origin_xyz=(500.0, 0.0, 0.0))
    for name, grid in (
        ("a_0000", make_grid()),
        ("a_0001", make_grid()),
        ("b_0000", make_grid()),
        ("c_0000", make_grid()),
        ("c_0001", elsewhere),
    ):
        write_array(source / f"{name}.nii.gz", make_case()[0], grid)
    project, warnings = new_project(tmp_path / "p", source, labels=["1=A"])
    assert list(project.cases) == ["a"]
    assert any("case b" in w and "1 channel, the data set 2" in w for w in warnings)
    assert any("case c" in w and "another place" in w and "origin" in w for w in warnings)


def test_vector_images_give_the_project_as_many_channels(tmp_path, make_case):
    (tmp_path / "s").mkdir()
    for name in ("a", "b"):
        pair = np.stack([make_case(1)[0], make_case(2)[0]], -1)
        sitk.WriteImage(sitk.GetImageFromArray(pair, isVector=True), str(tmp_path / f"s/{name}.mha"))
    project, warnings = new_project(tmp_path / "p", tmp_path / "s", labels=["1=A"])
    assert project.channels == ["channel 0", "channel 1"] and warnings == []


def test_a_project_of_the_benchmark_data_follows_its_split(tmp_path):
    source = Path(__file__).parents[3] / "shared" / "data" / "Task04_Hippocampus"
    if not source.is_dir():
        pytest.skip("the real images of ../shared/data are not here")
    split = json.loads((source / "splits.json").read_text(encoding="utf-8"))
    project, warnings = new_project(tmp_path / "p", source, labelled=3, validation=2)
    assert warnings == []
    assert set(ids(project.labelled_cases())) == set(split["train_order"][:3])
    assert set(ids(project.validation_cases())) == set(split["val"][:2])
    assert set(ids(project.test_cases())) == set(split["test"])
    assert set(ids(project.unlabelled_cases())) == set(split["train_order"][3:])
    assert isinstance(Project.open(project.path), Project)
