"""One installation into a Python, in a process of its own: Slicer answers meanwhile, and it can be stopped."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from metassl.files import MetaSSLError

from ...Translation import _
from .ChildProcess import OWN_GROUP, interruptAll, killAll

LOG_BYTES = 16 << 10
_PROGRESS = re.compile(r"^Progress (\d+) of (\d+)\s*$", re.MULTILINE)


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
