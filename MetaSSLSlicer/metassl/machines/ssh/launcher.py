"""A round trained on another computer that ssh reaches: on a copy of the project, or in a folder that both share."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping

from metassl.files.atomic import remove_file, write_text
from metassl.files.errors import ProjectError
from metassl.files.path_map import PathMap
from metassl.jobs.events import last_number
from metassl.jobs.launcher import STOP, LocalLauncher
from metassl.jobs.record import JobRecord
from metassl.jobs.share import Share
from metassl.jobs.standing import Standing
from metassl.project.cases import now
from metassl.project.rounds import Round

from ..begun import note_begun
from ..checks import Check
from ..machine import Machine
from ..site import read_machine
from ..slurm.check import check as check_slurm
from .attend import MACHINE
from .check import check_machine, ready_engine
from .engine_copy import engine_there
from .mirror import Place, place_path
from .remote import Remote
from .slurm import SSH_SLURM, SlurmBehindSsh

_GONE = "ended without a word: killed, or out of memory?"


class SshLauncher(LocalLauncher):
    """Starts the attendant here, which is the round's process (see `attend`); in a shared folder the worker there."""

    name = "ssh"
    every_s = 10.0

    def __init__(self, machine: str) -> None:
        super().__init__("metassl.machines.ssh.attend")
        self.machine: Machine = read_machine(machine)

    @property
    def paths(self) -> PathMap:
        """The folders that both share."""
        return PathMap.of(self.machine.maps)

    def launch(
        self, round: Round, python: str | None = None, environment: Mapping[str, str] | None = None
    ) -> JobRecord:
        """Start the attendant of `round`, or the worker there. Raises MetaSSLError."""
        note_begun(self.machine.name, round)
        if self.paths.holds(str(round.project_path)):
            return self._launch_there(round)
        former, place = JobRecord.read(round.job_path), Place.read(round)
        if place is not None and (former is None or former.machine != self.machine.name):
            remove_file(place_path(round))  # it was trained elsewhere since: what lies there is older
        given = {**(os.environ if environment is None else environment), MACHINE: self.machine.name}
        record = super().launch(round, python, given)
        record.machine = self.machine.name
        record.write(round.job_path)
        return record

    def _launch_there(self, round: Round) -> JobRecord:
        with Remote(self.machine) as remote:
            engine, token = ready_engine(remote), secrets.token_hex(6)
            python = self.machine.python or str(remote.about["python"])
            former = JobRecord.read(round.job_path)
            record = JobRecord.elsewhere(self.name, self.machine.name, token, python=python)
            record.launched, record.after = now(), last_number(round.events_path)
            record.log_start = round.log_path.stat().st_size if round.log_path.exists() else 0
            remove_file(round.stop_path)
            record.write(round.job_path)
            try:
                remote.call(
                    engine, "start", project=self.paths.there(str(round.project_path)), number=round.number,
                    python=python, environment=self.paths.variable(), token=token, jobs=remote.path("jobs"),
                )  # fmt: skip
            except BaseException:
                former.write(round.job_path) if former is not None else remove_file(round.job_path)
                raise
        return record

    def stop(self, round: Round) -> None:
        """Ask the worker to end its step, save a checkpoint and pause."""
        write_text(round.stop_path, STOP)

    def stop_now(self, round: Round) -> bool:
        """Kill the training there, and the attendant here. Raises MetaSSLError when it cannot be reached."""
        record, place = JobRecord.read(round.job_path), Place.read(round)
        killed = False
        if record is not None and (record.job or place is not None):
            with Remote(self.machine) as remote:
                engine = engine_there(remote)
                if record.job:
                    return bool(remote.call(engine, "kill_job", token=record.job, jobs=remote.path("jobs")))
                killed = remote.call(engine, "kill", project=place and place.project, number=round.number)
        return super().stop_now(round) or killed

    def standing(self, record: JobRecord) -> Standing:
        """Whether the worker in a shared folder lives. Raises MetaSSLError when nobody answers."""
        with Remote(self.machine) as remote:
            lives = remote.call(engine_there(remote), "job_lives", token=record.job, jobs=remote.path("jobs"))
        return Standing("running") if lives else Standing("ended", _GONE)

    def check(self) -> list[Check]:
        """What is there, and what is missing."""
        return check_machine(self.machine)


class SshSlurmLauncher(SshLauncher):
    """The same on a cluster: the worker is a job of Slurm, which the login node is asked for."""

    name = SSH_SLURM

    def _launch_there(self, round: Round) -> JobRecord:
        return SlurmBehindSsh(self.machine).launch(round)

    def launch_share(self, share: Share, round: Round) -> Share:
        """Submit the tasks of a shared prediction, of a project in a folder that both share. Raises MetaSSLError."""
        if not self.paths.holds(str(round.project_path)):
            raise ProjectError(
                f"{round.project_path} lies in no folder that {self.machine.name} shares (--map), and tasks share "
                "cases where the project lies: leave out --on, or let a training there predict them"
            )
        return SlurmBehindSsh(self.machine).launch_share(share, round)

    def stop(self, round: Round) -> None:
        """Ask the worker to pause; a job that waits is taken out of the queue."""
        record = JobRecord.read(round.job_path)
        if record is not None and record.job:
            SlurmBehindSsh(self.machine).stop(round)
        else:
            super().stop(round)

    def stop_now(self, round: Round) -> bool:
        """Cancel the job. Raises MetaSSLError."""
        record = JobRecord.read(round.job_path)
        if record is not None and record.job:
            return SlurmBehindSsh(self.machine).stop_now(round)
        return super().stop_now(round)

    def standing(self, record: JobRecord) -> Standing:
        """How Slurm says that a job stands."""
        return SlurmBehindSsh(self.machine).standing(record)

    def check(self) -> list[Check]:
        """The login node, then Slurm and the Python of its nodes."""
        checks = check_machine(self.machine, packages=False)
        if not all(check.is_fine for check in checks):
            return checks
        with Remote(self.machine) as remote:
            engine, python = engine_there(remote), self.machine.python or str(remote.about["python"])
        return [*checks, *check_slurm(self.machine, SlurmBehindSsh(self.machine).shell, python, engine)]
