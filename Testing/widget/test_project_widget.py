"""The section "Project", driven as a person would: new, open, recent, sample."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import qt
import slicer
import slicer.util
import vtk
from metassl.project import LabelDefinition, MetaSSLError, Project, read_image
from MetaSSLSlicerLib.Grid import ijkToRas
from MetaSSLSlicerLib.Logic.NewProject import NewProject
from MetaSSLSlicerLib.Widgets import ProjectWidget as projectWidgetModule
from MetaSSLSlicerLib.Widgets.LabelTable import COLOR, NAME, TERMINOLOGY, VALUE, LabelTable
from MetaSSLSlicerLib.Widgets.NewProjectWidget import PARENT_SETTING
from MetaSSLSlicerLib.Widgets.ProjectWidget import RECENT_SETTING, ProjectWidget
from MetaSSLSlicerLib.Widgets.TerminologyDialog import chooseTerminology
from PySide6 import QtCore
from PySide6.QtTest import QTest

LIVER = (
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical Structure"
    "~SCT^10200004^Liver~^^~Anatomic codes - DICOM master list~^^~^^"
)



@pytest.fixture
def answers() -> list[str]:
    """What the folder dialog gives, one after the other; "" when the user cancels."""
    return []


@pytest.fixture
def section(session, settings, answers, tmp_path, monkeypatch):
    """The section, with projects going into tmp_path/projects."""
    monkeypatch.setattr(projectWidgetModule, "projectsFolder", lambda: tmp_path / "projects")
    settings.setValue(PARENT_SETTING, str(tmp_path / "projects"))
    section = ProjectWidget(session, lambda title, start: answers.pop(0) if answers else "")
    section.widget.show()
    yield section
    section.cleanup()


def addVolume(name: str, make_case, make_grid, seed: int = 0):
    image, _labels = make_case(seed)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(ijkToRas(make_grid(image.shape)).ravel())
    node.SetIJKToRASMatrix(matrix)
    slicer.util.updateVolumeFromArray(node, image)
    return node


def click(table, row: int, column: int) -> None:
    """With the mouse, in the middle of a cell."""
    place = table.visualItemRect(table.item(row, column)).center()
    QTest.mouseClick(table.viewport(), QtCore.Qt.MouseButton.LeftButton, pos=place)


def clickRecent(section) -> None:
    recent = section.ui.recentList
    place = recent.visualItemRect(recent.item(0)).center()
    QTest.mouseClick(recent.viewport(), QtCore.Qt.MouseButton.LeftButton, pos=place)


def shown(section) -> str:
    """Which of the three pages is shown."""
    pages = {"closed": section.ui.closedWidget, "new": section.ui.newWidget, "open": section.ui.openWidget}
    (name,) = [name for name, page in pages.items() if page.isVisible()]
    return name


def chooseImages(section, harness, answers, folder: Path) -> None:
    answers.append(str(folder))
    section.newProject.ui.imagesBrowse.click()
    harness.wait(lambda: section.newProject.images.preview is not None)


def names(section) -> list[str]:
    return [label.name for label in section.newProject.labelTable.labels]


# Nothing is open


def test_at_first_there_is_nothing_to_see_but_how_to_begin(harness, section):
    ui = section.ui
    assert shown(section) == "closed"
    assert ui.newButton.isVisible() and ui.openButton.isVisible() and ui.sampleButton.isVisible()
    assert not ui.recentWidget.isVisible() and not ui.errorFrame.isVisible() and not ui.busyWidget.isVisible()
    for width in (380, 600):
        harness.grab(section.widget, f"project_none_{width}", width=width)


def test_a_project_is_opened_and_summed_up(harness, section, answers, tiny_project, session):
    answers.append(str(tiny_project.path))
    section.ui.openButton.click()
    assert session.project.path == tiny_project.path
    assert shown(section) == "open"
    harness.wait(lambda: section.ui.countsLabel.text)
    assert section.ui.countsLabel.text == "6 cases: 2 labelled, 3 without a label, 1 to measure with"
    assert "Boxes" in section.ui.nameLabel.text and section.ui.pathLabel.text == str(tiny_project.path)
    for label in tiny_project.labels:
        assert label.name in section.ui.labelsLabel.text and label.color in section.ui.labelsLabel.text
    for width in (380, 600):
        harness.grab(section.widget, f"project_open_{width}", width=width)
    section.ui.closeButton.click()
    assert session.project is None and shown(section) == "closed"


def test_a_folder_inside_the_project_means_the_project(section, answers, tiny_project, session):
    answers.append(str(tiny_project.path / "labels"))
    section.ui.openButton.click()
    assert session.project.path == tiny_project.path


def test_a_folder_without_a_project_is_answered_in_the_section(harness, section, answers, tmp_path, session):
    (tmp_path / "empty").mkdir()
    answers.append(str(tmp_path / "empty"))
    section.ui.openButton.click()
    assert session.project is None and section.ui.errorFrame.isVisible()
    assert "holds no project" in section.ui.errorLabel.text and "metassl new" not in section.ui.errorLabel.text
    harness.grab(section.widget, "project_none_error_380", width=380)


def test_cancelling_the_folder_dialog_changes_nothing(section, session):
    section.ui.openButton.click()
    assert session.project is None and not section.ui.errorFrame.isVisible()


def test_a_damaged_project_says_so(section, tiny_project, session):
    (tiny_project.path / "project.json").write_text("{")
    section.openProject(tiny_project.path)
    assert session.project is None and "damaged" in section.ui.errorLabel.text


def test_the_numbers_follow_the_cases(harness, section, tiny_project, session):
    section.openProject(tiny_project.path)
    harness.wait(lambda: section.ui.countsLabel.text)
    tiny_project.mark_predicted(["case_3", "case_4"])
    for _ in range(5):
        session.casesChanged.emit(["case_3"])
    harness.wait(lambda: "2 to review" in section.ui.countsLabel.text)


# Recent projects


def test_recent_projects_open_with_a_click(harness, section, tiny_project, session, settings):
    section.openProject(tiny_project.path)
    section.ui.closeButton.click()
    assert json.loads(settings.value(RECENT_SETTING)) == [str(tiny_project.path)]
    assert section.ui.recentWidget.isVisible() and section.ui.recentList.count == 1
    assert section.ui.recentList.item(0).toolTip() == str(tiny_project.path)
    for width in (380, 600):
        harness.grab(section.widget, f"project_recent_{width}", width=width)
    clickRecent(section)
    assert session.project.path == tiny_project.path


def test_a_recent_project_that_is_gone_leaves_the_list(section, tiny_project, session, tmp_path):
    section.openProject(tiny_project.path)
    section.ui.closeButton.click()
    tiny_project.path.rename(tmp_path / "moved")
    clickRecent(section)
    assert session.project is None and "not there any more" in section.ui.errorLabel.text
    assert section.ui.recentList.count == 0 and not section.ui.recentWidget.isVisible()


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
    assert (ui.labelledSpin.value, ui.measuredSpin.value) == (5, 1)
    ui.labelledSpin.setValue(3)
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


def test_cases_that_cannot_be_used_are_named_after_the_project_is_made(
    harness, section, answers, decathlon, session
):
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


# A new project of what is loaded


def test_loaded_volumes_are_offered_first_and_become_cases(
    harness, section, session, make_case, make_grid, tmp_path
):
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


def test_structures_come_from_a_segmentation(harness, section):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Organs")
    for key, name, color in (("a", "Liver", (0.8, 0.4, 0.2)), ("b", "Spleen", (0.2, 0.4, 0.8))):
        node.GetSegmentation().AddEmptySegment(key, name, color)
    node.GetSegmentation().GetSegment("a").SetTerminology(LIVER)
    section.ui.newButton.click()
    selector = section.newProject.ui.segmentationSelector
    assert selector.isVisible()
    selector.setCurrentNode(node)
    labels = section.newProject.labelTable.labels
    assert [label.value for label in labels] == [1, 2]
    assert [(label.name, label.color) for label in labels] == [("Liver", "#CC6633"), ("Spleen", "#3366CC")]
    assert labels[0].terminology == LIVER
    harness.grab(section.widget, "project_new_segmentation_380", width=380)


def test_the_form_lets_go_of_the_scene(section, make_case, make_grid):
    section.ui.newButton.click()
    before = section.newProject.images._sceneTags
    assert before
    section.newProject.ui.cancelButton.click()
    addVolume("CT", make_case, make_grid)
    assert section.newProject.images._sceneTags == []
    assert section.newProject.ui.volumeList.count == 0


# The table of structures


@pytest.fixture
def table(harness):
    """A table whose user chooses a colour and a term at once."""
    widget = qt.QTableWidget()
    widget.show()
    return LabelTable(widget, lambda color: "#123456", lambda entry: (LIVER, "Liver"))


def test_structures_are_added_with_the_next_value_and_a_colour_of_their_own(table):
    table.setLabels([LabelDefinition(1, "A"), LabelDefinition(5, "B")])
    table.add()
    last = table.labels[-1]
    assert (last.value, last.name) == (6, "Structure 6")
    assert len({label.color for label in table.labels}) == 3
    table.table.setCurrentCell(0, NAME)
    table.removeCurrent()
    assert [label.name for label in table.labels] == ["B", "Structure 6"]


def test_the_last_structure_stays(table):
    table.setLabels([LabelDefinition(1, "A")])
    table.removeCurrent()
    assert len(table.labels) == 1


def test_a_click_changes_colour_and_terminology(table):
    table.setLabels([LabelDefinition(1, "Structure 1"), LabelDefinition(2, "Mine")])
    for row, column in ((0, COLOR), (0, TERMINOLOGY), (1, TERMINOLOGY)):
        click(table.table, row, column)
    first, second = table.labels
    assert (first.color, first.name, first.terminology) == ("#123456", "Liver", LIVER)
    assert (second.name, second.terminology) == ("Mine", LIVER)
    assert table.table.item(0, TERMINOLOGY).text() == "Liver"


def test_values_cannot_be_edited_and_names_can(table):
    table.setLabels([LabelDefinition(1, "A")])
    assert not table.table.item(0, VALUE).flags() & qt.Qt.ItemIsEditable
    assert table.table.item(0, NAME).flags() & qt.Qt.ItemIsEditable


def test_a_hundred_structures_are_there_at_once(table, harness):
    labels = [LabelDefinition(value, f"Organ {value}") for value in range(1, 118)]
    with harness.watchdog() as watch:
        watch.call(table.setLabels, labels)
    assert table.labels == labels
    assert watch.longest_ms < 50, watch.slowest


# The sample


def test_the_sample_project_is_made_by_the_engine_and_opened(harness, section, session, tmp_path):
    with harness.watchdog() as watch:
        section.ui.sampleButton.click()
        assert section.ui.busyWidget.isVisible() and not section.ui.newButton.enabled
        harness.grab(section.widget, "project_sample_380", width=380)
        harness.wait(lambda: session.project is not None, timeout=60)
    assert session.project.path == tmp_path / "projects" / "MetaSSL sample" / "project"
    assert len(session.project.cases) == 24 and len(session.project.labelled_cases()) == 3
    assert watch.longest_ms < 50, watch.slowest
    harness.wait(lambda: section.ui.countsLabel.text)
    section.ui.closeButton.click()
    assert section.ui.recentList.item(0).text().startswith("MetaSSL sample  -")


def test_a_sample_that_fails_says_why_and_can_be_tried_again(harness, session, settings):
    def fails(_folder):
        raise MetaSSLError("the disk is full")

    section = ProjectWidget(session, makeSample=fails)
    section.widget.show()
    section.openSample()
    harness.wait(lambda: section.ui.errorFrame.isVisible())
    assert section.ui.errorLabel.text == "The disk is full." and section.ui.sampleButton.enabled
    section.cleanup()


def test_no_click_in_the_form_blocks_the_window(harness, section, answers, decathlon, make_case, make_grid, session):
    for number in range(50):
        addVolume(f"V{number}", make_case, make_grid)
    with harness.watchdog() as watch:
        section.ui.newButton.click()
        section.newProject.ui.folderSource.setChecked(True)
        chooseImages(section, harness, answers, decathlon)
        section.newProject.ui.createButton.click()
        harness.wait(lambda: session.project is not None)
    assert watch.longest_ms < 50, watch.slowest


def test_values_in_the_exported_images_are_exact(harness, section, session, make_case, make_grid):
    image, _labels = make_case(4)
    addVolume("CT", make_case, make_grid, 4)
    section.ui.newButton.click()
    section.newProject.ui.createButton.click()
    harness.wait(lambda: session.project is not None)
    assert np.array_equal(read_image(session.project.image_paths("CT"), "CT").array[0], image)


# Terminology


class Navigator(slicer.qSlicerTerminologyNavigatorWidget):
    """Slicer's browser with one entry, which is chosen at once."""

    began = []

    def setTerminologyEntry(self, entry):
        self.began.append(entry.GetTypeObject().GetCodeMeaning())
        return True

    def terminologyEntry(self, entry):
        return slicer.vtkSlicerTerminologiesModuleLogic.DeserializeTerminologyEntry(LIVER, entry)

    def nameFromTerminology(self, entry):
        return entry.GetTypeObject().GetCodeMeaning()


@pytest.mark.parametrize(("button", "answer"), [("Choose", (LIVER, "Liver")), ("Cancel", None)])
def test_a_term_is_chosen_in_slicers_browser(harness, monkeypatch, button, answer):
    monkeypatch.setattr(slicer, "qSlicerTerminologyNavigatorWidget", Navigator)
    monkeypatch.setattr(Navigator, "began", [])

    def press() -> None:
        dialog = slicer.app.activeModalWidget()
        (found,) = [each for each in dialog.findChildren("QPushButton") if each.text == button]
        found.click()

    qt.QTimer.singleShot(50, press)
    assert chooseTerminology(LIVER, None) == answer
    assert Navigator.began == ["Liver"]
