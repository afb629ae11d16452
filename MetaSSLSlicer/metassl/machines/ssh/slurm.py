"""Slurm behind ssh: its commands run on the login node."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace

from metassl.files.path_map import PathMap
from metassl.jobs.record import JobRecord
from metassl.jobs.share import Share
from metassl.project.rounds import Round

from ..machine import Machine
from ..slurm.launcher import SlurmLauncher
from .check import ready_engine
from .remote import Remote
from .shell import SshShell

SSH_SLURM = "ssh+slurm"


def cluster_there(machine: Machine, engine: str, python: str, paths: PathMap) -> Machine:
    """The cluster as the login node knows it. Its jobs know what the files are called here."""
    told = [f"export {name}={shlex.quote(value)}" for name, value in paths.variable().items()]
    setup = (*machine.setup, *told)
    return replace(machine, kind="slurm", engine=engine, python=python, setup=setup, host="", folder="", maps=())


class SlurmBehindSsh(SlurmLauncher):
    """For a project in a folder that this computer and the cluster share."""

    name = SSH_SLURM

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.shell = SshShell(machine)
        self.paths = PathMap.of(machine.maps)

    def there(self, path: str) -> str:
        """A path here, as the nodes see it."""
        return self.paths.there(path)

    def launch(
        self, round: Round, python: str | None = None, environment: Mapping[str, str] | None = None
    ) -> JobRecord:
        """Send the engine, and submit the job. Raises MetaSSLError."""
        self._make_ready()
        return super().launch(round)

    def launch_share(self, share: Share, round: Round) -> Share:
        """Send the engine, and submit the tasks of a shared prediction as an array. Raises MetaSSLError."""
        self._make_ready()
        return super().launch_share(share, round)

    def _make_ready(self) -> None:
        with Remote(self.machine) as remote:
            engine, there = ready_engine(remote), self.machine.python or str(remote.about["python"])
        cluster = cluster_there(self.machine, engine, there, self.paths)
        self.machine = replace(cluster, kind=SSH_SLURM, host=self.machine.host)
