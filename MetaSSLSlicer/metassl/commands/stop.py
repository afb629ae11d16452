"""Stop the running training after its present step and keep all it has learnt.

`metassl train` goes on with it later. --now kills it; what was learnt since
the last checkpoint is then done again.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .shared.console import Console, command_line
from .shared.options import add_json_option

if TYPE_CHECKING:
    from metassl.jobs import JobStatus
    from metassl.project import Round

SUMMARY = "stop the training; it can go on later (--now kills it)"
PATIENCE_S = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", type=Path, metavar="PROJECT")
    parser.add_argument("--now", action="store_true", help="kill it")
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.jobs import job_status, launcher_of
    from metassl.project import Project

    project = Project.open(arguments.project)
    found = project.latest_round()
    if found is None or not job_status(found).is_going_on:
        console.say("nothing is being trained")
        console.result({"stopped": False, "round": None if found is None else found.number})
        return 0
    launcher = launcher_of(found)
    if arguments.now:
        launcher.stop_now(found)
    else:
        launcher.stop(found)
        console.say("stopping after the present step ...")
    status = _wait(found)
    over = status.is_over
    if over:
        console.say(f"{found.title} {status.state}")
        console.say(f"next: {command_line('train', arguments.project)}")
    else:
        watch = command_line("status", arguments.project, "--follow")
        console.say(f"it was asked to stop and is still at work; watch it with {watch}")
    console.result({"stopped": over, "round": found.number, "state": status.state})
    return 0 if over else 1


def _wait(found: Round) -> JobStatus:
    """Wait until the job is over and its process has ended, but not for ever; its status."""
    from metassl.jobs import JobRecord, job_status

    deadline = time.monotonic() + PATIENCE_S
    while True:
        status = job_status(found)
        record = JobRecord.read(found.job_path)
        if status.is_over and (record is None or not record.alive()):
            return status
        if time.monotonic() > deadline:
            return status
        time.sleep(0.1)
