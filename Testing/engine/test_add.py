"""A project that grows: more cases, more labels, and cases that are set aside."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from metassl.files import LabelError, ProjectError
from metassl.imaging import write_array
from metassl.intake import add_cases, add_labels
from metassl.project import Project


@pytest.fixture
def more(tmp_path, decathlon):
    """The cohort of `tiny_project` with two cases more."""
    for part in ("imagesTr", "labelsTr"):
        for n in (6, 7):
            shutil.copy(decathlon / part / f"case_{n - 6}.nii.gz", decathlon / part / f"case_{n}.nii.gz")
    path = decathlon / "dataset.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["training"] += [
        {"image": f"./imagesTr/case_{n}.nii.gz", "label": f"./labelsTr/case_{n}.nii.gz"} for n in (6, 7)
    ]
    path.write_text(json.dumps(content), encoding="utf-8")
    return decathlon


def test_new_cases_come_in_with_their_labels_and_known_ones_stay_as_they_are(tiny_project, more):
    before = {case_id: case.to_json() for case_id, case in tiny_project.cases.items()}
    added = add_cases(tiny_project, more)
    assert added.cases == added.labelled == ["case_6", "case_7"] and len(added.known) == 6 and added.warnings == []
    after = Project.open(tiny_project.path).cases
    assert {case_id: after[case_id].to_json() for case_id in before} == before and after["case_7"].is_labelled


def test_labels_that_nobody_wants_stay_hidden(tiny_project, more):
    assert add_cases(tiny_project, more, labelled=0).labelled == []
    added = tiny_project.cases["case_6"]
    assert added.split == "pool" and not added.is_labelled


def test_a_folder_without_anything_new_says_so(tiny_project, decathlon):
    with pytest.raises(ProjectError, match=r"no case that the project does not have \(6 are known\)"):
        add_cases(tiny_project, decathlon)


def test_an_id_that_another_image_has_is_refused(tiny_project, tmp_path, make_case, make_grid):
    (tmp_path / "other").mkdir()
    write_array(tmp_path / "other" / "case_0.nii.gz", make_case(9)[0], make_grid())
    with pytest.raises(ProjectError, match="has a case case_0 already, of another image"):
        add_cases(tiny_project, tmp_path / "other")


def test_structures_are_matched_by_name_and_a_contradiction_is_refused(tiny_project, more):
    path = more / "dataset.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["labels"] = {"background": 0, "back": 1, "FRONT": 2}
    path.write_text(json.dumps(content), encoding="utf-8")
    add_cases(tiny_project, more)
    exchanged = tiny_project.read_label("case_6")[0]
    original = tiny_project.read_label("case_0")[0]
    assert ((exchanged == 1) == (original == 2)).all() and ((exchanged == 2) == (original == 1)).all()
    content["labels"] = {"background": 0, "Front": 1, "Liver": 2, "Spleen": 3}
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(LabelError, match="structures 1=Front, 2=Liver, 3=Spleen, and the project 1=Front, 2=Back"):
        add_cases(tiny_project, more)


def test_a_folder_of_other_structures_gives_its_cases_where_nobody_wants_its_labels(tiny_project, more):
    content = json.loads((more / "dataset.json").read_text(encoding="utf-8"))
    content["labels"] = {"background": 0, "Front": 1, "Liver": 2, "Spleen": 3}
    (more / "dataset.json").write_text(json.dumps(content), encoding="utf-8")
    added = add_cases(tiny_project, more, labelled=0)
    assert added.cases and added.labelled == []


def test_what_is_taken_under_another_name_is_told(tiny_project, more):
    content = json.loads((more / "dataset.json").read_text(encoding="utf-8"))
    content["labels"] = {"background": 0, "Vorn": 1, "Back": 2}
    (more / "dataset.json").write_text(json.dumps(content), encoding="utf-8")
    assert "1=Vorn in the label files is Front here, by its number" in add_cases(tiny_project, more).warnings


def test_label_files_of_many_cases_are_taken_by_their_names(tiny_project, tmp_path, make_case, make_grid):
    folder = tmp_path / "drawn"
    folder.mkdir()
    labels = {n: make_case(n)[1] for n in range(5)}
    for n in (0, 3):
        write_array(folder / f"case_{n}_seg.nii.gz", labels[n], make_grid())
    write_array(folder / "case_4.nrrd", labels[4], make_grid())
    write_array(folder / "stranger.nrrd", labels[1], make_grid())
    added = add_labels(tiny_project, folder)
    assert sorted(added.labelled) == ["case_3", "case_4"] and added.known == ["case_0"]
    assert len(added.warnings) == 1 and "stranger.nrrd: no case of the project has its name" in added.warnings[0]
    assert (tiny_project.read_label("case_3")[0] == labels[3]).all()


def test_labels_that_are_there_are_replaced_only_where_that_is_said(tiny_project, tmp_path, make_case, make_grid):
    (tmp_path / "drawn").mkdir()
    changed = np.zeros_like(make_case(0)[1])
    changed[2, 2, 2] = 1
    write_array(tmp_path / "drawn" / "case_0.nrrd", changed, make_grid())
    assert add_labels(tiny_project, tmp_path / "drawn").labelled == []
    assert add_labels(tiny_project, tmp_path / "drawn", replace=True).labelled == ["case_0"]
    assert (tiny_project.read_label("case_0")[0] == changed).all()


def test_a_case_that_was_set_aside_takes_part_in_nothing_and_comes_back_as_it_was(tiny_project):
    before = tiny_project.case("case_0")
    assert tiny_project.set_aside(["case_0", "case_5", "case_0"]) == ["case_0", "case_5"]
    parts = tiny_project.labelled_cases, tiny_project.unlabelled_cases, tiny_project.validation_cases
    assert not {"case_0", "case_5"} & {case.id for part in parts for case in part()}
    assert tiny_project.read_label("case_0")[0].any(), "nothing is deleted"
    assert tiny_project.set_aside(["case_0"], undo=True) == ["case_0"]
    after = tiny_project.case("case_0")
    assert (after.split, after.state, after.label_version) == (before.split, before.state, before.label_version)
