"""The panel's view of a training: real engine processes, real folders, no Qt."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from metassl.files import ErrorCode, ProjectError
from metassl.jobs import EventReader, EventWriter, JobRecord, JobStatus, StatusFold
from metassl.project import Project
from MetaSSLSlicerLib.Logic.Engine.EnginePython import EnginePython
from MetaSSLSlicerLib.Logic.Scene.BackgroundTasks import BackgroundTasks
from MetaSSLSlicerLib.Logic.Training.Curve import Curve
from MetaSSLSlicerLib.Logic.Training.TrainingAdvice import TrainingAdvice
from MetaSSLSlicerLib.Logic.Training.TrainingJob import TrainingJob
from MetaSSLSlicerLib.Logic.Training.TrainingOptions import TrainingOptions
from MetaSSLSlicerLib.Signal import Signal

LONGEST_TICK_S = 0.05


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


def run(job: TrainingJob, until, seconds: float = 120.0) -> float:
    """Tick and pump as the panel does until `until()`; the longest tick in seconds."""
    longest, end = 0.0, time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, f"{job.status} {job.problem} {job.lastLog()}"
        start = time.perf_counter()
        job.tick()
        longest = max(longest, time.perf_counter() - start)
        job.session.tasks.pump()
        time.sleep(0.02)
    return longest


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


def written_round(project: Project, text: str, alive: bool = True):
    found = project.new_round({"config": {}, "launcher": "local"})
    found.events_path.write_text(text)
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
    assert longest < LONGEST_TICK_S


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
    other.start(TrainingOptions(minutes=1.0))
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


# Rounds that others wrote


def test_a_job_of_100000_events_is_attached_to_and_followed_in_short_ticks(tiny_project, session, job):
    story = line(1, "started", device="cuda", device_name="A GPU")
    story += "".join(progress(n, n, 200_000) for n in range(2, 99_001))
    recap = StatusFold()
    recap.update(map(json.loads, story.splitlines()))
    end = "".join(progress(n, n, 200_000) for n in range(99_001, 100_001))
    found = written_round(tiny_project, story + line(99_001, "recap", **recap.recap()) + end)
    start = time.perf_counter()
    session.project = tiny_project
    session.projectChanged.emit()
    assert time.perf_counter() - start < LONGEST_TICK_S
    start = time.perf_counter()
    session.tasks.finish()
    assert time.perf_counter() - start < 2.0, "the middle of the file is not read"
    assert (job.status.state, job.status.step, job.status.device_name) == ("running", 100_000, "A GPU")
    assert 2 < len(job.curve) <= 700 and job.curve[-1][0] == 100_000
    longest = 0.0
    for number in range(100_001, 101_001, 100):
        with open(found.events_path, "a") as stream:
            stream.write("".join(progress(n, n, 200_000) for n in range(number, number + 100)))
        start = time.perf_counter()
        job.tick()
        longest = max(longest, time.perf_counter() - start)
    print(f"longest tick {longest * 1000:.1f} ms, file {found.events_path.stat().st_size >> 20} MB")
    assert job.status.step == 101_000 and longest < LONGEST_TICK_S


def test_a_burst_of_events_is_taken_in_over_several_short_ticks(tiny_project, session, job):
    found = written_round(tiny_project, line(1, "started") + line(2, "stage", stage="training", total=9))
    session.open(tiny_project)
    with open(found.events_path, "a") as stream:
        stream.write("".join(progress(n, n, 100_000) for n in range(3, 20_000)))
    longest, ticks = 0.0, 0
    while job.status.step < 19_999:
        start = time.perf_counter()
        job.tick()
        longest, ticks = max(longest, time.perf_counter() - start), ticks + 1
    assert ticks > 10 and longest < LONGEST_TICK_S


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
    with open(found.events_path, "a") as stream:
        stream.write(
            line(3, "predicted", case="case_1", uncertainty=0.1) + line(4, "predicted", case="case_2", uncertainty=0.2)
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
    whole = found.job_path.read_text()
    found.job_path.write_text("{")
    job.tick()
    assert session.errors == []
    found.job_path.write_text(whole)
    with open(found.events_path, "a") as stream:
        stream.write(progress(3, 8, 9))
    job.tick()
    assert job.status.step == 8


def test_the_last_lines_of_the_log_begin_with_a_whole_line(tiny_project, session, job):
    found = written_round(tiny_project, line(1, "started"))
    session.open(tiny_project)
    assert job.lastLog() == "" and job.logPath is None
    found.log_path.write_text("first\n" + "x" * 50 + "\nlast\n")
    assert job.lastLog(20) == "last\n" and job.lastLog().startswith("first") and job.logPath == found.log_path


# The engine's part of a quick look


def test_a_reader_skips_the_middle_to_a_whole_line(tmp_path):
    writer = EventWriter(tmp_path / "e")
    for number in range(200):
        writer.write("step", number=number, text="ä" * (number % 9))
    for tail in range(300, 420):
        reader = EventReader(writer.path)
        assert reader.read_new(500)[0]["number"] == 0
        assert reader.skip_middle(tail)
        numbers = [event["number"] for event in reader.read_new()]
        assert numbers == list(range(200 - len(numbers), 200)) and len(numbers) >= 2
    reader = EventReader(writer.path)
    assert not reader.skip_middle(1 << 20) and len(reader.read_new()) == 200
    assert not EventReader(tmp_path / "none").skip_middle(10)


# Curves and words


def test_a_curve_stays_small_and_keeps_its_ends():
    curve = Curve(limit=100)
    for step in range(1, 50_001):
        assert curve.add(step, 1.0 / step)
    points = curve.points
    assert len(points) <= 102 and points[0] == (1, 1.0) and points[-1][0] == 50_000
    gaps = [b[0] - a[0] for a, b in zip(points, points[1:-1], strict=False)]
    assert max(gaps) <= 4 * min(gaps)


def test_a_curve_that_steps_back_forgets_what_lay_beyond():
    curve = Curve()
    for step in (1, 2, 3, 4):
        curve.add(step, 0.5)
    curve.add(3, 0.4)
    assert curve.points == [(1, 0.5), (2, 0.5), (3, 0.4)]
    assert not curve.add(None, 0.1) and not curve.add(4, None) and not curve.add(4, float("nan"))


@pytest.mark.parametrize(
    ("code", "word", "advice"),
    [
        (ErrorCode.NOTHING_LABELLED, "no case is labelled", "Annotate one"),
        (ErrorCode.MISSING_PACKAGE, "not installed", "Setup"),
        (ErrorCode.NO_DEVICE, "graphics card", "Automatic"),
        (ErrorCode.OUT_OF_MEMORY, "memory", "Close other programs"),
        (ErrorCode.DISK_FULL, "disk is full", "Make room"),
        (ErrorCode.NO_ACCESS, "Something odd.", "may write"),
        (ErrorCode.BUSY, "trained already", "Wait"),
        (ErrorCode.NOT_FINITE, "Something odd.", "images and labels"),
        (ErrorCode.OTHER, "Something odd.", "log"),
    ],
)
def test_a_failure_is_told_in_the_users_words(code, word, advice):
    found = TrainingAdvice.of(JobStatus(state="failed", code=code.value, message="something odd"))
    assert word in found.text and advice in found.whatToDo and "metassl" not in found.whatToDo


def test_options_are_handed_on_as_the_command_takes_them():
    assert TrainingOptions().arguments() == "--minutes 4 --framework cps --loss metassl --device auto".split()
    assert TrainingOptions(iterations=9, newRound=True).arguments()[:2] == ["--iterations", "9"]
    assert TrainingOptions(newRound=True).arguments()[-1] == "--new-round"


def test_a_loss_that_the_method_does_not_have_is_refused_before_anything_starts(tiny_project, session, job):
    session.open(tiny_project)
    with pytest.raises(ProjectError, match="supervised has no loss 'official'"):
        job.start(TrainingOptions(framework="supervised", loss="official"))
    assert not job.isStarting and not job.isRunning and tiny_project.rounds() == []


def test_the_module_folder_is_all_that_the_engine_needs():
    from MetaSSLSlicerLib.Logic.Engine.EngineProcess import ENGINE_FOLDER

    assert (Path(ENGINE_FOLDER) / "metassl" / "__main__.py").is_file()
