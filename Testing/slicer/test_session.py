"""The session: opening cases, edits that are never lost, saving labels, and the scene."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import slicer.util
from metassl.files import ProjectError
from metassl.project import Project
from MetaSSLSlicerLib.Logic.Autosave.AutosaveFormat import autosavePath, autosaves
from opening import opened
from painting import paintSegment

MODULE = Path(__file__).parents[2] / "MetaSSLSlicer"


def paint(case, value: int, place=np.s_[3:6, 4:8, 4:8]) -> np.ndarray:
    """Draw a box of one label, as the segment editor would, and return the whole segmentation."""
    before = case.currentArray()
    mask = before == value
    mask[place] = True
    paintSegment(case.nodes.annotationNode, f"Label_{value}", mask, case.data.geometry)
    return case.currentArray()


def nodeIds(scene) -> set[str]:
    return {scene.GetNthNode(index).GetID() for index in range(scene.GetNumberOfNodes())}


def test_a_case_without_label_opens_ready_to_be_drawn_on(session, tiny_project):
    case = opened(session, "case_3")
    assert case.isEditing and not case.isModified
    segmentation = case.nodes.annotationNode.GetSegmentation()
    names = [segmentation.GetNthSegment(index).GetName() for index in range(segmentation.GetNumberOfSegments())]
    assert names == [label.name for label in tiny_project.labels]


def test_a_saved_label_holds_exactly_what_was_drawn(session, tiny_project):
    case = opened(session, "case_3")
    drawn = paint(case, 2)
    assert case.isModified
    session.writes.saveLabel()
    session.tasks.finish()
    label, geometry = tiny_project.read_label("case_3")
    assert (label == drawn).all() and (label[3:6, 4:8, 4:8] == 2).all() and (label == 2).sum() == 48
    assert geometry.difference(case.data.geometry) == ""
    found = tiny_project.case("case_3")
    assert found.state == "labelled" and found.dice is None
    assert not case.isModified and autosaves(tiny_project) == {}


def test_leaving_a_case_keeps_the_edits_and_coming_back_shows_them(session, tiny_project):
    case = opened(session, "case_3")
    drawn = paint(case, 1)
    opened(session, "case_4")
    assert tiny_project.case("case_3").state == "in_progress"
    again = opened(session, "case_3")
    assert again.isRestored and again.isModified
    assert (again.currentArray() == drawn).all()
    assert session.messages == []


def test_restored_edits_can_be_thrown_away(session, tiny_project):
    paint(opened(session, "case_3"), 1)
    opened(session, "case_4")
    case = opened(session, "case_3")
    case.discardEdits()
    session.tasks.finish()
    assert case.isEditing and not case.isModified and not case.currentArray().any()
    assert not autosavePath(tiny_project, "case_3").exists()


def test_edits_reach_the_autosave_soon_after_the_hand_rests(session, tiny_project):
    case, now = opened(session, "case_3"), time.monotonic()
    case.autosave._clock = lambda: now
    paint(case, 1)
    session.tick()
    assert not case.autosave.pending
    now += 0.5
    session.tick()
    session.tasks.finish()
    assert autosavePath(tiny_project, "case_3").exists()
    assert not case.autosave.isDirty and case.isModified


def test_an_edit_during_the_saving_stays_unsaved(session, tiny_project):
    case = opened(session, "case_3")
    first = paint(case, 1)
    session.writes.saveLabel()
    second = paint(case, 2, np.s_[0:2, 0:3, 0:3])
    session.tasks.finish()
    assert (tiny_project.read_label("case_3")[0] == first).all()
    assert case.isModified
    opened(session, "case_4")
    assert (opened(session, "case_3").currentArray() == second).all()


def test_an_empty_label_is_saved_only_when_the_user_says_so(session, tiny_project):
    opened(session, "case_3")
    session.writes.saveLabel()
    session.tasks.finish()
    assert tiny_project.case("case_3").state == "unlabelled"
    (message,) = session.messages
    assert "no structure" in message.text and message.action is not None
    message.action()
    session.tasks.finish()
    assert tiny_project.case("case_3").state == "labelled"


def test_a_label_can_leave_out_what_was_not_looked_at(session, tiny_project):
    paint(opened(session, "case_3"), 1)

    def upperHalf(array):
        array = array.copy()
        array[5:] = 255
        return array

    session.writes.saveLabel(upperHalf)
    session.tasks.finish()
    label = tiny_project.read_label("case_3")[0]
    assert (label[5:] == 255).all() and (label[3:5, 4:8, 4:8] == 1).all() and (label[:5] != 255).all()


def test_closing_a_case_takes_our_nodes_and_no_other_out_of_the_scene(session, services):
    slicer.util.updateVolumeFromArray(
        services.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "theirs"), np.ones((3, 3, 3))
    )
    before = nodeIds(services.scene)
    opened(session, "case_3")
    assert nodeIds(services.scene) > before
    session.closeCase()
    after = nodeIds(services.scene)
    assert before <= after
    left = [services.scene.GetNodeByID(each) for each in after - before]
    assert [node.GetClassName() for node in left if not node.IsA("vtkMRMLColorTableNode")] == []


def test_closing_the_scene_loses_no_edit_and_leaves_the_project_open(session, services, tiny_project):
    drawn = paint(opened(session, "case_3"), 1)
    services.scene.Clear(0)
    assert session.case is None and session.project is not None
    assert (opened(session, "case_3").currentArray() == drawn).all()


def test_a_scene_that_names_a_project_opens_it_and_its_case_again(session, services, tiny_project, tmp_path):
    opened(session, "case_3")
    path = tmp_path / "scene.mrml"
    services.scene.SetRootDirectory(str(tmp_path))
    services.scene.Commit(str(path))
    session.closeProject()
    services.scene.Clear(0)
    services.scene.SetURL(str(path))
    services.scene.Import()
    session.tasks.finish()
    assert session.project is not None and session.project.path == tiny_project.path
    assert session.case is not None and session.case.id == "case_3"


def test_the_time_spent_counts_work_and_not_pauses(session, tiny_project, monkeypatch):
    case = opened(session, "case_3")
    clock = iter([10.0, 14.0, 10_000.0, 10_001.0])
    case.clock._clock = lambda: next(clock)
    case.clock._last, case.clock._seconds = 9.0, 0.0
    for _ in range(3):
        case.clock.tick()  # 1 s, 4 s, and a pause that counts a minute at most
    drawn = case.clock.take()
    assert drawn == 65.0


def test_a_case_whose_image_is_gone_is_said_and_the_next_one_opens(session, tiny_project):
    missing = tiny_project.image_paths("case_3")[0]
    missing.unlink()
    session.openCase("case_3")
    session.tasks.finish()
    assert session.case is None and session.loadingCase is None
    (message,) = session.messages
    assert message.level == "error" and "case_3" in message.text and missing.name in message.text
    assert opened(session, "case_4")


def test_a_folder_that_is_no_project_is_refused_and_the_open_one_stays(session, tmp_path, tiny_project):
    with pytest.raises(ProjectError):
        session.openProject(tmp_path)
    assert session.project.path == tiny_project.path


KILLED = """
import json, os, signal, sys, time
import numpy as np
from painting import paintSegment
from pathlib import Path
from MetaSSLSlicerLib.Logic.Scene.BackgroundTasks import BackgroundTasks
from MetaSSLSlicerLib.Logic.Autosave.AutosaveFormat import autosavePath
from MetaSSLSlicerLib.Logic.Case.Session import Session
from MetaSSLPictures.OffscreenSlicer import OffscreenSlicer

session = Session(OffscreenSlicer(64), BackgroundTasks())
session.openProject(Path(sys.argv[1]))
session.openCase("case_3")
session.tasks.finish()
case = session.case
mask = np.zeros(case.data.geometry.shape_zyx, np.uint8)
mask[2:5, 3:9, 2:7] = 1
paintSegment(case.nodes.annotationNode, "Label_2", mask, case.data.geometry)
while not autosavePath(session.project, "case_3").exists():
    session.tick()
    session.tasks.pump()
    time.sleep(0.02)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX")
def test_a_killed_slicer_loses_nothing_that_was_drawn(session, tiny_project):
    session.closeProject()
    paths = [str(MODULE), str(MODULE.parent / "Testing" / "support")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-c", KILLED, str(tiny_project.path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    session.openProject(tiny_project.path)
    case = opened(session, "case_3")
    assert case.isRestored
    array = case.currentArray()
    assert (array[2:5, 3:9, 2:7] == 2).all() and (array > 0).sum() == 3 * 6 * 5
    assert (
        json.loads((tiny_project.path / "project.json").read_text(encoding="utf-8"))["name"]
        == Project.open(tiny_project.path).name
    )
