"""The module from its first opening to the end of Slicer."""

from __future__ import annotations

import errno

import slicer
from MetaSSLSlicerLib.Logic.Autosave.AutosaveFormat import autosaves
from MetaSSLSlicerLib.Logic.Case.Session import SceneMemory
from opening import openedInPanel
from painting import paintTwoSlices
from PySide6.QtCore import QCoreApplication, QTimer

CASE = "case_4"


def endOfSlicer(harness) -> None:
    """Have the application's loop end, as the user's Quit does, and begin it anew."""
    QTimer.singleShot(0, QCoreApplication.quit)
    QCoreApplication.instance().exec()
    harness.process(20)


def test_when_slicer_quits_unsaved_work_is_written_while_everything_is_still_there(harness, openModule, tiny_project):
    layouts = harness.useLayoutManager()
    widget = openModule()
    session = widget.panel.session
    session.openProject(tiny_project.path)
    paintTwoSlices(openedInPanel(harness, widget.panel, CASE))
    endOfSlicer(harness)
    assert widget.panel is None and session.isEnding and CASE in autosaves(tiny_project)
    layouts.delete()  # as Slicer's main window does with its own
    widget.cleanup()  # as Slicer does when it unloads the module


def test_a_panel_that_is_cleaned_up_after_its_window_saves_all_the_same(harness, openModule, tiny_project):
    layouts = harness.useLayoutManager()
    widget = openModule()
    widget.panel.session.openProject(tiny_project.path)
    paintTwoSlices(openedInPanel(harness, widget.panel, CASE))
    layouts.delete()  # as Slicer's main window does with its own
    widget.cleanup()
    assert CASE in autosaves(tiny_project)


def test_a_scene_that_names_what_cannot_be_reached_leaves_a_panel_that_says_so(
    harness, openModule, tiny_project, monkeypatch
):
    def unreachable(self, **_options):
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    SceneMemory(slicer.mrmlScene).remember(tiny_project.path, CASE)
    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.is_dir", unreachable)
        panel = openModule().panel
    assert "cannot be reached: Transport endpoint" in panel.banner.message.text and panel.session.project is None


def test_a_scene_that_was_loaded_before_the_module_was_opened_brings_its_case(harness, openModule, tiny_project):
    SceneMemory(slicer.mrmlScene).remember(tiny_project.path, CASE)
    panel = openModule().panel
    assert panel.session.project.path == tiny_project.path
    harness.wait(lambda: panel.session.case is not None and panel.session.case.id == CASE)


def test_slice_views_of_a_new_layout_show_the_open_case(harness, openModule, tiny_project):
    layouts = harness.useLayoutManager()
    panel = openModule().panel
    panel.session.openProject(tiny_project.path)
    case = openedInPanel(harness, panel, CASE)
    view = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    layouts.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    harness.wait(lambda: view.GetBackgroundVolumeID() == case.nodes.volumeNode.GetID())
