"""job.json: which process trains a round."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from ..project.cases import now
from ..project.errors import ProjectError
from ..project.files import read_json, write_json
from .process import ENDED, host_name, process_started, same_process


@dataclass
class JobRecord:
    """The process of a job: its pid and start mark (a pid alone may be reused), host and device."""

    launcher: str
    pid: int
    process_started: str
    host: str
    device: str = ""
    python: str = sys.executable
    launched: str = field(default_factory=now)

    @staticmethod
    def of(pid: int, launcher: str = "local", device: str = "", python: str = "") -> JobRecord:
        """The record of a process on this machine."""
        started = process_started(pid) or ENDED
        return JobRecord(launcher, pid, started, host_name(), device, python or sys.executable)

    @property
    def is_local(self) -> bool:
        """True when the process is, or was, on this machine."""
        return self.host == host_name()

    def alive(self) -> bool:
        """True when the process is on this machine, lives, and is the same one."""
        return self.is_local and same_process(self.pid, self.process_started)

    def wait(self, seconds: float) -> None:
        """Return when the process has ended, or after `seconds`: it says its last word a moment earlier."""
        deadline = time.monotonic() + seconds
        while self.alive() and time.monotonic() < deadline:
            time.sleep(0.05)

    def write(self, path: Path) -> None:
        """Write job.json atomically."""
        write_json(path, asdict(self))

    @staticmethod
    def read(path: Path) -> JobRecord | None:
        """The record in job.json; None when there is no such file. ProjectError when damaged."""
        if not Path(path).exists():
            return None
        document = read_json(path, "the job record")
        known = {entry.name: document.get(entry.name, "") for entry in fields(JobRecord)}
        sound = {"launcher", "pid", "process_started", "host"} <= document.keys()
        texts = [value for name, value in known.items() if name != "pid"]
        if not sound or type(known["pid"]) is not int or not all(map(_is_text, texts)):
            raise ProjectError(f"the job record is damaged: {path} does not name its process")
        return JobRecord(**known)


def _is_text(value: object) -> bool:
    return isinstance(value, str)
