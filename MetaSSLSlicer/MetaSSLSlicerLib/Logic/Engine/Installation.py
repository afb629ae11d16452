"""Installing several packages one after the other, beside Slicer: what happens now, and how it ended."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from metassl.files import MetaSSLError

from ...Translation import _
from .EngineProcess import OWN_GROUP, interruptAll, killAll

LOG_BYTES = 16 << 10
_PROGRESS = re.compile(r"^Progress (\d+) of (\d+)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """Something to install: `name` for people, and the module that Python runs for it with its arguments.

    With `call` instead, it is done inside Slicer, which does not answer meanwhile.
    """

    name: str
    arguments: tuple[str, ...] = ()
    call: Callable[[], None] | None = None


class PipProcess:
    """Runs `python -m ARGUMENTS`, as Slicer's own pip_install does. Ask `poll` now and then.

    Its output goes through a file: while Slicer's event loop waits, no thread of ours could empty a pipe.
    """

    _GRACE_S = 5.0  # to put back what it was replacing

    def __init__(self, python: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start it. MetaSSLError when it cannot be started."""
        handle, name = tempfile.mkstemp(prefix="metassl-pip-", suffix=".txt")
        self._path, self._cancelledAt, self._log = Path(name), 0.0, ""
        self.code: int | None = None
        try:
            self._process = subprocess.Popen(
                [python, "-m", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=handle,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                **OWN_GROUP,
            )
        except (OSError, ValueError) as error:
            self._path.unlink(missing_ok=True)
            raise MetaSSLError(
                _("The Python {python} cannot be started ({reason}).").format(python=python, reason=error)
            ) from error
        finally:
            os.close(handle)

    @property
    def log(self) -> str:
        """The last of what it said, without the counting of bytes."""
        return _PROGRESS.sub("", self._log).replace("\n\n", "\n").strip()

    @property
    def progress(self) -> tuple[int, int] | None:
        """Bytes that are there and bytes in all of what is being downloaded now, where pip says so."""
        lines = self._log.rstrip().splitlines()
        found = _PROGRESS.match(lines[-1]) if lines else None
        return (int(found[1]), int(found[2])) if found else None

    def poll(self) -> int | None:
        """The exit code once it has ended. Returns at once."""
        if self.code is not None:
            return self.code
        code = self._process.poll()
        with suppress(OSError), self._path.open("rb") as stream:
            stream.seek(max(os.fstat(stream.fileno()).st_size - LOG_BYTES, 0))
            self._log = stream.read().decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
        if code is not None:
            self.code = code
            with suppress(OSError):
                self._path.unlink()
        elif self._cancelledAt and time.monotonic() > self._cancelledAt + self._GRACE_S:
            killAll(self._process.pid)
        return self.code

    def cancel(self) -> None:
        """Ask it to stop: pip puts back what it was replacing. After some seconds `poll` ends it."""
        if self.code is None and not self._cancelledAt:
            self._cancelledAt = time.monotonic()
            interruptAll(self._process.pid)

    def end(self) -> None:
        """Stop it without looking back, as the panel closes."""
        self.cancel()
        with suppress(OSError):
            self._path.unlink()


class Installation:
    """`state`: "running", "cancelling", "done", "failed" or "cancelled". Call `poll` now and then."""

    def __init__(self, steps: Sequence[Step], start: Callable[[Sequence[str]], PipProcess]) -> None:
        """`start(arguments)` starts Python with these."""
        self._steps, self._start = list(steps), start
        self._place, self._process, self._announced = 0, None, False
        self.state, self.log, self._error = "running", "", ""

    @property
    def isRunning(self) -> bool:
        """Whether it goes on."""
        return self.state in ("running", "cancelling")

    @property
    def headline(self) -> str:
        """What it does now."""
        if self.state == "cancelling":
            return _("Stopping ...")
        text = _("Installing {name} ({number} of {count}) ...").format(
            name=self._steps[self._place].name, number=self._place + 1, count=len(self._steps)
        )
        if self._steps[self._place].call is not None:
            text += " " + _("Slicer does not answer for some minutes.")
        return text

    @property
    def line(self) -> str:
        """The last line of pip's output."""
        return self.log.rpartition("\n")[2].strip()

    @property
    def progress(self) -> tuple[int, int] | None:
        """Bytes that are there and bytes in all of the present download, if that is known."""
        return self._process.progress if self._process is not None else None

    @property
    def problem(self) -> str:
        """Why it failed and what to do about it."""
        return (
            _("{name} could not be installed.").format(name=self._steps[self._place].name)
            + " "
            + adviceOn(self.log or self._error)
        )

    def poll(self) -> None:
        """Look how it is getting on, and begin the next step when one has ended. Returns at once."""
        if not self.isRunning:
            return
        step = self._steps[self._place]
        try:
            if step.call is not None:
                self._call(step)
                return
            if self._process is None:
                self._process = self._start(step.arguments)
            code = self._process.poll()
        except Exception as error:  # the extension fails in many ways
            self._error, self.state = str(error), "failed"
            return
        self.log = self._process.log
        if code is None:
            return
        if self.state == "cancelling":
            self.state = "cancelled"
        elif code != 0:
            self.state = "failed"
        else:
            self._next()

    def cancel(self) -> None:
        """Stop; `poll` says when it has."""
        if self._process is None:
            self.state = "cancelled"
        elif self.state == "running":
            self.state = "cancelling"
            self._process.cancel()

    def end(self) -> None:
        """Stop without looking back."""
        if self.isRunning and self._process is not None:
            self._process.end()
        self.state = "cancelled"

    def _call(self, step: Step) -> None:
        if not self._announced:  # first let the panel say that Slicer will not answer
            self._announced = True
            return
        step.call()
        self._next()

    def _next(self) -> None:
        self._process, self._announced = None, False
        if self._place + 1 == len(self._steps):
            self.state = "done"
        else:
            self._place += 1


def adviceOn(log: str) -> str:
    """What to do about an installation that failed with this output."""
    return next((advice for pattern, advice in _advices() if re.search(pattern, log)), _lastly())


def _advices() -> list[tuple[str, str]]:
    return [
        (
            r"No space left|Errno 28\b|WinError 112\b|not enough space|Disk quota",
            _("The disk is full: free several GB where Slicer is installed, and in the folder for temporary files."),
        ),
        (
            r"ProxyError|407 Proxy|Tunnel connection failed|[Cc]annot connect to proxy",
            _("The proxy refused. Set HTTPS_PROXY as your network asks for it, and start Slicer again."),
        ),
        (
            r"CERTIFICATE_VERIFY_FAILED|SSLError|SSLCertVerificationError",
            _(
                "The connection is not trusted, as behind some hospital firewalls. Ask for your network's certificate, "
                "name its file in PIP_CERT, and start Slicer again."
            ),
        ),
        (
            r"NewConnectionError|NameResolutionError|name resolution|getaddrinfo|Name or service not known"
            r"|Network is unreachable|Max retries exceeded|ConnectTimeout|Read timed out|Connection broken"
            r"|ConnectionResetError",
            _(
                "The internet could not be reached. Check the connection and try again. Behind a proxy, set "
                "HTTPS_PROXY and start Slicer again."
            ),
        ),
        (
            r"Permission denied|Errno 13\b|WinError 5\b|WinError 32\b|Access is denied|Read-only file system",
            _(
                "Slicer's folder cannot be written to, or files in it are in use. Restart Slicer and install before "
                "anything else; or install Slicer in a folder of your own."
            ),
        ),
        (
            r"No matching distribution|Could not find a version|Requires-Python",
            _("There is none for this Slicer's Python. Use a newer Slicer, or another Python."),
        ),
    ]


def _lastly() -> str:
    return _("Restart Slicer and try again, or use another Python. The details show what pip said.")
