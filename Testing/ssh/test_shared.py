"""A project in a folder that both computers have, by two names; and two people on one machine."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from faults.killed_worker_cohort import ball_project
from metassl.files import BusyError
from metassl.jobs import JobRecord, TrainingLock, job_status, launcher_of
from metassl.jobs.process import kill
from metassl.machines import Machine, write_machine
from metassl.machines.ssh.launcher import SshLauncher
from sshd import ALIAS
from there import steps, the_end, told, train_on, wait_until, workers


@pytest.fixture
def share(sshd, tmp_path, monkeypatch) -> tuple[Machine, Path]:
    """The machine has the folder `share` as `mounted`, which no process here may know."""
    (tmp_path / "share").mkdir()
    (tmp_path / "mounted").symlink_to(tmp_path / "share")
    maps = ((str(tmp_path / "share"), str(tmp_path / "mounted")),)
    found = Machine("gpu-room", "ssh", host=ALIAS, python=sys.executable, maps=maps)
    write_machine(found)
    monkeypatch.setattr(SshLauncher, "every_s", 0.5)
    return found, tmp_path / "share"


def test_nothing_is_copied_and_paths_are_told_as_they_are_here(share, sshd, tmp_path):
    machine, folder = share
    project = ball_project(folder / "project", folder / "scans")
    (folder / "scans" / "ball4.nii.gz").unlink()
    found = train_on(machine, project)
    status = the_end(found)
    wait_until(lambda: TrainingLock(project.path).busy() is None)
    assert (status.state, status.predicted, status.machine) == ("finished", 2, "gpu-room"), status
    assert list(status.failed_cases) == ["ball4"]
    assert str(folder / "scans" / "ball4.nii.gz") in status.failed_cases["ball4"]
    assert "mounted" not in found.events_path.read_text(encoding="utf-8")
    assert not list(sshd.home.rglob("*.nii.gz")) and not list(sshd.home.rglob("cases.json"))


def test_it_is_one_training_at_a_time_and_a_killed_one_is_told_and_goes_on(share):
    machine, folder = share
    project = ball_project(folder / "project", folder / "scans")
    found = train_on(machine, project, 500)
    wait_until(lambda: steps(found))
    with pytest.raises(BusyError, match="the job .* on gpu-room"):
        train_on(None, project, patience_s=0.0)
    kill(JobRecord.read(found.job_path).pid)
    status = wait_until(lambda: job_status(found).is_over and job_status(found))
    assert status.state == "interrupted" and "ended without a word" in status.message
    assert train_on(machine, project, None) == found
    wait_until(lambda: len(told(found, "started")) == 2)
    launcher_of(found).stop(found)
    wait_until(lambda: job_status(found).state == "paused")
    wait_until(lambda: not workers(folder.parent))


def test_a_folder_that_is_not_mounted_there_is_told_and_nothing_starts(share):
    machine, folder = share
    write_machine(replace(machine, maps=((str(folder), "/nowhere/mounted"),)))
    project = ball_project(folder / "project", folder / "scans")
    with pytest.raises(Exception, match="is the shared folder mounted, and the map of it right"):
        train_on(machine, project)
    assert TrainingLock(project.path).busy() is None


def test_two_people_with_a_project_of_one_name_do_not_meet(sshd, machine, tmp_path):
    write_machine(replace(machine, folder=str(tmp_path / "everybody")))
    mine = ball_project(tmp_path / "me" / "balls", tmp_path / "me" / "scans")
    theirs = ball_project(tmp_path / "you" / "balls", tmp_path / "you" / "scans", cases=5)
    first, second = train_on(machine, mine), train_on(machine, theirs)
    assert (the_end(first).state, the_end(second).state) == ("finished", "finished")
    assert (job_status(first).predicted, job_status(second).predicted) == (3, 3)
    assert len(list((tmp_path / "everybody").rglob("cases.json"))) == 2
