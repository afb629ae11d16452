"""When to stop, in the section "Cases": the audit's next case, what it says, the rest accepted and taken back."""

from __future__ import annotations

import pytest
import qt
from looking import lookThrough
from metassl.finish.audit import begin, read_audits
from metassl.project import Case
from metassl.project.effort.depth import tolerance_of
from MetaSSLSlicerLib.Logic.Case import ShownSlices
from MetaSSLSlicerLib.Widgets.Parts import CaseCells
from predicting import predict, structureBlock


@pytest.fixture
def predicted(tiny_project, make_grid):
    """The tiny project with nine predicted cases."""
    images = tiny_project.case("case_3").images
    tiny_project.add_cases(Case(f"more_{number}", images) for number in range(6))
    for case in tiny_project.unlabelled_cases():
        predict(tiny_project, case.id, make_grid())
    return tiny_project


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def panel(harness, openModule, predicted, asked):
    panel = openModule().panel
    panel.projectWidget.openProject(predicted.path)
    panel.casesWidget.finish._confirm = lambda question: bool(asked.append(question)) or True
    harness.wait(lambda: len(panel.casesWidget.model.cells) == 12)
    return panel


@pytest.fixture
def unfold(harness, panel):
    """unfold() -> the layout, with the audit read."""

    def run():
        ui = panel.casesWidget.ui
        ui.finishToggle.click()
        harness.wait(lambda: "predictions" in ui.finishLabel.text or "remaining" in ui.finishLabel.text)
        return ui

    return run


def settle(harness, panel) -> None:
    finish = panel.casesWidget.finish.finish
    harness.wait(lambda: not (finish.isBusy or finish.isReading or panel.session.tasks.busy))
    harness.process(5)


def text(ui) -> str:
    return ui.finishLabel.text.replace("\N{NO-BREAK SPACE}", " ")


def test_it_is_folded_into_a_line_that_is_there_and_reads_nothing_until_it_is_wanted(harness, panel, unfold):
    ui, finish = panel.casesWidget.ui, panel.casesWidget.finish.finish
    settle(harness, panel)
    assert not ui.finishFrame.isVisible() and finish.standing is None
    assert ui.finishToggle.height <= 1.2 * ui.openButton.height, "there is a line that has room for it"
    unfold()
    assert ui.finishFrame.isVisible() and finish.standing.total == 9
    assert "Nothing can be said yet of the 9 predictions that nobody looked at." in text(ui)
    assert not (panel.session.project.path / "audit.json").exists(), "to look at it begins nothing"
    ui.finishToggle.click()
    assert not ui.finishFrame.isVisible()


def test_the_audit_leads_from_case_to_case_and_says_what_it_found(harness, panel, unfold, predicted, monkeypatch):
    ui, session = unfold(), panel.session
    ui.auditButton.click()
    harness.wait(lambda: session.case is not None)
    order = read_audits(predicted).of_round(1).order
    assert session.case.id == order[0]
    ui.auditButton.click()
    settle(harness, panel)
    assert "None drawn at random was looked at yet." in text(ui)
    assert session.case.id == order[0], "it is not passed over"
    panel.reviewWidget.ui.goOnCheck.checked = True
    monkeypatch.setattr(ShownSlices, "LEAST_S", 0.0)
    for case_id in order[1:6]:
        session.case.shown.forget()
        lookThrough(session)
        panel.reviewWidget.ui.acceptButton.click()
        harness.wait(lambda wanted=case_id: session.case is not None and session.case.id == wanted)
    harness.wait(lambda: "Of 5 drawn at random" in text(ui))
    assert "Of 5 drawn at random 0 needed correction." in text(ui)
    ui.casesButton.collapsed = False
    harness.process(100)
    harness.grab(panel.casesWidget.widget, "finish", width=380)
    assert ui.finishFrame.minimumSizeHint.width() <= 340, "a narrow panel cuts nothing off"
    assert "confidence at most" in text(ui) and "of the remaining 4 need correction (deeper than 2 mm)" in text(ui)


def test_a_case_accepted_after_a_look_at_some_slices_is_said_not_to_be_judged(harness, panel, unfold, predicted):
    ui, order = unfold(), begin(predicted).order
    predicted.add_label(order[0], predicted.prediction(order[0])[1].segmentation, state="accepted", looked=[4])
    panel.session.casesChanged.emit(None)
    settle(harness, panel)
    assert "Of 1 drawn at random 1 needed correction. 1 of these could not be judged, and counts as such." in text(ui)
    assert "after a look at some of its slices" in ui.finishLabel.toolTip


def test_by_keys_alone_no_case_comes_twice_though_nothing_was_read_anew(harness, panel, predicted):
    session, finish = panel.session, panel.casesWidget.finish.finish
    panel.reviewWidget.ui.goOnCheck.checked = True
    panel.shortcuts._actions["nextAuditCase"]()
    harness.wait(lambda: session.case is not None)
    order, stale = read_audits(predicted).of_round(1).order, finish.standing
    for place in range(8):
        assert session.case.id == order[place]
        panel.reviewWidget.actions["accept"]()
        harness.wait(lambda wanted=order[place + 1]: session.case is not None and session.case.id == wanted)
        finish.standing = stale
    assert not panel.casesWidget.ui.finishToggle.checked
    panel.reviewWidget.actions["accept"]()
    harness.wait(lambda: predicted.case(order[8]).is_reviewed)
    settle(harness, panel)
    assert session.case is None or session.case.id == order[8]


def test_the_tolerance_is_kept_with_the_project(harness, panel, unfold, predicted, make_grid):
    order = begin(predicted).order
    label = structureBlock(make_grid().shape_zyx)
    label[2:8, 1:10, 8:11] = 0
    predicted.add_label(order[0], (label, make_grid()), state="corrected")
    ui = unfold()
    assert "Of 1 drawn at random 1 needed" in text(ui)
    ui.toleranceSpin.value = 3.5
    harness.wait(lambda: "Of 1 drawn at random 0 needed" in text(ui))
    assert tolerance_of(predicted) == 3.5


def test_the_rest_is_accepted_after_a_question_shown_as_unseen_and_taken_back(harness, panel, unfold, predicted, asked):
    ui, cases = unfold(), panel.casesWidget
    assert not ui.takeBackButton.enabled
    ui.acceptRestButton.click()
    settle(harness, panel)
    assert "Accept the predictions of 9 cases that nobody looked at? Nothing can be said yet" in asked[0]
    harness.wait(lambda: cases.model.cells["case_3"].row.isUnseen)
    assert cases.model.cells["case_3"].texts[CaseCells.STATE] == "accepted unseen"
    room = qt.QFontMetrics(cases.ui.table.font).horizontalAdvance("accepted unseen")
    harness.wait(lambda: cases.ui.table.horizontalHeader().sectionSize(CaseCells.STATE) > room)
    assert "9 accepted unseen" in ui.countLabel.text and "2 labelled" in ui.countLabel.text
    harness.wait(lambda: "9 are accepted unseen" in text(ui))
    assert not ui.nextButton.enabled and not ui.acceptRestButton.enabled
    ui.takeBackButton.click()
    harness.wait(lambda: not cases.model.cells["case_3"].row.isUnseen)
    assert not any(case.unseen for case in predicted.cases.values())
    harness.wait(lambda: ui.acceptRestButton.enabled and not ui.takeBackButton.enabled)


def test_nothing_is_accepted_when_the_question_is_answered_with_no(harness, panel, unfold, predicted):
    panel.casesWidget.finish._confirm = lambda _question: False
    unfold().acceptRestButton.click()
    settle(harness, panel)
    assert not any(case.unseen for case in predicted.cases.values())


def test_a_case_that_a_person_opens_and_accepts_is_reviewed_then(harness, panel, unfold, predicted):
    ui, session, said = unfold(), panel.session, []
    session.said.connect(said.append)
    ui.acceptRestButton.click()
    settle(harness, panel)
    panel.reviewWidget.ui.goOnCheck.checked = False
    session.openCase("case_4")
    harness.wait(lambda: session.case is not None)
    panel.reviewWidget.ui.acceptButton.click()
    harness.wait(lambda: predicted.case("case_4").is_reviewed)
    harness.wait(lambda: not panel.casesWidget.model.cells["case_4"].row.isUnseen)
    settle(harness, panel)
    assert {message.level for message in said} == {"info"}


def test_without_predictions_it_says_so(harness, openModule, tiny_project):
    panel = openModule().panel
    panel.projectWidget.openProject(tiny_project.path)
    ui = panel.casesWidget.ui
    ui.finishToggle.click()
    harness.wait(lambda: ui.finishLabel.text == "Nothing is predicted yet: train first.")
    assert not ui.auditButton.enabled
