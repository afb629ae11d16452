"""A round predicts the case that is open: the user is told, and no stroke is lost by looking at it."""

from __future__ import annotations

import numpy as np
import pytest
import slicer.util
from MetaSSLSlicerLib.Logic.Autosave.AutosaveFormat import autosaves
from MetaSSLSlicerLib.Logic.Review.RegionDisplay import RegionDisplay
from MetaSSLSlicerLib.Logic.Review.ReviewActions import ReviewActions
from opening import opened
from painting import paintTwoSlices
from predicting import predict, structureBlock

CASE, OTHER = "case_4", "case_5"


@pytest.fixture
def again(tiny_project, make_grid):
    """again(case): another round predicts a case; returns its segmentation and its region map."""

    def again(caseId: str = CASE) -> tuple[np.ndarray, np.ndarray]:
        grid = make_grid()
        segmentation = np.roll(structureBlock(grid.shape_zyx), len(tiny_project.rounds()), axis=2)
        regions = np.full(grid.shape_zyx, 1 + len(tiny_project.rounds()) % 4, np.uint8)
        tiny_project.new_round({"labels": {}})
        predict(tiny_project, caseId, grid, segmentation, regions)
        return segmentation, regions

    return again


def ended(session) -> None:
    """What the panel's job says when a round ends."""
    session.roundsChanged.emit()
    session.casesChanged.emit(None)
    session.tasks.finish()


def take(session):
    """Press the button of the last message."""
    session.messages[-1].action()
    session.tasks.finish()
    return session.case


def test_strokes_stay_when_the_new_prediction_is_shown(session, tiny_project, again):
    again()
    case = opened(session, CASE)
    ReviewActions(session).correct()
    paintTwoSlices(case)
    drawn, node = case.currentArray(), case.nodes.annotationNode
    segmentation, regions = again()
    ended(session)
    (message,) = session.messages
    assert message.level == "info" and message.isOfCase and message.actionText == "Show the prediction of round 2"
    assert "stays as it is" in message.text
    assert case.data.prediction.round == 1 and case.nodes.annotationNode is node, "nobody has asked for it"
    assert take(session) is case
    assert case.data.prediction.round == 2 and np.array_equal(case.data.prediction.segmentation, segmentation)
    assert np.array_equal(slicer.util.arrayFromVolume(case.nodes.regionsNode), regions)
    assert not case.nodes.predictionNode.GetDisplayVisibility()
    assert case.nodes.annotationNode is node and case.isModified and np.array_equal(case.currentArray(), drawn)
    paintTwoSlices(case)
    case.autosave.flush()
    session.tasks.finish()
    assert CASE in autosaves(tiny_project)
    drawn = case.currentArray()
    assert np.array_equal(opened(session, OTHER) and opened(session, CASE).currentArray(), drawn)
    session.writes.saveLabel()
    session.tasks.finish()
    assert np.array_equal(tiny_project.read_label(CASE)[0], drawn)


def test_an_autosave_that_is_under_way_is_not_disturbed(session, tiny_project, again):
    again()
    case = opened(session, CASE)
    ReviewActions(session).correct()
    paintTwoSlices(case)
    case.autosave.flush()
    again()
    ended(session)
    paintTwoSlices(take(session))
    drawn = case.currentArray()
    opened(session, OTHER)
    assert np.array_equal(opened(session, CASE).currentArray(), drawn)


def test_a_case_opened_without_a_prediction_can_be_reviewed_when_one_arrives(session, again):
    case = opened(session, CASE)
    assert case.isEditing
    segmentation, _regions = again()
    session.casesChanged.emit([OTHER])
    session.tasks.finish()
    assert session.messages == []
    session.casesChanged.emit([CASE])
    session.tasks.finish()
    take(session)
    assert case.hasPrediction and not case.isEditing and case.nodes.predictionNode.GetDisplayVisibility()
    ReviewActions(session).accept()
    session.tasks.finish()
    assert np.array_equal(session.project.read_label(CASE)[0], segmentation)
    assert session.project.case(CASE).state == "accepted"


def test_a_copy_of_the_prediction_without_a_stroke_becomes_one_of_the_new_prediction(session, again):
    again()
    case = opened(session, CASE)
    ReviewActions(session).correct()
    segmentation, _regions = again()
    ended(session)
    assert "stays as it is" not in session.messages[-1].text
    take(session)
    assert case.isEditing and not case.isModified and np.array_equal(case.currentArray(), segmentation)


def test_a_label_that_is_shown_stays(session, tiny_project, again):
    label, grid = structureBlock((10, 14, 12)), opened(session, CASE).data.geometry
    session.closeCase()
    tiny_project.add_label(CASE, (label, grid))
    case = opened(session, CASE)
    again()
    ended(session)
    take(session)
    assert case.showsLabel and not case.isModified and np.array_equal(case.currentArray(), label)


def test_each_round_is_told_once_and_only_where_it_is_another_one(session, tiny_project, again):
    again()
    opened(session, CASE)
    ended(session)
    assert session.messages == []
    again()
    again(OTHER)
    ended(session)
    ended(session)
    assert [each.actionText for each in session.messages] == ["Show the prediction of round 2"]
    again()
    ended(session)
    assert session.messages[-1].actionText == "Show the prediction of round 4"
    tiny_project.update_settings(shown_round=2)
    ended(session)
    assert session.messages[-1].actionText == "Show the prediction of round 2"
    assert take(session).data.prediction.round == 2


def test_a_prediction_that_cannot_be_read_leaves_the_one_that_is_shown(session, tiny_project, again):
    again()
    case = opened(session, CASE)
    again()
    ended(session)
    path = tiny_project.prediction(CASE)[1].regions
    path.write_bytes(path.read_bytes()[:20])
    take(session)
    assert session.messages[-1].level == "error" and path.name in session.messages[-1].text
    assert case.data.prediction.round == 1 and case.nodes.regionsNode is not None
    opened(session, OTHER)
    opened(session, CASE)
    said = len(session.messages)
    ended(session)
    assert len(session.messages) == said, "what could not be read when the case was opened is no news"


def test_an_offer_of_a_case_that_was_left_does_nothing(session, again):
    again()
    opened(session, CASE)
    again()
    ended(session)
    offer = session.messages[-1]
    case = opened(session, OTHER)
    offer.action()
    session.tasks.finish()
    assert session.case is case and not case.hasPrediction


def test_the_maps_over_the_image_are_those_of_the_new_round(session, services, again):
    again()
    display = RegionDisplay(services, session.tasks)
    session.caseOpened.connect(display.setCase)
    session.caseAboutToClose.connect(lambda _case: display.setCase(None))
    session.predictionChanged.connect(display.setCase)
    case = opened(session, CASE)
    again()
    ended(session)
    session.messages[-1].action()
    display.setMode("uncertainty")  # begins to read the map of the round before
    session.tasks.finish()
    layers = {view.compositeNode.GetForegroundVolumeID() for view in services.sliceViews.values()}
    (heat,) = case.nodes.heatNodes.values()
    assert layers == {heat.GetID()} and (slicer.util.arrayFromVolume(heat) > 0.5).all(), "round 2 is unsure everywhere"
    display.setMode("regions")
    layers = {view.compositeNode.GetLabelVolumeID() for view in services.sliceViews.values()}
    assert layers == {case.nodes.regionsNode.GetID()}
