"""While a case is open the panel is about that case: what is in view, and what folds."""

from __future__ import annotations

import ctk
import pytest
import qt
import slicer
import slicer.util
from MetaSSLSlicerLib.Widgets.Shortcuts import KEYS
from opening import openedInPanel
from painting import paintTwoSlices

WIDTH = 380
ROOM = 736
"""The height that a screen of 900 pixels leaves for the panel, the Data Probe folded: measured in Slicer 5.13."""
EDITOR = 474
"""What Slicer's segment editor needs of it there with its largest effect, its masking folded."""


def sections(panel) -> dict:
    return {
        "project": panel.projectWidget.ui.projectButton,
        "cases": panel.casesWidget.ui.casesButton,
        "train": panel.trainWidget.ui.section,
        "rounds": panel.roundsWidget.ui.roundsButton,
        "setup": panel.engineWidget.ui.section,
    }


def open_(panel) -> set[str]:
    return {name for name, button in sections(panel).items() if not button.collapsed}


def closed(harness, panel) -> None:
    panel.session.closeCase()
    harness.wait(lambda: not panel.caseSeat.widget.isVisible())
    harness.process(150)


def heightAt(harness, widget, width: int) -> int:
    harness.process(50)
    widget.layout().activate()
    return widget.layout().totalHeightForWidth(width) if widget.hasHeightForWidth() else widget.sizeHint.height()


@pytest.fixture
def dataProbe(harness):
    window = slicer.util.mainWindow()
    probe = ctk.ctkCollapsibleButton("Data Probe", window)
    probe.setObjectName("DataProbeCollapsibleWidget")
    yield probe
    probe.setParent(None)
    probe.deleteLater()


def test_all_else_folds_for_a_case_and_comes_back_as_it_was(harness, panel):
    panel.roundsWidget.ui.roundsButton.collapsed = True
    before = open_(panel)
    assert before == {"project", "cases", "train"} and panel.caseSeat.widget.isHidden()
    openedInPanel(harness, panel, "case_3")
    assert open_(panel) == set() and panel.caseSeat.widget.isVisibleTo(panel.widget)
    closed(harness, panel)
    assert open_(panel) == before


def test_what_the_user_opens_meanwhile_stays_open_from_case_to_case(harness, panel):
    openedInPanel(harness, panel, "case_3")
    panel.roundsWidget.ui.roundsButton.collapsed = True
    panel.casesWidget.ui.casesButton.collapsed = False
    panel.trainWidget.ui.section.collapsed = False
    panel.trainWidget.ui.section.collapsed = True
    openedInPanel(harness, panel, "case_4")
    harness.process(150)
    assert open_(panel) == {"cases"}
    closed(harness, panel)
    assert open_(panel) == {"project", "cases", "rounds"}, "train was folded by hand"


def test_the_data_probe_gives_its_room_to_the_case(harness, dataProbe, panel):
    openedInPanel(harness, panel, "case_3")
    assert dataProbe.collapsed
    panel.exit()
    assert not dataProbe.collapsed
    panel.enter()
    assert dataProbe.collapsed
    closed(harness, panel)
    assert not dataProbe.collapsed
    openedInPanel(harness, panel, "case_3")
    panel.cleanup()
    assert not dataProbe.collapsed


def test_a_data_probe_that_was_folded_stays_so(harness, dataProbe, panel):
    dataProbe.collapsed = True
    openedInPanel(harness, panel, "case_3")
    closed(harness, panel)
    assert dataProbe.collapsed


def test_the_bar_names_the_case_and_leads_on(harness, panel):
    openedInPanel(harness, panel, "case_3")
    bar = panel.caseBar
    assert "<b>case_3</b>, predicted by round 1" in bar.label.text and KEYS["nextCase"] in bar.nextButton.toolTip
    panel.reviewWidget.ui.correctButton.click()
    paintTwoSlices(panel.session.case)
    assert bar.label.text.endswith("not saved yet")
    harness.wait(lambda: panel.casesWidget.ui.nextButton.enabled)
    bar.nextButton.click()
    assert bar.label.text == "Opening case_4 ..." or panel.session.case.id == "case_4"
    harness.wait(lambda: panel.session.case is not None and "draw its structures" in bar.label.text)
    bar.closeButton.click()
    assert panel.session.case is None


def test_a_review_is_in_view_whole(harness, panel):
    openedInPanel(harness, panel, "case_3")
    panel.reviewWidget.actions["nextSpot"]()
    for mode in range(4):
        panel.reviewWidget.ui.modeCombo.setCurrentIndex(mode)
        assert 300 < heightAt(harness, panel.caseSeat.widget, WIDTH) < ROOM
    shown = ("mouseLabel", "modeCombo", "opacitySlider", "blinkButton", "legendWidget", "spotsList", "nextButton")
    for name in (*shown, "acceptButton", "correctButton", "confidentButton", "rejectButton", "surfacePlaceholder"):
        assert getattr(panel.reviewWidget.ui, name).isVisibleTo(panel.widget), name


def test_while_a_prediction_is_corrected_the_review_leaves_the_room_to_the_editor(harness, panel):
    openedInPanel(harness, panel, "case_3")
    review, seat = panel.reviewWidget.ui, panel.caseSeat.widget
    panel.reviewWidget.actions["correct"]()
    paintTwoSlices(panel.session.case)
    for name in ("spotsLabel", "previousButton", "nextButton", "acceptButton", "confidentButton", "rejectButton"):
        assert getattr(review, name).isVisibleTo(panel.widget), name
    for name in ("legendWidget", "spotsList", "opacitySlider"):
        assert not getattr(review, name).isVisibleTo(panel.widget), name
    editor = panel.annotateWidget.ui.editorWidget
    assert editor.isVisibleTo(panel.widget) and panel.annotateWidget.ui.saveButton.isVisibleTo(panel.widget)
    whole = heightAt(harness, seat, WIDTH)
    editor.setVisible(False)
    assert heightAt(harness, seat, WIDTH) + seat.layout().spacing + EDITOR <= ROOM
    editor.setVisible(True)
    assert heightAt(harness, seat, WIDTH) == whole
    review.detailsButton.click()
    assert review.legendWidget.isVisibleTo(panel.widget) and review.spotsList.isVisibleTo(panel.widget)


def test_the_table_of_segments_is_as_high_as_its_rows(harness, panel):
    openedInPanel(harness, panel, "case_4")
    view = panel.annotateWidget.editor.findChild("QWidget", "SegmentsTableView")
    assert view.height < 130 and view.minimumHeight == view.maximumHeight
    assert panel.annotateWidget.editor.findChild("QWidget", "MaskingGroupBox").collapsed


@pytest.fixture
def area(harness, panel):
    """The panel as Slicer holds it, in a low window."""
    whole, made = panel.widget.window(), qt.QScrollArea()
    made.setWidgetResizable(True)
    made.setWidget(whole)
    made.resize(WIDTH + 40, 300)
    made.show()
    harness.process(100)
    yield made
    panel.session.closeCase()
    whole.setParent(None)


def topOf(area, widget) -> int:
    return widget.mapTo(area.viewport(), qt.QPoint(0, 0)).y()


def test_c_brings_decisions_and_editor_into_view_and_n_moves_nothing(harness, panel, area):
    openedInPanel(harness, panel, "case_3")
    harness.process(150)
    bar = area.verticalScrollBar()
    bar.value = bar.maximum
    panel.reviewWidget.actions["correct"]()
    harness.process(200)
    assert 0 <= topOf(area, panel.caseSeat.widget) < 10
    assert topOf(area, panel.reviewWidget.ui.rejectButton) < area.height
    assert topOf(area, panel.annotateWidget.editor) < area.height
    bar.value = 40
    panel.reviewWidget.actions["nextSpot"]()
    harness.process(200)
    assert bar.value == 40


def test_after_a_training_the_next_case_is_what_is_seen_first(harness, panel, area):
    panel.casesWidget.ui.casesButton.collapsed = True
    bar = area.verticalScrollBar()
    bar.value = bar.maximum
    panel.job.ended.emit(None, None)
    harness.process(300)
    button = panel.casesWidget.ui.nextButton
    assert not panel.casesWidget.ui.casesButton.collapsed and button.default
    assert button.text == f"Next case  ({KEYS['nextCase']})"
    assert 0 <= topOf(area, button) < 40 and topOf(area, panel.casesWidget.ui.nextLabel) < area.height


def test_a_training_that_ends_while_a_case_is_open_waits_for_its_end(harness, panel, area):
    openedInPanel(harness, panel, "case_3")
    panel.job.ended.emit(None, None)
    harness.process(200)
    assert not panel.casesWidget.ui.nextButton.default and 0 <= topOf(area, panel.caseSeat.widget) < 10
    closed(harness, panel)
    harness.process(200)
    assert panel.casesWidget.ui.nextButton.default and topOf(area, panel.casesWidget.ui.nextButton) < area.height


def test_the_mouse_is_followed_while_the_module_is_shown(harness, panel):
    crosshair = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLCrosshairNode")
    case, label = openedInPanel(harness, panel, "case_3"), panel.reviewWidget.ui.mouseLabel
    toRas = case.data.geometry.ijk_to_ras

    def point(x, y, z) -> None:
        crosshair.SetCursorPositionRAS(list((toRas @ [x, y, z, 1.0])[:3]))

    assert label.text == ""
    point(6, 5, 5)
    harness.wait(lambda: label.text == "Front · look here (DS) · very unsure")
    point(-5, 0, 0)
    assert label.text, "not before the next of its turns"
    harness.wait(lambda: label.text == "")
    panel.reviewWidget.actions["correct"]()
    paintTwoSlices(case)
    point(6, 5, 5)
    harness.wait(lambda: label.text.startswith("no structure (predicted Front)"))
    panel.exit()
    assert label.text == ""
    point(6, 5, 5)
    harness.process(100)
    assert label.text == "" and not crosshair.HasObserver("CursorPositionModifiedEvent")
    panel.enter()
    panel.session.closeCase()
    point(6, 5, 5)
    harness.process(100)
    assert label.text == ""
