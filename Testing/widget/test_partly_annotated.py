"""A case of which a part is annotated, as the panel shows it."""

from __future__ import annotations

import numpy as np
import pytest
import qt
from metassl.imaging import IGNORE
from MetaSSLSlicerLib.Logic.Project.CaseTable import ProjectSummary
from MetaSSLSlicerLib.Widgets.CasesWidget import CasesWidget
from MetaSSLSlicerLib.Widgets.Parts import CaseCells
from predicting import predict
from review_desk import ReviewDesk


def annotate_slices(project, caseId: str) -> np.ndarray:
    label, geometry = project.read_label("case_0")
    part = np.full_like(label, IGNORE)
    part[4:6] = label[4:6]
    project.add_label(caseId, (part, geometry))
    return part


@pytest.fixture
def predictAgain(tiny_project, make_grid):
    """predictAgain() -> a round that knows all labels has predicted case_3."""

    def run() -> None:
        labels = {case.id: case.label_version for case in tiny_project.labelled_cases()}
        tiny_project.new_round({"config": {}, "labels": labels})
        predict(tiny_project, "case_3", make_grid())

    return run


@pytest.fixture
def section(harness, session, settings, tiny_project):
    made = CasesWidget(session)
    made.widget.show()
    session.openProject(tiny_project.path)

    def look() -> None:
        made.enter()
        harness.wait(lambda: made.model.isFilled and not made.reader.isBusy and len(made.model.cells) == 6)
        harness.process(5)

    made.look = look
    yield made
    made.cleanup()


def state(section, caseId: str) -> str:
    model = section.model.model
    return model.data(model.index(section.model.placeOf(caseId), CaseCells.STATE), qt.Qt.DisplayRole)


def test_it_is_partly_done_until_it_is_predicted_again_and_is_then_asked_about(section, tiny_project, predictAgain):
    predict(tiny_project, "case_3", tiny_project.read_label("case_0")[1])
    annotate_slices(tiny_project, "case_3")
    section.look()
    assert state(section, "case_3") == "partly done" and not section.ui.nextLabel.text.startswith("case_3")
    assert "1 partly done" in section.ui.countLabel.text and "1 partly done" in ProjectSummary.read(tiny_project).text
    predictAgain()
    section.look()
    assert state(section, "case_3") == "to review again" and section.ui.nextLabel.text.startswith("case_3")
    section.view.select("case_3")
    assert section.ui.doneButton.text == "Done"
    section.ui.doneButton.click()
    section._session.tasks.finish()
    section.look()
    assert section.ui.doneButton.text == "Not done" and "Take back" in section.ui.doneButton.toolTip
    assert tiny_project.case("case_3").is_done and state(section, "case_3") == "labelled"
    section.ui.doneButton.click()
    section._session.tasks.finish()
    assert tiny_project.case("case_3").is_partial


@pytest.mark.parametrize("case", ["case_0", "case_4"])
def test_done_is_for_partly_annotated_cases_only(section, tiny_project, case):
    annotate_slices(tiny_project, "case_3")
    section.look()
    section.view.select("case_3")
    assert section.ui.doneButton.enabled and "can be taken back" in section.ui.doneButton.toolTip
    section.view.select(case)
    assert section.ui.doneButton.text == "Done" and not section.ui.doneButton.enabled


def test_opening_it_shows_the_new_prediction_and_accepting_makes_it_whole(
    harness, settings, tiny_project, make_grid, predictAgain
):
    annotate_slices(tiny_project, "case_3")
    predictAgain()
    desk = ReviewDesk(harness, tiny_project)
    case = desk.open(desk.cases.index("case_3"))
    assert case.hasPrediction and not case.isEditing and not case.showsLabel
    desk.review.actions["accept"]()
    desk.session.tasks.finish()
    desk.session.writes.finish()
    assert tiny_project.case("case_3").is_done and not tiny_project.case("case_3").has_gaps
    desk.close()


def test_before_that_the_annotated_part_is_shown(harness, settings, tiny_project, make_grid):
    predict(tiny_project, "case_3", make_grid())
    annotate_slices(tiny_project, "case_3")
    desk = ReviewDesk(harness, tiny_project)
    assert desk.open(desk.cases.index("case_3")).showsLabel
    desk.close()


def test_rejecting_its_prediction_keeps_what_was_annotated(harness, settings, tiny_project, predictAgain):
    annotate_slices(tiny_project, "case_3")
    version = tiny_project.case("case_3").label_version
    predictAgain()
    desk = ReviewDesk(harness, tiny_project)
    desk.open(desk.cases.index("case_3"))
    desk.review.actions["reject"]()
    desk.session.tasks.finish()
    case = tiny_project.case("case_3")
    assert case.is_done and case.label_version == version and case.state == "labelled"
    desk.close()
