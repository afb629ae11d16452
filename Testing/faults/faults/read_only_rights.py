"""A folder that may not be written to, also for root, who may otherwise write anywhere."""

from __future__ import annotations

import ctypes
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_VERSION_3 = 0x20080522
_OVERRIDES = 0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def why_not() -> str:
    """Why no folder can be made read-only here; "" when it can."""
    if os.name == "nt":
        return "a folder cannot be made read-only on Windows by its mode"
    if os.geteuid() == 0 and not sys.platform.startswith("linux"):
        return "root may write anywhere on this system"
    return ""


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing in `folder`, nor in folders in it, can be changed inside the block."""
    paths = [folder, *(path for path in folder.rglob("*") if not path.is_symlink())]
    modes = {path: path.stat().st_mode for path in paths}
    for path, mode in modes.items():
        path.chmod(mode & ~_WRITE)
    try:
        with _like_any_user():
            yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


@contextmanager
def _like_any_user() -> Iterator[None]:
    """In this thread root has no right to override the modes of files; the right comes back."""
    if os.geteuid() != 0:
        yield
        return
    header, data = (ctypes.c_uint32 * 2)(_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    system = ctypes.CDLL(None, use_errno=True)
    _check(system.capget(header, data))
    effective = data[0]
    data[0] = effective & ~_OVERRIDES
    _check(system.capset(header, data))
    try:
        yield
    finally:
        data[0] = effective
        _check(system.capset(header, data))


def _check(result: int) -> None:
    if result:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
