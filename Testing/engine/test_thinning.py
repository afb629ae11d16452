"""Freeing the disk: what goes can be made again, what stays is all the rest."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from metassl.cli import main
from metassl.files.errors import BusyError, ProjectError
from metassl.inference.predict import predict_project
from metassl.jobs import JobWriter
from metassl.jobs.lock import TrainingLock
from metassl.jobs.thinning import plan_thinning, thin
from metassl.project import Project
from metassl.project.round_choice import review_round
from metassl.training import disk
from metassl.training.disk import tell_of_disk, thin_after
from predicting import predict
from random_model import add_round as random_model_round
from random_model import random_model
from tiny_plan import tiny_plan

CASES = ("case_3", "case_4")
MODEL, CHECKPOINT = b"m" * 1000, b"c" * 3000


@pytest.fixture
def project(tiny_project, make_grid):
    """Four finished rounds that predicted two cases each."""
    for _number in range(4):
        add_round(tiny_project, make_grid())
    return tiny_project


def add_round(project, grid, state: str = "finished", labels=()) -> None:
    found = project.new_round({"config": {}, "labels": dict.fromkeys(labels, "0")})
    for case in CASES:
        predict(project, case, grid)
    found.model_path.write_bytes(MODEL)
    found.last_checkpoint_path.write_bytes(CHECKPOINT)
    JobWriter(found, every_s=0.0).write(
        "paused" if state == "paused" else "finished", **({"step": 1} if state == "paused" else {"seconds": 1.0})
    )


def with_maps(project) -> dict[int, list[str]]:
    return {
        found.number: [case for case in CASES if found.prediction(case).segmentation.exists()]
        for found in project.rounds()
    }


def test_maps_of_old_rounds_go_and_those_of_the_newest_two_stay(project):
    before = project.predictions()
    plan_thinning(project).apply()
    assert with_maps(project) == {1: [], 2: [], 3: [*CASES], 4: [*CASES]}
    assert project.predictions() == before
    for found in project.rounds():
        assert found.model_path.read_bytes() == MODEL and found.record_path.exists() and found.status_path.exists()
    assert project.round(1).prediction("case_3").thinned.exists()
    assert plan_thinning(project).spare == 0


def test_what_is_said_to_be_freed_is_freed(project):
    (project.path / "cache" / "entry").mkdir()
    (project.path / "cache" / "entry" / "array.npy").write_bytes(b"x" * 5000)

    def used() -> int:
        return sum(path.stat().st_size for path in project.path.rglob("*") if path.is_file())

    plan, before = plan_thinning(project), used()
    plan.apply()
    assert plan.spare == before - used() > 5000


def test_the_prediction_that_was_corrected_stays_for_the_error_rates(project, make_grid, make_case):
    add_round(project, make_grid(), labels=["case_3"])  # round 5 has seen the label of case_3: only round 4 had not
    plan_thinning(project, keep=1).apply()
    assert with_maps(project) == {1: [], 2: [], 3: [], 4: ["case_3"], 5: [*CASES]}


def test_a_round_that_was_chosen_for_review_stays_whole(project):
    review_round(project, 1)
    plan_thinning(project, keep=1).apply()
    assert with_maps(project) == {1: [*CASES], 2: [], 3: [], 4: [*CASES]}


def test_a_round_that_can_go_on_keeps_its_checkpoint(project, make_grid):
    add_round(project, make_grid(), state="paused")
    plan_thinning(project).apply()
    assert [found.last_checkpoint_path.exists() for found in project.rounds()] == [False] * 4 + [True]


def test_nothing_is_removed_while_something_is_trained(project):
    lock = TrainingLock(project.path)
    lock.acquire("round 0005")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as trainer:
        lock.transfer(trainer.pid)
        with pytest.raises(BusyError, match="round 0005"):
            plan_thinning(project).apply()
        assert with_maps(project)[1] == [*CASES]


def test_thinning_that_was_cut_short_leaves_no_half_prediction_and_can_be_done_again(project):
    paths = project.round(1).prediction("case_3")
    paths.summary.replace(paths.thinned)  # killed here: the maps are still there
    assert "case_3" not in project.round(1).predicted_cases()
    plan_thinning(project).apply()
    assert with_maps(project)[1] == []


def test_a_thinned_round_says_why_it_cannot_be_reviewed_and_can_again_once_it_is_predicted(project, make_grid):
    for case in CASES:
        thin(project.round(1).prediction(case))
    with pytest.raises(ProjectError, match="maps were removed"):
        review_round(project, 1)
    paths = project.round(1).prediction("case_3")
    paths.thinned.replace(paths.summary)  # what a prediction writes last
    review_round(project, 1)


def test_a_link_out_of_the_project_is_not_followed(project, tmp_path):
    outside = tmp_path / "elsewhere"
    folder = project.round(1).predictions
    (folder / "case_3").rename(outside)
    (folder / "case_3").symlink_to(outside, target_is_directory=True)
    with pytest.raises(ProjectError, match="link"):
        plan_thinning(project).apply()
    assert (outside / "segmentation.nrrd").exists()


def test_the_command_shows_first_and_removes_when_told(project, capsys):
    assert main(["clean", str(project.path)]) == 0
    shown = capsys.readouterr().out
    assert "nothing is removed yet" in shown and "--yes" in shown and "0004   finished" in shown
    assert with_maps(project)[1] == [*CASES]
    assert main(["clean", str(project.path), "--keep", "1", "--yes", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["removed"] and [cost["cases"] for cost in result["rounds"]] == [2, 2, 2, 0]
    assert with_maps(project) == {1: [], 2: [], 3: [], 4: [*CASES]}
    assert main(["clean", str(project.path)]) == 0
    assert "nothing can go" in capsys.readouterr().out


def test_what_went_can_be_predicted_again_by_its_round_and_is_what_it_was(tiny_project):
    rounds = [random_model_round(tiny_project, random_model(tiny_project, seed=number)) for number in range(3)]
    for found in rounds:
        predict_project(tiny_project, device="cpu", found=found)
    first = rounds[0].prediction("case_3")
    before = {path.name: path.read_bytes() for path in first.maps if path.exists()}
    plan_thinning(tiny_project).apply()
    assert rounds[0].predicted_cases() == [] and rounds[2].predicted_cases() == ["case_3", "case_4", "case_5"]
    assert main(["predict", str(rounds[0].path), "--device", "cpu"]) == 0
    assert rounds[0].predicted_cases() == ["case_3", "case_4", "case_5"]
    assert {path.name: path.read_bytes() for path in first.maps if path.exists()} == before
    review_round(tiny_project, 1)


def test_older_rounds_lose_their_maps_at_the_end_of_a_training_only_where_that_is_the_rule(project, capsys):
    told = []

    class Ended:
        def __init__(self):
            self.project, self.warn = project, told.append

    thin_after(Ended())
    assert with_maps(project)[1] == [*CASES] and not told
    assert main(["clean", str(project.path), "--always"]) == 0
    assert "at the end of each training" in capsys.readouterr().out and with_maps(project)[1] == [*CASES]
    thin_after(Ended())
    assert with_maps(project) == {1: [], 2: [], 3: [*CASES], 4: [*CASES]}
    assert len(told) == 1 and "clean --always" in told[0]
    assert main(["clean", str(project.path), "--never"]) == 0 and "thin" not in project.settings


def test_a_training_says_before_what_its_maps_will_take(tiny_project, monkeypatch):
    told, plan = [], tiny_plan()

    class Begun:
        project, warn, config = tiny_project, told.append, {"predict": None}

    class Large:
        image = np.lib.stride_tricks.as_strided(np.zeros(1, np.float16), (1, 300, 512, 512), (0, 0, 0, 0))

    tell_of_disk(Begun, plan, [Large] * 3)
    assert not told, "under a tenth of a gigabyte"
    tell_of_disk(Begun, plan, [Large] * 50)
    assert "the maps of 50 cases will take about 1.4" in told[0] and "are free" in told[0] and "clean" not in told[0]
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: SimpleNamespace(free=10**9))
    tell_of_disk(Begun, plan, [Large] * 50)
    assert "metassl clean" in told[1]


@pytest.mark.parametrize("words", [("--keep", "5"), ("--keep-cache",)], ids=" ".join)
def test_a_rule_for_each_training_takes_no_options_that_it_would_forget(tiny_project, capsys, words):
    assert main(["clean", str(tiny_project.path), "--always", *words]) == 2
    assert "--always keeps all maps of the 2 newest rounds" in capsys.readouterr().err
    assert "thin" not in Project.open(tiny_project.path).settings
