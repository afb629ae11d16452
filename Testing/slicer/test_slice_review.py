"""Reviewing a case slice by slice: the most costly one first, and what was looked at becomes a partial annotation."""

import importlib.util

import numpy as np
import pytest
from metassl.imaging import IGNORE, Geometry
from predicting import predict, structureBlock

if importlib.util.find_spec("slicer") is None:
    pytest.skip("slicer-core is not installed: pip install 'metassl[report]'", allow_module_level=True)

from MetaSSLSlicerLib.Logic.Review.SliceReview import SliceReview
from painting import paintSegment

DEEP = {3: 40.0, 5: 60.0, 6: 20.0}
"""Voxels that are expected to be wrong, by slice."""


class Desk:
    """A session with one open, predicted case that is reviewed by its slices."""

    def __init__(self, session, geometry: Geometry, caseId: str):
        self.session, self.project, self.geometry, self.caseId = session, session.project, geometry, caseId
        self.slices, self.decided = SliceReview(session), []
        self.slices.decided.connect(self.decided.append)
        session.caseOpened.connect(self.slices.setCase)
        session.caseAboutToClose.connect(lambda _case: self.slices.setCase(None))
        self.open()

    def open(self):
        self.session.openCase(self.caseId)
        self.finish()
        assert self.session.case is not None, [message.text for message in self.session.messages]

    def finish(self):
        self.session.tasks.finish()

    def next(self, count: int = 1):
        for _ in range(count):
            self.slices.next()

    def take(self):
        self.slices.take()
        self.finish()

    def paint(self, *place):
        """Add voxels to the first structure, as the editor would."""
        mask = self.session.case.currentArray() == 1
        mask[place] = True
        paintSegment(self.session.case.nodes.annotationNode, "Label_1", mask, self.geometry)

    def label(self) -> np.ndarray:
        return self.project.read_label(self.caseId)[0]

    def known(self) -> list[int]:
        """The slices of the label that are annotated."""
        label = self.label()
        return [z for z in range(len(label)) if (label[z] != IGNORE).all()]

    def texts(self) -> list[str]:
        return [message.text for message in self.session.messages]


@pytest.fixture
def desk(session, tiny_project, make_grid):
    case = tiny_project.unlabelled_cases()[0].id
    predict(tiny_project, case, make_grid(), deep=DEEP)
    return Desk(session, make_grid(), case)


def prediction(desk: Desk) -> np.ndarray:
    return structureBlock(desk.geometry.shape_zyx)


def viewed(desk: Desk) -> set[int]:
    """The slices that the views show whose plane is the image's own."""
    found = set()
    for node in desk.session.services.scene.GetNodesByClass("vtkMRMLSliceNode"):
        matrix = node.GetSliceToRAS()
        if abs(matrix.GetElement(2, 2)) > 0.99:
            found.add(desk.slices.plan.stack.numberAt(tuple(matrix.GetElement(row, 3) for row in range(3))))
    return found


def test_the_slices_come_in_the_order_of_what_is_wrong_in_them_and_the_views_go_there(desk):
    assert (desk.slices.plan.waiting, desk.slices.left, desk.slices.visited) == ([5, 3, 6], [5, 3, 6], [])
    before = desk.slices.secondsLeft
    for number, left in ((5, [3, 6]), (3, [6]), (6, [])):
        desk.next()
        assert viewed(desk) == {number} and (desk.slices.current, desk.slices.left) == (number, left)
        assert desk.slices.secondsLeft < before
        before = desk.slices.secondsLeft
    desk.next()
    assert desk.slices.current == 5, "the first again"
    x, y, z = (desk.geometry.ijk_to_ras @ [6, 4, 5, 1])[:3]
    assert desk.slices.plan.centres[5] == pytest.approx((x, y, z), abs=0.01), "in the middle of what may be wrong"


def test_slices_that_were_shown_become_known_as_predicted_and_the_rest_stays_open(desk):
    desk.next(2)
    desk.take()
    assert desk.known() == [3, 5] and (np.delete(desk.label(), [3, 5], 0) == IGNORE).all()
    np.testing.assert_array_equal(desk.label()[[3, 5]], prediction(desk)[[3, 5]])
    case = desk.project.case(desk.caseId)
    assert case.state == "accepted" and case.is_partial and case.dice == 1.0
    assert desk.decided == [desk.caseId] and "holds 2 slices more, 0 of them corrected" in desk.texts()[-1]
    assert (desk.slices.plan.waiting, desk.slices.plan.done, desk.slices.visited) == ([6], [3, 5], [])


def test_without_the_key_the_slice_that_is_shown_is_taken(desk):
    desk.slices._show(desk.slices.plan, 8)
    desk.take()
    assert desk.known() == [8]


def test_what_was_corrected_is_taken_too_wherever_it_is_and_nothing_is_left_unsaved(desk):
    desk.session.case.startEditing()
    desk.next()
    desk.paint(5, 0, 0)
    desk.paint(7, 0, 0)
    assert desk.session.case.isModified
    desk.take()
    assert desk.known() == [5, 7] and desk.label()[5, 0, 0] == desk.label()[7, 0, 0] == 1
    assert "holds 2 slices more, 2 of them corrected" in desk.texts()[-1]
    assert desk.project.case(desk.caseId).state == "corrected" and not desk.session.case.isModified
    desk.session.closeCase()
    desk.open()
    assert not desk.session.case.isRestored


def test_a_case_goes_on_where_it_was_left_with_all_that_was_done(desk):
    desk.session.case.startEditing()
    desk.next()
    desk.paint(5, 0, 0)
    desk.take()
    desk.session.closeCase()
    desk.open()
    assert (desk.slices.plan.done, desk.slices.plan.waiting) == ([5], [3, 6])
    assert desk.session.case.showsLabel and (desk.session.case.currentArray() == IGNORE).any()
    desk.next()
    array = desk.session.case.currentArray()
    assert array[5, 0, 0] == 1 and not desk.session.case.isModified, "what is done as it was corrected"
    np.testing.assert_array_equal(np.delete(array, 5, 0), np.delete(prediction(desk), 5, 0), "the rest as predicted")
    desk.paint(3, 0, 1)
    desk.take()
    assert desk.known() == [3, 5] and desk.label()[5, 0, 0] == desk.label()[3, 0, 1] == 1
    assert "holds 1 slice more, 1 of them corrected" in desk.texts()[-1]


def test_a_label_that_was_saved_meanwhile_is_not_lost(desk):
    desk.session.case.startEditing()
    desk.paint(2, 0, 0)
    desk.next()

    def second(array: np.ndarray) -> np.ndarray:
        part = np.full_like(array, IGNORE)
        part[2] = array[2]
        return part

    desk.session.writes.saveLabel(second)
    desk.slices.take()  # the label is still being written
    desk.finish()
    assert desk.known() == [2, 5] and desk.label()[2, 0, 0] == 1


def test_somebody_elses_label_is_asked_about_and_joined(desk, tiny_project):
    part = np.full(desk.geometry.shape_zyx, IGNORE, np.uint8)
    part[2] = 2
    tiny_project.add_label(desk.caseId, (part, desk.geometry), annotator="another")
    desk.session.case.startEditing()
    desk.next()
    desk.paint(5, 0, 0)
    desk.take()
    (message,) = (each for each in desk.session.messages if "Make mine the label" in each.actionText)
    assert "labelled by somebody else" in message.text and desk.known() == [2]
    message.action()
    desk.finish()
    assert desk.known() == [2, 5] and (desk.label()[2] == 2).all() and desk.decided == [desk.caseId]


def test_it_can_be_taken_back_to_no_label_and_to_the_one_before(desk):
    desk.next()
    desk.take()
    desk.next()
    desk.take()
    assert desk.known() == [3, 5]
    first, second = (message for message in desk.session.messages if message.actionText == "Take that back")
    second.action()
    desk.finish()
    assert desk.known() == [5] and desk.slices.plan.done == [5], "the open case, too"
    first.action()
    desk.finish()
    case = desk.project.case(desk.caseId)
    assert (case.state, case.label_version, case.is_labelled) == ("predicted", None, False)
    assert not desk.project.label_path(desk.caseId).exists() and desk.slices.plan.done == []
    second.action()
    desk.finish()
    assert "labelled by somebody else" in desk.texts()[-1], "what is gone is not taken back again"


def test_a_case_with_strokes_that_were_taken_is_not_in_progress_after_that_is_taken_back(desk):
    desk.next()
    desk.session.case.startEditing()
    desk.paint(5, 0, 0)
    desk.session.case.autosave.finish()
    desk.finish()
    assert desk.project.case(desk.caseId).state == "in_progress"
    desk.take()
    (message,) = (message for message in desk.session.messages if message.actionText == "Take that back")
    message.action()
    desk.finish()
    assert desk.project.case(desk.caseId).state == "predicted"


def test_work_that_was_begun_with_nothing_claims_no_slice_that_nobody_saw(desk):
    desk.session.case.startFromScratch()
    desk.paint(4, slice(3, 6), slice(3, 6))
    desk.take()
    shown = desk.slices.plan.done
    assert 4 in desk.known() and len(desk.known()) <= 2 and set(desk.known()) == set(shown)


def test_nothing_is_offered_where_an_older_version_predicted_or_nothing_is_worth_it(session, tiny_project, make_grid):
    first, second = (case.id for case in tiny_project.unlabelled_cases()[:2])
    predict(tiny_project, first, make_grid())
    predict(tiny_project, second, make_grid(), deep={})
    desk = Desk(session, make_grid(), first)
    desk.next()
    assert desk.slices.plan is None and "an older version predicted it" in desk.texts()[-1]
    desk.take()
    assert not tiny_project.case(first).is_labelled
    desk.caseId = second
    desk.open()
    desk.next()
    assert desk.slices.plan.waiting == [] and "No other slice" in desk.texts()[-1]


def test_a_damaged_map_is_told_of_and_places_are_found_all_the_same(session, tiny_project, make_grid):
    case = tiny_project.unlabelled_cases()[0].id
    predict(tiny_project, case, make_grid(), deep=DEEP)
    tiny_project.prediction(case)[1].deep_errors.write_bytes(b"no image")
    desk = Desk(session, make_grid(), case)
    assert desk.slices.plan is None and any("deep_errors.nrrd" in text for text in desk.texts())


def test_slices_of_a_stack_are_those_across_its_thick_axis(session, tiny_project, make_grid):
    grid = make_grid()
    stack = Geometry(grid.size_xyz, (2.5, 1.0, 1.0), grid.origin_xyz, grid.direction)
    from metassl.imaging import write_array

    case = tiny_project.unlabelled_cases()[0]
    for path in tiny_project.image_paths(case):
        write_array(path, np.zeros(stack.shape_zyx, np.float32), stack)
    predict(tiny_project, case.id, stack, deep={5: 60.0})
    desk = Desk(session, stack, case.id)
    assert desk.slices.plan.axis == 2 and len(desk.slices.plan.seconds) == stack.shape_zyx[2]
    desk.next()
    desk.take()
    label = desk.label()
    known = [x for x in range(label.shape[2]) if (label[:, :, x] != IGNORE).all()]
    assert len(known) == 1 and known == desk.slices.plan.done
