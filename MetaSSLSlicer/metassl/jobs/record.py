"""job.json: which process trains a round."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

from metassl.files.errors import ProjectError
from metassl.files.json_files import read_json, write_json
from metassl.files.json_kinds import Kind, text, whole
from metassl.project.cases import now

from .process import ENDED, UNKNOWN, host_name, process_started, same_process


@dataclass
class JobRecord:
    """The process of a job: its pid and start mark (a pid alone may be reused), host and device.

    `log_start`: how long log.txt was, in bytes, before this process was started; `after`: the number of the last event
    before that, which tells older events from its own even when the clock was set back (None in older records).

    Of a job on a machine that has a name (`metassl machines`), `machine` is that name and `job` what the machine calls
    the job; `pid` is 0 until its process there has begun. `ended`: why it ended, where the machine has said so.
    """

    launcher: str
    pid: int
    process_started: str
    host: str
    device: str = ""
    python: str = sys.executable
    launched: str = field(default_factory=now)
    log_start: int = 0
    after: int | None = None
    machine: str = ""
    job: str = ""
    ended: str = ""

    @staticmethod
    def elsewhere(launcher: str, machine: str, job: str, device: str = "", python: str = "") -> JobRecord:
        """The record of a job on another machine, whose process is not known yet."""
        return JobRecord(launcher, 0, "", machine, device, python, machine=machine, job=job)

    @staticmethod
    def of(pid: int, launcher: str = "local", device: str = "", python: str = "") -> JobRecord:
        """The record of a process on this machine."""
        started = process_started(pid) or ENDED
        return JobRecord(launcher, pid, started, host_name(), device, python or sys.executable)

    @property
    def is_local(self) -> bool:
        """True when the process is, or was, on this machine, and this machine alone looks after it."""
        return not self.job and self.host == host_name()

    def alive(self) -> bool:
        """True when the process is on this machine, lives, and is the same one."""
        return self.is_local and same_process(self.pid, self.process_started)

    def wait(self, seconds: float) -> None:
        """Return when the process has ended, or after `seconds`: it says its last word a moment earlier."""
        deadline = time.monotonic() + seconds
        while self.alive() and time.monotonic() < deadline:
            time.sleep(0.05)

    def at_work_here(self) -> JobRecord:
        """The same job, whose process is now the one that calls this."""
        pid = os.getpid()
        started = process_started(pid) or UNKNOWN
        return replace(self, pid=pid, process_started=started, host=host_name(), ended="")

    def write(self, path: Path) -> None:
        """Write job.json atomically."""
        write_json(path, asdict(self))

    @staticmethod
    def read(path: Path) -> JobRecord | None:
        """The record in job.json; None when there is no such file. ProjectError when damaged."""
        if not Path(path).exists():
            return None
        try:
            document = read_json(path, "the job record", _KINDS, "delete it")
        except ProjectError as error:
            if isinstance(error.__cause__, FileNotFoundError):  # a share may tell of a file before it is there
                return None
            raise
        known = {name: document[name] for name in _KINDS if document.get(name) is not None}
        if not _NEEDED <= known.keys():
            raise ProjectError(f"the job record is damaged: {path} does not name its process; delete it")
        return JobRecord(**known)


_NEEDED = {"launcher", "pid", "process_started", "host"}
_KINDS: dict[str, Kind] = {
    **{entry.name: text for entry in fields(JobRecord)},
    **dict.fromkeys(("pid", "log_start", "after"), whole),
}
