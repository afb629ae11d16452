"""Scenes that are saved, loaded, added and closed while a case is open: it is seen, and nothing else is left of us."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from complaints import complaints
from data_tree import DataTree
from metassl.intake import new_project
from opening import opened
from painting import paintTwoSlices
from predicting import predict
from traces import traces

CASE, OTHER = "case_4", "case_5"


@pytest.fixture
def tree(services):
    tree = DataTree(services.scene)
    yield tree
    tree.close()


@pytest.fixture
def predicted(tiny_project, make_grid):
    predict(tiny_project, CASE, make_grid())
    return tiny_project


def save(scene, folder):
    path = folder / "scene.mrml"
    scene.SetRootDirectory(str(folder))
    assert scene.Commit(str(path))
    scene.SetURL(str(path))


def add(session) -> None:
    """Load the scene that was saved into the one that is there, as Slicer does when it is not told to clear it."""
    session.services.scene.Import()


def replace(session) -> None:
    """Load the scene that was saved in place of the one that is there."""
    session.services.scene.Connect()


def settle(session) -> None:
    for _round in range(3):
        session.tick()
        session.tasks.finish()


def shown(services) -> set:
    composites = [view.compositeNode for view in services.sliceViews.values()]
    return {services.scene.GetNodeByID(each.GetBackgroundVolumeID() or "") for each in composites}


@pytest.mark.parametrize("load", [add, replace])
@pytest.mark.parametrize("isEdited", [False, True])
def test_a_scene_loaded_over_itself_shows_its_case_without_a_complaint(
    session, services, predicted, tree, tmp_path, capfd, load, isEdited
):
    case = opened(session, CASE)
    if isEdited:
        case.startEditing()
        paintTwoSlices(case)
    drawn = case.currentArray() if isEdited else None
    tree.addSegments()
    before = sorted(tree.lines())
    save(services.scene, tmp_path)
    with complaints(capfd) as said:
        load(session)
        settle(session)
        if session.case is not case:
            tree.addSegments()  # of its new nodes
        assert said() == ""
    case = session.case
    assert case is not None and case.id == CASE
    assert shown(services) == {case.nodes.volumeNode}
    assert sorted(tree.lines()) == before
    if isEdited:
        assert case.isModified and np.array_equal(case.currentArray(), drawn)
    assert session.messages == []


def test_a_scene_that_names_another_case_of_the_project_shows_that_one_and_keeps_the_edits(
    session, services, predicted, tree, tmp_path, capfd
):
    opened(session, CASE)
    save(services.scene, tmp_path)
    case = opened(session, OTHER)
    paintTwoSlices(case)
    drawn = case.currentArray()
    with complaints(capfd) as said:
        add(session)
        settle(session)
        assert said() == ""
    assert session.case.id == CASE and shown(services) == {session.case.nodes.volumeNode}
    assert np.array_equal(opened(session, OTHER).currentArray(), drawn)


def test_a_scene_of_somebody_else_is_shown_beside_the_open_case(session, services, predicted, tmp_path):
    scene = services.scene
    theirs = scene.AddNewNodeByClass("vtkMRMLModelNode", "theirs")
    session.closeProject()
    save(scene, tmp_path)
    scene.RemoveNode(theirs)
    session.openProject(predicted.path)
    case = opened(session, CASE)
    add(session)
    settle(session)
    assert scene.GetFirstNodeByName("theirs") is not None
    assert session.case is case and shown(services) == {case.nodes.volumeNode}
    save(scene, tmp_path)
    session.closeProject()
    replace(session)
    settle(session)
    assert session.case is not None and session.case.id == CASE, "the scene still names the open case"


def test_a_line_that_somebody_put_below_one_of_ours_stays(session, services, predicted, tree, tmp_path):
    case = opened(session, CASE)
    theirs = services.scene.AddNewNodeByClass("vtkMRMLModelNode", "theirs")
    tree.node.SetItemParent(tree.node.GetItemByDataNode(theirs), tree.node.GetItemByDataNode(case.nodes.volumeNode))
    save(services.scene, tmp_path)
    session.closeProject()
    replace(session)
    settle(session)
    model = services.scene.GetFirstNodeByName("theirs")
    assert tree.node.GetItemByDataNode(model) and session.case.id == CASE
    assert all(tree.node.GetItemDataNode(item) is not None for item in tree.items()), tree.lines()


def test_closing_the_scene_with_an_edited_case_leaves_nothing_but_the_edits(session, services, predicted, tree, capfd):
    case = opened(session, CASE)
    case.startEditing()
    paintTwoSlices(case)
    drawn = case.currentArray()
    with complaints(capfd) as said:
        services.scene.Clear(0)
        settle(session)
        assert said() == ""
    assert session.case is None and tree.lines() == []
    again = opened(session, CASE)
    colors = again.nodes.regionsNode.GetDisplayNode().GetColorNode()
    assert colors.GetNumberOfColors() == 5 and colors.GetColorName(1).startswith("UC")
    assert np.array_equal(again.currentArray(), drawn)


def test_two_projects_in_turn_leave_nothing_of_the_first(
    session, services, predicted, decathlon, tree, tmp_path, capfd, make_grid
):
    second, _warnings = new_project(tmp_path / "second", decathlon, labelled=1, validation=1)
    predict(second, OTHER, make_grid())
    before = traces(services.scene)
    with complaints(capfd) as said:
        for _turn in range(2):
            for project, caseId in ((predicted, CASE), (second, OTHER)):
                session.openProject(project.path)
                settle(session)
                case = opened(session, caseId)
                settle(session)
                assert {each.partition(" ")[0] for each in tree.lines()} == {caseId}
                assert shown(services) == {case.nodes.volumeNode}
        session.closeProject()
        settle(session)
        assert said() == ""
    assert traces(services.scene) == [] and before != []
    assert session.messages == []


def test_after_the_session_nothing_of_it_is_left(make_session, services, predicted, tree):
    scene = services.scene
    session = make_session()
    case = opened(session, CASE)
    case.startEditing()
    case.nodes.addHeatMap("uncertainty", "uncertainty", np.zeros(case.data.geometry.shape_zyx, np.float32))
    case.nodes.addComparison(case.currentArray(), "round 1")
    session.closeProject()
    session.shutdown()
    assert traces(scene) == [] and tree.lines() == []


def test_nothing_holds_a_session_that_is_over(services, predicted):
    from MetaSSLSlicerLib.Logic.Case.Session import Session
    from MetaSSLSlicerLib.Logic.Scene.BackgroundTasks import BackgroundTasks

    session = Session(services, BackgroundTasks())
    session.openProject(predicted.path)
    opened(session, CASE).startEditing()
    held = [weakref.ref(session), weakref.ref(session.case)]
    session.shutdown()
    del session
    gc.collect()
    assert [each() for each in held] == [None, None]
    services.scene.Clear(0)
