"""A project that is copied there, and what comes back."""

from __future__ import annotations

import re

import numpy as np
from faults.killed_worker_cohort import BALL, GRID, ball_project
from metassl.jobs import TrainingLock, launcher_of
from metassl.jobs.start import start_training
from metassl.project.round_files import read_ranking
from there import same_weights, steps, the_end, told, train_on, wait_until, workers


def files_sent(found) -> int:
    """How many were sent for a round."""
    return int(re.findall(r"(\d+) files \([\d.]+ MB\) were sent", found.log_path.read_text(encoding="utf-8"))[0])


def test_a_training_there_ends_as_one_here(sshd, machine, project, tmp_path):
    here = train_on(None, ball_project(tmp_path / "same", tmp_path / "same_scans"))
    there = train_on(machine, project)
    the_end(here)
    status = the_end(there)
    assert (status.state, status.machine, status.predicted) == ("finished", "gpu-room", 3), status
    assert same_weights(there.model_path, here.model_path)
    assert [entry.case for entry in read_ranking(there).cases] == [entry.case for entry in read_ranking(here).cases]
    assert there.predicted_cases() == here.predicted_cases()
    assert {project.case(each).state for each in ("ball2", "ball3", "ball4")} == {"predicted"}
    wait_until(lambda: not workers(sshd.home) and not sshd.sessions(), what="the end of all that was started there")
    assert TrainingLock(project.path).busy() is None


def test_images_are_sent_once_and_a_label_made_meanwhile_stays(sshd, machine, project):
    first = train_on(machine, project)
    wait_until(lambda: steps(first))
    ball = np.full(GRID.shape_zyx, BALL, np.uint8)
    version = project.add_label("ball3", (ball, GRID), state="corrected")
    assert the_end(first).state == "finished"
    case = project.case("ball3")
    assert (case.label_version, case.state) == (version, "corrected")
    assert np.array_equal(project.read_label("ball3")[0], ball)
    second = train_on(machine, project)
    status = the_end(second)
    assert status.state == "finished", status
    assert (second.record["parent"], second.record["labels"]["ball3"]) == (first.number, version)
    copied = sorted(path.name for path in sshd.home.rglob("ball*.nii.gz"))
    assert copied == [f"ball{number}.nii.gz" for number in range(6)]
    assert files_sent(second) < files_sent(first)


def test_it_stops_when_it_is_asked_and_goes_on_there(sshd, machine, project):
    found = train_on(machine, project, 500)
    wait_until(lambda: steps(found))
    launcher_of(found).stop(found)
    status = the_end(found)
    assert (status.state, status.message) == ("paused", "") and 0 < status.step < 500
    assert found.last_checkpoint_path.is_file() and not workers(sshd.home)
    assert start_training(project) == found  # nobody says where: where it was begun
    wait_until(lambda: [event for event in told(found, "started") if event.resumed_from == status.step])
    assert workers(sshd.home)
    assert launcher_of(found).stop_now(found)
    assert the_end(found).state == "interrupted"
    assert not workers(sshd.home) and not workers(project.path)


def test_what_was_stopped_there_goes_on_here(sshd, machine, project):
    found = train_on(machine, project, 12)
    wait_until(lambda: steps(found))
    launcher_of(found).stop(found)
    step = the_end(found).step
    assert start_training(project, launcher="local") == found
    status = the_end(found)
    assert (status.state, status.machine) == ("finished", "")
    assert told(found, "started")[-1].resumed_from == step
    assert not workers(sshd.home)
