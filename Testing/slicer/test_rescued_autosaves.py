"""Unsaved work that found no room in its project when Slicer closed comes back, once, with its case and no other."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from metassl.files import ProjectError
from MetaSSLSlicerLib.Logic.Autosave.AutosaveFile import RESCUED, autosaveMarks, rescuedAutosaves
from MetaSSLSlicerLib.Logic.Autosave.AutosaveFormat import autosavePath, autosaves
from MetaSSLSlicerLib.Logic.Project.CaseTable import readRows
from opening import opened
from painting import paintSegment

CASE, OTHER = "case_4", "case_5"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setattr("pathlib.Path.home", lambda: folder)
    return folder


def draw(case, first: int, last: int) -> np.ndarray:
    mask = np.zeros(case.data.geometry.shape_zyx, np.uint8)
    mask[first:last] = 1
    paintSegment(case.nodes.annotationNode, "Label_1", mask, case.data.geometry)
    return mask


def full(*_content) -> None:
    raise ProjectError("the disk is full")


def drawn_on_a_full_disk(session, first: int, last: int) -> np.ndarray:
    case = opened(session, CASE)
    case.autosaveFile.write = full
    mask = draw(case, first, last)
    session.shutdown()
    return mask


def told(session) -> str:
    return " ".join(message.text for message in session.messages)


@pytest.mark.parametrize("autosavedBefore", [False, True])
def test_it_comes_back_and_goes_on_in_the_project(session, make_session, tiny_project, home, autosavedBefore):
    case = opened(session, CASE)
    if autosavedBefore:
        draw(case, 2, 3)
        case.autosave.flush()
        session.tasks.finish()
    drawn = drawn_on_a_full_disk(session, 2, 6)
    (rescued,) = rescuedAutosaves(tiny_project)
    assert rescued.is_relative_to(home / RESCUED) and (home / RESCUED).stat().st_mode & 0o077 == 0
    assert [row.id for row in readRows(tiny_project) if row.autosaved] == [CASE]

    later = make_session()
    again = opened(later, CASE)
    assert again.isRestored and np.array_equal(again.currentArray(), drawn)
    assert "more unsaved work" not in told(later)
    more = draw(again, 1, 6)
    opened(later, OTHER)
    later.tasks.finish()
    assert rescuedAutosaves(tiny_project) == {} and CASE in autosaves(tiny_project)
    assert list(autosaveMarks(tiny_project, CASE)) == [autosavePath(tiny_project, CASE)]
    assert np.array_equal(opened(later, CASE).currentArray(), more)


def test_it_is_gone_once_it_is_saved_as_the_label(session, make_session, tiny_project):
    drawn = drawn_on_a_full_disk(session, 2, 6)
    later = make_session()
    opened(later, CASE)
    later.writes.saveLabel()
    later.tasks.finish()
    assert rescuedAutosaves(tiny_project) == {}
    assert np.array_equal(tiny_project.read_label(CASE)[0], drawn)


def test_when_it_is_drawn_on_and_the_disk_is_still_full_the_newest_is_left(session, make_session, tiny_project):
    drawn_on_a_full_disk(session, 1, 9)
    drawn = drawn_on_a_full_disk(make_session(), 2, 4)
    assert len(rescuedAutosaves(tiny_project)) == 1
    assert np.array_equal(opened(make_session(), CASE).currentArray(), drawn)


def test_two_that_know_nothing_of_each_other_lose_nothing(make_session, tiny_project):
    first, second = make_session(), make_session()
    cases = [opened(session, CASE) for session in (first, second)]
    for case in cases:
        case.autosaveFile.write = full
    drawn = [draw(cases[0], 2, 4), draw(cases[1], 5, 8)]
    first.shutdown()
    second.shutdown()
    assert len(rescuedAutosaves(tiny_project)) == 2
    later = make_session()
    assert np.array_equal(opened(later, CASE).currentArray(), drawn[1]) and "more unsaved work" in told(later)
    later.writes.saveLabel()
    later.tasks.finish()
    assert np.array_equal(opened(later, CASE).currentArray(), drawn[0])


def test_it_follows_a_project_that_is_moved_and_does_not_come_up_in_another_at_its_place(
    session, make_session, tiny_project, tmp_path, decathlon
):
    from metassl.intake import new_project
    from metassl.project import Project

    drawn_on_a_full_disk(session, 2, 6)
    shutil.move(tiny_project.path, tmp_path / "moved")
    assert list(rescuedAutosaves(Project.open(tmp_path / "moved")).values()) == [CASE]
    another, _ = new_project(tiny_project.path, decathlon, labelled=1)
    assert rescuedAutosaves(another) == {}


def test_one_that_cannot_be_read_hides_nothing_and_stays(session, make_session, tiny_project):
    case = opened(session, CASE)
    autosaved = draw(case, 2, 3)
    case.autosave.flush()
    session.tasks.finish()
    drawn_on_a_full_disk(session, 2, 6)
    (rescued,) = rescuedAutosaves(tiny_project)
    rescued.write_bytes(rescued.read_bytes()[:100])
    later = make_session()
    again = opened(later, CASE)
    assert np.array_equal(again.currentArray(), autosaved) and str(rescued) in told(later)
    draw(again, 1, 2)
    opened(later, OTHER)
    later.tasks.finish()
    assert rescued.exists()


def test_one_that_cannot_be_removed_keeps_nothing_from_being_written(session, make_session, tiny_project, monkeypatch):
    drawn_on_a_full_disk(session, 2, 6)
    later = make_session()
    again = opened(later, CASE)

    def locked(path) -> None:
        raise ProjectError(f"cannot write {path}: it is in use")

    monkeypatch.setattr("MetaSSLSlicerLib.Logic.Autosave.AutosaveFile.remove_file", locked)
    draw(again, 1, 6)
    again.autosave.flush()
    later.tasks.finish()
    assert not again.autosave.isDirty and CASE in autosaves(tiny_project)


def test_a_home_that_cannot_be_used_costs_nothing_else(session, tiny_project, monkeypatch, tmp_path):
    def refuse(*_):
        raise PermissionError("not for you")

    monkeypatch.setattr("pathlib.Path.glob", refuse)
    assert rescuedAutosaves(tiny_project) == {}
    monkeypatch.undo()
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path / "file")
    assert [row.id for row in readRows(tiny_project) if row.autosaved] == []
    drawn_on_a_full_disk(session, 2, 6)
    assert "Cannot write" in told(session)
