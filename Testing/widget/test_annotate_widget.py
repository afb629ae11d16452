"""The section "Annotate" and the panel's keys, with the real session and scene."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest
import slicer
import slicer.util
from data_tree import DataTree
from MetaSSLSlicerLib.Logic.Autosave.AutosaveFormat import autosaves
from MetaSSLSlicerLib.Widgets.Shortcuts import KEYS
from opening import openedInPanel
from painting import paintSegment
from PySide6 import QtCore, QtGui
from PySide6.QtTest import QTest


def labelLayers() -> set:
    return {node.GetLabelVolumeID() for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")}


def test_the_region_map_stays_when_the_editor_takes_the_label_layer_away(harness, panel):
    case = openedInPanel(harness, panel, "case_3")
    assert labelLayers() == {case.nodes.regionsNode.GetID()}
    panel.reviewWidget.ui.correctButton.click()
    assert case.isEditing and labelLayers() == {case.nodes.regionsNode.GetID()}
    assert panel.annotateWidget.editor.segmentationNode() is case.nodes.annotationNode
    panel.session.closeCase()
    assert labelLayers() == {None} and panel.annotateWidget.editor.segmentationNode() is None


def test_a_new_box_begins_in_the_middle_of_the_image_and_keeps_what_is_inside(harness, panel):
    case = openedInPanel(harness, panel, "case_4")
    annotate = panel.annotateWidget
    mask = np.ones(case.data.geometry.shape_zyx, bool)
    paintSegment(case.nodes.annotationNode, "Label_1", mask, case.data.geometry)
    annotate.ui.scopeCombo.setCurrentIndex(2)
    annotate.ui.saveButton.click()
    assert "box" in panel.banner.message.text
    roi = annotate.ui.roiSelector.addNode()
    bounds = [0.0] * 6
    case.nodes.volumeNode.GetRASBounds(bounds)
    assert roi.GetSize() == pytest.approx([(bounds[axis + 1] - bounds[axis]) / 2 for axis in (0, 2, 4)])
    annotate.ui.saveButton.click()
    harness.wait(lambda: panel.session.project.case("case_4").is_labelled)
    label = panel.session.project.read_label("case_4")[0]
    middle = tuple(n // 2 for n in label.shape)
    assert label[middle] == 1 and label[0, 0, 0] == 255 and 0.02 < (label == 1).mean() < 0.5


def test_unsaved_work_can_be_thrown_away_with_one_click(harness, panel, tiny_project):
    case = openedInPanel(harness, panel, "case_4")
    paintSegment(case.nodes.annotationNode, "Label_1", np.ones(case.data.geometry.shape_zyx), case.data.geometry)
    openedInPanel(harness, panel, "case_5")
    case = openedInPanel(harness, panel, "case_4")
    annotate = panel.annotateWidget.ui
    assert annotate.restoredFrame.isVisible() and "unsaved work of" in annotate.restoredLabel.text
    annotate.discardButton.click()
    harness.wait(lambda: autosaves(tiny_project) == {})
    assert not annotate.restoredFrame.isVisible() and not case.currentArray().any()


def test_the_editor_does_not_see_the_views_while_a_scene_is_closed(harness, panel):
    """No effect can be stopped meanwhile, and one that looks for its segmentation in a view ends Slicer."""
    openedInPanel(harness, panel, "case_4")
    editor, seen = panel.annotateWidget.editor, []
    editor.setActiveEffectByName("Paint")
    assert editor._seesViews
    events = (slicer.vtkMRMLScene.StartCloseEvent, slicer.vtkMRMLScene.EndCloseEvent)
    tags = [slicer.mrmlScene.AddObserver(event, lambda *_: seen.append(editor._seesViews)) for event in events]
    slicer.mrmlScene.Clear(0)
    for tag in tags:
        slicer.mrmlScene.RemoveObserver(tag)
    assert seen == [False, False] and editor.activeEffect() is None
    openedInPanel(harness, panel, "case_5")
    assert editor._seesViews
    panel.exit()
    assert not editor._seesViews
    panel.enter()
    assert editor._seesViews


@pytest.mark.parametrize(
    "leave", [lambda session: session.openCase("case_5"), lambda session: session.writes.discardEdits()]
)
def test_what_an_effect_offers_goes_with_the_segmentation_that_it_is_of(harness, panel, leave):
    case = openedInPanel(harness, panel, "case_4")
    paintSegment(case.nodes.annotationNode, "Label_1", np.ones(case.data.geometry.shape_zyx), case.data.geometry)
    editor = panel.annotateWidget.editor
    editor.setActiveEffectByName("Fill between slices")
    editor.activeEffect().self().onPreview()
    assert slicer.mrmlScene.GetFirstNodeByName("preview")
    leave(panel.session)
    harness.wait(lambda: not panel.session.tasks.busy)
    assert slicer.mrmlScene.GetFirstNodeByName("preview") is None


def test_a_loaded_scene_that_has_the_editors_node_leaves_the_case_in_the_editor(harness, panel):
    case = openedInPanel(harness, panel, "case_4")
    editor = panel.annotateWidget.editor
    editor.mrmlSegmentEditorNode().SetAndObserveSegmentationNode(None)  # as what a scene file says of it
    slicer.mrmlScene.InvokeEvent(slicer.vtkMRMLScene.EndImportEvent)
    harness.wait(lambda: editor.segmentationNode() is case.nodes.annotationNode)


def test_a_node_that_is_deleted_elsewhere_closes_the_case_and_keeps_its_edits(harness, panel, tiny_project):
    case = openedInPanel(harness, panel, "case_4")
    paintSegment(case.nodes.annotationNode, "Label_1", np.ones(case.data.geometry.shape_zyx), case.data.geometry)
    with closing(DataTree(slicer.mrmlScene)):
        slicer.mrmlScene.RemoveNode(case.nodes.annotationNode)
    harness.wait(lambda: panel.session.case is None)
    assert "deleted" in panel.banner.message.text
    harness.wait(lambda: "case_4" in autosaves(tiny_project))
    assert (openedInPanel(harness, panel, "case_4").currentArray() == 1).all()


def test_a_saved_scene_brings_none_of_our_nodes_and_no_empty_line_in_the_data_tree(
    harness, panel, tiny_project, tmp_path
):
    with closing(DataTree(slicer.mrmlScene)) as tree:
        openedInPanel(harness, panel, "case_3")
        assert [name for name in tree.lines() if name.startswith("case_3")]
        path = tmp_path / "scene.mrml"
        slicer.mrmlScene.SetRootDirectory(str(tmp_path))
        slicer.mrmlScene.Commit(str(path))
        text = path.read_text(encoding="utf-8")
        assert "case_3 prediction" not in text.split("<SubjectHierarchy")[0] and "MetaSSL regions" not in text
        panel.session.closeProject()
        slicer.mrmlScene.Clear(0)
        moved = tiny_project.path.rename(tmp_path / "moved")
        slicer.mrmlScene.SetURL(str(path))
        slicer.mrmlScene.Import()
        harness.wait(lambda: panel.banner.message is not None)
        assert "no project folder" in panel.banner.message.text and moved.is_dir()
        assert tree.lines()
        harness.wait(lambda: tree.lines() == [])


def keysOf(window) -> list[str]:
    return sorted(shortcut.key.toString() for shortcut in window.findChildren(QtGui.QShortcut))


def test_the_keys_exist_only_while_the_module_is_shown_and_only_two_repeat(harness, panel):
    window = slicer.util.mainWindow()
    assert keysOf(window) == sorted(KEYS.values())
    repeating = [each.key.toString() for each in window.findChildren(QtGui.QShortcut) if each.autoRepeat]
    assert sorted(repeating) == sorted(KEYS[name] for name in ("larger", "smaller"))
    panel.exit()
    harness.process(20)
    assert keysOf(window) == []
    panel.enter()
    assert keysOf(window) == sorted(KEYS.values())


def test_the_editor_has_its_keys_only_while_it_has_something_to_edit(harness, panel):
    window = slicer.util.mainWindow()
    openedInPanel(harness, panel, "case_3")  # to be reviewed
    assert "Space" not in keysOf(window)
    openedInPanel(harness, panel, "case_4")
    assert keysOf(window).count("Space") == 1
    panel.exit()
    assert "Space" not in keysOf(window)
    panel.enter()
    assert keysOf(window).count("Space") == 1
    panel.session.closeCase()
    assert "Space" not in keysOf(window)


def test_keys_jump_correct_and_accept(harness, panel, tiny_project):
    case = openedInPanel(harness, panel, "case_3")
    window = slicer.util.mainWindow()
    window.show()
    window.activateWindow()
    harness.process(50)
    QTest.keyClick(window, QtCore.Qt.Key.Key_N)
    harness.process(20)
    assert panel.reviewWidget.navigator.visited
    QTest.keyClick(window, QtCore.Qt.Key.Key_C)
    harness.process(20)
    assert case.isEditing
    QTest.keyClick(window, QtCore.Qt.Key.Key_A, QtCore.Qt.KeyboardModifier.ShiftModifier)
    harness.wait(lambda: tiny_project.case("case_3").state == "accepted")
    window.hide()
