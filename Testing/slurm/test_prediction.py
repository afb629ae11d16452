"""A cohort predicted by an array of tasks of a real Slurm."""

from __future__ import annotations

import time

import pytest
from cli_output import run
from faults.killed_worker_cohort import ball_project
from metassl.jobs.share import shares_of
from metassl.project import Project
from on_cluster import start, wait


@pytest.fixture
def trained(cluster, tmp_path):
    project = ball_project(tmp_path / "project", tmp_path / "images", cases=12)
    found = start(project, iterations=3, predict=1)
    assert wait(found).state == "finished"
    return project, found


def test_an_array_predicts_all_cases_though_a_node_is_lost(trained, cluster, slurm, capsys, monkeypatch):
    project, found = trained
    waiting = [case.id for case in project.unlabelled_cases()]
    run(capsys, "predict", project.path, "--on", "cluster", "--tasks", "2", "--detach", "--cases", *waiting)
    (share,) = shares_of(found)
    end = time.monotonic() + 600
    while not share.standings().claims and time.monotonic() < end:
        time.sleep(0.1)
    slurm.lose_node(slurm.run("squeue", "-h", "-t", "R", "-o", "%N").split()[0])
    while not share.ended_path.exists() and time.monotonic() < end:
        slurm.run("scontrol", "update", f"jobid={share.job}", "starttime=now")
        time.sleep(0.5)
    seen = share.standings()
    assert seen.done == set(waiting) and not seen.failed
    assert set(found.predicted_cases()) >= set(waiting)
    states = {case.state for case in Project.open(project.path).unlabelled_cases()}
    assert states == {"predicted"} and found.ranking_path.exists()
