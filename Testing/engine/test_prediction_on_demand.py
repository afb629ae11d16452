"""A case that the training left out is predicted when somebody opens it."""

from types import SimpleNamespace

import pytest
from MetaSSLSlicerLib.Logic.Training.PredictionOnDemand import PredictionOnDemand, waits
from MetaSSLSlicerLib.Signal import Signal
from predicting import predict
from random_model import add_round, random_model


class Tasks:
    def run(self, work, done=lambda result: None, failed=lambda error: None):
        done(work())


class Session:
    def __init__(self, project):
        self.project, self.tasks, self.casesChanged, self.said = project, Tasks(), Signal(), []
        self.case = SimpleNamespace(id="case_3", project=project)

    def say(self, kind, text):
        self.said.append((kind, text))


class Python:
    """Commands that end when they are told to."""

    def __init__(self):
        self.commands, self.result, self.killed = [], None, 0

    def start(self, arguments):
        self.commands.append([str(each) for each in arguments])
        return self

    def poll(self):
        return self.result

    def kill(self):
        self.killed += 1


@pytest.fixture
def opened(tiny_project):
    add_round(tiny_project, random_model(tiny_project))
    session, python = Session(tiny_project), Python()
    job = SimpleNamespace(isRunning=False, wanted=[])
    job.want = job.wanted.append
    return SimpleNamespace(
        session=session, python=python, job=job, demand=PredictionOnDemand(session, job, python), project=tiny_project
    )


def test_it_is_predicted_in_a_process_and_told_when_it_is_there(opened):
    opened.demand.want(opened.session.case)
    assert opened.python.commands == [["predict", str(opened.project.path), "--cases", "case_3", "--json"]]
    assert "case_3 is being predicted" in opened.session.said[0][1] and opened.demand.isBusy
    changed = []
    opened.session.casesChanged.connect(changed.append)
    opened.demand.poll()
    assert not changed
    opened.python.result = SimpleNamespace(code=0, text="")
    opened.demand.poll()
    assert changed == [["case_3"]] and not opened.demand.isBusy


def test_what_went_wrong_is_said(opened):
    opened.demand.want(opened.session.case)
    opened.python.result = SimpleNamespace(code=1, text="the disk is full")
    opened.demand.poll()
    assert opened.session.said[-1] == ("error", "case_3 could not be predicted: the disk is full")


def test_a_training_at_work_is_asked_instead(opened):
    opened.job.isRunning = True
    opened.demand.want(opened.session.case)
    assert opened.job.wanted == ["case_3"] and not opened.python.commands


def test_only_the_case_that_was_opened_last_is_predicted(opened):
    opened.demand.want(opened.session.case)
    opened.session.case = SimpleNamespace(id="case_4", project=opened.project)
    opened.demand.want(opened.session.case)
    assert opened.python.killed == 1 and opened.python.commands[-1][3] == "case_4"


def test_nothing_waits_that_has_a_label_or_a_prediction_or_no_model(opened, make_grid):
    assert waits(opened.project, "case_3") and not waits(opened.project, "case_0")
    predict(opened.project, "case_3", make_grid())
    assert not waits(opened.project, "case_3")
    opened.project.round(1).model_path.unlink()
    assert not waits(opened.project, "case_4")
