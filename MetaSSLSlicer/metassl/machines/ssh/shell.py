"""Commands of another computer, such as those of Slurm on its login node."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence

from metassl.files.errors import MetaSSLError

from ..machine import Machine
from ..shell import Done
from .command import explained, start

_SSH_FAILED = 255


class SshShell:
    """A `metassl.machines.Shell` there."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def run(self, command: Sequence[str], text: str | None = None, timeout_s: float = 60.0) -> Done:
        """Run a command there, to its end. 255: there is no connection, and the words say why."""
        try:
            process = start(self.machine, shlex.join(command))
        except MetaSSLError as error:
            return Done(_SSH_FAILED, "", str(error))
        try:
            out, err = process.communicate((text or "").encode(), timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return Done(124, "", f"{self.machine.name} did not answer within {timeout_s:g} s")
        if process.returncode == _SSH_FAILED:
            return Done(_SSH_FAILED, "", str(explained(self.machine)))
        return Done(process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))
