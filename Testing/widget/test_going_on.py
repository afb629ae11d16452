"""From one case to the next: a decision does not wait until it is written, and no case comes twice."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from metassl.imaging import write_array
from opening import openedInPanel
from painting import paintTwoSlices
from predicting import predict

CASES = ("case_3", "case_4", "case_5")


@pytest.fixture
def reviewed(harness, panel, make_grid):
    """The panel with three predicted cases, the first of them open."""
    for case in CASES[1:]:  # the first one is predicted already
        predict(panel.session.project, case, make_grid())
    panel.reviewWidget.ui.goOnCheck.checked = True
    panel.session.casesChanged.emit(None)
    openedInPanel(harness, panel, CASES[0])
    harness.wait(lambda: not panel.reviewWidget._searching)
    return panel


@pytest.fixture
def slowDisk(monkeypatch):
    """Labels are not written before `set` is called."""
    from metassl.project import Project

    may = threading.Event()

    def add_label(project, *content, write=Project.add_label, **options):
        assert may.wait(20)
        return write(project, *content, **options)

    monkeypatch.setattr(Project, "add_label", add_label)
    yield may
    may.set()


def isOpen(panel, case: str) -> bool:
    return panel.session.case is not None and panel.session.case.id == case


def accept(harness, panel, then: str) -> None:
    panel.reviewWidget.actions["accept"]()
    harness.wait(lambda: isOpen(panel, then))


def states(panel) -> list[str]:
    return [panel.session.project.case(case).state for case in CASES]


def test_accepting_brings_the_next_case_before_the_label_is_written(harness, reviewed, slowDisk):
    accept(harness, reviewed, "case_4")
    assert states(reviewed) == ["predicted"] * 3 and reviewed.banner.message is None
    slowDisk.set()
    harness.wait(lambda: states(reviewed)[0] == "accepted")
    harness.wait(lambda: reviewed.banner.message is not None)
    assert reviewed.banner.label.text.startswith("case_3 is labelled as a whole; ")


def test_no_case_comes_again_while_its_label_is_being_written(harness, reviewed, slowDisk):
    accept(harness, reviewed, "case_4")
    reviewed.session.casesChanged.emit(None)
    harness.wait(lambda: not reviewed.casesWidget.reader.isBusy)
    assert reviewed.session.ahead._wanted == "case_5"
    accept(harness, reviewed, "case_5")
    harness.wait(lambda: not reviewed.casesWidget.reader.isBusy)
    reviewed.casesWidget.openNext()
    assert reviewed.banner.label.text == "No other case is left to look at."
    slowDisk.set()
    harness.wait(lambda: states(reviewed) == ["accepted", "accepted", "predicted"])


def test_corrections_that_are_still_being_written_come_with_their_case(harness, reviewed, slowDisk):
    reviewed.reviewWidget.actions["correct"]()
    paintTwoSlices(reviewed.session.case)
    drawn = reviewed.session.case.currentArray()
    accept(harness, reviewed, "case_4")
    reviewed.session.openCase("case_3")
    harness.wait(lambda: reviewed.session.loadingCase == "case_3")
    slowDisk.set()
    harness.wait(lambda: isOpen(reviewed, "case_3"))
    case = reviewed.session.case
    assert case.showsLabel and not case.isModified and (case.currentArray() == drawn).all()


def test_a_label_of_somebody_else_is_asked_about_though_the_next_case_is_open(harness, reviewed, make_grid):
    shape = make_grid().shape_zyx
    theirs, project = np.ones(shape, np.uint8), reviewed.session.project
    project.add_label("case_3", (theirs, make_grid()))
    accept(harness, reviewed, "case_4")
    harness.wait(lambda: reviewed.banner.message is not None and reviewed.banner.message.level == "warning")
    assert (project.read_label("case_3")[0] == theirs).all()
    reviewed.banner.actionButton.click()
    harness.wait(lambda: not (project.read_label("case_3")[0] == theirs).all())
    assert isOpen(reviewed, "case_4") and states(reviewed)[0] == "accepted"


def test_an_empty_prediction_is_asked_about_while_it_is_open(harness, reviewed, make_grid):
    grid = make_grid()
    path = reviewed.session.project.prediction("case_4")[1].segmentation
    write_array(path, np.zeros(grid.shape_zyx, np.uint8), grid)
    openedInPanel(harness, reviewed, "case_4")
    reviewed.reviewWidget.actions["accept"]()
    harness.wait(lambda: reviewed.banner.message is not None)
    assert isOpen(reviewed, "case_4") and "no structure" in reviewed.banner.label.text
    reviewed.banner.actionButton.click()
    harness.wait(lambda: states(reviewed)[1] == "accepted")
    harness.wait(lambda: isOpen(reviewed, "case_3"))


def test_next_case_goes_through_all_of_them_before_it_comes_back(harness, reviewed):
    seen = []
    for expected in ("case_4", "case_5", "case_3"):
        reviewed.casesWidget.openNext()
        harness.wait(lambda expected=expected: isOpen(reviewed, expected))
        seen.append(expected)
    assert seen == ["case_4", "case_5", "case_3"]


def test_the_next_case_is_read_ahead_and_opened_without_another_look_into_its_files(harness, reviewed, monkeypatch):
    from MetaSSLSlicerLib.Logic.Case import Session

    harness.wait(lambda: reviewed.session.ahead.caseId == "case_4")
    monkeypatch.setattr(Session, "readCase", None)
    accept(harness, reviewed, "case_4")
    harness.wait(lambda: reviewed.session.ahead.caseId == "case_5")


def test_after_the_last_place_n_goes_on_into_the_next_case(harness, reviewed):
    review = reviewed.reviewWidget
    count = len(review.navigator.places)
    for place in range(count):
        review.actions["nextSpot"]()
        assert review.navigator.index == place and isOpen(reviewed, "case_3")
    review.actions["nextSpot"]()
    harness.wait(lambda: isOpen(reviewed, "case_4"))
    assert states(reviewed)[0] == "predicted", "nothing was decided"
    harness.wait(lambda: not review._searching)
    review.actions["nextSpot"]()
    assert review.navigator.index == 0


def test_who_does_not_go_on_comes_back_to_the_first_place(harness, reviewed, settings):
    review = reviewed.reviewWidget
    review.ui.goOnCheck.click()
    for _ in range(len(review.navigator.places) + 1):
        review.actions["nextSpot"]()
    assert review.navigator.index == 0 and isOpen(reviewed, "case_3")


def test_a_case_of_the_audit_is_not_passed_over(harness, reviewed):
    review, finish = reviewed.reviewWidget, reviewed.casesWidget.finish
    finish.openNext()
    harness.wait(lambda: bool(finish.finish.auditing) and isOpen(reviewed, finish.finish.auditing))
    harness.wait(lambda: not review._searching)
    audited = finish.finish.auditing
    for _ in range(len(review.navigator.places) + 1):
        review.actions["nextSpot"]()
    assert isOpen(reviewed, audited) and review.navigator.index == 0
    following = finish.nextAfter(audited)
    harness.wait(lambda: reviewed.session.ahead.caseId == following)
    accept(harness, reviewed, following)
