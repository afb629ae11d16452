"""The form for a new project, filled in as a person would: from a folder, or from what is loaded."""

from __future__ import annotations

import time

import numpy as np
import pytest
import qt
import slicer
import vtk
from metassl.imaging import read_image
from metassl.project import Project
from MetaSSLSlicerLib.Logic.Project.NewProject import FolderPreview, NewProject
from MetaSSLSlicerLib.Widgets.NewProjectWidget import PARENT_SETTING
from MetaSSLSlicerLib.Widgets.Parts.LabelTable import NAME
from nnunet_folder import nnunet_folder
from project_section import addVolume, chooseImages, names, shown
from PySide6.QtTest import QTest

LIVER = "Segmentation category and type~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~^^~Anatomic codes~^^~^^"


@pytest.fixture
def section(projectSection):
    return projectSection


# A new project of a folder


def test_the_form_fills_itself_in_from_a_data_set(harness, section, answers, decathlon, session, tmp_path):
    section.ui.newButton.click()
    assert shown(section) == "new"
    ui = section.newProject.ui
    assert ui.folderSource.isChecked() and names(section) == ["Structure 1"]
    for width in (380, 600):
        harness.grab(section.widget, f"project_new_empty_{width}", width=width)
    chooseImages(section, harness, answers, decathlon)
    assert ui.foundLabel.text.startswith("6 cases found")
    assert names(section) == ["Front", "Back"]
    assert ui.nameEdit.text == "Boxes" and ui.pathEdit.text == str(tmp_path / "projects" / "Boxes")
    assert (ui.labelledSpin.value, ui.measuredSpin.value) == (6, 0)
    ui.labelledSpin.setValue(3)
    ui.measuredSpin.setValue(1)
    for width in (380, 600):
        harness.grab(section.widget, f"project_new_folder_{width}", width=width)
    ui.createButton.click()
    assert ui.busyWidget.isVisible() and not ui.createButton.enabled
    harness.grab(section.widget, "project_new_busy_380", width=380)
    harness.wait(lambda: session.project is not None)
    assert shown(section) == "open"
    project = Project.open(tmp_path / "projects" / "Boxes")
    assert len(project.labelled_cases()) == 3 and len(project.validation_cases()) == 1
    assert [label.name for label in project.labels] == ["Front", "Back"]


def test_no_label_is_both_trained_on_and_measured_with(harness, section, answers, decathlon):
    section.ui.newButton.click()
    chooseImages(section, harness, answers, decathlon)
    ui = section.newProject.ui
    ui.labelledSpin.setValue(2)
    ui.measuredSpin.setValue(99)
    assert (ui.labelledSpin.value, ui.measuredSpin.value) == (2, 4)
    ui.labelledSpin.setValue(99)
    assert (ui.labelledSpin.value, ui.measuredSpin.value) == (2, 4)


def test_a_typed_folder_is_looked_into_after_a_moment(harness, section, decathlon):
    section.ui.newButton.click()
    for text in (str(decathlon)[:-2], str(decathlon)):
        section.newProject.ui.imagesEdit.setText(text)
    harness.wait(lambda: section.newProject.images.preview is not None)
    assert names(section) == ["Front", "Back"]


def test_a_folder_without_images_is_said_beside_the_folder(harness, section, answers, tmp_path):
    (tmp_path / "empty").mkdir()
    section.ui.newButton.click()
    answers.append(str(tmp_path / "empty"))
    section.newProject.ui.imagesBrowse.click()
    harness.wait(lambda: "o images in" in section.newProject.ui.foundLabel.text)
    assert not section.newProject.ui.importWidget.isVisible()


def test_structures_that_were_typed_are_never_overwritten(harness, section, answers, decathlon):
    section.ui.newButton.click()
    table = section.newProject.ui.labelTable
    table.item(0, NAME).setText("Liver")
    chooseImages(section, harness, answers, decathlon)
    assert names(section) == ["Liver"]
    assert section.newProject.ui.dataSetLabelsButton.isVisible()
    harness.grab(section.widget, "project_new_other_labels_380", width=380)
    section.newProject.ui.dataSetLabelsButton.click()
    assert names(section) == ["Front", "Back"] and not section.newProject.ui.dataSetLabelsButton.isVisible()


def test_a_name_that_was_typed_stays_and_names_the_folder(harness, section, answers, decathlon, tmp_path):
    section.ui.newButton.click()
    ui = section.newProject.ui
    ui.nameEdit.selectAll()
    QTest.keyClicks(ui.nameEdit, "My study")
    chooseImages(section, harness, answers, decathlon)
    assert ui.nameEdit.text == "My study"
    assert ui.pathEdit.text == str(tmp_path / "projects" / "My study")


def test_another_place_is_kept_for_the_next_time(section, answers, tmp_path, settings):
    section.ui.newButton.click()
    answers.append(str(tmp_path / "elsewhere"))
    section.newProject.ui.pathBrowse.click()
    assert section.newProject.ui.pathEdit.text == str(tmp_path / "elsewhere" / "New project")
    assert settings.value(PARENT_SETTING) == str(tmp_path / "elsewhere")


def test_what_is_missing_is_said_beside_the_form_and_goes_away_when_it_is_there(harness, section, answers, decathlon):
    section.ui.newButton.click()
    ui = section.newProject.ui
    ui.createButton.click()
    assert ui.errorFrame.isVisible() and ui.errorLabel.text == "Choose the folder with the images."
    harness.grab(section.widget, "project_new_error_380", width=380)
    chooseImages(section, harness, answers, decathlon)
    assert not ui.errorFrame.isVisible()
    ui.labelTable.item(0, NAME).setText("Back")
    ui.createButton.click()
    assert ui.errorLabel.text == "Two labels have the same name: Back."
    ui.labelTable.item(0, NAME).setText("Front")
    ui.nameEdit.setText("")
    ui.createButton.click()
    assert ui.errorLabel.text == "Give the project a name."


def test_a_folder_that_is_taken_is_said_and_a_free_one_works(harness, section, answers, decathlon, tmp_path, session):
    section.ui.newButton.click()
    ui = section.newProject.ui
    chooseImages(section, harness, answers, decathlon)
    ui.pathEdit.setText(str(decathlon))
    ui.createButton.click()
    harness.wait(lambda: ui.errorFrame.isVisible())
    assert "is not empty" in ui.errorLabel.text and ui.createButton.enabled
    ui.pathEdit.setText(str(tmp_path / "free"))
    ui.createButton.click()
    harness.wait(lambda: session.project is not None)
    assert session.project.path == tmp_path / "free"


def test_cases_that_cannot_be_used_are_named_after_the_project_is_made(harness, section, answers, decathlon, session):
    (decathlon / "imagesTr" / "case_2.nii.gz").write_bytes(b"torn")
    section.ui.newButton.click()
    chooseImages(section, harness, answers, decathlon)
    section.newProject.ui.labelledSpin.setValue(2)
    section.newProject.ui.createButton.click()
    harness.wait(lambda: session.project is not None)
    assert section.ui.warningsFrame.isVisible() and "case_2" in section.ui.warningsLabel.text
    assert len(session.project.cases) == 5
    harness.wait(lambda: section.ui.countsLabel.text)
    harness.grab(section.widget, "project_open_warnings_380", width=380)
    section.ui.dismissButton.click()
    assert not section.ui.warningsFrame.isVisible()


def test_an_unexpected_error_is_said_and_the_form_can_be_used_again(harness, section, answers, decathlon, monkeypatch):
    def broken(self):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(NewProject, "create", broken)
    section.ui.newButton.click()
    chooseImages(section, harness, answers, decathlon)
    section.newProject.ui.createButton.click()
    harness.wait(lambda: section.newProject.ui.errorFrame.isVisible())
    assert section.newProject.ui.createButton.enabled and not section.newProject.ui.busyWidget.isVisible()


def test_cancel_goes_back_and_the_form_begins_afresh(harness, section, answers, decathlon):
    section.ui.newButton.click()
    chooseImages(section, harness, answers, decathlon)
    section.newProject.ui.cancelButton.click()
    assert shown(section) == "closed"
    section.ui.newButton.click()
    assert section.newProject.ui.imagesEdit.text == "" and names(section) == ["Structure 1"]


def test_closing_the_form_while_a_folder_is_looked_into_does_no_harm(harness, section, answers, decathlon, session):
    section.ui.newButton.click()
    answers.append(str(decathlon))
    section.newProject.ui.imagesBrowse.click()
    section.newProject.ui.cancelButton.click()
    harness.wait(lambda: not session.tasks.busy)
    assert section.newProject.images.preview is None


def endless(folder, tick):
    """A search that goes on for ever, as through a share of millions of files."""
    while True:
        tick()
        time.sleep(0.001)


def test_a_search_is_given_up_when_another_folder_is_typed_or_the_form_or_slicer_closes(
    harness, section, decathlon, session, monkeypatch
):
    read = FolderPreview.read
    monkeypatch.setattr(FolderPreview, "read", endless)
    form = section.newProject
    section.ui.newButton.click()
    form.ui.folderSource.setChecked(True)
    for folder in (decathlon.parent.parent, decathlon.parent):
        form.ui.imagesEdit.text = str(folder)
        harness.wait(lambda: session.tasks.busy)
    form.ui.cancelButton.click()
    harness.wait(lambda: not session.tasks.busy)
    section.ui.newButton.click()
    form.ui.folderSource.setChecked(True)
    form.ui.imagesEdit.text = str(decathlon.parent)
    harness.wait(lambda: session.tasks.busy)
    monkeypatch.setattr(FolderPreview, "read", read)
    form.ui.imagesEdit.text = str(decathlon)
    harness.wait(lambda: form.images.preview is not None)
    monkeypatch.setattr(FolderPreview, "read", endless)
    form.ui.imagesEdit.text = str(decathlon.parent)
    harness.wait(lambda: session.tasks.busy)
    session.shutdown()  # it waits for what runs, so for ever if the search went on


# A new project of what is loaded


def test_loaded_volumes_are_offered_first_and_become_cases(harness, section, session, make_case, make_grid, tmp_path):
    volumes = [addVolume(name, make_case, make_grid, seed) for seed, name in enumerate(["CT", "MR", "T2"])]
    section.ui.newButton.click()
    ui = section.newProject.ui
    assert ui.sceneSource.isChecked() and ui.volumeList.count == 3 and not ui.folderWidget.isVisible()
    ui.volumeList.item(1).setCheckState(qt.Qt.Unchecked)
    for width in (380, 600):
        harness.grab(section.widget, f"project_new_scene_{width}", width=width)
    ui.createButton.click()
    harness.wait(lambda: session.project is not None)
    assert list(session.project.cases) == ["CT", "T2"]
    assert session.project.path == tmp_path / "projects" / "New project"
    assert all(slicer.mrmlScene.IsNodePresent(node) for node in volumes)


def test_volumes_that_come_later_appear_and_ticks_are_kept(harness, section, make_case, make_grid):
    first = addVolume("CT", make_case, make_grid)
    section.ui.newButton.click()
    ui = section.newProject.ui
    ui.volumeList.item(0).setCheckState(qt.Qt.Unchecked)
    addVolume("MR", make_case, make_grid)
    harness.wait(lambda: ui.volumeList.count == 2)
    states = [ui.volumeList.item(index).checkState() for index in range(2)]
    assert states == [qt.Qt.Unchecked, qt.Qt.Checked]
    slicer.mrmlScene.RemoveNode(first)
    harness.wait(lambda: ui.volumeList.count == 1)


def test_without_a_volume_the_form_says_how_to_load_one(harness, section):
    section.ui.newButton.click()
    ui = section.newProject.ui
    ui.sceneSource.setChecked(True)
    assert "No volume is loaded" in ui.sceneHint.text and not ui.volumeList.isVisible()
    ui.createButton.click()
    assert ui.errorLabel.text == "Tick at least one volume: each becomes a case."
    harness.grab(section.widget, "project_new_scene_empty_380", width=380)


def test_a_moved_volume_is_explained_beside_the_form(section, make_case, make_grid):
    node = addVolume("CT", make_case, make_grid)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Moved")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 5.0)
    transform.SetMatrixTransformToParent(matrix)
    node.SetAndObserveTransformNodeID(transform.GetID())
    section.ui.newButton.click()
    section.newProject.ui.createButton.click()
    assert "Harden" in section.newProject.ui.errorLabel.text


def test_the_form_lets_go_of_the_scene(section, make_case, make_grid):
    section.ui.newButton.click()
    assert section.newProject.images._observers
    section.newProject.ui.cancelButton.click()
    addVolume("CT", make_case, make_grid)
    assert not section.newProject.images._observers
    assert section.newProject.ui.volumeList.count == 0


def test_no_click_in_the_form_blocks_the_window(harness, section, answers, decathlon, make_case, make_grid, session):
    for number in range(50):
        addVolume(f"V{number}", make_case, make_grid)
    with harness.watchdog() as watch:
        section.ui.newButton.click()
        section.newProject.ui.folderSource.setChecked(True)
        chooseImages(section, harness, answers, decathlon)
        section.newProject.ui.createButton.click()
        harness.wait(lambda: session.project is not None)
    watch.assertShort()


def test_values_in_the_exported_images_are_exact(harness, section, session, make_case, make_grid):
    image, _labels = make_case(4)
    addVolume("CT", make_case, make_grid, 4)
    section.ui.newButton.click()
    section.newProject.ui.createButton.click()
    harness.wait(lambda: session.project is not None)
    assert np.array_equal(read_image(session.project.image_paths("CT"), "CT").array[0], image)


# A model to begin with


def test_a_project_begins_with_a_model_and_the_first_round_waits_to_predict(
    harness, section, answers, decathlon, session, tmp_path
):
    folder = nnunet_folder(tmp_path / "model", labels={"background": 0, "Front": 1, "Back": 2, "Rim": 3})
    section.ui.newButton.click()
    chooseImages(section, harness, answers, decathlon)
    ui = section.newProject.ui
    ui.modelEdit.setText(str(tmp_path))
    harness.wait(lambda: "holds no model" in ui.modelFoundLabel.text)
    ui.createButton.click()
    assert "holds no model" in ui.errorLabel.text and session.project is None
    answers.append(str(folder))
    ui.modelBrowse.click()
    harness.wait(lambda: section.newProject.model.model is not None)
    assert names(section) == ["Front", "Back", "Rim"] and "Front, Back, Rim" in ui.modelFoundLabel.text
    for width in (380, 600):
        harness.grab(section.widget, f"project_new_model_{width}", width=width)
    ui.createButton.click()
    harness.wait(lambda: session.project is not None)
    found = session.project.latest_round()
    assert found.number == 0 and found.record["source"]["models"] == [str(folder)]
