"""The section "Project", driven as a person would: open, recent, sample."""

from __future__ import annotations

import json

import pytest
from metassl.files import MetaSSLError
from MetaSSLSlicerLib.Widgets.ProjectWidget import RECENT_SETTING, ProjectWidget
from project_section import shown
from PySide6 import QtCore
from PySide6.QtTest import QTest


@pytest.fixture
def section(projectSection):
    return projectSection


def clickRecent(section) -> None:
    recent = section.ui.recentList
    place = recent.visualItemRect(recent.item(0)).center()
    QTest.mouseClick(recent.viewport(), QtCore.Qt.MouseButton.LeftButton, pos=place)


# Nothing is open


def test_at_first_there_is_nothing_to_see_but_how_to_begin(harness, section):
    ui = section.ui
    assert shown(section) == "closed"
    assert ui.newButton.isVisible() and ui.openButton.isVisible() and ui.sampleButton.isVisible()
    assert not ui.recentWidget.isVisible() and not ui.errorFrame.isVisible() and not ui.busyWidget.isVisible()
    for width in (380, 600):
        harness.grab(section.widget, f"project_none_{width}", width=width)


def test_a_project_is_opened_and_summed_up(harness, section, answers, tiny_project, session):
    answers.append(str(tiny_project.path))
    section.ui.openButton.click()
    assert session.project.path == tiny_project.path
    assert shown(section) == "open"
    harness.wait(lambda: section.ui.countsLabel.text)
    assert section.ui.countsLabel.text == "6 cases: 2 labelled, 3 without a label, 1 to measure with"
    assert "Boxes" in section.ui.nameLabel.text and section.ui.pathLabel.text == str(tiny_project.path)
    for label in tiny_project.labels:
        assert label.name in section.ui.labelsLabel.text and label.color in section.ui.labelsLabel.text
    for width in (380, 600):
        harness.grab(section.widget, f"project_open_{width}", width=width)
    section.ui.closeButton.click()
    assert session.project is None and shown(section) == "closed"


def test_a_folder_inside_the_project_means_the_project(section, answers, tiny_project, session):
    answers.append(str(tiny_project.path / "labels"))
    section.ui.openButton.click()
    assert session.project.path == tiny_project.path


def test_a_folder_without_a_project_is_answered_in_the_section(harness, section, answers, tmp_path, session):
    (tmp_path / "empty").mkdir()
    answers.append(str(tmp_path / "empty"))
    section.ui.openButton.click()
    assert session.project is None and section.ui.errorFrame.isVisible()
    assert "holds no project" in section.ui.errorLabel.text and "metassl new" not in section.ui.errorLabel.text
    harness.grab(section.widget, "project_none_error_380", width=380)


def test_cancelling_the_folder_dialog_changes_nothing(section, session):
    section.ui.openButton.click()
    assert session.project is None and not section.ui.errorFrame.isVisible()


def test_a_damaged_project_says_so(section, tiny_project, session):
    (tiny_project.path / "project.json").write_text("{", encoding="utf-8")
    section.openProject(tiny_project.path)
    assert session.project is None and "damaged" in section.ui.errorLabel.text


def test_the_numbers_follow_the_cases(harness, section, tiny_project, session):
    section.openProject(tiny_project.path)
    harness.wait(lambda: section.ui.countsLabel.text)
    tiny_project.mark_predicted(["case_3", "case_4"])
    for _ in range(5):
        session.casesChanged.emit(["case_3"])
    harness.wait(lambda: "2 to review" in section.ui.countsLabel.text)


# Recent projects


def test_recent_projects_open_with_a_click(harness, section, tiny_project, session, settings):
    section.openProject(tiny_project.path)
    section.ui.closeButton.click()
    assert json.loads(settings.value(RECENT_SETTING)) == [str(tiny_project.path)]
    assert section.ui.recentWidget.isVisible() and section.ui.recentList.count == 1
    assert section.ui.recentList.item(0).toolTip() == str(tiny_project.path)
    for width in (380, 600):
        harness.grab(section.widget, f"project_recent_{width}", width=width)
    clickRecent(section)
    assert session.project.path == tiny_project.path


def test_a_recent_project_that_is_gone_leaves_the_list(section, tiny_project, session, tmp_path):
    section.openProject(tiny_project.path)
    section.ui.closeButton.click()
    tiny_project.path.rename(tmp_path / "moved")
    clickRecent(section)
    assert session.project is None and "not there any more" in section.ui.errorLabel.text
    assert section.ui.recentList.count == 0 and not section.ui.recentWidget.isVisible()


# The sample


def test_the_sample_project_is_made_by_the_engine_and_opened(harness, section, session, tmp_path):
    with harness.watchdog() as watch:
        section.ui.sampleButton.click()
        assert section.ui.busyWidget.isVisible() and not section.ui.newButton.enabled
        harness.grab(section.widget, "project_sample_380", width=380)
        harness.wait(lambda: session.project is not None)
    assert session.project.path == tmp_path / "projects" / "MetaSSL sample" / "project"
    assert len(session.project.cases) == 24 and len(session.project.labelled_cases()) == 3
    watch.assertShort()
    harness.wait(lambda: section.ui.countsLabel.text)
    section.ui.closeButton.click()
    assert section.ui.recentList.item(0).text().startswith("MetaSSL sample  -")


def test_a_sample_that_fails_says_why_and_can_be_tried_again(harness, session, settings):
    def fails(_folder):
        raise MetaSSLError("the disk is full")

    section = ProjectWidget(session, makeSample=fails)
    section.widget.show()
    section.openSample()
    harness.wait(lambda: section.ui.errorFrame.isVisible())
    assert section.ui.errorLabel.text == "The disk is full." and section.ui.sampleButton.enabled
    section.cleanup()
