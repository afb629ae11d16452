"""Decisions on a predicted case, and what they leave in the project."""

import importlib.util
import time

import numpy as np
import pytest
from MetaSSLSlicerLib.Logic.Case.Agreement import meanDice

if importlib.util.find_spec("slicer") is None:
    pytest.skip("slicer-core is not installed: pip install 'metassl[report]'", allow_module_level=True)

import slicer
from metassl.project.regions import UC
from MetaSSLPictures.OffscreenSlicer import OffscreenSlicer
from MetaSSLSlicerLib.Logic.Autosave.AutosaveFormat import autosaves
from MetaSSLSlicerLib.Logic.Case.Session import Session
from MetaSSLSlicerLib.Logic.Review.ReviewActions import ReviewActions
from MetaSSLSlicerLib.Logic.Scene.BackgroundTasks import BackgroundTasks
from painting import paintSegment
from predicting import predict, regionBlocks, structureBlock

logic = slicer.vtkSlicerSegmentationsModuleLogic


class Review:
    """A session with one open, predicted case, and everything that was said or decided."""

    def __init__(self, services, project, geometry, **prediction):
        self.project, self.geometry = project, geometry
        self.caseId = project.unlabelled_cases()[0].id
        predict(project, self.caseId, geometry, **prediction)
        self.session = Session(services, BackgroundTasks())
        self.actions = ReviewActions(self.session)
        self.messages, self.decided, self.changed = [], [], []
        self.session.said.connect(lambda message: message.level == "info" or self.messages.append(message))
        self.actions.decided.connect(self.decided.append)
        self.session.casesChanged.connect(self.changed.append)
        self.session.openProject(project.path)
        self.session.openCase(self.caseId)
        self.finish()
        assert self.session.case is not None, self.messages

    def finish(self):
        self.session.tasks.finish()

    def paint(self, place):
        """Add a block to the first structure, as the editor would; returns the whole."""
        case = self.session.case
        mask = case.currentArray() == 1
        mask[place] = True
        paintSegment(case.nodes.annotationNode, "Label_1", mask, self.geometry)
        return case.currentArray()

    def stored(self):
        """The case's entry and its label."""
        return self.project.case(self.caseId), self.project.read_label(self.caseId)[0]

    def statuses(self) -> set[int]:
        segmentation = self.session.case.nodes.predictionNode.GetSegmentation()
        count = segmentation.GetNumberOfSegments()
        return {logic.GetSegmentStatus(segmentation.GetNthSegment(index)) for index in range(count)}


@pytest.fixture(scope="module")
def services():
    return OffscreenSlicer(64)


@pytest.fixture
def start(services, tiny_project, make_grid):
    made = []

    def begin(**prediction) -> Review:
        made.append(Review(services, tiny_project, make_grid(), **prediction))
        return made[-1]

    yield begin
    for review in made:
        review.session.shutdown()
    services.scene.Clear(0)


@pytest.fixture
def review(start):
    return start()


def test_accepting_makes_the_prediction_the_label(review):
    review.actions.accept()
    review.finish()
    case, label = review.stored()
    assert (case.state, case.dice, case.is_labelled) == ("accepted", 1.0, True)
    np.testing.assert_array_equal(label, structureBlock(label.shape))
    assert review.decided == [review.caseId] and [review.caseId] in review.changed
    assert review.statuses() == {logic.Completed} and not review.messages


def test_correcting_opens_the_editor_on_a_copy_and_accepting_then_stores_the_correction_with_its_dice(review):
    review.actions.correct()
    case = review.session.case
    predicted = case.data.prediction.segmentation
    np.testing.assert_array_equal(case.currentArray(), predicted)
    corrected = review.paint(np.s_[2:8, 10:13, 1:11])
    review.actions.correct()
    np.testing.assert_array_equal(case.currentArray(), corrected, err_msg="asking twice loses nothing")
    np.testing.assert_array_equal(predicted, structureBlock(predicted.shape), err_msg="the prediction is not touched")
    review.actions.accept()
    review.finish()
    entry, label = review.stored()
    np.testing.assert_array_equal(label, corrected)
    assert entry.state == "corrected" and entry.dice == pytest.approx(meanDice(predicted, corrected))
    assert 0.5 < entry.dice < 1 and review.decided == [review.caseId]


def test_accepting_after_looking_in_the_editor_without_a_change_is_still_accepting(review):
    review.actions.correct()
    review.actions.accept()
    review.finish()
    assert review.stored()[0].state == "accepted" and review.decided == [review.caseId]


def test_accepting_the_confident_part_leaves_the_rest_unannotated(review):
    review.actions.acceptConfident()
    review.finish()
    case, label = review.stored()
    regions = regionBlocks(label.shape)
    assert (case.state, case.dice) == ("accepted", None), "a Dice over what was sure anyway would mean nothing"
    np.testing.assert_array_equal(label == 255, regions != UC.value)
    np.testing.assert_array_equal(label[regions == UC.value], structureBlock(label.shape)[regions == UC.value])
    assert review.decided == [review.caseId]


DECISIONS = [("acceptConfident", "reject", "rejected"), ("reject", "accept", "accepted")]


@pytest.mark.parametrize(("first", "last", "state"), DECISIONS)
def test_of_two_decisions_in_quick_succession_the_last_one_counts(review, monkeypatch, first, last, state):
    project, delays = review.session.project, [0.3]  # the first write takes long
    for name in ("add_label", "update_case"):
        write = getattr(project, name)

        def slowly(*content, write=write, **options):
            time.sleep(delays.pop() if delays else 0.0)
            return write(*content, **options)

        monkeypatch.setattr(project, name, slowly)
    getattr(review.actions, first)()
    getattr(review.actions, last)()
    review.finish()
    assert review.project.case(review.caseId).state == state and not review.messages


def test_without_a_confident_structure_the_confident_part_is_refused(start, make_grid):
    shape = make_grid().shape_zyx
    review = start(regions=np.where(structureBlock(shape) > 0, 4, 1).astype(np.uint8))
    review.actions.acceptConfident()
    review.finish()
    (message,) = review.messages
    assert message.level == "error" and review.caseId in message.text and "correct it" in message.text
    assert review.decided == [] and review.project.case(review.caseId).state == "predicted"


def test_an_empty_prediction_is_accepted_only_when_the_user_says_so(start, make_grid):
    review = start(segmentation=np.zeros(make_grid().shape_zyx, np.uint8))
    review.actions.accept()
    review.finish()
    (message,) = review.messages
    assert "no structure" in message.text and message.actionText and review.decided == []
    message.action()
    review.finish()
    assert review.stored()[0].state == "accepted" and not review.stored()[1].any()
    assert review.decided == [review.caseId]


def test_rejecting_flags_the_segments_and_keeps_the_case_out_of_training(review):
    review.actions.reject()
    review.finish()
    case = review.project.case(review.caseId)
    assert case.state == "rejected" and not case.is_labelled
    assert review.statuses() == {logic.Flagged}
    assert review.decided == [review.caseId] and [review.caseId] in review.changed


@pytest.mark.parametrize("decision", ["reject", "acceptConfident"])
def test_unsaved_corrections_are_thrown_away_only_when_the_user_says_so(review, decision):
    review.actions.correct()
    review.paint(np.s_[2:8, 10:13, 1:11])
    getattr(review.actions, decision)()
    review.finish()
    assert review.decided == [] and review.session.case.isModified
    (message,) = review.messages
    assert message.level == "warning" and review.caseId in message.text
    message.action()
    review.finish()
    assert review.decided == [review.caseId]
    review.session.closeCase()
    review.finish()
    assert autosaves(review.project) == {}
    assert review.project.case(review.caseId).state == {"reject": "rejected", "acceptConfident": "accepted"}[decision]


def test_a_project_that_cannot_be_written_is_reported_and_no_case_is_lost(review):
    (review.project.path / "cases.json").write_text("{", encoding="utf-8")
    for decide in (review.actions.accept, review.actions.reject):
        decide()
        review.finish()
        (message,) = review.messages
        assert message.level == "error" and message.action is None, "the case is still open"
        review.messages.clear()


def test_a_case_that_was_left_as_accepted_and_cannot_be_written_is_offered_again(review):
    review.actions.decided.connect(lambda _case: review.session.closeCase())
    (review.project.path / "cases.json").rename(review.project.path / "away.json")
    review.actions.accept()
    review.finish()
    (review.project.path / "away.json").rename(review.project.path / "cases.json")
    (message,) = review.messages
    assert message.level == "error" and review.caseId in message.actionText
    assert [review.caseId] in review.changed, "the table shows what became of it"
    message.action()
    review.finish()
    assert review.session.case.id == review.caseId and review.session.case.hasPrediction


def test_without_a_case_or_a_prediction_nothing_happens(review):
    review.session.openCase(review.project.unlabelled_cases()[1].id)
    review.finish()
    before = review.session.case.currentArray()
    for decide in (review.actions.correct, review.actions.acceptConfident, review.actions.reject):
        decide()
        review.finish()
    np.testing.assert_array_equal(review.session.case.currentArray(), before)
    review.session.closeCase()
    for decide in (
        review.actions.accept,
        review.actions.correct,
        review.actions.acceptConfident,
        review.actions.reject,
    ):
        decide()
        review.finish()
    assert review.decided == [] and review.messages == []


def test_mean_dice_counts_structures_in_either_and_leaves_out_what_nobody_annotated():
    first, second = np.zeros((2, 4, 4, 4), np.uint8)
    assert meanDice(first, second) is None
    first[0], second[0, :2] = 1, 1
    assert meanDice(first, second) == pytest.approx(2 / 3)
    second[3] = 2
    assert meanDice(first, second) == pytest.approx(1 / 3), "an invented structure counts as 0"
    first[3] = 255
    second[0, 2:] = 255
    assert meanDice(first, second) == 1.0
    with pytest.raises(ValueError, match="grid"):
        meanDice(first, second[:2])
