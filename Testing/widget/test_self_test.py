"""The self test of the module, which desktop Slicer runs, passes in the harness as well, and leaves no trace."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import slicer
import slicer.util
from metassl.files import MetaSSLError
from MetaSSLSlicerLib import SelfTest as SelfTestModule
from MetaSSLSlicerLib.Logic.Engine.Dependencies import Dependencies, readRequirements
from MetaSSLSlicerLib.SelfTest import SelfTest
from MetaSSLSlicerLib.Widgets.EngineWidget import PYTHON_KEY
from MetaSSLSlicerLib.Widgets.ProjectWidget import RECENT_SETTING
from opening import openedInPanel
from painting import paintTwoSlices
from traces import traces


@pytest.fixture
def withoutTraining(monkeypatch):
    monkeypatch.setattr(Dependencies, "missing", lambda self: readRequirements()[:1])


@pytest.fixture
def folders(tmp_path, monkeypatch) -> Path:
    """Where temporary folders are made."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def test_the_self_test_goes_through_the_loop_with_a_real_training(harness, openModule):
    panel, said = openModule().panel, []
    SelfTest(said.append, panel).run()
    assert said[-1] == "The loop works" and "A short training in the background" in said
    assert panel.session.project is None and traces(slicer.mrmlScene) == []


def test_the_self_test_says_that_training_is_skipped_where_packages_are_missing(harness, openModule, withoutTraining):
    panel, said = openModule().panel, []
    SelfTest(said.append, panel).run()
    assert said[-1] == "The loop works"
    assert any("skipped" in text for text in said)


@pytest.mark.parametrize("fails", [False, True])
def test_project_case_unsaved_work_and_settings_are_as_before(
    harness, panel, settings, folders, tiny_project, withoutTraining, monkeypatch, fails
):
    case = openedInPanel(harness, panel, "case_4")
    paintTwoSlices(case)
    drawn = case.currentArray()
    view = next(iter(harness.services.sliceViews.values())).node
    view.SetSliceOffset(view.GetSliceOffset() + 5.0)
    view.SetFieldOfView(33.0, 33.0, 1.0)
    offset = view.GetSliceOffset()
    settings.sync()
    written, recent = Path(settings.fileName()).read_bytes(), settings.value(RECENT_SETTING)
    assert str(tiny_project.path) in recent
    nodes = sorted(node.GetClassName() for node in slicer.util.getNodesByClass("vtkMRMLNode"))
    if fails:
        monkeypatch.setattr(SelfTestModule, "_ball", lambda number: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            SelfTest(print, panel).run()
    else:
        SelfTest(print, panel).run()
    harness.wait(lambda: not panel.session.tasks.busy)
    settings.sync()
    assert Path(settings.fileName()).read_bytes() == written and settings.value(RECENT_SETTING) == recent
    assert [panel.projectWidget.ui.recentList.count, *folders.iterdir()] == [1]
    assert panel.session.project.path == tiny_project.path
    case = panel.session.case
    assert case.id == "case_4" and case.isModified and np.array_equal(case.currentArray(), drawn)
    assert panel.annotateWidget.editor.segmentationNode() is case.nodes.annotationNode
    assert view.GetSliceOffset() == pytest.approx(offset) and view.GetFieldOfView()[0] == 33.0
    assert sorted(node.GetClassName() for node in slicer.util.getNodesByClass("vtkMRMLNode")) == nodes


def test_what_the_user_looks_at_without_a_project_is_looked_at_again(harness, openModule, withoutTraining):
    theirs = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "theirs")
    slicer.util.updateVolumeFromArray(theirs, np.zeros((5, 6, 7)))
    composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    for node in composites:
        node.SetBackgroundVolumeID(theirs.GetID())
    SelfTest(print, openModule().panel).run()
    assert {node.GetBackgroundVolumeID() for node in composites} == {theirs.GetID()}
    assert {node.GetLabelVolumeID() for node in composites} == {None}


def test_a_copy_of_a_prediction_that_is_not_changed_yet_is_in_the_editor_again(harness, panel, withoutTraining):
    openedInPanel(harness, panel, "case_3")
    panel.reviewWidget.ui.correctButton.click()
    SelfTest(print, panel).run()
    harness.wait(lambda: not panel.session.tasks.busy)
    case = panel.session.case
    assert case.id == "case_3" and case.isEditing and not case.isModified


def test_the_python_that_the_user_chose_is_the_one_that_is_tested(harness, openModule, settings, monkeypatch):
    settings.setValue(PYTHON_KEY, "")
    panel, tried = openModule().panel, []
    monkeypatch.setattr(type(panel.engine), "executable", property(lambda self: tried.append(self.path) or "/none"))
    panel.engine.path = "/somewhere/python"
    with pytest.raises(MetaSSLError):
        SelfTest(print, panel).run()
    assert "/somewhere/python" in tried and settings.value(PYTHON_KEY) == ""
