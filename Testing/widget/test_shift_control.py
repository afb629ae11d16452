"""The slider "smaller ... larger" beside the segment editor."""

from __future__ import annotations

import numpy as np
import pytest
from MetaSSLSlicerLib.Widgets.Shortcuts import KEYS
from opening import openedInPanel


@pytest.fixture
def control(panel):
    return panel.annotateWidget.shift


def press(control, key: str, times: int = 4) -> None:
    """A voxel or more: of a box, a smaller step takes nothing."""
    for _ in range(times):
        control.actions[key]()


def voxels(panel, value: int) -> int:
    return int((panel.session.case.currentArray() == value).sum())


def test_a_key_begins_to_correct_and_makes_the_structure_larger(harness, panel, control):
    case = openedInPanel(harness, panel, "case_3")
    assert not case.isEditing and control.widget.isVisible()
    before = int((case.data.prediction.segmentation == 1).sum())
    press(control, "larger")
    assert case.isEditing
    harness.wait(lambda: voxels(panel, 1) > before)
    assert control.slider.value == 4 and "Front" in control.label.text and "mm" in control.label.text
    assert "volume +" in control.label.text
    press(control, "smaller", 8)
    harness.wait(lambda: voxels(panel, 1) < before)
    assert control.slider.value == -4


def test_one_undo_takes_it_back_and_the_slider_with_it(harness, panel, control):
    case = openedInPanel(harness, panel, "case_3")
    panel.reviewWidget.ui.correctButton.click()
    before = case.currentArray()
    for steps in (3, 6, 9):
        control.slider.setValue(steps)
        harness.wait(lambda steps=steps: control.shift._applied == steps)
    panel.annotateWidget.editor.undo()
    assert (case.currentArray() == before).all()
    harness.wait(lambda: control.slider.value == 0)


def test_it_moves_the_structure_that_is_selected_in_the_editor(harness, panel, control):
    openedInPanel(harness, panel, "case_3")
    panel.reviewWidget.ui.correctButton.click()
    front, back = voxels(panel, 1), voxels(panel, 2)
    control.slider.setValue(4)
    harness.wait(lambda: voxels(panel, 1) > front)
    panel.annotateWidget.editor.setCurrentSegmentID("Label_2")
    harness.wait(lambda: control.slider.value == 0)
    assert control.label.text == "Back"
    grown = voxels(panel, 1)
    press(control, "smaller")
    harness.wait(lambda: voxels(panel, 2) < back)
    assert voxels(panel, 1) == grown


def test_it_begins_with_the_structure_of_the_place_that_is_shown(harness, panel, control, monkeypatch):
    case = openedInPanel(harness, panel, "case_3")
    control.structureAtPlace = lambda: "Back"
    before = int((case.data.prediction.segmentation == 2).sum())
    press(control, "larger")
    harness.wait(lambda: voxels(panel, 2) > before)
    assert panel.annotateWidget.editor.currentSegmentID() == "Label_2"


def test_the_next_case_begins_in_the_middle(harness, panel, control):
    openedInPanel(harness, panel, "case_3")
    control.actions["larger"]()
    harness.wait(lambda: control.shift._applied == 1)
    openedInPanel(harness, panel, "case_4")
    assert control.slider.value == 0
    panel.session.closeCase()
    assert not control.widget.isVisible()


def test_a_case_with_nothing_in_the_structure_stays_as_it_is(harness, panel, control):
    case = openedInPanel(harness, panel, "case_4")
    control.actions["larger"]()
    harness.wait(lambda: not panel.session.tasks.busy)
    assert not np.any(case.currentArray()) and control.slider.value == 0 and not case.isModified


def test_the_slider_names_its_keys(control):
    assert KEYS["larger"] in control.slider.toolTip and KEYS["smaller"] in control.slider.toolTip
