"""The structures of a new project: their table, where they come from, and Slicer's browser of terms."""

from __future__ import annotations

import pytest
import qt
import slicer
from metassl.project import LabelDefinition
from MetaSSLSlicerLib.Widgets.LabelTable import COLOR, NAME, TERMINOLOGY, VALUE, LabelTable
from MetaSSLSlicerLib.Widgets.TerminologyDialog import chooseTerminology
from PySide6 import QtCore
from PySide6.QtTest import QTest

LIVER = (
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical Structure"
    "~SCT^10200004^Liver~^^~Anatomic codes - DICOM master list~^^~^^"
)


@pytest.fixture
def table(harness):
    """A table whose user chooses a colour and a term at once."""
    widget = qt.QTableWidget()
    widget.show()
    return LabelTable(widget, lambda color: "#123456", lambda entry: (LIVER, "Liver"))


def click(table, row: int, column: int) -> None:
    """With the mouse, in the middle of a cell."""
    place = table.visualItemRect(table.item(row, column)).center()
    QTest.mouseClick(table.viewport(), QtCore.Qt.MouseButton.LeftButton, pos=place)


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


def test_structures_come_from_a_segmentation(harness, projectSection):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Organs")
    for key, name, color in (("a", "Liver", (0.8, 0.4, 0.2)), ("b", "Spleen", (0.2, 0.4, 0.8))):
        node.GetSegmentation().AddEmptySegment(key, name, color)
    node.GetSegmentation().GetSegment("a").SetTerminology(LIVER)
    projectSection.ui.newButton.click()
    selector = projectSection.newProject.ui.segmentationSelector
    assert selector.isVisible()
    selector.setCurrentNode(node)
    labels = projectSection.newProject.labelTable.labels
    assert [label.value for label in labels] == [1, 2]
    assert [(label.name, label.color) for label in labels] == [("Liver", "#CC6633"), ("Spleen", "#3366CC")]
    assert labels[0].terminology == LIVER
    harness.grab(projectSection.widget, "project_new_segmentation_380", width=380)


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
        if dialog is None:
            qt.QTimer.singleShot(20, press)
            return
        (found,) = [each for each in dialog.findChildren("QPushButton") if each.text == button]
        found.click()

    qt.QTimer.singleShot(50, press)
    assert chooseTerminology(LIVER, None) == answer
    assert Navigator.began == ["Liver"]
