"""The short form of the campaign, and what two Slicers with the same case open are told."""

from contextlib import contextmanager

import numpy as np
import pytest
from faults.killed_gui_states import CASE, state
from faults.killed_worker_cohort import BALL, GRID, ball_project
from faults.many_users import run
from metassl.files import ChangedError
from MetaSSLPictures.OffscreenSlicer import OffscreenSlicer
from MetaSSLSlicerLib.Logic.Autosave.AutosaveFile import autosaveMarks
from MetaSSLSlicerLib.Logic.Autosave.AutosaveFormat import autosaves
from MetaSSLSlicerLib.Logic.Case.Session import Session
from MetaSSLSlicerLib.Logic.Review.ReviewActions import ReviewActions
from MetaSSLSlicerLib.Logic.Scene.BackgroundTasks import BackgroundTasks
from painting import paintSegment
from predicting import predict


@pytest.fixture
def project(tmp_path):
    return ball_project(tmp_path / "project", tmp_path / "images")


@contextmanager
def slicers(project, count: int = 2):
    """Sessions on one scene each is as far apart as two programs: they share nothing but the folder."""
    services = [OffscreenSlicer(64) for _ in range(count)]
    sessions = [Session(each, BackgroundTasks()) for each in services]
    for session in sessions:
        session.messages = []
        session.said.connect(session.messages.append)
        session.openProject(project.path)
        session.openCase(CASE)
        session.tasks.finish()
    yield sessions
    for session in sessions:
        session.shutdown()


def draw(session, number: int) -> np.ndarray:
    case = session.case
    paintSegment(case.nodes.annotationNode, f"Label_{BALL}", state(number) == BALL, case.data.geometry)
    return state(number)


def save(session) -> None:
    session.writes.saveLabel()
    session.tasks.finish()


def autosave(session) -> None:
    session.case.autosave.flush()
    session.tasks.finish()
    session.tick()


def test_labels_made_side_by_side_are_all_there(tmp_path, capsys):
    outcome = run(4, tmp_path, seed=1, train=False)
    assert outcome.times >= 4 and outcome.lost == 0, capsys.readouterr().err


def test_who_is_outrun_is_told_and_may_still_make_his_own_the_label(project):
    with slicers(project) as (first, second):
        theirs = draw(first, 1)
        mine = draw(second, 2)
        save(first)
        save(second)
        assert np.array_equal(project.read_label(CASE)[0], theirs)
        (message,) = second.messages
        assert f"{CASE} was labelled by somebody else" in message.text and second.case.isModified
        former = project.case(CASE).label_version
        message.action()
        second.tasks.finish()
        assert np.array_equal(project.read_label(CASE)[0], mine)
        assert np.array_equal(project.read_label(CASE, former)[0], theirs)
        assert not second.case.isModified and first.messages == []


def test_saving_twice_in_a_row_outruns_nobody(project):
    with slicers(project, 1) as (session,):
        draw(session, 1)
        session.writes.saveLabel()
        last = draw(session, 2)
        session.writes.saveLabel()
        session.tasks.finish()
        assert session.messages == [] and np.array_equal(project.read_label(CASE)[0], last)


def test_a_label_outlives_that_another_rejects_its_prediction(project):
    predict(project, CASE, GRID, state(7), np.ones_like(state(7)))
    with slicers(project) as (first, second):
        ReviewActions(first).accept()
        first.tasks.finish()
        ReviewActions(second).reject()
        second.tasks.finish()
        assert project.case(CASE).state == "accepted"
        assert "by somebody else" in second.messages[-1].text


def test_an_autosave_that_comes_late_leaves_the_case_labelled(project):
    project.add_label(CASE, (state(1), GRID))
    project.mark_in_progress(CASE)
    assert project.case(CASE).state == "labelled"
    with pytest.raises(ChangedError, match="ball2 was labelled by somebody else"):
        project.add_label(CASE, (state(2), GRID), former=None)
    assert np.array_equal(project.read_label(CASE)[0], state(1))


def test_two_with_the_same_case_keep_a_autosave_each(project):
    with slicers(project) as (first, second):
        ours, theirs = draw(first, 1), draw(second, 2)
        autosave(first)
        autosave(second)
        assert list(autosaves(project)) == [CASE] and len(autosaveMarks(project, CASE)) == 2
        assert "another Slicer" in second.messages[-1].text and first.messages == []
        ours = draw(first, 3)
        autosave(first)
        save(second)
        assert np.array_equal(project.read_label(CASE)[0], theirs)
        first.case.autosave.finishNow()
    with slicers(project, 1) as (again,):
        assert again.case.isRestored and np.array_equal(again.case.currentArray(), ours)


def test_unsaved_work_of_two_that_were_killed_comes_back_one_after_the_other(project):
    with slicers(project) as (first, second):
        draws = [draw(first, 1), draw(second, 2)]
        autosave(first)
        autosave(second)
    with slicers(project, 1) as (again,):
        assert "more unsaved work" in again.messages[0].text
        back = [again.case.currentArray()]
        save(again)
        again.openCase("ball3")
        again.tasks.finish()
        again.openCase(CASE)
        again.tasks.finish()
        back.append(again.case.currentArray())
    assert all(any(np.array_equal(each, drawn) for each in back) for drawn in draws)
