"""More cases, and labels of many, in the section "Cases"."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import qt
from cases_section import open_, ready
from metassl.imaging.writer import write_array


@pytest.fixture
def section(casesSection):
    return casesSection


@pytest.fixture
def more(tmp_path, decathlon, make_case, make_grid) -> Path:
    """The folder of the project, and three cases more, one of them unlike its name."""
    description = json.loads((decathlon / "dataset.json").read_text(encoding="utf-8"))
    for number in (6, 7):
        for folder, content in zip(("imagesTr", "labelsTr"), make_case(number), strict=True):
            write_array(decathlon / folder / f"case_{number}.nii.gz", content, make_grid())
    description["training"].append({"image": "./imagesTr/case_6.nii.gz", "label": "./labelsTr/case_6.nii.gz"})
    (decathlon / "imagesTr" / "case_8.nii.gz").write_bytes(b"torn")
    (decathlon / "labelsTr" / "case_7.nii.gz").unlink()
    (decathlon / "notes.txt").touch()
    (decathlon / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    return decathlon


def offered(harness, section) -> str:
    harness.wait(lambda: section.intake.offered is not None)
    return section.ui.intakeText.plainText


def test_a_form_that_was_given_no_folder_yet_shows_nothing_of_one(harness, session, section, tiny_project, answers):
    open_(harness, session, section, tiny_project)
    ui = section.ui
    answers.append("")
    ui.addCasesButton.click()
    assert ui.intakeFrame.isVisible() and ui.intakeEdit.isVisible()
    for part in (ui.intakeText, ui.intakeLabel, ui.intakeTake, ui.intakeCheck, ui.intakeBar):
        assert not part.isVisible(), part.objectName


def test_what_a_folder_holds_is_shown_and_then_its_new_cases_are_taken(
    harness, session, section, tiny_project, more, answers
):
    open_(harness, session, section, tiny_project)
    ui = section.ui
    assert not ui.intakeFrame.isVisible()
    answers.append(str(more))
    ui.addCasesButton.click()
    lines = offered(harness, section).splitlines()
    assert lines[0] == "3 new cases"
    assert lines[1] == "The project has already: " + ", ".join(f"case_{number}" for number in range(6))
    assert "Layout: Decathlon" in lines and "   notes.txt" in lines
    assert len(tiny_project.cases) == 6
    assert ui.intakeCheck.isVisible() and ui.intakeCheck.checked
    harness.grab(section.widget, "cases-add-380", 380, 700)
    with harness.watchdog() as watch:
        ui.intakeTake.click()
        harness.wait(lambda: not section.intake._isTaking)
    watch.assertShort()
    ready(harness, section, 8)
    assert tiny_project.case("case_6").is_labelled and tiny_project.case("case_7").state == "unlabelled"
    assert ui.intakeLabel.text == "2 cases were added, with 1 label. There is 1 thing to know:"
    assert "case_8" in ui.intakeText.plainText and "left out" in ui.intakeText.plainText
    assert not ui.intakeTake.isVisible()
    ui.intakeClose.click()
    assert not ui.intakeFrame.isVisible()


def test_cases_are_taken_without_their_labels_where_nobody_wants_these(
    harness, session, section, tiny_project, more, answers
):
    (more / "imagesTr" / "case_8.nii.gz").unlink()
    open_(harness, session, section, tiny_project)
    answers.append(str(more))
    section.ui.addCasesButton.click()
    offered(harness, section)
    section.ui.intakeCheck.checked = False
    section.ui.intakeTake.click()
    ready(harness, section, 8)
    assert not tiny_project.case("case_6").is_labelled
    assert not section.ui.intakeFrame.isVisible()
    assert session.messages[-1].text == "2 cases were added, with 0 labels."


def test_a_folder_of_other_structures_gives_its_cases_and_no_labels(
    harness, session, section, tiny_project, more, answers
):
    description = json.loads((more / "dataset.json").read_text(encoding="utf-8"))
    description["labels"] = {"0": "background", "1": "Kidney", "2": "Back", "3": "Spleen"}
    (more / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    (more / "imagesTr" / "case_8.nii.gz").unlink()
    open_(harness, session, section, tiny_project)
    answers.append(str(more))
    section.ui.addCasesButton.click()
    assert "1=Kidney, 2=Back, 3=Spleen" in offered(harness, section)
    assert not section.ui.intakeCheck.isVisible()
    section.ui.intakeTake.click()
    ready(harness, section, 8)
    assert [case.id for case in tiny_project.labelled_cases()] == ["case_0", "case_1"]


def test_a_folder_without_anything_new_is_said(harness, session, section, tiny_project, decathlon, answers):
    open_(harness, session, section, tiny_project)
    answers.append(str(decathlon))
    section.ui.addCasesButton.click()
    harness.wait(lambda: "no case that the project does not have" in section.ui.intakeLabel.text)
    assert not section.ui.intakeTake.isVisible()


def test_labels_of_many_cases_are_taken_by_their_names(
    harness, session, section, tiny_project, answers, tmp_path, make_case, make_grid
):
    folder = tmp_path / "labels"
    folder.mkdir()
    for number in (0, 3, 5, 12):
        write_array(folder / f"case_{number}.nii.gz", make_case(number)[1], make_grid())
    before = tiny_project.case("case_0").label_version
    open_(harness, session, section, tiny_project)
    ui = section.ui
    answers.append(str(folder))
    ui.addLabelsButton.click()
    text = offered(harness, section)
    assert "Labels of: case_3, case_5" in text and "Labelled already: case_0" in text
    assert "case_12.nii.gz" in text and "no case of the project has its name" in text
    assert ui.intakeCheck.text == "Replace labels that are there" and not ui.intakeCheck.checked
    assert not ui.intakeFileBrowse.isVisible()
    harness.grab(section.widget, "cases-labels-380", 380, 700)
    ui.intakeTake.click()
    harness.wait(lambda: tiny_project.case("case_5").is_labelled and not section.intake._isTaking)
    assert tiny_project.case("case_0").label_version == before
    assert ui.intakeLabel.text.startswith("2 labels were taken, 1 case kept its own.")
    harness.wait(lambda: section.ui.countLabel.text == "6 cases, 4 labelled")


def test_labels_that_are_there_are_replaced_on_demand(
    harness, session, section, tiny_project, answers, tmp_path, make_case, make_grid
):
    folder = tmp_path / "labels"
    folder.mkdir()
    write_array(folder / "case_0.nii.gz", make_case(0)[1] // 2, make_grid())  # Back is Front, Front is nothing
    before = tiny_project.case("case_0").label_version
    open_(harness, session, section, tiny_project)
    answers.append(str(folder))
    section.ui.addLabelsButton.click()
    offered(harness, section)
    assert not section.ui.intakeTake.enabled
    section.ui.intakeCheck.checked = True
    section.ui.intakeTake.click()
    harness.wait(lambda: tiny_project.case("case_0").label_version != before)
    assert list((tiny_project.path / "labels" / ".history").glob(f"case_0*{before[:8]}*"))


def test_another_project_closes_the_form(harness, session, section, tiny_project, more, answers):
    open_(harness, session, section, tiny_project)
    answers.append(str(more))
    section.ui.addCasesButton.click()
    session.closeProject()
    harness.wait(lambda: not session.tasks.busy)
    assert section.intake.offered is None and not section.ui.intakeFrame.isVisible()


def test_a_long_line_has_the_height_that_it_needs_where_it_is_wrapped(harness, section):
    from MetaSSLSlicerLib.Widgets.Section import showLines

    ui = section.ui
    ui.intakeFrame.setVisible(True)
    showLines(ui.intakeText, "one\ntwo")
    low = ui.intakeText.maximumHeight
    showLines(ui.intakeText, ", ".join(f"case_{number:03}" for number in range(100)))
    assert ui.intakeText.maximumHeight > low


def test_the_form_is_brought_into_view_on_a_low_screen(harness, session, section, tiny_project, answers):
    open_(harness, session, section, tiny_project)
    area = qt.QScrollArea()
    area.setWidgetResizable(True)
    area.setWidget(section.widget)
    area.resize(380, 300)
    area.show()
    harness.process(100)
    answers.append("")
    section.ui.addCasesButton.click()
    harness.wait(lambda: area.verticalScrollBar().value > 0)
    frame = section.ui.intakeFrame
    bottom = frame.mapTo(area.viewport(), qt.QPoint(0, frame.height)).y()
    assert bottom <= area.viewport().height
    area.takeWidget()
