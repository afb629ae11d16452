"""Commands of a machine: run here, or there."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Done:
    """What came of a command. code: its exit code, 127 where it could not be started, 124 where it took too long."""

    code: int
    out: str = ""
    err: str = ""

    @property
    def said(self) -> str:
        """The last line of what it said, for a sentence about it."""
        lines = [line.strip() for line in f"{self.out}\n{self.err}".splitlines() if line.strip()]
        return lines[-1] if lines else f"exit code {self.code}"


class Shell(Protocol):
    """Where commands run."""

    def run(self, command: Sequence[str], text: str | None = None, timeout_s: float = 60.0) -> Done:
        """Run a command; `text` goes to its stdin. Never raises for what the command does."""


class LocalShell:
    """This computer."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self.environment = environment

    def run(self, command: Sequence[str], text: str | None = None, timeout_s: float = 60.0) -> Done:
        """Run a command here, without a window of its own."""
        flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        try:
            done = subprocess.run(
                list(command),
                input=text or "",
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=timeout_s,
                env=None if self.environment is None else dict(self.environment),
                creationflags=flags,
            )
        except subprocess.TimeoutExpired:
            return Done(124, "", f"{command[0]} did not answer within {timeout_s:g} s")
        except OSError as error:
            return Done(127, "", f"{command[0]}: {error.strerror or error}")
        return Done(done.returncode, done.stdout, done.stderr)
