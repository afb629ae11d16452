"""The section "Cases", used as a person would."""

from __future__ import annotations

import gc
import json
import time
from pathlib import Path

import pytest
import qt
from metassl.files import write_json
from metassl.imaging.writer import write_array
from metassl.project import Case, LabelDefinition, Project
from MetaSSLSlicerLib.Logic.Project.CaseTable import CaseRow
from MetaSSLSlicerLib.Widgets.CasesWidget import CasesWidget
from MetaSSLSlicerLib.Widgets.Parts import CaseCells
from MetaSSLSlicerLib.Widgets.Parts.CaseTableView import CaseTableModel
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

REASONS = "in and round the structures, networks differ on {} % and agree without confidence on 4 %"


@pytest.fixture
def asked() -> list[str]:
    """What the user was asked; the answer is yes unless it says "no"."""
    return []


@pytest.fixture
def section(session, answers, asked):
    def answer(*_question: str) -> str:
        return answers.pop(0) if answers else ""

    def confirm(question: str) -> bool:
        asked.append(question)
        return "no" not in answers

    section = CasesWidget(session, chooseFolder=answer, chooseFile=answer, confirm=confirm)
    section.widget.resize(380, 500)
    section.widget.show()
    yield section
    section.cleanup()


def predict(project, **uncertainties: float) -> None:
    """A finished round that predicted these cases, and ranked the most uncertain first."""
    found = project.new_round({"config": {}, "labels": {}})
    for case, uncertainty in uncertainties.items():
        paths = found.prediction(case)
        paths.folder.mkdir(parents=True)
        write_json(
            paths.summary,
            {"case": case, "uncertainty": {"US": 0.4 * uncertainty, "DC": 0.1 * uncertainty, "DS": 0.5 * uncertainty}},
        )
    entries = [
        {"case": case, "score": uncertainty, "reason": REASONS.format(round(60 * uncertainty))}
        for case, uncertainty in sorted(uncertainties.items(), key=lambda item: -item[1])
    ]
    write_json(found.ranking_path, {"strategy": "discrepancy", "cases": entries, "skipped": {}})
    found.model_path.write_bytes(b"model")
    project.mark_predicted(uncertainties)


def shown(section) -> list[str]:
    """The names in the table, from top to bottom."""
    while not section.model.isFilled:
        qt.QApplication.instance().processEvents()
    model = section.model.model
    return [model.data(model.index(row, CaseCells.NAME), qt.Qt.DisplayRole) for row in range(model.rowCount())]


def cell(section, caseId: str, column: int, role: int = qt.Qt.DisplayRole):
    model = section.model.model
    return model.data(model.index(section.model.placeOf(caseId), column), role)


def ready(harness, section, count: int) -> None:
    harness.wait(lambda: len(section.model.cells) == count and section.model.isFilled and not section.reader.isBusy)
    harness.process(5)


def open_(harness, session, section, project) -> None:
    session.openProject(project.path)
    ready(harness, section, len(project.cases))


def test_a_new_project_lists_its_cases_and_recommends_the_first_unlabelled_one(harness, session, section, tiny_project):
    open_(harness, session, section, tiny_project)
    assert shown(section) == [f"case_{number}" for number in range(6)]
    assert cell(section, "case_2", CaseCells.STATE) == "validation"
    assert cell(section, "case_5", CaseCells.STATE) == "to label"
    assert section.ui.nextLabel.text.startswith("case_3: Nothing is predicted yet")
    assert section.ui.countLabel.text == "6 cases, 2 labelled"
    assert section.ui.table.isColumnHidden(CaseCells.UNCERTAINTY)


def test_the_most_promising_case_stands_on_top_with_its_uncertainty(harness, session, section, tiny_project):
    predict(tiny_project, case_3=0.1, case_4=0.4, case_5=0.2)
    open_(harness, session, section, tiny_project)
    assert shown(section)[:3] == ["case_4", "case_5", "case_3"]
    assert cell(section, "case_4", CaseCells.UNCERTAINTY, qt.Qt.DecorationRole) is not None
    assert cell(section, "case_4", CaseCells.ORDER) == "1"
    assert section.ui.nextLabel.text.replace("\u00a0", " ") == "case_4: I" + REASONS.format(24)[1:] + "."
    assert not section.ui.table.isColumnHidden(CaseCells.UNCERTAINTY)
    assert section.ui.table.isColumnHidden(CaseCells.DICE)
    assert "DS 20.0\u00a0%" in cell(section, "case_4", CaseCells.NAME, qt.Qt.ToolTipRole)


def test_the_uncertainty_is_drawn_in_the_colours_of_the_regions(harness, session, section, tiny_project):
    predict(tiny_project, case_3=0.5, case_4=0.0)
    open_(harness, session, section, tiny_project)
    bar = cell(section, "case_3", CaseCells.UNCERTAINTY, qt.Qt.DecorationRole)
    picture = bar.pixmap(44, 10, qt.QIcon.Selected).toImage()
    colors = [qt.QColor(picture.pixel(x, 7)).name().upper() for x in (5, 24, 36)]
    assert colors == ["#D55E00", "#0072B2", "#F0E442"]
    empty = cell(section, "case_4", CaseCells.UNCERTAINTY, qt.Qt.DecorationRole).pixmap(44, 10).toImage()
    assert qt.QColor(empty.pixel(2, 5)).name().upper() not in colors


def test_next_case_opens_the_recommended_one_and_then_another(harness, session, section, tiny_project):
    predict(tiny_project, case_3=0.1, case_4=0.4)
    open_(harness, session, section, tiny_project)
    section.ui.nextButton.click()
    harness.wait(lambda: session.case is not None)
    assert session.case.id == "case_4"
    harness.wait(lambda: section.ui.nextLabel.text.startswith("case_3"))
    section.openNext()
    harness.wait(lambda: session.case is not None and session.case.id == "case_3")
    assert section.view.selected == "case_3"
    assert cell(section, "case_3", CaseCells.NAME, qt.Qt.FontRole).bold()
    harness.wait(lambda: not cell(section, "case_4", CaseCells.NAME, qt.Qt.FontRole).bold())


def test_when_every_case_is_labelled_next_says_so(harness, session, section, tiny_project, make_case, make_grid):
    for number in (3, 4, 5):
        tiny_project.add_label(f"case_{number}", (make_case(number)[1], make_grid()))
    open_(harness, session, section, tiny_project)
    assert section.ui.nextLabel.text == "Every case has its label."
    assert not section.ui.nextButton.enabled
    section.openNext()
    assert "No other case is left" in session.messages[-1].text


def test_a_double_click_opens_a_case(harness, session, section, tiny_project):
    open_(harness, session, section, tiny_project)
    table = section.ui.table
    place = table.visualRect(section.model.model.index(section.model.placeOf("case_5"), 0)).center()
    for click in (QTest.mouseClick, QTest.mouseDClick):
        click(table.viewport(), Qt.LeftButton, Qt.NoModifier, place)
    harness.wait(lambda: session.case is not None)
    assert session.case.id == "case_5"


def test_the_selected_case_is_opened_by_its_button(harness, session, section, tiny_project):
    open_(harness, session, section, tiny_project)
    section.view.select("case_1")
    section.ui.openButton.click()
    harness.wait(lambda: session.case is not None)
    assert session.case.id == "case_1"


def test_searching_and_filtering_narrow_the_table(harness, session, section, tiny_project):
    predict(tiny_project, case_3=0.1, case_4=0.4)
    open_(harness, session, section, tiny_project)
    section.ui.searchBox.setText("CASE_4")
    assert shown(section) == ["case_4"]
    assert section.ui.countLabel.text == "6 cases, 2 labelled, 2 to review, 1 shown"
    section.ui.searchBox.setText("")
    groups = {"todo": 3, "review": 2, "done": 2, "held": 1, "failed": 0, "unfinished": 0, "": 6}
    for group, count in groups.items():
        section.ui.filterCombo.setCurrentIndex(section._groups.index(group))
        assert len(shown(section)) == count, group
    section.ui.searchBox.setText("case.[4")
    assert shown(section) == []


def click_heading(section, column: int) -> None:
    header = section.ui.table.horizontalHeader()
    x = header.sectionViewportPosition(column) + header.sectionSize(column) // 2
    QTest.mouseClick(header.viewport(), Qt.LeftButton, Qt.NoModifier, qt.QPoint(x, 5))


def test_a_click_on_a_heading_sorts_and_the_selection_stays(harness, session, section, tiny_project):
    predict(tiny_project, case_3=0.1, case_4=0.4, case_5=0.2)
    open_(harness, session, section, tiny_project)
    section.view.select("case_3")
    click_heading(section, CaseCells.NAME)
    assert shown(section) == [f"case_{number}" for number in range(6)]
    click_heading(section, CaseCells.NAME)
    assert shown(section) == [f"case_{number}" for number in (5, 4, 3, 2, 1, 0)]
    click_heading(section, CaseCells.UNCERTAINTY)
    assert shown(section) == [f"case_{number}" for number in (4, 5, 3, 0, 1, 2)]
    click_heading(section, CaseCells.UNCERTAINTY)
    assert shown(section) == [f"case_{number}" for number in (3, 5, 4, 0, 1, 2)]
    assert section.view.selected == "case_3"
    click_heading(section, CaseCells.STATE)
    assert shown(section)[-1] == "case_2"


def test_a_changed_case_is_updated_in_place(harness, session, section, tiny_project, make_case, make_grid):
    predict(tiny_project, case_3=0.1, case_4=0.4)
    open_(harness, session, section, tiny_project)
    section.view.select("case_4")
    tiny_project.add_label("case_4", (make_case(4)[1], make_grid()), state="corrected")
    tiny_project.update_case("case_4", dice=0.8, seconds_spent=75)
    session.casesChanged.emit(["case_4"])
    harness.wait(lambda: section.model.cells["case_4"].row.state == "corrected" and section.model.isFilled)
    assert section.view.selected == "case_4"
    assert cell(section, "case_4", CaseCells.DICE) == "0.80"
    assert cell(section, "case_4", CaseCells.TIME) == "1\u00a0min 15\u00a0s"
    assert cell(section, "case_4", CaseCells.ORDER) == ""
    assert shown(section)[0] == "case_3"
    harness.wait(lambda: not section.ui.table.isColumnHidden(CaseCells.DICE))
    assert section.ui.nextLabel.text.startswith("case_3")


def click_link(harness, label) -> None:
    """Click all along the label's line, until something is hit."""
    harness.process(20)
    for x in range(0, label.width, 10):
        QTest.mouseClick(label, Qt.LeftButton, Qt.NoModifier, qt.QPoint(x, label.height // 2))


def test_unsaved_work_is_named_and_one_click_away(harness, session, section, tiny_project):
    (tiny_project.path / "journal" / "case_3.seg.nrrd").write_bytes(b"torn")
    open_(harness, session, section, tiny_project)
    assert section.ui.unsavedLabel.visible
    assert "case_3" in section.ui.unsavedLabel.text
    assert cell(section, "case_3", CaseCells.STATE) == "unsaved"
    click_link(harness, section.ui.unsavedLabel)
    harness.wait(lambda: session.case is not None)
    assert session.case.id == "case_3"


def test_another_project_shows_its_own_cases(harness, session, section, tiny_project, tmp_path):
    open_(harness, session, section, tiny_project)
    other = big_project(tmp_path, 3)
    session.openProject(other.path)
    ready(harness, section, 3)
    assert "scan_2" in shown(section)
    session.closeProject()
    harness.wait(lambda: section.model.isFilled)
    assert shown(section) == []


def test_a_damaged_case_list_is_told(harness, session, section, tiny_project):
    open_(harness, session, section, tiny_project)
    (tiny_project.path / "cases.json").write_text("{", encoding="utf-8")
    session.casesChanged.emit(None)
    harness.wait(lambda: session.messages)
    assert session.messages[-1].level == "error"
    assert "damaged" in session.messages[-1].text


def test_another_strategy_is_kept_and_ranks_again_in_its_own_process(harness, session, section, tiny_project):
    predict(tiny_project, case_3=0.1, case_4=0.4)
    for case, entropy in (("case_3", 0.9), ("case_4", 0.2)):
        path = tiny_project.round(1).prediction(case).summary
        write_json(
            path,
            {
                "mean_uncertainty": entropy,
                "mutual_information": 0.1,
                "structure_voxels": 9,
                "uncertainty": {"US": 0.1, "DC": 0.1, "DS": 0.1},
            },
        )
    open_(harness, session, section, tiny_project)
    assert section.ui.strategyCombo.currentText == "where the networks differ, unlike the others"
    section.ui.strategyCombo.setCurrentIndex(1)
    assert section.ui.nextLabel.text == "The cases are being ranked again ..."
    assert not section.ui.strategyCombo.enabled
    harness.wait(lambda: not section.ranking.isBusy, timeout=90)
    harness.wait(lambda: section.ui.nextLabel.text.startswith("case_3"))
    assert Project.open(tiny_project.path).settings["strategy"] == "entropy"
    assert session.messages == []
    assert section.ui.strategyCombo.enabled


def test_before_training_a_strategy_is_only_kept(harness, session, section, tiny_project):
    open_(harness, session, section, tiny_project)
    section.ui.strategyCombo.setCurrentIndex(2)
    harness.wait(lambda: not section.ranking.isBusy)
    assert Project.open(tiny_project.path).settings == {"strategy": "random"}


# Cases that are set aside


def choose(section, group: str) -> None:
    section.ui.filterCombo.setCurrentIndex(section._groups.index(group))


def test_a_case_is_set_aside_after_a_question_and_comes_back_without_one(
    harness, session, section, tiny_project, asked, answers
):
    open_(harness, session, section, tiny_project)
    section.view.select("case_3")
    answers.append("no")
    section.ui.asideButton.click()
    assert len(asked) == 1 and "case_3" in asked[0] and "Nothing is deleted" in asked[0]
    assert tiny_project.case("case_3").split == "pool"
    answers.clear()
    section.ui.asideButton.click()
    harness.wait(lambda: "case_3" not in shown(section))
    assert tiny_project.case("case_3").split == "aside"
    assert section.ui.countLabel.text == "5 cases, 2 labelled, 1 set aside"
    harness.wait(lambda: section.ui.nextLabel.text.startswith("case_4"))
    choose(section, "aside")
    assert shown(section) == ["case_3"] and cell(section, "case_3", CaseCells.STATE) == "set aside"
    assert section.ui.asideButton.text == "Bring back"
    harness.grab(section.widget, "cases-aside-380", 380)
    section.view.select("case_3")
    section.ui.asideButton.click()
    harness.wait(lambda: shown(section) == [])
    assert len(asked) == 2 and tiny_project.case("case_3").split == "pool"
    choose(section, "")
    assert len(shown(section)) == 6 and section.ui.asideButton.text == "Set aside"


def test_the_open_case_is_closed_before_it_is_set_aside(harness, session, section, tiny_project):
    open_(harness, session, section, tiny_project)
    section.view.select("case_4")
    section.openSelected()
    harness.wait(lambda: session.case is not None)
    section.ui.asideButton.click()
    harness.wait(lambda: tiny_project.case("case_4").split == "aside")
    assert session.case is None


# More cases, and labels of many


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


# Many cases


def big_project(folder: Path, count: int) -> Project:
    project = Project.create(folder / f"big_{count}", "big", [LabelDefinition(1, "Front")], ["CT"])
    project.add_cases(Case(f"scan_{number}", [f"images/{number}.nii.gz"]) for number in range(count))
    return project


class Pulse:
    """How long turns of the event loop take, with what Qt does in C++.

    `longest_ms` on the clock; `work_ms` what this thread computed of it, whatever else the computer is busy with.
    """

    def __init__(self, app) -> None:
        self.app, self.longest_ms, self.work_ms = app, 0.0, 0.0

    def wait(self, predicate, timeout: float = 60) -> None:
        end = time.monotonic() + timeout
        while not predicate():
            self.call(self.app.processEvents)
            assert time.monotonic() < end
            time.sleep(0.001)

    def call(self, function, *arguments) -> None:
        begin, work = time.perf_counter(), time.thread_time()
        function(*arguments)
        self.longest_ms = max(self.longest_ms, 1000 * (time.perf_counter() - begin))
        self.work_ms = max(self.work_ms, 1000 * (time.thread_time() - work))


@pytest.mark.parametrize("count", [1000, 10_000])
def test_thousands_of_cases_never_block_the_event_loop(count, harness, session, section, tmp_path):
    project = big_project(tmp_path, count)
    uncertainties = {f"scan_{number}": ((number * 7919) % 1000) / 1000 for number in range(count)}
    predict(project, **uncertainties)
    pulses = {}
    gc.collect()
    gc.freeze()  # what the test run itself holds is no burden of the table
    pulses["open"] = pulse = Pulse(harness.app)
    begin = time.perf_counter()
    pulse.call(session.openProject, project.path)
    pulse.wait(lambda: len(section.model.cells) == count and section.model.isFilled)
    filled = time.perf_counter() - begin
    pulses["sort"] = pulse = Pulse(harness.app)
    for column in (CaseCells.NAME, CaseCells.ORDER):
        pulse.call(section.view.sortBy, column, True)
        pulse.wait(lambda: section.model.isFilled)
    pulses["search"] = pulse = Pulse(harness.app)
    for text in ("9", "99", ""):
        pulse.call(section.ui.searchBox.setText, text)
        pulse.wait(lambda: section.model.isFilled)
    pulses["one row"] = pulse = Pulse(harness.app)
    project.update_case("scan_77", state="rejected")
    session.casesChanged.emit(["scan_77"])
    pulse.wait(lambda: section.model.cells["scan_77"].row.state == "rejected" and section.model.isFilled)
    pulses["all rows"] = pulse = Pulse(harness.app)
    write_json(project.round(1).ranking_path, {"cases": [{"case": "scan_5", "score": 2.0, "reason": "first"}]})
    session.casesChanged.emit(None)
    pulse.wait(lambda: section.model.cells["scan_5"].row.place == 1 and section.model.isFilled)
    gc.unfreeze()
    assert shown(section)[0] == "scan_5"
    told = ", ".join(f"{name} {pulse.longest_ms:.0f} ({pulse.work_ms:.0f})" for name, pulse in pulses.items())
    print(f"{count} cases filled after {filled:.2f} s; longest turn of the event loop (its own work) in ms: {told}")
    assert max(pulse.work_ms for pulse in pulses.values()) < 50


def test_cases_are_numbered_as_people_count():
    names = ["case_10", "Case_2", "case_1b", "a"]
    assert sorted(names, key=CaseCells.naturalKey) == ["a", "case_1b", "Case_2", "case_10"]


def test_rows_that_come_while_the_table_is_filled_are_not_lost(harness):
    words = CaseCells.CaseCells()
    model = CaseTableModel(words.headings, words.headingHints)
    row = words.of

    def show(rows) -> None:
        rows = list(rows)
        model.setCells([each.id for each in rows], model.differing(map(row, rows)))

    show(CaseRow(f"case_{number:03d}") for number in range(500))
    model.updateCells([row(CaseRow("case_003", state="accepted"))])
    show(CaseRow(f"case_{number:03d}", dice=0.5) for number in range(600))
    model.updateCells([row(CaseRow("case_700")), row(CaseRow("case_0"))])
    model.updateCells([row(CaseRow("case_599", state="accepted"))])
    harness.wait(lambda: model.isFilled)
    assert model.model.rowCount() == 602
    names = [model.model.data(model.model.index(place, 0), qt.Qt.DisplayRole) for place in range(602)]
    assert names == model.order == sorted(names, key=CaseCells.naturalKey)
    texts = [model.model.data(model.model.index(599, column), qt.Qt.DisplayRole) for column in range(5)]
    assert texts == ["case_598", "to label", "", "", "0.50"]
    model.cleanup()


# Pictures


@pytest.mark.parametrize("width", [380, 600])
def test_picture_of_cases_under_review(width, harness, session, section, tiny_project, make_case, make_grid):
    predict(tiny_project, case_3=0.43, case_4=0.12, case_5=0.28)
    tiny_project.add_label("case_5", (make_case(5)[1], make_grid()), state="corrected")
    tiny_project.update_case("case_5", dice=0.91, seconds_spent=187)
    tiny_project.update_case("case_1", seconds_spent=754)
    (tiny_project.path / "journal" / "case_4.seg.nrrd").write_bytes(b"torn")
    open_(harness, session, section, tiny_project)
    section.view.select("case_3")
    assert harness.grab(section.widget, f"cases-{width}", width).stat().st_size > 1000


@pytest.mark.parametrize("width", [380, 600])
def test_picture_of_a_new_project(width, harness, session, section, tiny_project):
    open_(harness, session, section, tiny_project)
    harness.grab(section.widget, f"cases-new-{width}", width)


def test_picture_of_many_cases(harness, session, section, tmp_path):
    project = big_project(tmp_path, 300)
    predict(project, **{f"scan_{number}": ((number * 7919) % 1000) / 1500 for number in range(250)})
    open_(harness, session, section, project)
    harness.grab(section.widget, "cases-many-380", 380, 560)


def test_a_section_that_has_ended_shows_nothing_any_more(harness, session, section, tiny_project):
    open_(harness, session, section, tiny_project)
    section.cleanup()
    section.ui.nextLabel.text = "as it was"
    section._onRead((None, []))  # a reading that was under way
    harness.process(5)
    assert section.ui.nextLabel.text == "as it was"
