"""Trainings to be compared: who may see which label, and that nothing is done twice."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from in_process import InThisProcess, trainings_in_this_process
from metassl.files import MetaSSLError, ProjectError, read_json
from metassl.jobs import JobRecord, JobWriter, read_events
from metassl.jobs.liveness import job_status
from metassl.networks.checkpoint import load_checkpoint
from metassl.project import Project
from metassl_research.experiment import Experiment

RECIPE = {"framework": "mt", "loss": "plain", "seed": 0, "device": "cpu"}


@pytest.fixture
def in_this_process(monkeypatch):
    with trainings_in_this_process(monkeypatch) as launched:
        yield launched


@pytest.fixture
def data(decathlon) -> Path:
    """Three cases to train on, one to validate and two to test."""
    names = [f"case_{number}" for number in range(6)]
    split = {"train_order": [names[2], names[0], names[1]], "val": names[3:4], "test": names[4:]}
    (decathlon / "splits.json").write_text(json.dumps(split), encoding="utf-8")
    return decathlon


@pytest.fixture
def experiment(data, tmp_path) -> Experiment:
    return Experiment.open(tmp_path / "work", data)


def test_the_split_of_the_data_says_who_trains_validates_and_tests(experiment, data):
    assert experiment.train_order == ["case_2", "case_0", "case_1"]
    assert (experiment.validation, experiment.test) == (["case_3"], ["case_4", "case_5"])
    assert experiment.known.split == "splits.json" and experiment.known.warnings == []
    assert {case.id for case in experiment.project.labelled_cases()} == set(experiment.train_order)
    assert [case.id for case in experiment.project.validation_cases()] == ["case_3"]
    assert experiment.project.unlabelled_cases() == []
    assert experiment.truth("case_5") == data / "labelsTr" / "case_5.nii.gz"


def test_without_a_split_the_cases_are_split_the_same_way_each_time(decathlon, tmp_path):
    first, second = (Experiment.open(tmp_path / name, decathlon) for name in ("one", "two"))
    lists = [first.train_order, first.validation, first.test]
    assert lists == [second.train_order, second.validation, second.test]
    assert [len(each) for each in lists] == [3, 1, 2] and len(set(sum(lists, []))) == 6
    assert "by chance" in first.known.split
    kept = read_json(tmp_path / "one" / "experiment.json", "the experiment")
    assert kept["test"] == first.test


def test_it_is_opened_again_and_refuses_other_data_and_other_folders(experiment, data, tmp_path):
    folder = experiment.project.path
    assert Experiment.open(folder, data).known == experiment.known
    (data / "splits.json").unlink()
    with pytest.raises(ProjectError, match="has changed since"):
        Experiment.open(folder, data)
    moved = data.rename(tmp_path / "elsewhere")
    with pytest.raises(ProjectError, match="elsewhere is not"):
        Experiment.open(folder, moved)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("not to be touched", encoding="utf-8")
    with pytest.raises(ProjectError, match="no experiment.json"):
        Experiment.open(tmp_path / "mine", moved)


def test_a_half_made_project_is_never_taken_for_a_whole_one(data, tmp_path, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Project, "update_case", killed)
        with pytest.raises(KeyboardInterrupt):
            Experiment.open(tmp_path / "work", data)
    assert not (tmp_path / "work").exists()
    assert len(Experiment.open(tmp_path / "work", data).train_order) == 3


def test_a_round_sees_the_labels_it_is_given_and_no_test_case(experiment, in_this_process):
    found = experiment.train("one", ["case_0"], iterations=4, **RECIPE)
    record = found.record
    assert record["labels"].keys() == {"case_0"} and record["validation"].keys() == {"case_3"}
    assert record["unlabelled"] == ["case_2", "case_1"] and record["parent"] is None
    read = read_json(found.path / "inputs.json", "the inputs")["images"]
    assert not set(read) & set(experiment.test)
    assert found.predicted_cases() == [] and found.best_path.exists()
    predictions = dict(experiment.predictions(found, experiment.test))
    assert list(predictions) == experiment.test
    best = dict(experiment.predictions(found, ["case_4"], best=True))
    assert best["case_4"].segmentation.shape == predictions["case_4"].segmentation.shape == (10, 14, 12)
    assert experiment.model(found).step == 4 and experiment.model(found, best=True).step <= 4


def test_a_finished_round_is_not_trained_again_and_its_name_stands_for_one_recipe(experiment, in_this_process):
    first = experiment.train("one", ["case_0"], iterations=2, **RECIPE)
    assert experiment.train("one", ["case_0"], iterations=2, **RECIPE) == first
    assert in_this_process == [1]
    for asked in ({"iterations": 3}, {"iterations": 2, "seed": 1}):
        with pytest.raises(MetaSSLError, match="0001 is another training of the name 'one': it differs in config"):
            experiment.train("one", ["case_0"], **{**RECIPE, **asked})
    with pytest.raises(MetaSSLError, match="differs in labels, unlabelled"):
        experiment.train("one", ["case_1"], iterations=2, **RECIPE)
    second = experiment.train("two", ["case_0", "case_1"], iterations=2, parent=first, **RECIPE)
    assert second.number == 2 and second.record["parent"] == 1


@pytest.mark.parametrize(
    ("labelled", "length", "reason"),
    [
        (["case_4"], {"iterations": 2}, "cannot learn from case_4"),
        (["case_3"], {"iterations": 2}, "cannot learn from case_3"),
        ([], {"iterations": 2}, "no case at all"),
        (["case_0"], {}, "minutes or of iterations"),
        (["case_0"], {"iterations": 2, "minutes": 1.0}, "minutes or of iterations"),
    ],
)
def test_what_cannot_be_trained_is_refused_and_makes_no_round(experiment, labelled, length, reason):
    with pytest.raises(MetaSSLError, match=reason):
        experiment.train("one", labelled, **length, **RECIPE)
    assert experiment.project.rounds() == []


def test_another_version_of_a_label_is_learnt_from_when_asked(experiment, in_this_process):
    true = experiment.known.versions["case_0"]
    label, geometry = experiment.project.read_label("case_0")
    wrong = experiment.project.add_label("case_0", (np.where(label == 2, 0, label).astype(np.uint8), geometry))
    experiment.project.add_label("case_0", (label, geometry))
    found = experiment.train("wrong", ["case_0"], iterations=2, label_versions={"case_0": wrong}, **RECIPE)
    assert found.record["labels"] == {"case_0": wrong} and wrong != true
    assert Experiment.open(experiment.project.path, Path(experiment.known.data)).known.versions["case_0"] == true


def test_the_minutes_can_be_those_of_the_processor(experiment, in_this_process):
    found = experiment.train("one", ["case_0"], minutes=0.02, clock="processor", **RECIPE)
    assert found.record["config"]["clock"] == "processor"
    assert load_checkpoint(found.last_checkpoint_path)["step"] >= 12


def test_the_cache_is_filled_before_the_minutes_begin(experiment, in_this_process, monkeypatch):
    seen = []
    launch = InThisProcess.launch

    def look(self, found):
        seen.append((found.plan_path.exists(), len(list((experiment.project.path / "cache").iterdir()))))
        record = launch(self, found)
        seen.append(len(list((experiment.project.path / "cache").iterdir())))
        return record

    monkeypatch.setattr(InThisProcess, "launch", look)
    experiment.train("one", ["case_0"], iterations=2, **RECIPE)
    (planned, before), after = seen
    assert planned and before == after > 0


def test_a_failed_training_is_named_with_its_log(experiment, in_this_process, monkeypatch):
    def failing(self, found) -> JobRecord:
        JobWriter(found, every_s=0.0).write("failed", message="the disk is full", hint="")
        return JobRecord.of(os.getpid())

    monkeypatch.setattr(InThisProcess, "launch", failing)
    with pytest.raises(MetaSSLError, match=r"'one' \(round 0001\) failed: the disk is full; see .*log.txt"):
        experiment.train("one", ["case_0"], iterations=2, **RECIPE)


def test_ctrl_c_stops_the_training_gracefully_and_it_goes_on_where_it_was(experiment, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def interrupted(found):
        status = job_status(found)
        if status.state == "running" and status.stage == "training":
            raise KeyboardInterrupt
        return status

    with monkeypatch.context() as patch:
        patch.setattr("metassl_research.experiment.job_status", interrupted)
        with pytest.raises(KeyboardInterrupt):
            experiment.train("one", ["case_0"], iterations=20, **RECIPE)
    found = experiment.project.round(1)
    assert [event.event for event in read_events(found.events_path)][-1] == "paused"
    assert not JobRecord.read(found.job_path).alive()
    stopped = load_checkpoint(found.last_checkpoint_path)["step"]
    assert 0 < stopped < 20

    assert experiment.train("one", ["case_0"], iterations=20, **RECIPE) == found
    starts = [event.resumed_from for event in read_events(found.events_path) if event.event == "started"]
    assert starts == [None, stopped] and experiment.model(found).step == 20
