"""Whatever happens between the last stroke and the next opening of a case: what was drawn is there again."""

from __future__ import annotations

import time
from contextlib import closing

import numpy as np
import pytest
import slicer
from data_tree import DataTree
from metassl.files import ProjectError
from MetaSSLSlicerLib.Logic.Autosave.AutosaveFormat import autosaves
from MetaSSLSlicerLib.Logic.Review.ReviewActions import ReviewActions
from opening import opened
from painting import paintSegment
from predicting import predict

CASE, OTHER = "case_4", "case_5"


def slab(case, first: int, last: int) -> np.ndarray:
    mask = np.zeros(case.data.geometry.shape_zyx, np.uint8)
    mask[first:last] = 1
    return mask


def draw(case, mask: np.ndarray, segment: str = "Label_1") -> np.ndarray:
    paintSegment(case.nodes.annotationNode, segment, mask, case.data.geometry)
    return mask


def autosaved(session) -> None:
    session.case.autosave.flush()
    session.tasks.finish()
    assert not session.case.autosave.isDirty


def test_edits_made_while_the_autosave_is_written_are_in_it_after_closing(session):
    case = opened(session, CASE)
    write = case.autosaveFile.write
    case.autosaveFile.write = lambda *content: (time.sleep(0.3), write(*content))  # a slow disk
    draw(case, slab(case, 2, 4))
    case.autosave.flush()
    drawn = draw(case, slab(case, 2, 8))
    opened(session, OTHER)
    assert np.array_equal(opened(session, CASE).currentArray(), drawn)


@pytest.mark.parametrize("isWritten", [False, True])
def test_strokes_are_kept_when_the_segmentation_is_deleted_in_the_data_tree(session, services, isWritten):
    with closing(DataTree(services.scene)):
        case = opened(session, CASE)
        drawn = draw(case, slab(case, 2, 4))
        if isWritten:
            autosaved(session)
        services.scene.RemoveNode(case.nodes.annotationNode)
        session.tick()
        session.tasks.finish()
        assert session.case is None
        assert np.array_equal(opened(session, CASE).currentArray(), drawn)


def test_edits_that_are_thrown_away_stay_away_in_the_data_tree_too(session, services, tiny_project):
    with closing(DataTree(services.scene)):
        case = opened(session, CASE)
        draw(case, slab(case, 2, 4))
        session.writes.discardEdits()
        session.tasks.finish()
        assert autosaves(tiny_project) == {} and not case.currentArray().any()
        drawn = draw(case, slab(case, 5, 6))
        opened(session, OTHER)
        assert np.array_equal(opened(session, CASE).currentArray(), drawn)


def test_a_label_being_stored_is_waited_for_when_its_case_is_closed_with_later_edits(session, tiny_project):
    case = opened(session, CASE)
    store = session.project.add_label
    session.project.add_label = lambda *label, **options: (time.sleep(0.3), store(*label, **options))[1]
    saved = draw(case, slab(case, 2, 4))
    session.writes.saveLabel()
    drawn = draw(case, slab(case, 2, 6))
    again = opened(session, CASE)
    session.project.add_label = store
    assert np.array_equal(again.data.label, saved) and np.array_equal(again.currentArray(), drawn)
    session.writes.saveLabel()
    session.tasks.finish()
    assert np.array_equal(tiny_project.read_label(CASE)[0], drawn), "nobody else has labelled it"


def test_what_cannot_be_written_is_kept_and_written_when_it_can(session, tiny_project):
    def full(*_content) -> None:
        raise ProjectError("the disk is full")

    case = opened(session, CASE)
    write, case.autosaveFile.write = case.autosaveFile.write, full
    drawn = draw(case, slab(case, 2, 4))
    opened(session, OTHER)
    assert session.messages[-1].text == "The disk is full." and CASE not in autosaves(tiny_project)
    again = opened(session, CASE)
    assert again.isRestored and np.array_equal(again.currentArray(), drawn)

    again.autosaveFile.write = full
    drawn = draw(again, slab(again, 1, 3))
    opened(session, OTHER)
    again.autosaveFile.write = write
    again.autosave._clock = lambda: time.monotonic() + 60.0  # it is tried again some seconds later
    session.tick()
    session.tasks.finish()
    session.tick()
    assert CASE in autosaves(tiny_project) and session.writes._closed == []
    assert np.array_equal(opened(session, CASE).currentArray(), drawn)


def test_a_write_that_fails_just_before_slicer_closes_is_done_again(session, tiny_project):
    case = opened(session, CASE)
    write = case.autosaveFile.write

    def failing(*content) -> None:
        case.autosaveFile.write = write
        raise ProjectError("the share is gone for a moment")

    case.autosaveFile.write = failing
    draw(case, slab(case, 2, 4))
    case.autosave.flush()
    session.shutdown()
    assert CASE in autosaves(tiny_project)


def test_undo_is_an_edit(session, tiny_project):
    case = opened(session, CASE)
    history = slicer.vtkSegmentationHistory()
    history.SetSegmentation(case.nodes.annotationNode.GetSegmentation())
    drawn = draw(case, slab(case, 2, 4))
    history.SaveState()
    draw(case, slab(case, 2, 8))
    session.writes.saveLabel()
    session.tasks.finish()
    assert not case.isModified
    history.RestorePreviousState()
    assert case.isModified
    opened(session, OTHER)
    assert np.array_equal(opened(session, CASE).currentArray(), drawn)


def test_a_name_or_a_status_is_no_edit(session):
    case = opened(session, CASE)
    case.setSegmentStatus("Flagged")
    case.nodes.annotationNode.GetSegmentation().GetSegment("Label_1").SetName("Another")
    assert not case.isModified


def test_voxels_in_a_segment_that_is_none_of_the_project_s_come_back_in_it(session):
    case = opened(session, CASE)
    draw(case, slab(case, 1, 4))
    case.nodes.annotationNode.GetSegmentation().AddEmptySegment("island", "Island 2")
    draw(case, slab(case, 3, 4), "island")
    opened(session, OTHER)
    again = opened(session, CASE)
    segmentation = again.nodes.annotationNode.GetSegmentation()
    names = [segmentation.GetNthSegment(index).GetName() for index in range(segmentation.GetNumberOfSegments())]
    assert names[-1] == "Island 2"
    kept, unknownStructures = again.takeSnapshot().withUnknownStructures(session.project.labels)
    assert [each.name for each in unknownStructures] == ["Island 2"] and again.takeSnapshot().unknownStructures() == [
        "Island 2"
    ]
    assert np.array_equal(kept == 1, slab(again, 1, 3)) and np.array_equal(kept > 1, slab(again, 3, 4))


def test_a_label_of_somebody_else_is_not_replaced_by_older_unsaved_work_unasked(session, tiny_project):
    case = opened(session, CASE)
    drawn = draw(case, slab(case, 2, 4))
    opened(session, OTHER)
    theirs = slab(case, 1, 9)
    tiny_project.add_label(CASE, (theirs, case.data.geometry))
    again = opened(session, CASE)
    assert np.array_equal(again.currentArray(), drawn)
    assert "was labelled after this unsaved work" in session.messages[-1].text
    session.writes.saveLabel()
    session.tasks.finish()
    assert np.array_equal(tiny_project.read_label(CASE)[0], theirs) and session.messages[-1].action is not None
    session.writes.discardEdits()
    session.tasks.finish()
    assert np.array_equal(again.currentArray(), theirs)
    drawn = draw(again, slab(again, 3, 5))
    session.writes.saveLabel()
    session.tasks.finish()
    assert np.array_equal(tiny_project.read_label(CASE)[0], drawn)


def test_a_autosave_that_is_the_label_goes_away_by_itself(session, tiny_project):
    case = opened(session, CASE)
    drawn = draw(case, slab(case, 2, 4))
    opened(session, OTHER)
    tiny_project.add_label(CASE, (drawn, case.data.geometry))  # and then the program was killed
    assert CASE in autosaves(tiny_project)
    again = opened(session, CASE)
    session.tasks.finish()
    assert not again.isRestored and not again.isModified and CASE not in autosaves(tiny_project)


@pytest.mark.parametrize("isPredicted", [True, False])
def test_a_case_whose_edits_are_thrown_away_waits_as_before(session, tiny_project, make_grid, isPredicted):
    if isPredicted:
        predict(tiny_project, CASE, make_grid())
    before = tiny_project.case(CASE).state
    case = opened(session, CASE)
    ReviewActions(session).correct()
    draw(case, slab(case, 2, 4))
    autosaved(session)
    assert tiny_project.case(CASE).state == "in_progress"
    session.writes.discardEdits()
    session.tasks.finish()
    assert tiny_project.case(CASE).state == before == ("predicted" if isPredicted else "unlabelled")


def test_after_a_decision_the_editor_begins_with_its_label(session, tiny_project, make_grid):
    predict(tiny_project, "case_0", make_grid())
    case = opened(session, "case_0")
    former = case.data.label
    ReviewActions(session).acceptConfident()
    session.tasks.finish()
    stored = tiny_project.read_label("case_0")[0]
    assert not np.array_equal(stored, former)
    case.startEditing()
    assert case.showsLabel and np.array_equal(case.currentArray(), stored)
    case.stopEditing()
    ReviewActions(session).correct()
    assert not case.showsLabel


def test_a_label_drawn_on_a_moved_image_is_refused(session, services, tiny_project):
    case = opened(session, CASE)
    draw(case, slab(case, 2, 4))
    moved = services.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    case.nodes.volumeNode.SetAndObserveTransformNodeID(moved.GetID())
    session.writes.saveLabel()
    session.tasks.finish()
    assert "under different transforms" in session.messages[-1].text
    assert not tiny_project.case(CASE).is_labelled
    case.nodes.volumeNode.SetAndObserveTransformNodeID(None)
    session.writes.saveLabel()
    session.tasks.finish()
    assert tiny_project.case(CASE).is_labelled
