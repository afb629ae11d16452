"""A launcher for tests with many trainings: torch is loaded once, not once for each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from metassl.jobs import JobRecord, JobWriter, start
from metassl.project import Project
from metassl.training import job, worker


class InThisProcess:
    """Has done the whole job when `launch` returns."""

    launched: list[int] = []

    def __init__(self, name: str, machine: str = "") -> None:
        pass

    def launch(self, found) -> JobRecord:
        self.launched.append(found.number)
        record = JobRecord.of(os.getpid())
        events = JobWriter(found, every_s=0.0)
        worker.run_training(worker.Job(Project.open(found.project_path), found, events.write))
        return record


@contextmanager
def trainings_in_this_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Gives the numbers of the rounds that were launched meanwhile. One thread, as long as it lasts."""
    before = torch.get_num_threads()
    with monkeypatch.context() as patch:
        patch.setattr(start, "get_launcher", InThisProcess)
        patch.setattr(job, "usable_cores", lambda: 1)
        patch.setattr(InThisProcess, "launched", [])
        yield InThisProcess.launched
    torch.set_num_threads(before)
