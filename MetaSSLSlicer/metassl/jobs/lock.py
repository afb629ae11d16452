"""One training at a time in a project."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from metassl.files.atomic import remove_file
from metassl.files.errors import BusyError, ProjectError
from metassl.files.json_files import read_json, write_json
from metassl.files.locks import file_lock
from metassl.project.cases import now

from .process import UNKNOWN, host_name, process_started, same_process
from .record import JobRecord
from .standing import standing_of

JOB_VARIABLE = "METASSL_JOB"
"""By this variable a worker on another machine knows which job it is."""


@dataclass(frozen=True)
class LockHolder:
    """Who holds a project's training lock, since when (ISO 8601, UTC) and for what.

    launcher, machine, job: of a job on another machine, as in its JobRecord. It holds the lock while it
    waits there, and however often it is started again.
    """

    pid: int
    process_started: str
    host: str
    since: str
    purpose: str = ""
    launcher: str = ""
    machine: str = ""
    job: str = ""

    @property
    def is_local(self) -> bool:
        """True when the holder is on this machine, and this machine alone looks after it."""
        return not self.job and self.host == host_name()

    @property
    def is_stale(self) -> bool:
        """True when the holder was on this machine and lives no more, or its machine says that it ended."""
        if self.job:
            return standing_of(JobRecord.elsewhere(self.launcher, self.machine, self.job)).state == "ended"
        return self.is_local and not same_process(self.pid, self.process_started)


class TrainingLock:
    """The file training.lock of a project. Unlike a system lock it can be handed to a worker.

    Every look and change happens under a short system lock, so that of two processes that find a
    dead holder only one takes over.
    """

    def __init__(self, project_path: Path) -> None:
        self.project_path = Path(project_path)
        self.path = self.project_path / "training.lock"

    def acquire(self, purpose: str = "", wait_s: float = 0.0, handed_to: int | None = None) -> None:
        """Take the lock for this process; `purpose` says for what ("round 0002").

        A lock that this process holds already is kept; one whose process on this machine died is
        taken over. Otherwise BusyError names the holder, after `wait_s` seconds: a worker that
        waits for its launcher to hand the lock over needs a few. `handed_to`: the process that the
        lock was handed to, when that only started this one, as PythonSlicer does.
        """
        deadline = time.monotonic() + wait_s
        while not self._try(purpose, handed_to):
            if time.monotonic() >= deadline:
                raise BusyError(self._who())
            time.sleep(0.05)

    def transfer(self, pid: int, purpose: str | None = None) -> None:
        """Hand the lock of this process to the process `pid` on this machine.

        If that one has ended already, nobody holds the lock any more.
        """
        with self._guard():
            holder = self.holder()
            if holder is None or not _is_me(holder):
                raise ProjectError(f"{self.path} is not held by this process")
            if not self._write(pid, holder.purpose if purpose is None else purpose):
                self._remove()

    def release(self) -> bool:
        """Give the lock up if this process holds it; returns whether it did."""
        if not self.path.exists():
            return False
        with self._guard():
            holder = self.holder()
            if holder is None or not _is_me(holder):
                return False
            self._remove()
            return True

    def hand_to(self, record: JobRecord, purpose: str) -> None:
        """Hand the lock of this process to a job that was just launched, here or on another machine."""
        if not record.job:
            self.transfer(record.pid, purpose)
            return
        with self._guard():
            holder = self.holder()
            if holder is None or not _is_me(holder):
                raise ProjectError(f"{self.path} is not held by this process")
            to = LockHolder(0, "", record.machine, now(), purpose, record.launcher, record.machine, record.job)
            write_json(self.path, asdict(to))

    def holder(self) -> LockHolder | None:
        """Who is named in the lock file, dead or alive; None when nobody is."""
        if not self.path.exists():
            return None
        try:
            return _holder_of(read_json(self.path, "the training lock"))
        except ProjectError:
            return None

    def busy(self) -> LockHolder | None:
        """Who is training now, as far as can be told; None when nobody is."""
        holder = self.holder()
        return None if holder is None or holder.is_stale else holder

    def _try(self, purpose: str, handed_to: int | None) -> bool:
        with self._guard():
            holder = self.holder()
            if holder is not None and holder.job and holder.job == os.environ.get(JOB_VARIABLE):
                self._write(os.getpid(), purpose or holder.purpose, holder)
                return True
            if holder is not None and not _is_me(holder) and not holder.is_stale:
                if not holder.is_local or holder.pid != handed_to:
                    return False
            self._write(os.getpid(), purpose or (holder.purpose if holder else ""))
            return True

    def _write(self, pid: int, purpose: str, job: LockHolder | None = None) -> bool:
        started = process_started(pid)
        if started is None:
            return False
        of = {} if job is None else {"launcher": job.launcher, "machine": job.machine, "job": job.job}
        write_json(self.path, asdict(LockHolder(pid, started, host_name(), now(), purpose, **of)))
        return True

    def _remove(self) -> None:
        remove_file(self.path)

    def _guard(self) -> Any:
        if not self.project_path.is_dir():
            raise ProjectError(f"there is no project folder {self.project_path}")
        return file_lock(self.project_path / ".training.guard")

    def _who(self) -> str:
        holder, path = self.holder(), self.project_path
        if holder is None:
            return f"project {path} is being trained by another process; try again"
        purpose = f" ({holder.purpose})" if holder.purpose else ""
        who = f"the job {holder.job} on {holder.machine}" if holder.job else f"pid {holder.pid} on host {holder.host}"
        text = (
            f"project {path} is being trained by {who} since "
            f"{_local_time(holder.since)}{purpose}: follow it with `metassl status {path} "
            f"--follow`, or stop it with `metassl stop {path}`"
        )
        if not holder.is_local and not holder.job:
            text += f"; if {holder.host} no longer trains it, delete {self.path}"
        return text


def _holder_of(document: dict[str, Any]) -> LockHolder | None:
    names = ("process_started", "host", "since", "purpose", "launcher", "machine", "job")
    texts = [document.get(name, "") for name in names]
    if type(document.get("pid")) is not int or not all(isinstance(text, str) for text in texts):
        return None
    return LockHolder(document["pid"], *texts)


def _is_me(holder: LockHolder) -> bool:
    if holder.pid != os.getpid() or holder.host != host_name():
        return False
    return holder.process_started in (process_started(holder.pid), UNKNOWN)


def _local_time(since: str) -> str:
    try:
        return datetime.fromisoformat(since).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return since
