"""Which slices of a case somebody looked at, as the views showed them; and what is kept of it with a label."""

import importlib.util

import numpy as np
import pytest
from metassl.imaging import Geometry
from predicting import predict, structureBlock

if importlib.util.find_spec("slicer") is None:
    pytest.skip("slicer-core is not installed: pip install 'metassl[report]'", allow_module_level=True)

from looking import show
from MetaSSLSlicerLib.Logic.Case import ShownSlices as module
from MetaSSLSlicerLib.Logic.Case.ShownSlices import ShownSlices
from MetaSSLSlicerLib.Logic.Review.ReviewActions import ReviewActions
from MetaSSLSlicerLib.Logic.Review.SliceReview import SliceReview
from MetaSSLSlicerLib.Logic.Scene.SlicerServices import nodesOfClass
from painting import paintSegment


def views(services) -> list:
    return nodesOfClass(services.scene, "vtkMRMLSliceNode")


class Watch:
    """A clock that stands, and what was shown by it."""

    def __init__(self, services, geometry):
        self.time, self._services, self._geometry = 0.0, services, geometry
        self.shown = ShownSlices(geometry, views(services), lambda: self.time)

    def look(self, axis: int, number: int, seconds: float) -> None:
        show(self._services, self._geometry, axis, number)
        for view in views(self._services):
            self.shown.tick(view)
        self.time += seconds


STRAIGHT = Geometry((12, 14, 10), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))


def test_a_slice_that_a_view_shows_for_a_moment_is_looked_at_and_one_that_goes_by_is_not(services):
    watch = Watch(services, STRAIGHT)
    for number, seconds in ((2, 1.0), (3, 0.1), (4, 0.1), (5, 0.31), (6, 0.1)):
        watch.look(0, number, seconds)
    assert set(watch.shown.seen()[0]) == {2, 5}
    watch.time += 1
    assert set(watch.shown.seen()[0]) == {2, 5, 6}, "the one that is still shown"
    watch.look(2, 4, 1.0)
    assert 4 in watch.shown.seen()[2]
    watch.look(0, 99, 1.0)
    assert set(watch.shown.seen()[0]) == {2, 5, 6}, "outside the image"
    watch.look(0, 7, 0.1)
    watch.shown.end()
    watch.time += 9
    assert set(watch.shown.seen()[0]) == {2, 5, 6}, "the case was closed: the view shows something else"
    watch.shown.forget()
    assert watch.shown.seen() == (frozenset(),) * 3


def test_a_view_that_the_layout_does_not_show_shows_nothing(services):
    for view in views(services):
        view.SetMappedInLayout(False)
    watch = Watch(services, STRAIGHT)
    watch.look(0, 4, 1.0)
    assert watch.shown.seen() == (frozenset(),) * 3
    for view in views(services):
        view.SetMappedInLayout(True)


@pytest.fixture
def openedCase(session, tiny_project, make_grid, monkeypatch):
    """A predicted case, in which any slice that is shown, however briefly, is looked at."""
    monkeypatch.setattr(module, "LEAST_S", 0.0)
    case = tiny_project.unlabelled_cases()[0].id
    predict(tiny_project, case, make_grid(), deep={3: 40.0, 5: 60.0})
    session.openCase(case)
    session.tasks.finish()
    show(session.services, make_grid(), 0, 3)
    session.case.shown.forget()
    return session.case


def accept(session) -> None:
    ReviewActions(session).accept()
    session.tasks.finish()


def test_accepting_keeps_what_was_looked_at_until_all_of_it_was(openedCase, session, tiny_project, make_grid):
    show(session.services, make_grid(), 0, 5)
    accept(session)
    case = tiny_project.case(openedCase.id)
    assert (case.state, case.looked) == ("accepted", [3, 5])
    (offer,) = (each for each in session.messages if each.actionText == "All of it was looked at")
    assert "2 slices of it looked at" in offer.text
    show(session.services, make_grid(), 0, 6)
    accept(session)
    assert tiny_project.case(openedCase.id).looked == [3, 5, 6], "with those of before"
    offer.action()
    session.tasks.finish()
    assert tiny_project.case(openedCase.id).looked is None
    accept(session)
    assert tiny_project.case(openedCase.id).looked is None, "it was said once"


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_whoever_went_through_the_structure_along_any_axis_has_looked_at_all_of_it(
    openedCase, session, tiny_project, make_grid, axis
):
    used = np.flatnonzero(structureBlock(make_grid().shape_zyx).any(tuple({0, 1, 2} - {axis})))
    for number in range(used[0] - 1, used[-1] + 2):
        show(session.services, make_grid(), axis, number)
    accept(session)
    assert tiny_project.case(openedCase.id).looked is None and session.messages[-1].text.endswith("is accepted.")


def test_a_slice_that_was_corrected_was_looked_at_and_what_was_drawn_from_nothing_was_seen(
    openedCase, session, tiny_project, make_grid
):
    openedCase.startEditing()
    mask = openedCase.currentArray() == 1
    mask[7, 0, 0] = True
    paintSegment(openedCase.nodes.annotationNode, "Label_1", mask, make_grid())
    accept(session)
    case = tiny_project.case(openedCase.id)
    assert (case.state, case.looked) == ("corrected", [3, 7])
    openedCase.startFromScratch()
    paintSegment(openedCase.nodes.annotationNode, "Label_1", mask, make_grid())
    session.writes.saveLabel()
    session.tasks.finish()
    assert tiny_project.case(openedCase.id).looked is None


def test_slices_that_were_done_before_count_when_the_rest_is_accepted(openedCase, session, tiny_project):
    slices = SliceReview(session)
    slices.setCase(openedCase)
    session.tasks.finish()
    slices.next()
    slices.take()
    session.tasks.finish()
    assert tiny_project.case(openedCase.id).looked is None, "the annotation says it"
    openedCase.shown.forget()
    accept(session)
    case = tiny_project.case(openedCase.id)
    assert not case.has_gaps and 5 in case.looked
