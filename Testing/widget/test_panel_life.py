"""The panel while rounds end, scenes come and go, and it is closed itself."""

from __future__ import annotations

import gc
from contextlib import closing

import numpy as np
import pytest
import shiboken6
import slicer
import slicer.util
from complaints import complaints
from data_tree import DataTree
from MetaSSLPictures.OffscreenSlicer import OffscreenSliceView
from MetaSSLSlicerLib.Logic.Case.Session import Message
from MetaSSLSlicerLib.Widgets import CasesWidget
from opening import openedInPanel
from painting import paintTwoSlices
from predicting import predict
from PySide6.QtCore import QTimer
from traces import traces

import MetaSSLSlicer

CASE = "case_3"


def composites() -> list:
    return list(slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"))


def predictAgain(panel, make_grid, shape=(10, 14, 12)) -> None:
    panel.session.project.new_round({"labels": {}})
    regions = np.full(shape, 1, np.uint8)
    regions[2:6, 2:8, 2:8] = 3
    predict(panel.session.project, CASE, make_grid(), regions=regions)
    panel.session.roundsChanged.emit()


def runningTimers() -> list:
    timers = [each for each in gc.get_objects() if isinstance(each, QTimer) and shiboken6.isValid(each)]
    return [each for each in timers if each.isActive()]


def test_a_round_that_ends_is_offered_and_its_prediction_reviewed_while_strokes_stay(harness, panel, make_grid):
    case = openedInPanel(harness, panel, CASE)
    panel.reviewWidget.ui.correctButton.click()
    paintTwoSlices(case)
    drawn, spots = case.currentArray(), panel.reviewWidget.navigator.places
    predictAgain(panel, make_grid)
    harness.wait(lambda: panel.banner.message is not None)
    banner = panel.banner
    assert banner.actionButton.text == "Show the prediction of round 2" and not banner.actionButton.isHidden()
    assert not banner._timer.isActive(), "it waits for an answer"
    panel.session.say("info", "The label is saved.")
    assert banner.label.text == "The label is saved."
    banner.hide()
    banner.actionButton.click()
    harness.wait(lambda: case.data.prediction.round == 2)
    harness.wait(lambda: not panel.session.tasks.busy)
    assert "round 2" in panel.caseBar.label.text
    assert panel.reviewWidget.navigator.places not in ([], spots)
    assert panel.annotateWidget.editor.segmentationNode() is case.nodes.annotationNode
    assert case.isModified and np.array_equal(case.currentArray(), drawn)
    assert {node.GetLabelVolumeID() for node in composites()} == {case.nodes.regionsNode.GetID()}
    assert banner.message is None


def test_an_offer_goes_with_its_case_and_comes_after_an_error(harness, panel, make_grid):
    openedInPanel(harness, panel, CASE)
    panel.session.say("error", "The disk is full.")
    predictAgain(panel, make_grid)
    harness.wait(lambda: not panel.session.tasks.busy)
    banner = panel.banner
    assert banner.label.text == "The disk is full."
    banner.closeButton.click()
    assert banner.actionButton.text == "Show the prediction of round 2"
    panel.session.say("info", "Something else.")
    panel.session.closeCase()
    banner.hide()
    assert banner.message is None
    banner.show(Message("info", "Exported.", "Open the folder", print))
    assert banner._timer.isActive(), "what is not about the case goes by itself"
    assert banner._timer.interval == 60000, "but not before somebody could act"
    banner.show(Message("info", "Saved."))
    assert banner._timer.interval == 6000


@pytest.mark.parametrize("load", ["Import", "Connect"])
def test_a_scene_with_an_edited_case_comes_back_in_the_panel(harness, panel, tmp_path, load, capfd):
    with closing(DataTree(slicer.mrmlScene)) as tree, complaints(capfd) as said:
        case = openedInPanel(harness, panel, CASE)
        panel.reviewWidget.ui.correctButton.click()
        paintTwoSlices(case)
        drawn = case.currentArray()
        tree.addSegments()
        slicer.mrmlScene.SetRootDirectory(str(tmp_path))
        slicer.mrmlScene.Commit(str(tmp_path / "scene.mrml"))
        slicer.mrmlScene.SetURL(str(tmp_path / "scene.mrml"))
        getattr(slicer.mrmlScene, load)()
        harness.wait(lambda: panel.session.case is not None and not panel.session._isJustLoaded)
        harness.wait(lambda: not panel.session.tasks.busy)
        assert said() == ""
    case = panel.session.case
    assert case.id == CASE and np.array_equal(case.currentArray(), drawn)
    assert {node.GetBackgroundVolumeID() for node in composites()} == {case.nodes.volumeNode.GetID()}
    assert {node.GetLabelVolumeID() for node in composites()} == {case.nodes.regionsNode.GetID()}
    assert panel.annotateWidget.editor.segmentationNode() is case.nodes.annotationNode
    assert panel.banner.message is None


def test_a_view_that_another_layout_brings_shows_the_image_after_its_slider_has_moved_it(
    harness, openModule, tiny_project
):
    layouts = harness.useLayoutManager()
    panel = openModule().panel
    panel.projectWidget.openProject(tiny_project.path)
    case = openedInPanel(harness, panel, "case_4")
    view = OffscreenSliceView(harness.services, "Slice4", "Axial", 64)
    layouts.layout = slicer.vtkMRMLLayoutNode.SlicerLayoutThreeByThreeSliceView
    view.node.SetSliceOffset(-1000.0)  # Slicer's slider does so when the view is first seen
    bounds = [0.0] * 6
    case.nodes.volumeNode.GetRASBounds(bounds)
    harness.wait(lambda: bounds[4] < view.node.GetSliceOffset() < bounds[5])
    assert view.compositeNode.GetBackgroundVolumeID() == case.nodes.volumeNode.GetID()
    harness.services.applicationLogic.GetSliceLogics().RemoveItem(view.logic)


def test_the_module_leaves_nothing_in_the_scene_or_the_application(harness, openModule, tiny_project):
    widget = openModule()
    widget.panel.session.openProject(tiny_project.path)
    openedInPanel(harness, widget.panel, "case_4")
    widget.panel.reviewWidget.display.setMode("uncertainty")
    widget.exit()
    widget.enter()
    assert runningTimers()
    widget.panel.session.closeProject()
    harness.process(300)
    widget.cleanup()
    assert traces(slicer.mrmlScene) == [] and runningTimers() == []


def test_a_reloaded_module_has_the_project_and_only_the_name_of_it_is_in_the_scene(harness, openModule, tiny_project):
    widget = openModule()
    widget.panel.session.openProject(tiny_project.path)
    openedInPanel(harness, widget.panel, "case_4")
    widget.cleanup()
    assert traces(slicer.mrmlScene) == ["node vtkMRMLScriptedModuleNodeMetaSSLSlicer"]
    again = openModule()
    assert again.panel.session.project.path == tiny_project.path


def test_a_panel_that_cannot_be_built_leaves_no_session_behind(harness, openModule, monkeypatch):
    sessions = []
    make = MetaSSLSlicer.MetaSSLSlicerLogic.makeSession
    monkeypatch.setattr(
        MetaSSLSlicer.MetaSSLSlicerLogic, "makeSession", lambda self: sessions.append(make(self)) or sessions[-1]
    )

    def fail(*_arguments):
        raise AttributeError("newLayout")

    with monkeypatch.context() as patch:
        patch.setattr(CasesWidget.CasesWidget, "__init__", fail)
        with pytest.raises(AttributeError):
            openModule()
    assert sessions[0].isEnding and not sessions[0]._observers
