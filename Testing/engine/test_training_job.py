"""The panel's view of a training: real engine processes, real folders, no Qt."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from machine import PATIENCE_S, slowness
from metassl import __version__
from metassl.files import ProjectError
from metassl.jobs import (
    Event,
    JobRecord,
    StatusFold,
    job_status,
    last_status,
    status_of_events,
)
from metassl.project import Project
from MetaSSLSlicerLib.Logic.Engine.EngineProcess import ENGINE_FOLDER
from MetaSSLSlicerLib.Logic.Engine.EnginePython import EnginePython
from MetaSSLSlicerLib.Logic.Scene.BackgroundTasks import BackgroundTasks
from MetaSSLSlicerLib.Logic.Training.TrainingJob import TrainingJob
from MetaSSLSlicerLib.Logic.Training.TrainingOptions import TrainingOptions
from MetaSSLSlicerLib.Signal import Signal

LONGEST_TICK_S, LONGEST_WAIT_S = 0.05, 1.0


class BareSession:
    """What a job needs of a session; it writes down what it is told."""

    def __init__(self) -> None:
        self.tasks = BackgroundTasks(1)
        self.project: Project | None = None
        self.projectChanged, self.casesChanged, self.roundsChanged = Signal(), Signal(), Signal()
        self.errors: list[str] = []
        self.changed: list = []
        self.rounds = 0
        self.casesChanged.connect(self.changed.append)
        self.roundsChanged.connect(self._count)

    def fail(self, error: Exception) -> None:
        self.errors.append(str(error))

    def open(self, project: Project | None) -> None:
        self.project = project
        self.projectChanged.emit()
        self.tasks.finish()

    def _count(self) -> None:
        self.rounds += 1


@pytest.fixture
def session():
    made = BareSession()
    yield made
    made.tasks.shutdown()


@pytest.fixture
def job(session) -> TrainingJob:
    return TrainingJob(session, EnginePython())


def run(job: TrainingJob, until) -> float:
    """Tick and pump as the panel does until `until()`; the longest tick in seconds of computing."""
    longest, end = 0.0, time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < end, f"{job.status} {job.problem} {job.lastLog()}"
        longest = max(longest, seconds_of(job.tick))
        job.session.tasks.pump()
        time.sleep(0.02)
    return longest


def seconds_of(work) -> float:
    """What this thread computes for it, however busy the computer is; it does not wait, either."""
    start, begin = time.perf_counter(), time.thread_time()
    work()
    assert time.perf_counter() - start < LONGEST_WAIT_S
    return time.thread_time() - begin


def look(job: TrainingJob) -> None:
    """A tick after which the job has also looked for newer rounds."""
    job._looked = float("-inf")
    job.tick()
    job.session.tasks.finish()


def line(number: int, event: str, **fields) -> str:
    when = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    return json.dumps({"seq": number, "time": when.isoformat(), "event": event, **fields}) + "\n"


def progress(number: int, step: int, total: int) -> str:
    return line(
        number, "progress", stage="training", step=step, total=total, eta_s=float(total - step),
        seconds_per_step=0.5, data_wait_share=0.01, loss={"total": 1.0 / (1 + step), "supervised": 0.3, "UC": 0.1},
        regions={"UC": 0.9, "US": 0.05, "DC": 0.02, "DS": 0.03}, lr=0.006, memory_mb=900,
    )  # fmt: skip


def tell(found, text: str) -> None:
    """What the job has told since, as the worker writes it."""
    with open(found.events_path, "a", encoding="utf-8") as stream:
        stream.write(text)
    status_of_events(found.events_path).write(found.status_path)


def written_round(project: Project, text: str, alive: bool = True):
    found = project.new_round({"config": {}, "launcher": "local"})
    tell(found, text)
    JobRecord.of(os.getpid(), device="cpu").write(found.job_path)
    record = replace(JobRecord.read(found.job_path), launched="2026-01-01T00:00:00+00:00")
    (record if alive else replace(record, pid=2**22 - 7)).write(found.job_path)
    return found


# One training from start to end, as a user sees it


def test_a_training_is_started_followed_to_its_end_and_tells_the_session(tiny_project, session, job):
    session.open(tiny_project)
    predicted, ended, states = [], [], []
    job.predicted.connect(predicted.extend)
    job.ended.connect(lambda found, status: ended.append((found.number, status.state)))
    job.statusChanged.connect(lambda status: states.append("" if status is None else status.state))
    job.start(TrainingOptions(iterations=8, device="cpu"))
    assert job.isStarting and job.isRunning
    longest = run(job, until=lambda: bool(ended))
    assert ended == [(1, "finished")], job.lastLog()
    assert sorted(predicted) == [case.id for case in tiny_project.unlabelled_cases()]
    assert len(job.curve) >= 1 and job.curve[-1][0] == 8 and job.dice[-1][0] == 8
    assert "running" in states and not job.isRunning and not job.canGoOn
    assert None in session.changed and session.rounds >= 2 and session.errors == []
    assert longest < LONGEST_TICK_S * slowness()


def test_a_training_is_stopped_and_goes_on_from_another_panel(tiny_project, session, job):
    session.open(tiny_project)
    job.start(TrainingOptions(iterations=5000, device="cpu"))
    run(job, until=lambda: job.status is not None and job.status.stage == "training" and job.status.step > 0)
    other = TrainingJob(session, EnginePython())
    other.attach()
    session.tasks.finish()
    assert other.round == job.round and other.isRunning, "a panel that is opened later finds the job"
    other.stop()
    assert other.isStopping
    run(job, until=lambda: job.status.state == "paused")
    assert job.canGoOn
    look(other)
    assert other.canGoOn and not other.isStopping
    other.start(TrainingOptions(ownMinutes=1.0))
    run(other, until=lambda: other.status.state == "running")
    assert other.round.number == 1, "it goes on with the round that was stopped"
    look(job)
    assert job.isRunning, "the first panel sees what the second one started"
    step = job.status.step
    job.stop()
    run(job, until=lambda: job.status.is_over)
    assert job.status.state == "paused" and job.status.step >= step


def test_a_start_that_the_engine_refuses_says_what_to_do(tiny_project, session, job):
    for case in tiny_project.labelled_cases():
        tiny_project.update_case(case.id, state="unlabelled", label_version=None)
    session.open(tiny_project)
    job.start(TrainingOptions())
    run(job, until=lambda: not job.isStarting)
    assert job.problem.text == "There is nothing to learn from yet: no case is labelled."
    assert "press Train again" in job.problem.whatToDo and not job.isRunning


SLICER_THAT_CLOSES = """
import sys, time
from metassl.project import Project
from MetaSSLSlicerLib.Logic.Engine.EnginePython import EnginePython
from MetaSSLSlicerLib.Logic.Training.TrainingJob import TrainingJob
from MetaSSLSlicerLib.Logic.Training.TrainingOptions import TrainingOptions
from test_training_job import BareSession

session = BareSession()
job = TrainingJob(session, EnginePython())
session.open(Project.open(sys.argv[1]))
job.start(TrainingOptions(iterations=8, device="cpu"))
while job.isStarting:
    session.tasks.pump()
    time.sleep(0.02)
print(job.problem, "torch" in sys.modules, "monai" in sys.modules, flush=True)
time.sleep(600)
"""


def test_a_training_goes_on_when_the_slicer_that_started_it_is_killed_and_no_other_python_lies_between(tiny_project):
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ENGINE_FOLDER), str(here), *sys.path])}
    command = [sys.executable, "-c", SLICER_THAT_CLOSES, str(tiny_project.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as slicer:
        assert slicer.stdout.readline() == "None False False\n"
        found = tiny_project.latest_round()
        record = JobRecord.read(found.job_path)
        assert record.alive() and process_parent(record.pid) in (slicer.pid, None)
        slicer.kill()
    assert job_status(found).state == "running"
    end = time.monotonic() + PATIENCE_S
    while not (status := job_status(found)).is_over:
        assert time.monotonic() < end, found.log_path.read_text(encoding="utf-8")
        time.sleep(0.1)
    assert status.state == "finished" and status.predicted == 3


def process_parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    except OSError:
        return None


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands for another Python")
def test_another_python_trains_with_the_users_variables_and_none_of_slicers(tiny_project, session, tmp_path):
    told = tmp_path / "told"
    other = tmp_path / "python"
    other.write_text(f'#!/bin/sh\n{{ echo "$PYTHONHOME|$LD_LIBRARY_PATH|$MINE|$PYTHONPATH|$*"; }} > {told}.new\n'
                     f"mv {told}.new {told}\n", encoding="utf-8")  # fmt: skip
    other.chmod(0o755)
    before = {"MINE": "yes", "PATH": os.environ["PATH"], "PYTHONHOME": "/users", "PYTHONPATH": "/surprise"}
    python = EnginePython(str(other), lambda: before)
    python.versions = {"torch": "2.9.1"}
    job = TrainingJob(session, python)
    session.open(tiny_project)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONHOME", "/slicer")
        patch.setenv("LD_LIBRARY_PATH", "/slicer/lib")
        job.start(TrainingOptions(iterations=8, device="cpu"))
        run(job, until=lambda: told.exists() and not job.isStarting)
    home, libraries, mine, path, arguments = told.read_text(encoding="utf-8").strip().split("|")
    assert (home, libraries, mine, path) == ("", "", "yes", str(ENGINE_FOLDER))
    assert arguments == f"-m metassl.training.worker {tiny_project.path} 1"
    found = tiny_project.latest_round()
    assert found.record["versions"] == {"metassl": __version__, "torch": "2.9.1"}
    assert JobRecord.read(found.job_path).python == str(other)


def test_a_start_waits_for_a_job_that_has_said_its_last_word_and_no_tick_waits_with_it(tiny_project, session, job):
    found = written_round(tiny_project, line(1, "started") + progress(2, 7, 9) + line(3, "paused", step=7))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as leaving:
        JobRecord.of(leaving.pid).write(found.job_path)
        record = JobRecord.read(found.job_path)
        replace(record, launched="2026-01-01T00:00:00+00:00").write(found.job_path)
        session.open(tiny_project)
        job.start(TrainingOptions(iterations=2, device="cpu", newRound=True))
        end = time.monotonic() + 1.0
        longest = run(job, until=lambda: time.monotonic() > end)
        assert job.isStarting and job.problem is None and len(tiny_project.rounds()) == 1
        leaving.communicate()
    longest = max(longest, run(job, until=lambda: job.status is not None and job.round.number == 2))
    assert longest < LONGEST_TICK_S * slowness()
    run(job, until=lambda: job.status.is_over)
    assert job.status.state == "finished"


# Rounds that others wrote


def test_a_round_of_a_version_that_wrote_no_status_is_followed_all_the_same(tiny_project, session, job):
    found = written_round(tiny_project, line(1, "started") + progress(2, 7, 9))
    found.status_path.unlink()
    session.open(tiny_project)
    assert (job.status.state, job.status.step) == ("running", 7) and job.curve
    with open(found.events_path, "a", encoding="utf-8") as stream:
        stream.write(progress(3, 8, 9))
    run(job, until=lambda: job.status.step == 8)
    with open(found.events_path, "a", encoding="utf-8") as stream:
        stream.write(line(4, "finished"))
    run(job, until=lambda: job.status.state == "finished")


def test_a_job_of_100000_events_is_attached_to_and_followed_in_short_ticks(tiny_project, session, job):
    story = line(1, "started", device="cuda", device_name="A GPU")
    story += "".join(progress(n, n, 200_000) for n in range(2, 100_001))
    found = written_round(tiny_project, story)
    session.project = tiny_project
    assert seconds_of(session.projectChanged.emit) < LONGEST_TICK_S * slowness()
    start = time.process_time()
    session.tasks.finish()
    assert time.process_time() - start < 2.0, "the middle of the file is not read"
    assert (job.status.state, job.status.step, job.status.device_name) == ("running", 100_000, "A GPU")
    assert 2 < len(job.curve) <= 700 and job.curve[-1][0] == 100_000
    longest = 0.0
    for number in range(100_001, 101_001, 100):
        news = "".join(progress(n, n, 200_000) for n in range(number, number + 100))
        with open(found.events_path, "a", encoding="utf-8") as stream:
            stream.write(news)
        fold = StatusFold(last_status(found))
        fold.update(map(Event.parse, news.encode().splitlines()))
        fold.status.write(found.status_path)
        longest = max(longest, seconds_of(job.tick))
    print(f"longest tick {longest * 1000:.1f} ms, file {found.events_path.stat().st_size >> 20} MB")
    assert job.status.step == 101_000 and longest < LONGEST_TICK_S * slowness()


def test_a_burst_of_events_is_taken_in_over_several_short_ticks(tiny_project, session, job):
    found = written_round(tiny_project, line(1, "started") + line(2, "stage", stage="training", total=9))
    session.open(tiny_project)
    tell(found, "".join(progress(n, n, 100_000) for n in range(3, 20_000)))
    longest, ticks = 0.0, 0
    while not job.curve or job.curve[-1][0] < 19_999:
        longest, ticks = max(longest, seconds_of(job.tick)), ticks + 1
    assert ticks > 10 and longest < LONGEST_TICK_S * slowness() and job.status.step == 19_999


def test_a_finished_round_is_shown_without_being_news(tiny_project, session, job):
    written_round(tiny_project, line(1, "started") + progress(2, 5, 5) + line(3, "finished"), alive=False)
    session.open(tiny_project)
    assert job.status.state == "finished" and job.curve == [(5, pytest.approx(1 / 6))]
    assert session.changed == [] and session.rounds == 0 and not job.canGoOn


def test_a_round_that_a_terminal_starts_is_found(tiny_project, session, job):
    written_round(tiny_project, line(1, "started") + line(2, "finished"), alive=False)
    session.open(tiny_project)
    written_round(tiny_project, line(1, "started") + progress(2, 7, 9))
    look(job)
    assert job.round.number == 2 and job.isRunning and session.rounds == 1


def test_predictions_are_told_as_they_are_written(tiny_project, session, job):
    found = written_round(tiny_project, line(1, "started") + line(2, "stage", stage="predicting", total=3))
    session.open(tiny_project)
    session.changed.clear()
    tell(
        found,
        line(3, "predicted", case="case_1", uncertainty=0.1) + line(4, "predicted", case="case_2", uncertainty=0.2),
    )
    job.tick()
    assert session.changed == [["case_1", "case_2"]] and job.status.predicted == 2


def test_another_project_has_another_job_and_none_has_none(tiny_project, session, job, tmp_path):
    written_round(tiny_project, line(1, "started") + progress(2, 7, 9))
    session.open(tiny_project)
    assert job.isRunning and job.curve
    session.open(None)
    assert job.status is None and job.round is None and job.curve == [] and not job.isRunning
    job.tick()


def test_a_job_record_that_is_being_replaced_does_not_end_the_following(tiny_project, session, job):
    found = written_round(tiny_project, line(1, "started") + progress(2, 7, 9))
    session.open(tiny_project)
    whole = found.job_path.read_text(encoding="utf-8")
    found.job_path.write_text("{", encoding="utf-8")
    job.tick()
    assert session.errors == []
    found.job_path.write_text(whole, encoding="utf-8")
    tell(found, progress(3, 8, 9))
    job.tick()
    assert job.status.step == 8


def test_the_last_lines_of_the_log_begin_with_a_whole_line(tiny_project, session, job):
    found = written_round(tiny_project, line(1, "started"))
    session.open(tiny_project)
    assert job.lastLog() == "" and job.logPath is None
    found.log_path.write_text("first\n" + "x" * 50 + "\nlast\n", encoding="utf-8")
    assert job.lastLog(20) == "last\n" and job.lastLog().startswith("first") and job.logPath == found.log_path


def test_a_loss_that_the_method_does_not_have_is_refused_before_anything_starts(tiny_project, session, job):
    session.open(tiny_project)
    with pytest.raises(ProjectError, match="supervised has no loss 'official'"):
        job.start(TrainingOptions(framework="supervised", loss="official"))
    assert not job.isStarting and not job.isRunning and tiny_project.rounds() == []


def test_the_module_folder_is_all_that_the_engine_needs():
    assert (Path(ENGINE_FOLDER) / "metassl" / "__main__.py").is_file()
