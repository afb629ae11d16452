"""How a worker takes a round over: from the launcher that started it, and after one that was killed."""

from __future__ import annotations

import os

from ..project.files import remove_leftovers
from ..project.making import FOLDERS
from ..project.project import Project
from ..project.rounds import Round
from .record import JobRecord


def launcher_between(found: Round) -> int | None:
    """The process that the job's record names, when that is not this one but started it.

    PythonSlicer, or python.exe of a venv on Windows, starts the real interpreter as its child.
    """
    record = JobRecord.read(found.job_path)
    return record.pid if record is not None and record.pid == os.getppid() else None


def take_over(project: Project, found: Round) -> None:
    """Put right what a launcher or a worker that was killed has left. To be called with the training lock."""
    record = JobRecord.read(found.job_path)
    if record is None or not record.alive():  # the launcher died before it could say which process this is
        JobRecord.of(os.getpid()).write(found.job_path)
    remove_leftovers(found.checkpoints, 0.0)  # nobody else writes there
    for folder in FOLDERS:
        remove_leftovers(project.path / folder)
