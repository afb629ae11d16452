"""How much memory there is, and how much of it is free."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def memory_total() -> int | None:
    """The bytes of memory that this process may use: the machine's, or less inside a container."""
    if sys.platform == "win32":
        return _windows("total")
    sizes = []
    if "SC_PHYS_PAGES" in os.sysconf_names:
        sizes.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    sizes += _numbers("memory.max")  # none where there is no container, or no limit
    return min(sizes, default=None)


def memory_free() -> int | None:
    """The bytes that this process could use more, without others giving up any; None where nothing tells."""
    if sys.platform == "win32":
        return _windows("available")
    sizes = [most - used for most in _numbers("memory.max") for used in _numbers("memory.current")]
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        sizes += [int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")]
    except (OSError, ValueError, IndexError):
        pass  # macOS
    return min(sizes, default=None)


def _numbers(name: str) -> list[int]:
    try:
        return [int((_CGROUP / name).read_text("ascii"))]
    except (OSError, ValueError):
        return []


if sys.platform == "win32":

    def _windows(name: str) -> int:
        class Status(ctypes.Structure):
            _fields_ = [
                ("length", ctypes.c_ulong),
                ("load", ctypes.c_ulong),
                *((name, ctypes.c_ulonglong) for name in ("total", "available", "c", "d", "e", "f", "g")),
            ]

        status = Status(length=ctypes.sizeof(Status))
        ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
        return int(getattr(status, name))
