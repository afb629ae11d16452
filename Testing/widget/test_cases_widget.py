"""The section "Cases", used as a person would."""

from __future__ import annotations

import pytest
import qt
from cases_section import REASONS, big_project, cell, open_, predict, ready, shown
from metassl.files import write_json
from metassl.project import Project
from MetaSSLSlicerLib.Widgets.Parts import CaseCells
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest


@pytest.fixture
def section(casesSection):
    return casesSection


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


def test_after_a_training_the_next_case_is_in_view_in_the_table(harness, session, section, tmp_path):
    session.openProject(big_project(tmp_path, 200).path)
    harness.wait(lambda: len(section.model.cells) == 200 and section.model.isFilled)
    section.view.select("scan_199")
    assert section.showNext() is section.ui.nextButton
    assert section.view.selected == "scan_0" and section.ui.table.rowAt(0) == 0


def test_the_table_does_not_widen_the_panel_when_its_columns_fill(harness, session, section, tiny_project):
    area = qt.QScrollArea()
    area.setWidgetResizable(True)
    area.setWidget(section.widget)
    area.resize(450, 600)
    area.show()
    open_(harness, session, section, tiny_project)
    before = section.ui.table.minimumWidth
    tiny_project.update_case("case_0", more_seconds=600.0, dice=0.9)
    predict(tiny_project, case_3=0.5, case_4=0.2)
    session.casesChanged.emit(None)
    harness.wait(
        lambda: not section.reader.isBusy and section.model.isFilled and section.model.cells["case_0"].row.dice
    )
    harness.process(20)
    assert section.ui.table.minimumWidth > before, "the uncertainty and the order are shown"
    assert section.ui.table.isColumnHidden(CaseCells.DICE) and area.horizontalScrollBar().maximum == 0
    area.resize(900, 600)
    harness.process(20)
    section.view.showColumns()
    assert not section.ui.table.isColumnHidden(CaseCells.DICE)
    area.takeWidget()


def test_nor_when_they_fill_while_the_section_is_folded(harness, session, section, tiny_project):
    """As during a review, when a training ends."""
    area = qt.QScrollArea()
    area.setWidgetResizable(True)
    area.setWidget(section.widget)
    area.resize(450, 600)
    area.show()
    open_(harness, session, section, tiny_project)
    section.ui.casesButton.collapsed = True
    tiny_project.update_case("case_0", more_seconds=600.0, dice=0.9)
    predict(tiny_project, case_3=0.5, case_4=0.2)
    session.casesChanged.emit(None)
    harness.wait(lambda: not section.reader.isBusy and section.model.isFilled)
    harness.process(20)
    section.ui.casesButton.collapsed = False
    harness.process(1)
    assert section.widget.minimumSizeHint.width() <= 450, "not for a moment: who clicks then would miss"
    harness.process(20)
    assert section.ui.table.isColumnHidden(CaseCells.DICE) and area.horizontalScrollBar().maximum == 0
    area.takeWidget()


def test_what_a_training_puts_first_is_in_view_though_it_is_read_later(harness, session, section, tmp_path):
    project = big_project(tmp_path, 200)
    predict(project, **{f"scan_{number}": number / 200 for number in range(200)})
    session.openProject(project.path)
    harness.wait(lambda: len(section.model.cells) == 200 and section.model.isFilled and not section.reader.isBusy)
    section.view.select("scan_3")
    predict(project, **{f"scan_{number}": (number * 77 % 200) / 200 for number in range(200)})
    session.roundsChanged.emit()
    section.showNext()
    harness.wait(lambda: not section.reader.isBusy and section.model.isFilled)
    harness.process(5)
    assert section.view.selected == section.model.order[0] and section.ui.table.rowAt(0) == 0


def test_when_every_case_is_labelled_next_says_so(harness, session, section, tiny_project, make_case, make_grid):
    for number in (3, 4, 5):
        tiny_project.add_label(f"case_{number}", (make_case(number)[1], make_grid()))
    open_(harness, session, section, tiny_project)
    assert section.ui.nextLabel.text == "No case is left to look at."
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
    harness.wait(lambda: not section.ranking.isBusy)
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
    section._onRead((None, [], set()))  # a reading that was under way
    harness.process(5)
    assert section.ui.nextLabel.text == "as it was"
