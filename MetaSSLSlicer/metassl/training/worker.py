"""The job of one round, in its own process: a page of named steps.

python -m metassl.training.worker PROJECT ROUND
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from metassl.choices.frameworks import describe_framework
from metassl.choices.plugins import load
from metassl.choices.strategies import DEFAULT_STRATEGY
from metassl.files.errors import ErrorCode, MetaSSLError, code_of
from metassl.inference.features import write_labelled_cases
from metassl.jobs.lock import JOB_VARIABLE, TrainingLock
from metassl.jobs.start import launcher_between, take_over
from metassl.jobs.writer import JobWriter
from metassl.networks.memory_ladder import is_out_of_memory
from metassl.networks.processes import Processes
from metassl.project.project import Project
from metassl.project.rounds import Round, config_to_train
from metassl.selection.rank import rank
from metassl.training.bring_in import bring_in
from metassl.training.calibrate import calibrate, measure
from metassl.training.disk import tell_of_disk, thin_after
from metassl.training.job import Job, Stopped
from metassl.training.passes import Passes
from metassl.training.predict import predict
from metassl.training.prepare import choose_plan, prepare
from metassl.training.train import train

SIGNALS = [name for name in ("SIGTERM", "SIGINT", "SIGUSR1") if hasattr(signal, name)]
"""Each asks for an end; by the last Slurm tells that the time is nearly up."""


def run_training(job: Job) -> None:
    """One round, from its record to its ranking. What a former process has done of it is not done again."""
    job.announce()
    if job.round.has_source:
        trained, inputs = bring_in(job)
        tell_of_disk(job, trained.plan, inputs.unlabelled)
    else:
        plan, parent = choose_plan(job)
        inputs = prepare(job, plan)
        tell_of_disk(job, plan, inputs.unlabelled)
        job.processes.begin(job.device.type)  # the others wait until the images are ready
        trained = train(job, plan, inputs, parent)
        job.processes.end()
    passes = Passes()
    model = calibrate(job, trained, inputs, passes)
    measured = measure(job, model, passes)
    predict(job, model, measured, passes, partial(rank_cases, job))
    if not job.gives_way:
        write_labelled_cases(job.project, job.round, model, inputs.labelled)
    job.emit("stage", stage="ranking", total=None)
    rank_cases(job)
    thin_after(job)
    job.emit("finished", seconds=round(job.clock() - job.started, 1))


def rank_cases(job: Job) -> None:
    """Which case to look at next, of those that are predicted so far, by the project's strategy."""
    ranking = rank(job.project, job.round, job.project.settings.get("strategy", DEFAULT_STRATEGY))
    job.emit("ranked", count=len(ranking.cases))


def help_to_train(project: Project, found: Round, processes: Processes) -> int:
    """What all processes but the first do. They write and tell nothing, and end when the first says so."""
    for name in SIGNALS:
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    job = Job(project, found, lambda *_, **__: None, processes)
    job.processes.begin(job.device.type)
    plan, parent = choose_plan(job)
    train(job, plan, prepare(job, plan), parent)
    job.processes.end()
    return 0


def processes_of(found: Round) -> Processes:
    """Those that torchrun has started; one where the framework cannot be shared out."""
    processes = Processes.of_environment()
    if found.has_source:
        return replace(processes, size=1)
    if processes.size > 1:
        name = config_to_train(found.record, found.record_path)["framework"]
        if not load(describe_framework(name).path).in_parts:
            return replace(processes, size=1)
    return processes


def main(arguments: list[str]) -> int:
    project = Project.open(Path(arguments[0]))
    found = project.round(int(arguments[1]))
    processes = processes_of(found)
    processes.take_gpu()
    if not processes.is_first:
        return help_to_train(project, found, processes) if processes.size > 1 else 0
    lock = TrainingLock(project.path)
    lock.acquire(found.title, wait_s=30, handed_to=launcher_between(found))
    take_over(project, found)
    events, leaves = JobWriter(found), False
    try:
        job = Job(project, found, events.write, processes)
        for name in SIGNALS:
            signal.signal(getattr(signal, name), lambda *_: setattr(job, "terminated", True))
        run_training(job)
        return 0
    except Stopped:
        leaves = job.terminated and JOB_VARIABLE in os.environ and not found.stop_path.exists()
        if leaves:
            message = "its machine has asked it to leave, and is to start it again"
            events.write("requeued", step=job.kept_step(), message=message)
        else:
            events.write("paused", step=job.kept_step())
        return 0
    except MetaSSLError as error:
        _log_error()
        events.write("failed", message=str(error), hint="", code=code_of(error).value)
        return 1
    except BaseException as error:
        _log_error()
        message = f"the training ended unexpectedly ({type(error).__name__}: {error})".splitlines()[0]
        code = code_of(error)
        if is_out_of_memory(error):
            code = ErrorCode.OUT_OF_MEMORY
            message = "the memory is full: close other programs, or use a machine with more memory"
        events.write("failed", message=message, hint=f"the details are in {found.log_path}", code=code.value)
        return 1
    finally:
        events.close()
        if not leaves:  # else the job keeps it until it is started again, or its machine says that it has ended
            lock.release()


def _log_error() -> None:
    with suppress(OSError):  # a disk that is full for the log may have room for the last event
        traceback.print_exc()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
