"""What the panel does a moment later, it does with the case that it is about, or not at all."""

from __future__ import annotations

import time

import pytest
import slicer.util
from opening import openedInPanel
from painting import paintTwoSlices
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMainWindow, QWidget

FIRST, SECOND, PREDICTED = "case_4", "case_5", "case_3"


def test_what_was_offered_for_a_case_goes_when_it_is_closed(harness, panel, tiny_project):
    openedInPanel(harness, panel, FIRST)
    panel.annotateWidget.ui.saveButton.click()
    harness.wait(lambda: panel.banner.message is not None and "no structure" in panel.banner.message.text)
    offered = panel.banner.message.action
    assert panel.banner.message.actionText == "Save it as empty"
    paintTwoSlices(openedInPanel(harness, panel, SECOND))
    assert panel.banner.message is None
    offered()  # even if it were still there
    harness.wait(lambda: not panel.session.tasks.busy)
    assert not tiny_project.case(FIRST).is_labelled and not tiny_project.case(SECOND).is_labelled


def test_an_empty_label_is_saved_when_the_user_says_so(harness, panel, tiny_project):
    openedInPanel(harness, panel, FIRST)
    panel.annotateWidget.ui.saveButton.click()
    harness.wait(lambda: panel.banner.message is not None and "no structure" in panel.banner.message.text)
    panel.banner.actionButton.click()
    harness.wait(lambda: tiny_project.case(FIRST).is_labelled)


def test_the_end_of_saving_one_case_does_not_close_the_next(harness, panel):
    panel.reviewWidget.ui.goOnCheck.checked = True
    case, store = openedInPanel(harness, panel, FIRST), panel.session.project.add_label
    panel.session.project.add_label = lambda *label, **options: (time.sleep(0.5), store(*label, **options))[1]
    paintTwoSlices(case)
    panel.annotateWidget.ui.saveButton.click()
    openedInPanel(harness, panel, SECOND)
    harness.wait(lambda: not panel.session.tasks.busy)
    harness.process(100)
    assert panel.session.case.id == SECOND and panel.session.loadingCase is None


@pytest.mark.parametrize("place", ["table", "spots"])
def test_keys_work_when_a_list_has_the_focus(harness, panel, place):
    openedInPanel(harness, panel, PREDICTED)
    window = slicer.util.mainWindow()
    QMainWindow.setCentralWidget(window, panel.widget)
    window.show()
    window.activateWindow()
    harness.process(50)
    focused = {"table": panel.casesWidget.ui.table, "spots": panel.reviewWidget.ui.spotsList}[place]
    QWidget.setFocus(focused)
    assert panel.reviewWidget.display.isShown
    QTest.keyClick(focused, Qt.Key.Key_H)
    harness.process(50)
    window.hide()
    assert not panel.reviewWidget.display.isShown
