"""A training as a job of a real Slurm: whatever befalls it, nothing is lost and every end has a reason."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import torch
from faults.killed_worker_cohort import ball_project
from metassl.files.errors import BusyError, ProjectError
from metassl.files.json_files import read_json
from metassl.jobs import JobRecord, TrainingLock, get_launcher, launcher_of, read_events
from metassl.jobs.start import start_training
from metassl.machines import write_machine
from metassl.project import Project
from on_cluster import TRAINING, at_once, job_of, start, trains, wait, weights


@pytest.fixture
def project(tmp_path) -> Project:
    return ball_project(tmp_path / "project", tmp_path / "images")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict:
    """The weights of the same training, of one process on this computer that nobody disturbs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        folder = tmp_path_factory.mktemp("undisturbed")
        found = start_training(ball_project(folder / "project", folder / "images"), **TRAINING)
        assert wait(found).state == "finished"
    return weights(found)


def check_whole(project, found, undisturbed: dict) -> None:
    """It has ended as if nothing had happened: to the bit, with all predictions, and one process after the other."""
    status = wait(found)
    assert status.state == "finished", (status, found.log_path.read_text(encoding="utf-8"))
    theirs = weights(found)
    assert theirs.keys() == undisturbed.keys()
    assert [name for name in theirs if not torch.equal(theirs[name], undisturbed[name])] == []
    assert found.predicted_cases() == ["ball2", "ball3", "ball4"]
    numbers = [event.seq for event in read_events(found.events_path)]
    assert numbers == list(range(1, len(numbers) + 1))
    end = time.monotonic() + 10
    while TrainingLock(project.path).busy() is not None and time.monotonic() < end:
        time.sleep(0.1)
    assert TrainingLock(project.path).busy() is None


def test_a_training_on_a_node_ends_as_one_on_this_computer(cluster, project, undisturbed):
    found = start(project)
    record = JobRecord.read(found.job_path)
    assert (record.launcher, record.machine) == ("slurm", "cluster") and record.job.isdecimal()
    status = wait(found, trains)
    assert status.machine == "cluster" and status.pid and status.host
    with pytest.raises(BusyError, match=f"the job {record.job} on cluster"):
        start_training(project, new_round=True)
    check_whole(project, found, undisturbed)


def test_a_lost_node_costs_nothing(cluster, slurm, project, undisturbed):
    found = start(project)
    wait(found, lambda status: trains(status, 5) and found.last_checkpoint_path.exists())
    node = slurm.run("squeue", "-h", "-o", "%N").strip()
    slurm.lose_node(node)
    status = wait(found, lambda status: status.state == "queued")
    assert status.step > 0 and status.queue
    at_once(slurm, found)
    check_whole(project, found, undisturbed)
    resumed = [event.resumed_from for event in read_events(found.events_path) if event.event == "started"]
    assert len(resumed) == 2 and resumed[0] is None and resumed[1] > 0, resumed


@pytest.mark.parametrize("grace", [0, 10])
def test_who_has_to_make_room_goes_on_where_it_was(cluster, slurm, project, undisturbed, grace):
    """grace: seconds in which it works on; Slurm tells it nothing before they are over."""
    slurm.run("scontrol", "update", "partitionname=p", f"gracetime={grace}")
    write_machine(replace(cluster, setup=(*cluster.setup, "export STEP_S=1")))
    found = start(project)
    wait(found, lambda status: trains(status, 5))
    slurm.run("sbatch", "-p", "urgent", "-N2", "--exclusive", "--output=/dev/null", "--wrap", "sleep 20")
    status = wait(found, lambda status: status.state == "queued")
    assert status.queue and status.step > 0 and not status.is_over
    at_once(slurm, found)
    check_whole(project, found, undisturbed)
    assert [event.event for event in read_events(found.events_path)].count("started") == 2


def test_a_job_whose_time_is_up_is_put_back_and_goes_on(cluster, slurm, project, undisturbed):
    write_machine(replace(cluster, time="2", setup=(*cluster.setup, "export STEP_S=8")))
    found = start(project)
    while wait(found, lambda status: status.is_over or (status.state == "queued" and status.step)).state == "queued":
        at_once(slurm, found)
        wait(found, lambda status: status.state != "queued")
    check_whole(project, found, undisturbed)
    kinds = [event.event for event in read_events(found.events_path)]
    assert kinds.count("started") >= 2 and "requeued" in kinds and "paused" not in kinds
    assert JobRecord.read(found.job_path).job == job_of(found)


def test_a_cancelled_job_says_so_and_can_go_on(cluster, slurm, project, undisturbed):
    found = start(project)
    wait(found, lambda status: trains(status, 5))
    job = job_of(found)
    slurm.run("scancel", job)
    status = wait(found)
    assert status.state == "interrupted" and status.message == f"the job {job} on cluster was cancelled"
    assert f"metassl train {project.path}" in status.hint
    assert start(project) == found and job_of(found) != job
    check_whole(project, found, undisturbed)


def test_a_stopped_training_goes_on_later_on_this_computer(cluster, slurm, project, undisturbed, monkeypatch):
    found = start(project)
    wait(found, lambda status: trains(status, 5))
    launcher_of(found).stop(found)
    status = wait(found)
    assert status.state == "paused" and not status.message
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert start_training(project, launcher="local") == found
    assert JobRecord.read(found.job_path).launcher == "local"
    check_whole(project, found, undisturbed)


def test_a_job_waits_with_its_reason_and_is_stopped_there(cluster, slurm, project):
    for _ in range(2):
        slurm.run("sbatch", "--exclusive", "--output=/dev/null", "--wrap", "sleep 300")
    found = start(project, iterations=3)
    status = wait(found, lambda status: "Resources" in status.queue)
    assert (status.state, status.machine) == ("queued", "cluster")
    assert status.queue == "waits until nodes are free (Resources)"
    with pytest.raises(BusyError, match="on cluster"):
        start_training(project, new_round=True)
    launcher_of(found).stop(found)
    status = wait(found)
    assert status.state == "interrupted" and "was cancelled by `metassl stop`" in status.message
    assert slurm.state(job_of(found)) == "CANCELLED" and TrainingLock(project.path).busy() is None
    assert start_training(project, launcher="local") == found, "and goes on here"
    assert wait(found).state == "finished"


def test_the_test_of_a_machine_finds_what_is_there_and_what_is_not(cluster):
    assert [(check.what, check.is_fine) for check in get_launcher("slurm", "cluster").check()] == [
        ("Slurm", True),
        ("its partitions", True),
        ("Python there", True),
        ("packages", True),
    ]
    write_machine(replace(cluster, partition="nowhere", python="/nowhere/python"))
    checks = {check.what: check for check in get_launcher("slurm", "cluster").check()}
    assert not checks["the partition nowhere"].is_fine and not checks["Python there"].is_fine
    write_machine(replace(cluster, gpus=1))
    assert "no node has a GPU" in get_launcher("slurm", "cluster").check()[1].words


def test_what_slurm_does_not_take_is_said_in_its_own_words(cluster, slurm, project):
    write_machine(replace(cluster, partition="nowhere"))
    with pytest.raises(ProjectError, match="cluster did not take the job: .*Invalid partition"):
        start(project)
    assert TrainingLock(project.path).busy() is None


def test_a_job_that_cannot_begin_says_why(cluster, slurm, project):
    write_machine(replace(cluster, python="/nowhere/python"))
    found = start(project)
    status = wait(found)
    assert status.state == "interrupted" and "/nowhere/python" in status.message, status


def test_slurm_that_does_not_answer_is_a_note_and_no_end(cluster, slurm, project, monkeypatch):
    write_machine(replace(cluster, setup=(*cluster.setup, "export STEP_S=4")))
    found = start(project)
    wait(found, lambda status: trains(status, 1))
    monkeypatch.setenv("SLURM_CONF", "/nowhere/slurm.conf")
    status = wait(found, lambda status: any("does not say" in warning for warning in status.warnings))
    assert status.state == "running" and status.stage == "training"


def test_two_processes_begin_and_one_goes_on(cluster, slurm, project):
    write_machine(replace(cluster, setup=(*cluster.setup, "export METASSL_PROCESSES=2")))
    found = start(project)
    wait(found, lambda status: trains(status, 5))
    assert read_json(found.plan_path, "the plan")["batch"] == [2, 2], "a patch of either kind for each"
    slurm.run("scancel", job_of(found))
    assert wait(found).state == "interrupted"
    write_machine(cluster)
    assert start(project) == found
    assert wait(found).state == "finished" and found.predicted_cases() == ["ball2", "ball3", "ball4"]
    events = read_events(found.events_path)
    first, second = [event for event in events if event.event == "started"]
    assert second.resumed_from > 0
    losses = [event.loss["total"] for event in events if event.event == "progress" and event.loss]
    assert losses[-1] < losses[0]
