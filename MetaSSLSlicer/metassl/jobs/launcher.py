"""Starting the worker so that it outlives the program that started it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Protocol

from metassl.choices.launchers import LAUNCHER_CATALOG
from metassl.choices.plugins import load
from metassl.files.atomic import remove_file, write_text, writing
from metassl.files.errors import ProjectError
from metassl.project.cases import now
from metassl.project.rounds import Round

from .events import last_number
from .process import UNKNOWN, kill, process_started
from .record import JobRecord

ENGINE_ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds the package metassl."""

_WINDOWS_JOB_FORBIDS = 5


STOP, GIVE_WAY = "stop\n", "give way\n"
"""What the file says that asks a worker to end: to go on later, or for good, as another training waits."""


class Launcher(Protocol):
    """How a job is started and stopped: on this machine, or on another.

    That of another also has `standing(record)`, which gives a `Standing`; `check()`, which gives `Check`s; if it likes
    `fetch(round)`, which brings what the job has written there; and `every_s`, how often the machine may be asked.
    """

    def launch(
        self, round: Round, python: str | None = None, environment: Mapping[str, str] | None = None
    ) -> JobRecord:
        """Start the worker of a round and write its job.json. `python`, `environment`: where others are asked for."""

    def stop(self, round: Round) -> None:
        """Ask the worker to end its step, save a checkpoint and pause."""

    def stop_now(self, round: Round) -> bool:
        """Kill the worker; returns whether there was one."""


class LocalLauncher:
    """Runs `python -m metassl.training.worker PROJECT NUMBER` on this machine, detached."""

    name = "local"

    def __init__(self, module: str = "metassl.training.worker") -> None:
        self.module = module

    def launch(
        self, round: Round, python: str | None = None, environment: Mapping[str, str] | None = None
    ) -> JobRecord:
        """Start the worker of `round` with `python` and these variables; by default, with this Python's.

        Its output goes to the end of log.txt; a former stop request is taken back. Raises
        ProjectError when the round is at work already or the process cannot be started.
        """
        python = python or sys.executable
        former = JobRecord.read(round.job_path)
        if former is not None and former.alive():
            raise ProjectError(f"{round.title} of {round.project_path} is already at work (pid {former.pid})")
        command = [python, "-m", self.module, str(round.project_path), str(round.number)]
        remove_file(round.stop_path)
        with writing(round.log_path):
            log = open(round.log_path, "ab")  # noqa: SIM115
        launched, after = now(), last_number(round.events_path)  # before the start: events of this run are later
        with log:
            log_start = os.fstat(log.fileno()).st_size
            try:
                process = start_detached(command, log, os.environ if environment is None else environment)
            except OSError as error:
                raise ProjectError(f"cannot start {python}: {error.strerror or error}") from error
        try:
            record = JobRecord.of(process.pid, self.name, _device(round), python)
            record.launched, record.log_start, record.after = launched, log_start, after
            record.write(round.job_path)
        except BaseException:
            process.kill()
            raise
        finally:
            # Collects the process when it ends; the thread dies with us, the process does not.
            threading.Thread(target=process.wait, daemon=True, name="metassl-job").start()
        return record

    def stop(self, round: Round) -> None:
        """Ask the worker of `round` to end its step, save a checkpoint and pause."""
        write_text(round.stop_path, STOP)

    def stop_now(self, round: Round) -> bool:
        """Kill the worker of `round`; returns whether there was one.

        The last checkpoint stays. Raises ProjectError when the worker is on another machine, or when nothing tells
        that the process is the worker.
        """
        record = JobRecord.read(round.job_path)
        if record is not None and not record.is_local:
            raise ProjectError(f"{round.title} runs on {record.host} (pid {record.pid}): stop it there")
        if record is None or not record.alive():
            return False
        if UNKNOWN in (record.process_started, process_started(record.pid)):
            raise ProjectError(
                f"nothing tells whether the process {record.pid}, which {round.job_path} names, is the training or "
                "another program: look at it, and end it yourself"
            )
        try:
            kill(record.pid)
        except OSError as error:
            reason = error.strerror or error
            raise ProjectError(f"cannot stop the process {record.pid}: {reason}") from error
        return True


LAUNCHERS = {each.name: each for each in LAUNCHER_CATALOG}


def get_launcher(name: str = "local", machine: str = "") -> Launcher:
    """The launcher of that name, of the machine of that name. ProjectError when there is none."""
    if name not in LAUNCHERS:
        raise ProjectError(f"there is no launcher {name!r}; use one of {', '.join(LAUNCHERS)}")
    description = LAUNCHERS[name]
    found: Launcher = load(description.path)(*([machine] if description.machine else []))
    return found


def launcher_of(found: Round) -> Launcher:
    """The launcher that has started the job of a round; this computer's where none has. Raises ProjectError."""
    record = JobRecord.read(found.job_path)
    return get_launcher() if record is None else get_launcher(record.launcher, record.machine)


def start_detached(command: list[str], log: IO[bytes], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """A process that outlives this one, and finds the engine. Raises OSError."""
    paths = dict.fromkeys([str(ENGINE_ROOT), environment.get("PYTHONPATH", "")])
    options: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": log,
        "stderr": log,
        "env": {**environment, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        "cwd": ENGINE_ROOT,  # never the project: `-m` would import code that lies there
    }
    if sys.platform != "win32":
        return subprocess.Popen(command, start_new_session=True, **options)
    # Not DETACHED_PROCESS: in a venv python.exe starts another one, which would open a window that ends it when closed.
    flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    try:
        away = flags | subprocess.CREATE_BREAKAWAY_FROM_JOB
        return subprocess.Popen(command, creationflags=away, **options)
    except OSError as error:
        if getattr(error, "winerror", None) != _WINDOWS_JOB_FORBIDS:
            raise
        return subprocess.Popen(command, creationflags=flags, **options)


def _device(round: Round) -> str:
    if not round.record_path.is_file():
        return ""
    config = round.record.get("config")
    for source in (round.record, config if isinstance(config, dict) else {}):
        device = source.get("device")
        if isinstance(device, str):
            return device
    return ""
