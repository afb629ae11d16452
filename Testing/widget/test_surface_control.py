"""The switch for the 3-D views, in the section "Review"."""

from __future__ import annotations

import numpy as np
import pytest
from metassl.imaging import write_array
from MetaSSLSlicerLib.Logic.Case.CaseFiles import ERROR_PROBABILITY
from MetaSSLSlicerLib.Widgets.ReviewWidget import ReviewWidget
from predicting import predict
from review_desk import ReviewDesk


class Desk(ReviewDesk):
    """Two predicted cases, one with P(error), and the section on the screen."""

    def __init__(self, harness, project, geometry):
        first, second = [case.id for case in project.unlabelled_cases()][:2]
        for caseId in (first, second):
            predict(project, caseId, geometry)
        path = project.latest_round().prediction(first).error_probability
        write_array(path, np.full(geometry.shape_zyx, 0.4, np.float32), geometry)
        super().__init__(harness, project)
        self.scene, self.control = harness.services.scene, self.review.surfaceControl

    def open(self, number=0):
        super().open(number)
        assert not self.messages

    def choose(self, text: str):
        combo = self.control.combo
        combo.setCurrentIndex(combo.findText(text))
        self.session.tasks.finish()

    def displays(self):
        return [model.node.GetDisplayNode() for model in self.control.surface.models.values()]

    def count(self, className: str) -> int:
        return self.scene.GetNumberOfNodesByClass(className)


@pytest.fixture
def desk(harness, settings, tiny_project, make_grid):
    made = Desk(harness, tiny_project, make_grid())
    yield made
    made.close()


def test_a_predicted_case_appears_in_3d_with_its_places(desk):
    desk.open()
    assert len(desk.displays()) == 1 and desk.displays()[0].GetVisibility()
    assert desk.control.combo.currentText == "Structures"
    marks = desk.control.marks.node
    assert marks.GetNumberOfControlPoints() == len(desk.review.navigator.places) > 0


def test_the_switch_colours_the_surface_and_keeps_that_for_the_next_case(desk):
    desk.open()
    desk.choose("Chance to be wrong")
    assert desk.displays()[0].GetActiveScalarName() == ERROR_PROBABILITY
    assert desk.displays()[0].GetScalarVisibility() and not desk.control.missingLabel.isVisible()
    desk.open(1)
    assert desk.control.combo.currentText == "Chance to be wrong" and desk.control.missingLabel.isVisible()
    desk.choose("Uncertainty")
    assert desk.displays()[0].GetScalarVisibility() and not desk.control.missingLabel.isVisible()


def test_nothing_hides_the_surface_and_the_marks(desk):
    desk.open()
    desk.choose("Nothing")
    assert not desk.displays()[0].GetVisibility()
    assert not desk.control.marks.node.GetDisplayNode().GetVisibility()
    desk.choose("Structures")
    assert desk.displays()[0].GetVisibility() and desk.control.marks.node.GetDisplayNode().GetVisibility()


def test_nothing_of_it_is_left_when_the_case_is_closed_or_the_section_goes(desk):
    kinds = ("vtkMRMLModelNode", "vtkMRMLModelDisplayNode", "vtkMRMLMarkupsNode", "vtkMRMLMarkupsDisplayNode")
    before = [desk.count(kind) for kind in kinds]
    desk.open()
    assert [desk.count(kind) for kind in kinds] != before
    desk.session.closeCase()
    assert [desk.count(kind) for kind in kinds] == before
    desk.open()
    desk.review.cleanup()
    assert [desk.count(kind) for kind in kinds] == before


def test_a_section_that_is_made_while_a_case_is_open_shows_it(desk):
    desk.open()
    desk.review.cleanup()
    again = ReviewWidget(desk.session)
    desk.session.tasks.finish()
    assert len(again.surfaceControl.surface.models) == 1
    again.cleanup()
