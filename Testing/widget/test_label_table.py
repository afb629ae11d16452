"""The structures of a new project: their table, where they come from, and Slicer's browser of terms."""

from __future__ import annotations

import pytest
import qt
import slicer
from metassl.project import LabelDefinition
from MetaSSLSlicerLib.Widgets.Parts.LabelTable import COLOR, NAME, TERMINOLOGY, VALUE, LabelTable
from MetaSSLSlicerLib.Widgets.Parts.TermPicker import chooseTerminology
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


def picker(table, row: int):
    """The quick list in a row, opened with the mouse."""
    click(table.table, row, TERMINOLOGY)
    return table.table.cellWidget(row, TERMINOLOGY)


def pick(table, harness, row: int, text: str) -> None:
    """Type `text` into the quick list and press Return."""
    combo = picker(table, row)
    QTest.keyClicks(combo.lineEdit(), text)
    QTest.keyClick(combo.lineEdit(), QtCore.Qt.Key.Key_Return)
    harness.process(20)


def test_a_click_chooses_a_colour(table):
    table.setLabels([LabelDefinition(1, "Structure 1"), LabelDefinition(2, "Mine")])
    click(table.table, 0, COLOR)
    assert [label.color == "#123456" for label in table.labels] == [True, False]


def test_a_term_is_searched_in_the_quick_list(table, harness):
    table.setLabels([LabelDefinition(1, "Structure 1"), LabelDefinition(2, "Mine", "", LIVER)])
    combo = picker(table, 0)
    texts = [combo.itemText(index) for index in range(combo.count)]
    assert len(texts) > 150 and texts[-2:] == ["No standard term", "More..."] and "Hippocampus (Left)" in texts
    assert combo.completer().popup().isVisible() and combo.completer().completionModel().rowCount() == len(texts)
    QTest.keyClicks(combo.lineEdit(), "ppocam")
    found = combo.completer().completionModel()
    assert [found.index(row, 0).data() for row in range(found.rowCount())] == [
        "Hippocampus", "Hippocampus (Left)", "Hippocampus (Right)"
    ]  # fmt: skip
    harness.grab(combo.completer().popup(), "terms_quick_list", 260)
    combo.completer().popup().hide()
    pick(table, harness, 0, "Hippocampus (Left)")
    pick(table, harness, 1, "No standard term")
    first, second = table.labels
    assert first.name == "Hippocampus (Left)" and "~SCT^5366008^Hippocampus~SCT^7771000^Left~" in first.terminology
    assert (second.name, second.terminology) == ("Mine", "")
    assert table.table.item(0, TERMINOLOGY).text() == "Hippocampus (Left)"
    assert table.table.cellWidget(0, TERMINOLOGY) is None


def test_slicers_own_browser_is_one_choice_away(table, harness):
    table.setLabels([LabelDefinition(1, "Mine")])
    pick(table, harness, 0, "More...")
    assert table.labels[0].terminology == LIVER and table.labels[0].name == "Mine"


def test_a_typed_name_brings_its_term_and_takes_it_along(table):
    table.setLabels([LabelDefinition(1, "Structure 1"), LabelDefinition(2, "Other", "", LIVER)])

    def type_(row: int, name: str) -> None:
        table.table.item(row, NAME).setText(name)

    type_(0, "left kidney")
    assert "^Kidney~SCT^7771000^Left~" in table.labels[0].terminology
    assert table.table.item(0, TERMINOLOGY).text() == "Kidney (Left)"
    type_(0, "spleen")
    assert "^Spleen~" in table.labels[0].terminology
    type_(0, "something")
    assert table.labels[0].terminology == "" and table.table.item(0, TERMINOLOGY).text() == "choose..."
    type_(1, "spleen of somebody")
    type_(1, "spleen")
    assert table.labels[1].terminology == LIVER, "what was chosen stays"


def test_a_row_that_is_taken_away_takes_its_quick_list_along(table, harness):
    table.setLabels([LabelDefinition(1, "A"), LabelDefinition(2, "B")])
    picker(table, 0)
    table.table.setCurrentCell(0, NAME)
    table.removeCurrent()
    harness.process(20)
    assert table.table.cellWidget(0, TERMINOLOGY) is None and [label.name for label in table.labels] == ["B"]


def test_values_cannot_be_edited_and_names_can(table):
    table.setLabels([LabelDefinition(1, "A")])
    assert not table.table.item(0, VALUE).flags() & qt.Qt.ItemIsEditable
    assert table.table.item(0, NAME).flags() & qt.Qt.ItemIsEditable


def test_a_hundred_structures_are_there_at_once(table, harness):
    labels = [LabelDefinition(value, f"Organ {value}") for value in range(1, 118)]
    with harness.watchdog() as watch:
        watch.call(table.setLabels, labels)
    assert table.labels == labels
    watch.assertShort()


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
        self.began.append((entry.GetCategoryObject().GetCodeMeaning(), entry.GetTypeObject().GetCodeMeaning()))
        return True

    def terminologyEntry(self, entry):
        return slicer.vtkSlicerTerminologiesModuleLogic.DeserializeTerminologyEntry(LIVER, entry)

    def nameFromTerminology(self, entry):
        return entry.GetTypeObject().GetCodeMeaning()


@pytest.mark.parametrize(("button", "answer"), [("Choose", (LIVER, "Liver")), ("Cancel", None)])
@pytest.mark.parametrize(("current", "began"), [(LIVER, "Liver"), ("", None), ("nonsense", None)])
def test_a_term_is_chosen_in_slicers_browser(harness, monkeypatch, button, answer, current, began):
    monkeypatch.setattr(slicer, "qSlicerTerminologyNavigatorWidget", Navigator)
    monkeypatch.setattr(Navigator, "began", [])
    sizes = []

    def press() -> None:
        dialog = slicer.app.activeModalWidget()
        if dialog is None:
            qt.QTimer.singleShot(20, press)
            return
        sizes.append((dialog.width, dialog.height))
        (found,) = [each for each in dialog.findChildren("QPushButton") if each.text == button]
        found.click()

    qt.QTimer.singleShot(50, press)
    assert chooseTerminology(current, None) == answer
    assert Navigator.began == [("Anatomical Structure", began)]
    assert sizes[0][0] >= 900 and sizes[0][1] >= 600


def test_nothing_can_be_chosen_while_no_structure_is_selected(harness, monkeypatch):
    class Empty(Navigator):
        def terminologyEntry(self, entry):
            return True  # "None" is a valid selection in Slicer's browser

    monkeypatch.setattr(slicer, "qSlicerTerminologyNavigatorWidget", Empty)
    enabled = []

    def look() -> None:
        dialog = slicer.app.activeModalWidget()
        enabled.extend(each.enabled for each in dialog.findChildren("QPushButton") if each.text == "Choose")
        dialog.accept()

    qt.QTimer.singleShot(50, look)
    assert chooseTerminology("", None) is None and enabled == [False]
