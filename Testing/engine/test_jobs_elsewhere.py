"""A job on another machine: where it stands, whose lock it is, and what is asked of the machine."""

from __future__ import annotations

import os
import threading
import time

import pytest
from metassl.choices.descriptions import LauncherDescription
from metassl.files.errors import BusyError, ProjectError
from metassl.jobs import JobRecord, JobWriter, Standing, TrainingLock, job_status, launcher, standing
from metassl.jobs.lock import JOB_VARIABLE
from metassl.jobs.start import launch_round, start_training, take_over
from metassl.project import Project


class Attic:
    """A machine that says what a test has written down, and remembers how often it was asked."""

    says = Standing("queued", "waits for the cat")
    asked = 0
    every_s = 0.0
    slow = threading.Event()

    def __init__(self, machine: str) -> None:
        self.machine = machine

    def launch(self, round, python=None, environment=None) -> JobRecord:
        record = JobRecord.elsewhere("attic", self.machine, "77")
        record.after = 0
        record.write(round.job_path)
        return record

    def standing(self, record) -> Standing:
        type(self).asked += 1
        if isinstance(Attic.says, Exception):
            raise Attic.says
        Attic.slow.wait(20)
        return Standing(Attic.says.state, Attic.says.reason)


@pytest.fixture(autouse=True)
def attic(monkeypatch):
    description = LauncherDescription("attic", "the attic", f"{__name__}:Attic", machine=True)
    monkeypatch.setitem(launcher.LAUNCHERS, "attic", description)
    monkeypatch.setattr(launcher, "load", lambda path: Attic if path.endswith(":Attic") else launcher.LocalLauncher)
    monkeypatch.setattr(standing, "_KNOWN", {})
    for name, value in {"says": Attic.says, "asked": 0, "every_s": 0.0, "slow": threading.Event()}.items():
        monkeypatch.setattr(Attic, name, value)
    Attic.slow.set()


@pytest.fixture
def launched(tiny_project):
    found = start_training(tiny_project, iterations=3, launcher="attic", machine="above")
    return tiny_project, found


def says(state: str, reason: str = "") -> None:
    Attic.says = Standing(state, reason)


def test_a_job_that_waits_says_why(launched):
    _, found = launched
    status = job_status(found)
    assert (status.state, status.queue, status.machine) == ("queued", "waits for the cat", "above")
    assert status.is_going_on and not status.is_over
    says("running", "runs on the sofa")
    assert (job_status(found).state, job_status(found).stage) == ("running", "")


def test_what_it_says_itself_counts_while_it_runs_and_at_its_end(launched):
    _, found = launched
    says("running")
    with JobWriter(found, every_s=0.0) as events:
        events.write("started", device="cpu")
        events.write("progress", stage="training", step=2, total=3)
        assert (job_status(found).state, job_status(found).step) == ("running", 2)
        events.write("finished", seconds=1.0)
    says("ended", "has ended")
    asked = Attic.asked
    assert job_status(found).state == "finished" and Attic.asked == asked, "nobody is asked of what is over"


def test_a_job_that_is_put_back_keeps_its_step_and_goes_on(launched, monkeypatch):
    _, found = launched
    says("running")
    with JobWriter(found, every_s=0.0) as events:
        events.write("started", device="cpu")
        events.write("progress", stage="training", step=2, total=3)
        time.sleep(0.01)  # times are told in thousandths of a second
        says("queued", "waits until nodes are free")  # as its node was lost: it has said nothing
        status = job_status(found)
        assert (status.state, status.step, status.queue) == ("queued", 2, "waits until nodes are free")
        events.write("requeued", step=2, message="asked to leave")
        assert (job_status(found).state, job_status(found).step) == ("queued", 2)
        monkeypatch.setattr(Attic, "every_s", 60.0)
        events.write("started", device="cpu", resumed_from=2)
        assert job_status(found).state == "running", "newer than what the machine said"


def test_an_end_without_a_word_has_the_machines_reason_and_is_kept(launched, monkeypatch):
    project, found = launched
    says("ended", "was cancelled by 1000")
    status = job_status(found)
    assert (status.state, status.message) == ("interrupted", "the job 77 on above was cancelled by 1000")
    assert f"metassl train {project.path}" in status.hint
    says("ended", "and nobody knows how")
    monkeypatch.setattr(standing, "_KNOWN", {})
    assert job_status(found).message.endswith("was cancelled by 1000")
    assert JobRecord.read(found.job_path).ended == "was cancelled by 1000"


def test_a_machine_without_an_answer_is_a_note(launched):
    _, found = launched
    with JobWriter(found, every_s=0.0) as events:
        events.write("started", device="cpu")
    for Attic.says in (Standing("unknown", "no route"), ProjectError("no route")):
        status = job_status(found)
        assert status.state == "running" and status.warnings == ["above does not say how the job stands: no route"]


def test_who_may_not_wait_gets_the_last_answer(launched):
    _, found = launched
    Attic.slow.clear()
    begin = time.monotonic()
    assert job_status(found, patient=False).state == "queued"
    assert time.monotonic() - begin < 2.0
    says("ended", "was cancelled")
    Attic.slow.set()
    deadline = time.monotonic() + 20
    while job_status(found, patient=False).state == "queued" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert job_status(found, patient=False).state == "interrupted"


def test_a_machine_is_not_asked_at_every_look(launched, monkeypatch):
    _, found = launched
    monkeypatch.setattr(Attic, "every_s", 60.0)
    for _ in range(5):
        job_status(found)
    assert Attic.asked == 1


def test_the_lock_is_the_jobs_until_it_ends(launched, monkeypatch):
    project, found = launched
    with pytest.raises(BusyError, match="by the job 77 on above since .*round 0001"):
        start_training(project, new_round=True)
    says("ended", "was cancelled")
    assert TrainingLock(project.path).busy() is None
    says("queued", "waits")
    monkeypatch.setenv(JOB_VARIABLE, "78")
    with pytest.raises(BusyError):
        TrainingLock(project.path).acquire(found.title)
    for _start in range(2):  # it is started again: another process, the same job
        monkeypatch.setenv(JOB_VARIABLE, "77")
        TrainingLock(project.path).acquire(found.title)
        holder = TrainingLock(project.path).holder()
        assert (holder.pid, holder.job, holder.machine) == (os.getpid(), "77", "above")
    take_over(project, found)
    record = JobRecord.read(found.job_path)
    assert (record.pid, record.launcher, record.machine, record.job) == (os.getpid(), "attic", "above", "77")
    assert not record.is_local and not record.alive(), "its machine looks after it, even where that is this one"
    assert TrainingLock(project.path).release() and TrainingLock(project.path).holder() is None


def test_a_launch_that_fails_leaves_no_lock(tiny_project, monkeypatch):
    def fails(self, *_):
        raise ProjectError("the attic is locked")

    monkeypatch.setattr(Attic, "launch", fails)
    with pytest.raises(ProjectError, match="attic is locked"):
        start_training(tiny_project, iterations=3, launcher="attic", machine="above")
    assert TrainingLock(tiny_project.path).busy() is None


def test_what_was_begun_there_can_go_on_here(launched):
    project, found = launched
    says("ended", "was cancelled")
    assert job_status(found).state == "interrupted"
    again = launch_round(Project.open(project.path), lambda: found, "attic", machine="above")
    assert again == found and JobRecord.read(found.job_path).ended == ""
