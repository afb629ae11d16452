"""Months of use: nothing grows in the panel, and what is large is there at once."""

from __future__ import annotations

from faults.long_use import (
    ATTACH_S,
    OPEN_S,
    grown,
    growth,
    large_project,
    long_story,
    panel_rounds,
    seconds,
    wrong_status,
)
from metassl.jobs import JobWriter, job_status
from metassl.project import Project
from MetaSSLSlicerLib.Logic.Training.TrainingJob import JobGlance

FEW = 15


def test_rounds_of_open_edit_save_and_next_leave_nothing_behind(tmp_path):
    counts = panel_rounds(FEW, tmp_path)
    assert len(counts) == FEW
    assert grown(counts) == [], (growth(counts), counts)


def test_what_grows_is_found():
    flat = {"memory": 400_000, "nodes": 50, "observers": 200, "widgets": 900}
    assert grown([flat] * FEW) == []
    assert grown([{**flat, "nodes": 50 + number // 5} for number in range(FEW)]) == ["nodes"]
    assert grown([{**flat, "memory": 400_000 + 1300 * number} for number in range(FEW)]) == ["memory"]


def test_a_project_of_ten_thousand_cases_is_opened_in_moments(tmp_path):
    project = large_project(10_000, tmp_path / "project")
    assert seconds(lambda: Project.open(project.path)) < OPEN_S
    assert len(Project.open(project.path).cases) == 10_000


def test_a_hundred_thousand_events_are_attached_to_at_once(tmp_path):
    found = long_story(100_000, tmp_path / "project")
    assert seconds(lambda: JobGlance.of(Project.open(found.project_path), None)) < ATTACH_S
    assert wrong_status(found) == []
    status = job_status(found)
    assert (status.state, status.step, status.total) == ("running", 99_999, 100_000) and len(status.warnings) == 1
    seconds_to_go_on = seconds(lambda: JobWriter(found).write("paused"), tries=1)
    assert seconds_to_go_on < ATTACH_S and job_status(found).state == "paused"
