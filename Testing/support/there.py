"""Training on another computer, for tests: start, wait, and see what is at work."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from machine import PATIENCE_S
from metassl.jobs import JobRecord, JobStatus, job_status, read_events
from metassl.jobs.process import kill
from metassl.jobs.start import start_training
from metassl.machines import Machine
from metassl.project import Project, Round

SEED = 7


def train_on(machine: Machine | None, project: Project, iterations: int | None = 2, **options: Any) -> Round:
    """Start it there; on this computer without a machine."""
    where: dict[str, Any] = (
        {"launcher": "local"} if machine is None else {"launcher": machine.kind, "machine": machine.name}
    )
    asked = {} if iterations is None else {"iterations": iterations, "device": "cpu", "seed": SEED}
    return start_training(project, **where, **asked, **options)


def wait_until(condition: Callable[[], Any], seconds: float = PATIENCE_S, what: str = "it") -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} took too long"
        time.sleep(0.1)
    return value


def the_end(found: Round) -> JobStatus:
    """How the job ends, once its process here has ended, too."""
    try:
        wait_until(lambda: job_status(found).is_over and not is_attended(found), what=f"{found}")
    except AssertionError as error:
        raise AssertionError(f"{error}: {job_status(found)}\n{found.log_path.read_text('utf-8')}") from error
    return job_status(found)


def is_attended(found: Round) -> bool:
    record = JobRecord.read(found.job_path)
    return record is not None and record.alive()


def told(found: Round, event: str) -> list:
    return [each for each in read_events(found.events_path) if each.event == event]


def steps(found: Round) -> int:
    """How far the training has come, as far as that is known here."""
    return max((event.step or 0 for event in told(found, "progress") if event.stage == "training"), default=0)


def workers(folder: Path | str) -> list[int]:
    """The processes that train in a folder, or in one below it."""
    return _processes(folder, b"metassl.training.worker")


def end_workers(folder: Path | str) -> None:
    """End what a test that failed has left at work in its own folder."""
    for pid in (*_processes(folder, b"metassl.machines.ssh.attend"), *workers(folder)):
        kill(pid)


def _processes(folder: Path | str, module: bytes) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if module in command and os.fsencode(folder) in command:
                found.append(int(entry.name))
    return found


def weights(path: Path) -> dict[str, torch.Tensor]:
    """All tensors of a checkpoint, by their place in it."""
    return dict(_tensors(torch.load(path, weights_only=True), ""))


def _tensors(value: Any, place: str):
    if isinstance(value, torch.Tensor):
        yield place, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _tensors(item, f"{place}/{name}")
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from _tensors(item, f"{place}/{number}")


def same_weights(one: Path, other: Path) -> bool:
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and bool(a) and all(torch.equal(a[name], b[name]) for name in a)
