"""The attendant of a round that is trained on another computer: it is the round's process here.

python -m metassl.machines.ssh.attend PROJECT ROUND

It sends the project, has the training started there, and brings back what it makes, until it is over. When it ends
earlier, the training there goes on, and the next attendant finds it. It keeps status.json here, and says in it what
the connection is like.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

from metassl.files.errors import BusyError, ErrorCode, MetaSSLError, ProjectError, code_of
from metassl.jobs.events import EventWriter, last_number
from metassl.jobs.lock import TrainingLock
from metassl.jobs.start import launcher_between, take_over
from metassl.jobs.status import JobStatus
from metassl.jobs.writer import JobWriter
from metassl.project.cases import now
from metassl.project.project import Project
from metassl.project.rounds import Round
from metassl.project.words import count, duration

from ..machine import Machine
from ..site import read_machine
from .cargo import cargo_of, paths_between, project_there, send
from .check import ready_engine
from .command import ConnectionLost
from .engine_copy import engine_there
from .mirror import Mirror, Place, say
from .remote import Remote
from .slurm import SSH_SLURM, cluster_there

MACHINE = "METASSL_MACHINE"
"""The environment variable that names the machine."""
LOOK_EVERY_S = 2.0
FETCH_AT_ONCE_S = 2.0
LOOK_SHARE = 5.0
"""A round of very many files takes a while to look through: so much longer it is left alone."""
LONGEST_PAUSE_S = 60.0
GOODBYE_S = 120.0
NO_ROOM = 1 << 20
_FIRST_PAUSE_S = 2.0


class Attendant:
    def __init__(self, project: Project, found: Round, machine: Machine) -> None:
        self.project, self.found, self.machine = project, found, machine
        self.terminated = False
        self._status = JobStatus.read(found.status_path) or JobStatus()
        self._sent: dict[str, str] = {}
        self._silent_since = 0.0

    def run(self) -> None:
        """Until the training is over and all of it is here. Raises MetaSSLError where somebody has to do something."""
        pause, is_started = _FIRST_PAUSE_S, False
        while not self.terminated:
            try:
                with Remote(self.machine) as remote:
                    engine = engine_there(remote) if is_started else ready_engine(remote)
                    if not is_started:
                        self._start(remote, engine)
                    is_started, pause = True, _FIRST_PAUSE_S
                    if self._follow(remote, engine):
                        return
            except ConnectionLost as error:
                if Place.read(self.found) is None:
                    raise
                self._tell_of(str(error))
            except ProjectError as error:  # a disk that is full, here or there: what was made waits
                if not is_started or code_of(error) is not ErrorCode.DISK_FULL:
                    raise
                self._tell_of(str(error))
            self._sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    # Beginning

    def _start(self, remote: Remote, engine: str) -> None:
        """Have it trained there: attach to what is at work there, or send the project and start it."""
        there, paths = project_there(remote, self.project), paths_between(remote, self.project)
        where: dict[str, Any] = {"project": there, "number": self.found.number}
        before, place = remote.call(engine, "standing", **where), Place.read(self.found)
        if place is not None and not (
            before["is_there"] and (place.machine, place.project) == (self.machine.name, there)
        ):
            place = None
        if place is not None and before["status"]["state"] in ("running", "queued", "finished"):
            return
        if before["busy"]:
            raise BusyError(f"{self.machine.name} still trains {before['busy']} of this project: stop it first")
        with JobWriter(self.found) as writer:
            writer.write("stage", stage="sending", total=None)
            remote.call(engine, "prepare", **where, is_new=place is None)
            self._send(remote, writer, cargo_of(self.project, self.found, paths, begun_there=place is not None), there)
        self._status = JobStatus.read(self.found.status_path) or self._status
        if place is None:
            self._put(remote, there, self.found.events_path, self.found.status_path)
        python = self.machine.python or remote.about["python"]
        slurm = cluster_there(self.machine, engine, python, paths) if self.machine.kind == SSH_SLURM else None
        told = None if slurm is None else {"name": slurm.name, **slurm.to_json()}
        lengths = remote.call(engine, "launch", **where, python=python, environment=paths.variable(), slurm=told)
        (place or Place(self.machine.name, there, lengths["events"], lengths["log"])).write(self.found)

    def _send(self, remote: Remote, writer: JobWriter, cargo: Any, there: str) -> None:
        def progress(sent: int, total: int) -> None:
            if self.terminated or self.found.stop_path.exists():
                raise Ended
            writer.write("progress", stage="sending", step=sent >> 20, total=max(total >> 20, 1), eta_s=None)

        files, size = send(remote, self.project, cargo, there, progress)
        say(f"{count(files, 'file')} ({size / 1e6:.1f} MB) sent to {self.machine.name}")

    def _put(self, remote: Remote, there: str, *files: Path) -> None:
        for path in files:
            for _part in remote.put(path, there, f"rounds/{self.found.path.name}/{path.name}"):
                pass

    # Following

    def _follow(self, remote: Remote, engine: str) -> bool:
        """Until it is over (then True), or this is asked to end."""
        place = Place.read(self.found)
        assert place is not None
        mirror = Mirror(self.project, self.found, place, paths_between(remote, self.project))
        while not self.terminated:
            begin = time.monotonic()
            status = self._look(remote, engine, mirror)
            took, due = time.monotonic() - begin, begin + FETCH_AT_ONCE_S
            while name := mirror.first(self.found.wanted(), status.is_over):
                for _part in mirror.fetch(remote, name):
                    if time.monotonic() > due:  # a large file, or a slow line
                        status, due = self._look(remote, engine, mirror), time.monotonic() + FETCH_AT_ONCE_S
                if self.terminated:
                    return False
            self._tell(status, mirror)
            if status.is_over and not mirror.lacking(is_over=True):
                self._see_off(remote, engine)
                return True
            self._sleep(max(LOOK_EVERY_S - (time.monotonic() - begin), LOOK_SHARE * took))
        return False

    def _look(self, remote: Remote, engine: str, mirror: Mirror) -> JobStatus:
        """Say there what is wanted here, and here what is new there."""
        self._pass_on(remote, engine)
        status = self._with_its_cause(_status_of(mirror.look(remote, engine)), mirror.free)
        self._silent_since = 0.0
        self._tell(status, mirror)
        return status

    def _tell(self, status: JobStatus, mirror: Mirror) -> None:
        mirror.release()
        self._show(status, mirror, len(mirror.lacking(status.is_over)))

    def _with_its_cause(self, status: JobStatus, free: int) -> JobStatus:
        """On a full disk a job cannot even say why it ends."""
        if status.state != "interrupted" or free > NO_ROOM:
            return status
        words = f"the disk of {self.machine.name} is full: the training there has ended"
        hint = f"make room there; then `metassl train {self.found.project_path}` goes on from the last checkpoint"
        return replace(status, message=words, hint=hint, code=ErrorCode.DISK_FULL.value)

    def _see_off(self, remote: Remote, engine: str) -> None:
        """Wait for the process there, which says its last word a moment before it ends."""
        end = time.monotonic() + GOODBYE_S
        where = {"project": project_there(remote, self.project), "number": self.found.number}
        while not remote.call(engine, "has_left", **where) and time.monotonic() < end:
            time.sleep(0.2)

    def _pass_on(self, remote: Remote, engine: str) -> None:
        """Whether somebody here wants it to end, or waits for a case."""
        where = {"project": project_there(remote, self.project), "number": self.found.number}
        asked = {"stop": _content(self.found.stop_path), "want": self.found.wanted()}
        for what, name in (("stop", "text"), ("want", "case")):
            if asked[what] and self._sent.get(what) != asked[what]:
                remote.call(engine, what, **where, **{name: asked[what]})
                self._sent[what] = asked[what]

    def _show(self, status: JobStatus, mirror: Mirror, left: int) -> None:
        """status.json here: as there, but it is not over before all has come."""
        stage = "" if status.stage == "sending" else status.stage  # of before it was sent
        self._status = replace(status, stage=stage, seq=mirror.last_told, machine=self.machine.name, time=now())
        shown = self._status
        if status.is_over and left:
            shown = replace(shown, state="running", stage="fetching", step=0, total=left, eta_s=None)
        self._write(shown)

    def _tell_of(self, reason: str) -> None:
        self._silent_since = self._silent_since or time.monotonic()
        seconds = time.monotonic() - self._silent_since
        since = duration(seconds) if seconds > LONGEST_PAUSE_S else "a moment"
        say(reason)
        warning = f"for {since} nothing has come back of the training, which goes on there: {reason}"
        self._write(replace(self._status, state="running", eta_s=None, warnings=[*self._status.warnings, warning]))

    def give_up(self, error: Exception) -> None:
        """Say why this ends before the training does: it can be gone on with."""
        words = str(error) if isinstance(error, MetaSSLError) else f"{type(error).__name__}: {error}".splitlines()[0]
        EventWriter(self.found.events_path).write("warning", message=words)
        status = JobStatus.read(self.found.status_path) or self._status
        hint = f"`metassl train {self.found.project_path}` goes on once that is put right"
        if Place.read(self.found) is not None:
            hint += f"; what was begun on {self.machine.name} goes on there meanwhile"
        ended = replace(status, state="interrupted", eta_s=None, code=code_of(error).value, message=words, hint=hint)
        self._write(replace(ended, seq=last_number(self.found.events_path), machine=self.machine.name, time=now()))

    def _write(self, status: JobStatus) -> None:
        try:
            status.write(self.found.status_path)
        except ProjectError as error:
            say(str(error))  # it is written again in a moment

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self.terminated and time.monotonic() < end:
            time.sleep(0.1)


class Ended(Exception):
    """This was asked to end before anything was started."""


def _status_of(document: dict[str, Any]) -> JobStatus:
    known = {name: document[name] for name in vars(JobStatus()) if document.get(name) is not None}
    return JobStatus(**known)


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def main(arguments: list[str]) -> int:
    project = Project.open(Path(arguments[0]))
    found = project.round(int(arguments[1]))
    lock = TrainingLock(project.path)
    lock.acquire(found.title, wait_s=30, handed_to=launcher_between(found))
    take_over(project, found)
    attendant = None
    try:
        attendant = Attendant(project, found, read_machine(os.environ[MACHINE]))
        for name in ("SIGTERM", "SIGINT"):
            signal.signal(getattr(signal, name), lambda *_: setattr(attendant, "terminated", True))
        attendant.run()
        return 0
    except Ended:
        with JobWriter(found) as writer:
            writer.write("paused", step=None)
        return 0
    except Exception as error:
        say(str(error) if isinstance(error, MetaSSLError) else traceback.format_exc())
        if attendant is not None:
            attendant.give_up(error)
        return 1
    finally:
        lock.release()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
