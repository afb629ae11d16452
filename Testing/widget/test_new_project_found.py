"""What the form for a new project says of a folder before anything is made, and what names mean in it."""

from __future__ import annotations

import json
from shutil import copy2

import numpy as np
import pytest
from metassl.imaging.writer import write_array
from metassl.project import LabelDefinition
from MetaSSLSlicerLib.Logic.Project.NewProject import MOST_LINES, FolderPreview
from MetaSSLSlicerLib.Widgets.Parts.LabelTable import NAME
from project_section import chooseImages, names

LIVER = "Segmentation category and type~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~^^~Anatomic codes~^^~^^"


@pytest.fixture
def section(projectSection):
    return projectSection


def test_what_is_found_and_left_out_is_listed_with_reasons(harness, section, answers, decathlon):
    (decathlon / "notes.txt").write_text("by hand", encoding="utf-8")
    (decathlon / "labelsTr" / "case_9.nii.gz").write_bytes(b"")
    section.ui.newButton.click()
    ui = section.newProject.ui
    assert not ui.scanEdit.isVisible()
    chooseImages(section, harness, answers, decathlon)
    lines = ui.scanEdit.plainText.splitlines()
    assert lines[:6] == [
        "Layout: Decathlon",
        "Cases: 6",
        "Images: 6",
        "Labels: 6 found",
        "Structures: 1 Front, 2 Back",
        "Channels: MRI",
    ]
    place = lines.index("Left out, 1 file: no image")
    assert lines[place + 1] == "   notes.txt"
    assert any("case_9" in line for line in lines)
    assert ui.foundLabel.text.startswith("6 cases found; 2 files are left out, see below")
    harness.grab(section.widget, "project_new_left_out_380", width=380)
    ui.cancelButton.click()
    section.ui.newButton.click()
    assert not ui.scanEdit.isVisible()


def test_of_many_names_only_the_first_are_listed(decathlon):
    for number in range(MOST_LINES + 5):
        (decathlon / f"{number:03}.txt").touch()
    lines = FolderPreview.read(decathlon).text.splitlines()
    assert f"Left out, {MOST_LINES + 5} files: no image" in lines
    assert lines[-1] == "   ... and 5 more"
    assert "   000.txt" in lines and "   204.txt" not in lines


def test_dicom_series_are_described(harness, section, answers, tmp_path):
    pytest.importorskip("pydicom", reason="DICOM files are made with pydicom (the extra dicom)")
    from dicom_files import write_slices

    write_slices(tmp_path / "scans" / "a", np.zeros((4, 8, 8), np.int16), SeriesDescription="Chest")
    section.ui.newButton.click()
    chooseImages(section, harness, answers, tmp_path / "scans")
    assert "Layout: DICOM" in section.newProject.ui.scanEdit.plainText
    assert "a: CT, 4 slices, Chest" in section.newProject.ui.scanEdit.plainText


def test_a_table_of_cases_and_a_single_image_are_chosen_as_files(harness, section, answers, decathlon, session):
    table = decathlon / "chosen.csv"
    table.write_text(
        "case,image,label,split\nA,imagesTr/case_0.nii.gz,labelsTr/case_0.nii.gz,\nB,imagesTr/case_1.nii.gz,,\n",
        encoding="utf-8",
    )
    section.ui.newButton.click()
    ui = section.newProject.ui
    for file, found in ((decathlon / "imagesTr" / "case_3.nii.gz", "1 case found"), (table, "2 cases found")):
        answers.append(str(file))
        ui.imagesFileBrowse.click()
        harness.wait(lambda found=found: ui.foundLabel.text.startswith(found))
    assert ui.nameEdit.text == "chosen" and (ui.labelledSpin.value, ui.measuredSpin.value) == (1, 0)
    ui.labelTable.item(0, NAME).setText("Front")
    section.newProject.labelTable.add()
    ui.labelTable.item(1, NAME).setText("Back")
    ui.createButton.click()
    harness.wait(lambda: session.project is not None)
    assert list(session.project.cases) == ["A", "B"]
    assert [case.id for case in session.project.labelled_cases()] == ["A"]


def test_of_many_labels_as_many_are_measured_with_as_on_the_command_line(harness, section, answers, decathlon, session):
    description = json.loads((decathlon / "dataset.json").read_text(encoding="utf-8"))
    for number in range(6, 12):
        for folder in ("imagesTr", "labelsTr"):
            copy2(decathlon / folder / f"case_{number - 6}.nii.gz", decathlon / folder / f"case_{number}.nii.gz")
        name = f"case_{number}.nii.gz"
        description["training"].append({"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"})
    (decathlon / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    (decathlon / "imagesTr" / "case_2.nii.gz").write_bytes(b"torn")  # all others are taken nevertheless
    section.ui.newButton.click()
    chooseImages(section, harness, answers, decathlon)
    ui = section.newProject.ui
    assert (ui.labelledSpin.value, ui.measuredSpin.value) == (9, 3)
    ui.createButton.click()
    harness.wait(lambda: session.project is not None)
    assert (len(session.project.labelled_cases()), len(session.project.validation_cases())) == (8, 3)


# Names in the folder and in the form


def voxels(project, case: str) -> list[int]:
    return np.bincount(project.read_label(case)[0].ravel(), minlength=3)[1:3].tolist()


def test_a_renamed_structure_keeps_its_voxels_and_is_told(harness, section, answers, decathlon, session, make_case):
    section.ui.newButton.click()
    chooseImages(section, harness, answers, decathlon)
    ui = section.newProject.ui
    assert not ui.namesLabel.isVisible()
    ui.labelTable.item(0, NAME).setText("Vorn")
    assert ui.namesLabel.text == "1=Front in the label files is Vorn here, by its number."
    assert ui.namesLabel.isVisible()
    harness.grab(section.widget, "project_new_renamed_380", width=380)
    ui.createButton.click()
    harness.wait(lambda: session.project is not None)
    assert "1=Front in the label files is Vorn here" in section.ui.warningsLabel.text
    assert voxels(session.project, "case_0") == np.bincount(make_case(0)[1].ravel())[1:3].tolist()


def test_structures_in_another_order_keep_their_names(harness, section, answers, decathlon, session, make_case):
    section.ui.newButton.click()
    section.newProject.labelTable.setLabels([LabelDefinition(1, "Back", "#112233", LIVER), LabelDefinition(2, "Front")])
    section.newProject.labelTable.edited.emit()
    chooseImages(section, harness, answers, decathlon)
    ui = section.newProject.ui
    assert ui.namesLabel.text.splitlines() == [
        "1=Front in the label files is 2 here, by its name.",
        "2=Back in the label files is 1 here, by its name.",
    ]
    ui.createButton.click()
    harness.wait(lambda: session.project is not None)
    assert voxels(session.project, "case_0") == np.bincount(make_case(0)[1].ravel())[:0:-1].tolist()
    assert session.project.labels[0] == LabelDefinition(1, "Back", "#112233", LIVER)
    assert "by its name" in section.ui.warningsLabel.text


def test_structures_that_contradict_the_folder_are_said_before_and_nothing_is_made(
    harness, section, answers, decathlon, session, tmp_path
):
    section.ui.newButton.click()
    chooseImages(section, harness, answers, decathlon)
    ui = section.newProject.ui
    section.newProject.labelTable.removeCurrent()
    assert "1=Front, 2=Back" in ui.namesLabel.text
    ui.createButton.click()
    harness.wait(lambda: ui.errorFrame.isVisible())
    assert "1=Front, 2=Back" in ui.errorLabel.text and not (tmp_path / "projects" / "Boxes").exists()
    ui.labelledSpin.setValue(0)
    assert not ui.namesLabel.isVisible()
    ui.createButton.click()
    harness.wait(lambda: session.project is not None)
    assert session.project.labelled_cases() == [] and len(session.project.cases) == 6


def test_files_named_after_structures_fill_the_table(
    harness, section, answers, tmp_path, session, make_case, make_grid
):
    for number in range(2):
        image, labels = make_case(number)
        folder = tmp_path / "scans" / f"case_{number}"
        (folder / "segmentations").mkdir(parents=True)
        write_array(folder / "ct.nii.gz", image, make_grid())
        for value, name in ((1, "liver"), (2, "spleen")):
            write_array(folder / "segmentations" / f"{name}.nii.gz", (labels == value).astype(np.uint8), make_grid())
    section.ui.newButton.click()
    chooseImages(section, harness, answers, tmp_path / "scans")
    assert names(section) == ["liver", "spleen"]
    ui = section.newProject.ui
    ui.labelTable.item(0, NAME).setText("Leber")
    assert ui.namesLabel.text == "The files of liver are left out: no structure of the project has that name."
    ui.labelTable.item(0, NAME).setText("Liver")
    assert not ui.namesLabel.isVisible()
    ui.createButton.click()
    harness.wait(lambda: session.project is not None)
    assert voxels(session.project, "case_1") == np.bincount(make_case(1)[1].ravel())[1:3].tolist()
