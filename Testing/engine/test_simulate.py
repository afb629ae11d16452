"""`metassl simulate` from end to end: real trainings on six tiny cases."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from in_process import trainings_in_this_process
from machine import PATIENCE_S
from metassl.choices.strategies import STRATEGY_NAMES
from metassl.cli import main
from metassl.imaging import read_labels
from metassl.project import Project
from metassl.selection.base import annotation_minutes
from metassl.selection.context import Context, read_labelled
from metassl_research.experiment import Experiment
from metassl_research.simulation.annotator import Annotator
from metassl_research.simulation.learner import ExperimentLearner
from metassl_research.simulation.loop import Simulation
from metassl_research.simulation.results import Results
from metassl_research.simulation.settings import Settings


@pytest.fixture
def data(decathlon: Path) -> Path:
    names = [f"case_{number}" for number in range(6)]
    split = {"train_order": names[:4], "val": [], "test": names[4:]}
    (decathlon / "splits.json").write_text(json.dumps(split), encoding="utf-8")
    return decathlon


def words(data: Path, out: Path, rounds: int) -> list[str]:
    recipe = ["--strategies", "discrepancy", "--seeds", "1", "--iterations", "2", "--device", "cpu"]
    return ["simulate", "--data", str(data), "--out", str(out), "--rounds", str(rounds), *recipe]


def killed_after_the_first_point(command: list[str], out: Path) -> None:
    process = subprocess.Popen([sys.executable, "-m", "metassl", *command], stdout=subprocess.DEVNULL)
    end = time.monotonic() + PATIENCE_S
    while not out.exists() and time.monotonic() < end:
        assert process.poll() is None, "the simulation ended before its first point"
        time.sleep(0.02)
    process.kill()
    process.wait()


def test_a_killed_simulation_goes_on_and_ends_with_table_and_plot(data, tmp_path, capsys, monkeypatch):
    out = tmp_path / "run.json"
    killed_after_the_first_point(words(data, out, 1), out)
    first = json.loads(out.read_text("utf-8"))["seeds"][0]["first"]

    with trainings_in_this_process(monkeypatch):
        assert main(words(data, out, 2)) == 0  # goes on with the round that was cut short, and adds another
    content = json.loads(out.read_text("utf-8"))
    seed = content["seeds"][0]
    project = Project.open(tmp_path / "run")
    points = seed["strategies"]["discrepancy"]
    assert len(project.rounds()) == 3, "a training was done twice"
    assert seed["first"] == first and [each["labels"] for each in points] == [2, 3]
    assert [each["parent"] for each in points] == [first["round"], points[0]["round"]]
    for before, point in zip([first, points[0]], points, strict=True):
        (chosen,) = point["chosen"]
        assert point["labelled"] == [*before["labelled"], chosen["case"]]
        assert chosen["case"] in content["cases"]["train"] and chosen["case"] not in before["labelled"]
        assert annotation_minutes(0) < chosen["minutes"] <= annotation_minutes(chosen["wrong_voxels"])
        assert point["minutes"] == pytest.approx(before["minutes"] + chosen["minutes"])
        assert 0 <= point["dice"]["mean"] <= 1 and set(point["dice"]["per_class"]) == {"Front", "Back"}
        assert sum(errors for _, errors in point["regions"]) >= chosen["wrong_voxels"]
        record = project.round(point["round"]).record
        assert list(record["labels"]) == point["labelled"]
        assert not set(record["labels"]) & set(content["cases"]["test"])
    told = capsys.readouterr().out
    assert "discrepancy" in told and "2 trainings to go" in told
    assert out.with_suffix(".md").exists() and out.with_suffix(".svg").exists()

    written = out.read_text("utf-8")
    assert main(words(data, out, 2)) == 0 and len(project.rounds()) == 3
    assert "0 trainings to go" in capsys.readouterr().out
    assert json.loads(out.read_text("utf-8")) == json.loads(written)
    assert main([*words(data, out, 2), "--framework", "mt"]) == 2
    assert "--framework mt (it has cps)" in capsys.readouterr().err

    learner = ExperimentLearner(Experiment.open(tmp_path / "run", data), Settings("Boxes", ("random",), iterations=2))
    every_strategy_ranks_what_the_model_predicts(learner, first["round"], out)
    the_annotator_counts_what_differs(learner, first["round"])


def every_strategy_ranks_what_the_model_predicts(learner: ExperimentLearner, number: int, out: Path) -> None:
    found = learner.round(number)
    labelled = read_labelled(found)
    assert len(labelled) == 1 and labelled[0].features is not None and labelled[0].volumes["Front"] > 0
    simulation = Simulation(learner, None, None, Results(out, {}))
    pool = [case for case in learner.train_order if case != labelled[0].case]
    for name in STRATEGY_NAMES:
        ranked = simulation._ranked(found, pool, name, Context(1, 0, labelled))
        assert sorted(each.case for each in ranked) == pool and all(each.reason for each in ranked)
        if name == "diversity":
            assert "labelled case" in ranked[0].reason and ranked[0].score > 0


def the_annotator_counts_what_differs(learner: ExperimentLearner, number: int) -> None:
    truth = learner._experiment.truth
    annotator = Annotator(truth, learner.labels)
    case, prediction = next(learner.predictions(learner.round(number), ["case_0"]))
    label, _ = read_labels(truth("case_0"), "case_0")
    wrong = int((prediction.segmentation != label).sum())
    found = annotator.correct(case, prediction)
    assert found.wrong_voxels == wrong == found.regions.counts[:, 1].sum()
    assert found.minutes == annotation_minutes(min(wrong, np.count_nonzero(label)))
    prediction.segmentation[:] = 1
    assert annotator.correct(case, prediction).minutes == annotator.minutes_from_scratch(case)
    prediction.segmentation[:] = label
    assert annotator.correct(case, prediction).minutes == annotation_minutes(0)
    assert annotator.dice(case, prediction) == {"Front": 1.0, "Back": 1.0}
    assert annotator.minutes_from_scratch(case) == annotation_minutes(np.count_nonzero(label))
