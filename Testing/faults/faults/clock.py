"""The clock is set back between, and within, the runs of a job: numbers, not times, say what came first."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from unittest import mock

from metassl.jobs import JobRecord, JobWriter, job_status, liveness, read_events
from metassl.jobs import launcher as launcher_module
from metassl.project import Project, Round
from metassl.project import cases as cases_module

from .campaigns import Outcome
from .sample_project import make_project, state_of, write_images

ENDS = ("finished", "paused", "failed", "")


class SetClock(datetime):
    """Shows the real time, and so many hours more or less."""

    hours = 0.0

    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + timedelta(hours=cls.hours)


@contextmanager
def clock() -> Iterator[type[SetClock]]:
    """Everything that the project and its jobs take the time from."""
    with mock.patch.object(cases_module, "datetime", SetClock), mock.patch.object(liveness, "datetime", SetClock):
        yield SetClock


def run(times: int, folder: Path, seed: int) -> Outcome:
    """Let a job run `times` times, with the clock set anew before each of its words."""
    dice, problems = random.Random(seed), []
    project = make_project(folder / "project", write_images(folder / "images"))
    with clock() as watch:
        for number in range(times):
            watch.hours = dice.uniform(-9000, 9000)
            if problem := _one_round(project, watch, dice):
                problems.append(f"time {number}: {problem}")
            if [found.number for found in project.rounds()] != list(range(1, number + 2)):
                problems.append(f"time {number}: the rounds are out of order")
    watch.hours = 0.0
    state_of(project.path)
    message = problems[0] if problems else ""
    return Outcome("clock set back or forth", times, len(problems), times - len(problems), message)


def _one_round(project: Project, watch: type[SetClock], dice: random.Random) -> str:
    """A round that is launched twice; each time its worker says how it ended, or dies without a word."""
    found = project.new_round({"labels": {}})
    for launch in (1, 2):
        watch.hours += dice.uniform(-48, 24)
        record = launched(found)
        if (state := job_status(found).state) != "running":
            return f"launched for the {launch}. time it is {state!r}"
        events = JobWriter(found, every_s=0.0)
        watch.hours += dice.uniform(-48, 24)
        for word in ("started", "progress"):
            events.write(word, step=launch, total=9, pid=os.getpid())
        if (status := job_status(found)).state != "running" or status.step != launch:
            return f"at work it is {status.state!r} at step {status.step}"
        watch.hours += dice.uniform(-48, 24)
        end = dice.choice(ENDS)
        if end:
            events.write(end, message="m", hint="")
        dead(record, found)
        if (state := job_status(found).state) != (end or "interrupted"):
            return f"it ended with {end!r} and is {state!r}"
    numbers = [event.seq for event in read_events(found.events_path)]
    return "" if numbers == list(range(1, len(numbers) + 1)) else f"the events have the numbers {numbers}"


def launched(found: Round) -> JobRecord:
    """The job of a round as the launcher records it, for a process that lives: this one."""
    process = mock.Mock(pid=os.getpid())
    with mock.patch.object(launcher_module, "_start", lambda *_: process):
        return launcher_module.LocalLauncher().launch(found)


def dead(record: JobRecord, found: Round) -> None:
    """The process of the record has ended: it is given the pid of one that has."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    record.pid, record.process_started = ended.pid, "long ago"
    record.write(found.job_path)
