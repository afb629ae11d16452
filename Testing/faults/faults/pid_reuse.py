"""job.json and the training lock name a pid that now belongs to somebody else, who must never notice.

A worker died without a word; since then its pid was given away: to another program of the same user, after a reboot,
to the very program that looks, or it was a pid of another machine that shares the folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from metassl.files import BusyError, MetaSSLError, ProjectError, write_json
from metassl.jobs import JobRecord, JobWriter, LocalLauncher, TrainingLock, job_status
from metassl.jobs.lock import LockHolder
from metassl.jobs.process import host_name, process_started
from metassl.jobs.start import start_training
from metassl.project import Project, Round
from metassl.project.cases import now

from .campaigns import Outcome
from .killed_worker_cohort import ball_project, child_launcher

KINDS = ("another program", "after a reboot", "ourselves", "another machine")
QUICK = "quick worker"
STRANGER = """
import signal, sys, time
def note(number, frame):
    open(sys.argv[1], "a").write(f"{number} ")
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT):
    signal.signal(number, note)
print("ready", flush=True)
while True:
    time.sleep(60)
"""


@dataclass
class Stranger:
    """A process that has nothing to do with us, and notes every signal that it gets."""

    process: subprocess.Popen
    signals: Path

    @property
    def unharmed(self) -> bool:
        return self.process.poll() is None and not self.signals.exists()


def run(times: int, folder: Path, seed: int) -> list[Outcome]:
    """Reuse a pid `times` times; an outcome for each kind of reuse."""
    random, hits, lost, messages = np.random.default_rng(seed), Counter(), Counter(), {}
    template = ball_project(folder / "template", folder / "images")
    with child_launcher(QUICK, "faults.pid_reuse_child"):
        for number in range(times):
            kind = KINDS[number % len(KINDS)]
            path = folder / f"project{number}"
            shutil.copytree(template.path, path)
            wrong, messages[kind] = reuse(Project.open(path), kind, int(random.integers(1, 10**6)))
            hits[kind] += 1
            lost[kind] += bool(wrong)
            for problem in wrong:
                print(f"  {kind}: {problem}", file=sys.stderr)
    return [Outcome(f"pid reused, {k}", hits[k], lost[k], hits[k] - lost[k], messages[k]) for k in KINDS if hits[k]]


def reuse(project: Project, kind: str, ticks: int) -> tuple[list[str], str]:
    """Let a pid be reused in a project; what is wrong then, and what the user is told."""
    found = project.new_round({"config": {"device": "cpu", "iterations": 1}, "labels": {}, "launcher": QUICK})
    with stranger(project.path / "signals.txt") as other:
        pid = os.getpid() if kind == "ourselves" else other.process.pid
        record = JobRecord(QUICK, pid, mark_of(pid, kind, ticks), host_of(kind))
        record.write(found.job_path)
        holder = LockHolder(pid, record.process_started, record.host, now(), f"round {found.number:04d}")
        write_json(project.path / "training.lock", asdict(holder))
        JobWriter(found, every_s=0.0).write("started", pid=pid)
        look = from_elsewhere if kind == "another machine" else from_here
        wrong, message = look(project, found, record)
        if not other.unharmed:
            wrong.append("a process that has nothing to do with us was signalled")
    return wrong, message


def mark_of(pid: int, kind: str, ticks: int) -> str:
    """When the worker that had the pid before was started."""
    present = process_started(pid)
    boot, _, began = present.rpartition(":")
    if kind == "another machine":
        return present  # even if all but the host is the same
    if kind == "after a reboot":
        return f"{'0' * len(boot)}:{began}"
    return f"{boot}:{int(began) - ticks}" if began.isdigit() else f"{present} {ticks}"


def host_of(kind: str) -> str:
    return f"not-{host_name()}" if kind == "another machine" else host_name()


def from_here(project: Project, found: Round, record: JobRecord) -> tuple[list[str], str]:
    """The worker was on this machine: it is known to be dead, and the round goes on."""
    status, lock, wrong = job_status(found), TrainingLock(project.path), []
    if status.state != "interrupted":
        wrong.append(f"the status is {status.state}")
    if record.alive() or lock.busy() is not None:
        wrong.append("the other process is taken for the job")
    if LocalLauncher().stop_now(found):
        wrong.append("the other process was to be stopped")
    wrong += goes_on(project, found)
    return wrong, f"{status.message} {status.hint}"


def from_elsewhere(project: Project, found: Round, record: JobRecord) -> tuple[list[str], str]:
    """The worker may be alive: it is left alone until the user, who was told how, says that it is not."""
    wrong, lock = [], TrainingLock(project.path)
    before = lock.path.read_bytes()
    if job_status(found).state != "running":
        wrong.append(f"the status is {job_status(found).state}")
    with suppress(ProjectError):
        LocalLauncher().stop_now(found)
        wrong.append("a job of another machine was to be stopped here")
    try:
        start_training(project, launcher=QUICK)
        return [*wrong, "a second training was started beside that of another machine"], ""
    except BusyError as error:
        message = str(error)
    if lock.path.read_bytes() != before or str(lock.path) not in message or record.host not in message:
        wrong.append(f"the lock was changed, or the way out is not told: {message}")
    lock.path.unlink()  # as the message says
    return wrong + goes_on(project, found), message


def goes_on(project: Project, found: Round) -> list[str]:
    """Nothing, when the same round goes on and finishes."""
    try:
        again = start_training(project, launcher=QUICK)
    except MetaSSLError as error:
        return [f"the round does not go on: {error}"]
    if again != found:
        return [f"{again} was begun, where {found} should have gone on"]
    JobRecord.read(found.job_path).wait(30)
    status = job_status(found)
    return [] if status.state == "finished" else [f"the round is {status.state}: {status.message}"]


@contextmanager
def stranger(signals: Path) -> Iterator[Stranger]:
    command = [sys.executable, "-c", STRANGER, str(signals)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout.readline() == "ready\n"
        yield Stranger(process, signals)
    finally:
        process.kill()
        process.communicate()
