"""The review by slices in the panel: what is left, the keys, and on to the next case."""

from __future__ import annotations

import pytest
import slicer.util
from metassl.imaging import IGNORE
from opening import openedInPanel
from predicting import predict
from PySide6 import QtCore
from PySide6.QtTest import QTest

DEEP = {3: 40.0, 5: 60.0, 6: 20.0}


@pytest.fixture
def predicted(tiny_project, panel, make_grid):
    """The panel's project, in which a second round has predicted two cases, in whose slices something is wrong."""
    tiny_project.new_round({"labels": {}})
    for case in ("case_3", "case_5"):
        predict(tiny_project, case, make_grid(), deep=DEEP)
    return tiny_project


def textOf(panel) -> str:
    return panel.reviewWidget.sliceControl.label.text.replace("\u00a0", " ")


def test_the_panel_says_how_many_slices_are_left_and_how_long_they_take(harness, predicted, panel):
    openedInPanel(harness, panel, "case_3")
    control = panel.reviewWidget.sliceControl
    assert control.widget.isVisible() and textOf(panel) == "3 slices worth correcting: about 30 s."
    control.nextButton.click()
    assert textOf(panel) == "Slice 5: about 10 s. 2 slices worth correcting: about 20 s."
    assert "(M)" in control.nextButton.text and control.doneButton.text == "✓ I did this slice  (Shift+M)"
    control.nextButton.click()
    control.nextButton.click()
    assert "No slice that is worth it is left." in textOf(panel)
    assert control.doneButton.text == "✓ I did these slices  (Shift+M)"


def test_two_keys_lead_through_the_slices_and_on_to_the_next_case(harness, predicted, panel):
    openedInPanel(harness, panel, "case_3")
    panel.reviewWidget.ui.goOnCheck.checked = True
    window = slicer.util.mainWindow()
    window.show()
    window.activateWindow()
    harness.process(50)
    for _slice in range(2):
        QTest.keyClick(window, QtCore.Qt.Key.Key_M)
        harness.process(20)
    assert panel.reviewWidget.slices.visited == [5, 3]
    QTest.keyClick(window, QtCore.Qt.Key.Key_M, QtCore.Qt.KeyboardModifier.ShiftModifier)
    harness.wait(lambda: panel.session.case is not None and panel.session.case.id != "case_3")
    label, _grid = predicted.read_label("case_3")
    assert [z for z in range(len(label)) if (label[z] != IGNORE).all()] == [3, 5]
    assert predicted.case("case_3").is_partial and panel.session.case.id in ("case_4", "case_5"), "the next"


def test_which_slices_are_done_is_seen_when_the_case_is_opened_again(harness, predicted, panel):
    openedInPanel(harness, panel, "case_3")
    panel.reviewWidget.ui.goOnCheck.checked = False
    panel.reviewWidget.slices.next()
    panel.reviewWidget.slices.take()
    harness.wait(lambda: predicted.case("case_3").is_labelled and not panel.session.tasks.busy)
    assert "1 is done." in textOf(panel) and panel.session.case.id == "case_3"
    openedInPanel(harness, panel, "case_5")
    openedInPanel(harness, panel, "case_3")
    assert textOf(panel) == "2 slices worth correcting: about 20 s. 1 is done."
    assert panel.reviewWidget.sliceControl.label.toolTip == "Done: 5"


def test_there_is_nothing_of_it_where_the_slices_are_not_known(harness, tiny_project, panel):
    openedInPanel(harness, panel, "case_3")
    assert not panel.reviewWidget.sliceControl.widget.isVisible()
    panel.reviewWidget.slices.take()
    assert not tiny_project.case("case_3").is_labelled
