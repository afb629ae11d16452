"""One command of the engine in a process of its own, so that Slicer never waits for it.

It is ended with all that it started: PythonSlicer only starts the real Python.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from metassl.files import MetaSSLError

from ...Translation import _

ENGINE_FOLDER = Path(__file__).resolve().parents[3]
"""The folder that holds the package metassl: the module's own."""

OWN_GROUP: dict[str, Any] = (
    {"creationflags": subprocess.CREATE_NO_WINDOW} if os.name == "nt" else {"start_new_session": True}
)
"""For Popen: a group of its own, and no window."""

_OUTPUT_BYTES = 1 << 20
_FOREIGN_PYTHON = ("PYTHONHOME", "PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONEXECUTABLE")
_PREFIX = "metassl: "


@dataclass(frozen=True)
class Result:
    """How a command ended. `json`: what --json printed. `log`: all that it said, `text`: what matters of it.

    For a command that failed, `text` is its one line of explanation.
    """

    code: int
    json: dict[str, Any] | None
    text: str
    log: str = ""


class EngineProcess:
    """Runs `python -m metassl ARGUMENTS`. Ask `poll` now and then for its result."""

    def __init__(self, python: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start it. `environment`: for a Python that is not Slicer's own. MetaSSLError when it cannot be started."""
        self._output: IO[bytes] = tempfile.TemporaryFile()
        self._errors: IO[bytes] = tempfile.TemporaryFile()
        self._result: Result | None = None
        try:
            self._process = subprocess.Popen(
                [str(python), "-m", "metassl", *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._errors,
                cwd=ENGINE_FOLDER,
                env=childEnvironment(environment),
                **OWN_GROUP,
            )
        except (OSError, ValueError) as error:
            self._close()
            reason = getattr(error, "strerror", None) or error
            raise MetaSSLError(
                _("The Python {python} cannot be started ({reason}). Choose another one in the section Setup.").format(
                    python=python, reason=reason
                )
            ) from error

    def poll(self) -> Result | None:
        """The result once the command has ended, None before. Returns at once."""
        if self._result is None and (code := self._process.poll()) is not None:
            output, log = _text(self._output), _text(self._errors)
            self._result = Result(code, _json(output), _explanation(code, log or output), log)
            self._close()
        return self._result

    def kill(self) -> None:
        """End the command; what it started in the background goes on."""
        if self._result is None and self._process.poll() is None:
            killAll(self._process.pid)

    def _close(self) -> None:
        self._output.close()
        self._errors.close()


def childEnvironment(given: Mapping[str, str] | None) -> dict[str, str]:
    """The variables of a Python beside Slicer; `given`: of one that is not Slicer's own.

    Only our own folder is on its Python path, whatever the user's shell says.
    """
    foreign = () if given is None else _FOREIGN_PYTHON
    kept = {name: value for name, value in (os.environ if given is None else given).items() if name not in foreign}
    return {**kept, "PYTHONPATH": str(ENGINE_FOLDER), "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"}


def _text(stream: IO[bytes]) -> str:
    length = stream.seek(0, os.SEEK_END)
    stream.seek(max(length - _OUTPUT_BYTES, 0))
    return stream.read().decode("utf-8", "replace").strip()


def _json(output: str) -> dict[str, Any] | None:
    try:
        found = json.loads(output)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _explanation(code: int, log: str) -> str:
    if code == 0:
        return log
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    last = lines[-1] if lines else _("the command ended with the exit code {code}").format(code=code)
    return last.removeprefix(_PREFIX)


def killAll(pid: int) -> None:
    """End a process and its group at once."""
    try:
        if os.name == "nt":
            quietly = {"capture_output": True, "creationflags": subprocess.CREATE_NO_WINDOW}
            subprocess.run(["taskkill", "/T", "/F", "/PID", str(pid)], **quietly)
        else:
            os.killpg(pid, signal.SIGKILL)
    except OSError:
        pass  # it has ended meanwhile


def interruptAll(pid: int) -> None:
    """Ask a process and its group to stop and tidy up, as Ctrl+C does. Windows can only end them."""
    if os.name == "nt":
        killAll(pid)
        return
    try:
        os.killpg(pid, signal.SIGINT)
    except OSError:
        pass
