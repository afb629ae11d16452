"""A short lock between processes, for read-modify-write of a small file."""

from __future__ import annotations

import errno
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from .atomic import writing
from .errors import BusyError, ErrorCode, ProjectError

_TAKEN = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}


@contextmanager
def file_lock(path: Path, timeout_s: float = 30.0) -> Iterator[None]:
    """Hold the lock file `path` inside the block; the system frees it when a process dies.

    Raises BusyError when another process keeps it longer than `timeout_s` seconds, ProjectError
    when the lock file cannot be made or the disk knows no locks. It is not re-entrant.
    """
    path = Path(path)
    with writing(path):
        stream = open(path, "a+b")  # noqa: SIM115
    with stream:
        _wait_for(stream, path, timeout_s)
        try:
            yield
        finally:
            _unlock(stream)


def _wait_for(stream: IO[bytes], path: Path, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            _lock(stream)
            return
        except OSError as error:
            if error.errno not in _TAKEN:
                raise ProjectError(
                    f"the disk of {path.parent} offers no file locks ({error.strerror}): "
                    "move the project to a local disk"
                ) from error
            if time.monotonic() > deadline:
                message = f"project {path.parent} is being written by another program; try again"
                raise BusyError(message, ErrorCode.LOCKED) from error
        time.sleep(0.01)


if sys.platform == "win32":
    import msvcrt

    def _lock(stream: IO[bytes]) -> None:
        stream.seek(0)
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)

    def _unlock(stream: IO[bytes]) -> None:
        stream.seek(0)
        msvcrt.locking(stream.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(stream: IO[bytes]) -> None:
        fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(stream: IO[bytes]) -> None:
        fcntl.flock(stream.fileno(), fcntl.LOCK_UN)
